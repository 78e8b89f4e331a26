"""What the server refuses before Django sees it."""

from __future__ import annotations

import io
from typing import Any

import pytest

from triage.wsgi import application

pytestmark = pytest.mark.django_db


def answered(content_type: str, path: str = "/login/", query: str = "") -> int:
    started: list[str] = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": content_type,
        "CONTENT_LENGTH": "3",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b"a=1"),
        "wsgi.errors": io.StringIO(),
    }
    list(application(environ, lambda status, headers, error=None: started.append(status)))
    return int(started[0].split()[0])


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded; charset=iso-8859-1",
        "text/plain; charset=hex",
        "text/plain; charset=punycode",
        "multipart/form-data; boundary=x; charset=undefined",
        "text/plain; charset*=hex''41",
    ],
)
@pytest.mark.parametrize(("path", "query"), [("/login/", ""), ("/api/v1/decisions/", "ticket=1")])
def test_whatever_codec_a_sender_names_none_but_utf_8_is_used(content_type: str, path: str, query: str) -> None:
    assert answered(content_type, path, query) == 415


@pytest.mark.parametrize(
    "content_type", ["", "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=UTF-8"]
)
def test_utf_8_is_read_named_or_not(content_type: str) -> None:
    assert answered(content_type) == 403  # no CSRF token
