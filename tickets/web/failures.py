"""What is answered where no view did: a page for people, JSON for programs."""

from __future__ import annotations

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults

_TOO_LARGE = 413
_FAILED = "The server failed. Sending again is safe with the same source and external_id, or the same Idempotency-Key."


def refused(request: HttpRequest, status: int, words: str) -> HttpResponse:
    """Before any view is asked."""
    if _is_program(request):
        return JsonResponse({"detail": words}, status=status)
    page = f"{status}.html" if status == _TOO_LARGE else "400.html"
    return HttpResponse(render_to_string(page, {"words": words, "status": status}), status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """In our own words, where the view raised it."""
    words = str(exception) if type(exception) is BadRequest else ""
    if _is_program(request):
        return JsonResponse({"detail": words or "This request cannot be read."}, status=400)
    return render(request, "400.html", {"words": words}, status=400)


def failed(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"detail": _FAILED}, status=500) if _is_program(request) else defaults.server_error(request)


def _is_program(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
