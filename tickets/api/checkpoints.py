"""What the log was, signed, for whoever keeps a copy: by key for programs, by log-in for auditors."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tickets import pipeline
from tickets.api.keys import KeyAuthentication, actor
from tickets.audit.export import NotSignedYet, proof
from tickets.flow.record import Draft
from tickets.models import ApiKey, Checkpoint, Kind, Role, Scope, SigningKey, User

PAGE = 1_000


class AuditorOrKey(BasePermission):
    message = "Log in as an auditor, or send a key with the scope decisions:read."

    def has_permission(self, request: Request, view: Any) -> bool:
        if isinstance(request.auth, ApiKey):
            return Scope.DECISIONS_READ in request.auth.scopes
        return isinstance(request.user, User) and request.user.has_role(Role.AUDITOR, Role.OPS)


class CheckpointsView(APIView):
    authentication_classes = [KeyAuthentication, SessionAuthentication]
    permission_classes = [AuditorOrKey]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        """The first thousand checkpoints after size `after`, or the latest thousand; smallest first."""
        after = request.query_params.get("after")
        if after is None:
            rows = list(reversed(Checkpoint.objects.order_by("-size")[:PAGE]))
        elif after.isascii() and after.isdigit() and len(after) <= 18:  # noqa: PLR2004
            rows = list(Checkpoint.objects.filter(size__gt=int(after)).order_by("size")[:PAGE])
        else:
            raise ValidationError({"after": ["Send the size of a checkpoint."]})
        return Response(
            {
                "origin": settings.LOG_ORIGIN,
                "keys": list(SigningKey.objects.order_by("since").values_list("verifier_key", flat=True)),
                "checkpoints": [{"size": row.size, "note": row.note} for row in rows],
            }
        )


class ProofView(APIView):
    authentication_classes = [KeyAuthentication, SessionAuthentication]
    permission_classes = [AuditorOrKey]

    @extend_schema(exclude=True)
    def get(self, request: Request, seq: int) -> Response:
        """That one entry stands in the log as a signed checkpoint has it: for `verify_export.py --proof`."""
        try:
            found = proof(seq)
        except NotSignedYet as error:
            return Response({"detail": str(error)}, status=409)
        # It has the entry in it, so reading it is opening that.
        pipeline.note(Draft(Kind.AUDIT_OPENED, f"entry:{seq}", _reader(request)))
        return Response(found)


def _reader(request: Request) -> str:
    """Who passed `AuditorOrKey`, as the log names them."""
    return actor(request).name if isinstance(request.auth, ApiKey) else f"user:{request.user.pk}"
