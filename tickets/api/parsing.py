"""Bodies of requests: bounded before they are read, refused in words where they are no JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser


class TooLarge(APIException):
    status_code = 413
    default_code = "too_large"


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 has it: UTF-8, no NaN, no key twice."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        return loads(read(stream, settings.DATA_UPLOAD_MAX_MEMORY_SIZE))


class BulkJSONParser(BaseParser):
    """A list of tickets, as raw objects."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        data = loads(read(stream, settings.BULK_MAX_BYTES))
        if not isinstance(data, list):
            raise ParseError("Send a JSON list of tickets, or one ticket a line as application/x-ndjson.")
        return _bounded(data)


class NDJSONParser(BaseParser):
    """One ticket a line; a line that is no JSON becomes a ParseError in its place and spoils no other."""

    media_type = "application/x-ndjson"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        lines = [line for line in read(stream, settings.BULK_MAX_BYTES).split(b"\n") if line.strip()]
        return [_line(line) for line in _bounded(lines)]


def read(stream: Any, limit: int) -> bytes:
    """The whole body, at most `limit` bytes of it. Raises TooLarge."""
    body = stream.read(limit + 1)
    if len(body) > limit:
        raise TooLarge(f"The body is larger than {limit:,} bytes.")
    return body


def loads(body: bytes) -> Any:
    """Raises ParseError, which says where the body stops being JSON."""
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeats)
    except UnicodeDecodeError as error:
        raise ParseError(f"The body is not UTF-8: byte {error.start}.") from error
    except RecursionError as error:
        raise ParseError("The body is nested too deeply.") from error
    except ValueError as error:
        raise ParseError(f"The body is not JSON: {error}.") from error


def _line(line: bytes) -> Any:
    if len(line) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        return TooLarge(f"The line is larger than {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes.")
    try:
        return loads(line)
    except ParseError as error:
        return error


def _bounded(lines: list[Any]) -> list[Any]:
    if len(lines) > settings.BULK_MAX_LINES:
        raise TooLarge(f"{len(lines):,} tickets; at most {settings.BULK_MAX_LINES:,} in one request.")
    return lines


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("an object has the same key twice")
    return members
