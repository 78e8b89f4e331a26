"""What holds for every request: how large it may be, the reader's time zone, and where demo people may be."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from tickets.web.authentication import may_demo
from tickets.web.failures import refused

_BULK = "/api/v1/tickets/bulk/"
_DIGITS = 18


class BoundedBody:
    """Refuses a body by what it says of its length, before the CSRF check puts what a form uploads on the disk."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if "Transfer-Encoding" in request.headers:
            return refused(request, 411, "Send the body in one piece, with its Content-Length.")
        length = request.META.get("CONTENT_LENGTH") or "0"
        is_bulk = request.method == "POST" and request.path == _BULK
        limit = settings.BULK_MAX_BYTES if is_bulk else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if not (length.isascii() and length.isdigit()):
            return refused(request, 400, "Content-Length is no number.")
        if len(length) > _DIGITS or int(length) > limit:
            return refused(request, 413, f"The body is larger than {limit:,} bytes.")
        return self.get_response(request)


class DemoStaysHere:
    """A session of a demo person ends with demo mode, and anywhere but on this machine."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated and request.user.is_demo and not may_demo(request):
            logout(request)
        return self.get_response(request)


class ReaderTimeZone:
    """Times are stored in UTC and shown in the reader's zone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return self.get_response(request)
        with timezone.override(ZoneInfo(request.user.time_zone)):
            return self.get_response(request)
