"""How we decide: read the versions, save a draft, activate one."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tickets import pipeline
from tickets.api import serializers as shapes
from tickets.api.keys import actor
from tickets.audit.explain import MILLION
from tickets.models import ActivePolicy, Policy, Scope
from tickets.policy.versions import like, with_states

_ERRORS: dict[int, Any] = {400: dict} | dict.fromkeys((401, 403, 404, 413, 415), shapes.ErrorOut)


class PoliciesView(APIView):
    scopes = {"GET": Scope.DECISIONS_READ, "POST": Scope.POLICIES_WRITE}

    @extend_schema(operation_id="list_policies", responses={200: shapes.PolicyOut(many=True), **_ERRORS})
    def get(self, request: Request) -> Response:
        """The latest 200 versions, latest first."""
        return Response([shapes.policy_out(policy, policy.state) for policy in with_states()[:200]])

    @extend_schema(operation_id="draft_policy", request=shapes.PolicyIn, responses={201: shapes.PolicyOut, **_ERRORS})
    def post(self, request: Request) -> Response:
        """Save a draft under the next number; what is left out is as in the active policy."""
        wish = shapes.PolicyIn(data=request.data)
        wish.is_valid(raise_exception=True)
        values = dict(wish.validated_data)
        reason = values.pop("reason")
        for name in ("threshold", "review_band"):
            if name in values:
                values[name] = int(values[name] * MILLION)
        policy = pipeline.draft_policy(like(ActivePolicy.current()) | values, actor(request), reason)
        return Response(shapes.policy_out(policy, "draft"), status=201)


class PolicyView(APIView):
    scopes = {"GET": Scope.DECISIONS_READ}

    @extend_schema(operation_id="get_policy", responses={200: shapes.PolicyOut, **_ERRORS})
    def get(self, request: Request, number: int) -> Response:
        policy = with_states().get(number=number)
        return Response(shapes.policy_out(policy, policy.state))


class ActivateView(APIView):
    scopes = {"POST": Scope.POLICIES_WRITE}

    @extend_schema(
        operation_id="activate_policy",
        request=shapes.ReasonIn,
        responses={200: shapes.PolicyOut, 409: shapes.ErrorOut, **_ERRORS},
    )
    def post(self, request: Request, number: int) -> Response:
        """From now on this version decides. Activating an older one is a roll-back."""
        wish = shapes.ReasonIn(data=request.data)
        wish.is_valid(raise_exception=True)
        pipeline.activate_policy(Policy.objects.get(number=number), actor(request), wish.validated_data["reason"])
        policy = with_states().get(number=number)
        return Response(shapes.policy_out(policy, policy.state))
