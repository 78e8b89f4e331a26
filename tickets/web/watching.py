"""For programs that watch: alive, ready, and the figures."""

from __future__ import annotations

import hmac

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from tickets.audit.metrics import registry
from tickets.audit.readiness import checks
from tickets.web.authentication import is_local


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Alive: the process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Ready: the database answers. Everything else is told, too, since tickets are decided without it."""
    results = checks()
    ready = results["database"] == "ok"
    body: dict[str, object] = {"ready": ready}
    if is_local(request) or getattr(request.user, "is_staff", False):
        body["checks"] = results
    return JsonResponse(body, status=200 if ready else 503)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text; for this machine, or with `Authorization: Bearer METRICS_TOKEN`."""
    if not (is_local(request) or _has_token(request)):
        return HttpResponse("Send Authorization: Bearer METRICS_TOKEN.\n", status=403, content_type="text/plain")
    return HttpResponse(generate_latest(registry()), content_type=CONTENT_TYPE_LATEST)


def _has_token(request: HttpRequest) -> bool:
    given = request.headers.get("Authorization", "").removeprefix("Bearer ").encode()
    return bool(settings.METRICS_TOKEN) and hmac.compare_digest(given, settings.METRICS_TOKEN.encode())
