"""From errors to answers, in this one place. Every answer says what is wrong, a 400 names the field."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ObjectDoesNotExist
from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import NotFound
from rest_framework.response import Response
from rest_framework.views import exception_handler

from tickets.flow.idempotency import IdempotencyConflict
from tickets.flow.ingest import TicketFull
from tickets.flow.review import ReviewRefused
from tickets.policy.versions import ActiveAlready, CalibrationOfAnotherModel


@csrf_exempt
def not_found(request: HttpRequest) -> JsonResponse:
    """For addresses under /api/v1/ that are none."""
    return JsonResponse({"detail": "There is no such address. Each ends with a slash; see /api/v1/docs/."}, status=404)


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    if isinstance(error, ActiveAlready | IdempotencyConflict | ReviewRefused | TicketFull):
        return Response({"detail": str(error)}, status=409)
    if isinstance(error, CalibrationOfAnotherModel):
        return Response({"calibration": [str(error)]}, status=400)
    if isinstance(error, ObjectDoesNotExist):
        error = NotFound()
    return exception_handler(error, context)
