"""What Django answers where no view did: a page for people, JSON for programs."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views import defaults

_FAILED = "The server failed. Sending again is safe with the same source and external_id, or the same Idempotency-Key."


def refused(request: HttpRequest, status: int, words: str) -> HttpResponse:
    """Before any view is asked."""
    if _is_program(request):
        return JsonResponse({"detail": words}, status=status)
    return HttpResponse(render_to_string(f"{status}.html"), status=status)


def failed(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"detail": _FAILED}, status=500) if _is_program(request) else defaults.server_error(request)


def _is_program(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
