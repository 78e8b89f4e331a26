"""The decisions, page by page, and the log as a file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from tickets import pipeline
from tickets.api.fields import printable
from tickets.api.filters import DecisionFilter
from tickets.api.keys import actor
from tickets.api.serializers import DecisionOut, ErrorOut
from tickets.flow.record import Draft
from tickets.models import Decision, Entry, Kind, Scope

_EXPORT_CHUNK = 2_000
_SEQ = re.compile(r"[0-9]{1,18}")
_PAGE_SIZE = re.compile(r"[0-9]{1,3}")


class ByLog(CursorPagination):
    """Latest first; a cursor, so that page 10,000 costs what page 1 does."""

    ordering = "-entry_id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500

    def get_page_size(self, request: Request) -> int:
        wanted = request.query_params.get(self.page_size_query_param, str(self.page_size))
        if not (_PAGE_SIZE.fullmatch(wanted) and 1 <= int(wanted) <= self.max_page_size):
            raise ValidationError({self.page_size_query_param: [f"Write a number from 1 to {self.max_page_size}."]})
        return int(wanted)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Says in the schema what `get_page_size` refuses."""
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"] |= {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return parameters

    def decode_cursor(self, request: Request) -> Any:
        """Raises ValidationError: a cursor is ours to make, but anyone may send one."""
        try:
            cursor = super().decode_cursor(request)
        except NotFound as error:
            raise _not_a_cursor() from error
        if cursor and not _SEQ.fullmatch(str(cursor.position)):
            raise _not_a_cursor()
        return cursor


class NDJSONRenderer(JSONRenderer):
    """For callers who ask for the log as what it is; what they did wrong is one line of JSON."""

    media_type = "application/x-ndjson"


@extend_schema_view(
    get=extend_schema(
        operation_id="list_decisions",
        responses={200: DecisionOut(many=True), 400: dict, 401: ErrorOut, 403: ErrorOut},
    )
)
class DecisionsView(ListAPIView):
    """Decisions, latest first. Filter by anything a decision is made of."""

    scopes = {"GET": Scope.DECISIONS_READ}
    queryset = Decision.objects.with_calibration()
    serializer_class = DecisionOut
    pagination_class = ByLog
    filter_backends = [DjangoFilterBackend]
    filterset_class = DecisionFilter

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = {*DecisionFilter.base_filters, ByLog.cursor_query_param, ByLog.page_size_query_param}
        given = sorted(self.request.query_params.lists())
        problems = {printable(name): _problem(values, is_known=name in known) for name, values in given}
        if wrong := {name: [problem] for name, problem in problems.items() if problem}:
            raise ValidationError(wrong)
        return super().filter_queryset(queryset)


class ExportView(APIView):
    scopes = {"GET": Scope.DECISIONS_READ}
    renderer_classes = [JSONRenderer, NDJSONRenderer]

    @extend_schema(
        operation_id="export_log",
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR, 401: ErrorOut, 403: ErrorOut},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """The log that is here as NDJSON, one entry a line: prev_hash, hash, and body, the text that was hashed."""
        last = Entry.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
        pipeline.note(Draft(Kind.EXPORTED, "log", actor(request).name, {"through": last}))
        response = StreamingHttpResponse(_lines(last), content_type="application/x-ndjson")
        response["Content-Disposition"] = f'attachment; filename="triage-log-{last}.ndjson"'
        return response


def _problem(values: list[str], *, is_known: bool) -> str:
    """What would else be lost silently; empty where nothing would."""
    if not is_known:
        return "There is no such filter."
    if len(values) > 1:
        return "Give it once."
    return "" if values[0] else "Give it a value, or leave it out."


def _not_a_cursor() -> ValidationError:
    return ValidationError({ByLog.cursor_query_param: ["Send a cursor as next or previous of a page has it."]})


def _lines(last: int) -> Iterator[str]:
    after = 0
    while after < last:
        rows = Entry.objects.filter(seq__gt=after, seq__lte=last).order_by("seq")[:_EXPORT_CHUNK]
        entries = list(rows.values_list("seq", "prev_hash", "hash", "body"))
        if not entries:
            return
        for _, prev_hash, this_hash, body in entries:
            line = {"prev_hash": prev_hash, "hash": this_hash, "body": bytes(body).decode()}
            yield json.dumps(line, ensure_ascii=False) + "\n"
        after = entries[-1][0]
