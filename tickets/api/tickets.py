"""Tickets in, and what became of them."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tickets import pipeline
from tickets.api import serializers as shapes
from tickets.api.keys import actor, key_of
from tickets.api.parsing import BulkJSONParser, NDJSONParser
from tickets.audit.explain import explain
from tickets.flow.idempotency import Once
from tickets.flow.ingest import Accepted
from tickets.models import Queue, Scope, Ticket

IDEMPOTENCY_KEY_MAX = 200
_ERRORS: dict[int, Any] = {
    400: dict,
    401: shapes.ErrorOut,
    403: shapes.ErrorOut,
    413: shapes.ErrorOut,
    415: shapes.ErrorOut,
}
_ERRORS_OF_ONE = _ERRORS | {404: shapes.ErrorOut, 409: shapes.ErrorOut}
_AS_FAR_AS_IT_MAY_READ = {
    "anyOf": [{"$ref": "#/components/schemas/TicketOut"}, {"$ref": "#/components/schemas/AcceptedOut"}],
    "description": "The whole ticket to a key with tickets:read too, else its number, address and state.",
}


def _idempotency_key(same: str) -> OpenApiParameter:
    return OpenApiParameter(
        "Idempotency-Key",
        location="header",
        description=f"The same key and body within 24 hours is the same {same}; another body or address is a 409.",
        type={"type": "string", "minLength": 1, "maxLength": IDEMPOTENCY_KEY_MAX, "pattern": "^[!-~]+$"},
    )


class TicketsView(APIView):
    scopes = {"POST": Scope.TICKETS_WRITE}

    @extend_schema(
        operation_id="submit_ticket",
        request=shapes.TicketIn,
        responses={202: shapes.AcceptedOut, 200: shapes.AcceptedOut, 409: shapes.ErrorOut, **_ERRORS},
        parameters=[_idempotency_key("ticket")],
    )
    def post(self, request: Request) -> Response:
        """Submit one ticket of at most 256 KiB.

        202 when it is new, 200 when its source and external_id or Idempotency-Key are known.
        """
        ticket = shapes.TicketIn(data=request.data)
        ticket.is_valid(raise_exception=True)
        once = _once(request)
        submission = ticket.to_submission()
        accepted = pipeline.submit_once(submission, once) if once else pipeline.submit([submission])[0]
        return Response(shapes.accepted_out(accepted.ticket), status=_status(accepted))


class BulkView(APIView):
    scopes = {"POST": Scope.TICKETS_WRITE}
    parser_classes = [BulkJSONParser, NDJSONParser]

    @extend_schema(
        operation_id="submit_tickets",
        request={
            "application/json": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/TicketInRequest"},
                "maxItems": settings.BULK_MAX_LINES,
            },
            "application/x-ndjson": {"type": "string", "description": "One ticket a line."},
        },
        responses={200: shapes.BulkLineOut(many=True), **_ERRORS},
    )
    def post(self, request: Request) -> Response:
        """Submit up to 1,000 tickets in 16 MiB. Each line stands alone and gets its own result, in order.

        An Idempotency-Key is a 400: give each ticket an external_id instead.
        """
        if "Idempotency-Key" in request.headers:
            raise ValidationError({"Idempotency-Key": ["Not for many: give each ticket an external_id instead."]})
        if not isinstance(request.data, list):
            raise ParseError("The body is empty.")
        checked = [_checked(line) for line in request.data]
        valid = [line.to_submission() for line in checked if isinstance(line, shapes.TicketIn)]
        accepted = iter(pipeline.submit(valid)) if valid else iter(())
        results = [
            _accepted_line(number, next(accepted))
            if isinstance(line, shapes.TicketIn)
            else {"line": number, "status": 400, "errors": line}
            for number, line in enumerate(checked, start=1)
        ]
        return Response(results)


class TicketView(APIView):
    scopes = {"GET": Scope.TICKETS_READ}

    @extend_schema(operation_id="get_ticket", responses={200: shapes.TicketOut, **_ERRORS_OF_ONE})
    def get(self, request: Request, pk: int) -> Response:
        """A ticket as it is now, with its latest decision and what the decision came from."""
        return _ticket(pk)


class MessagesView(APIView):
    scopes = {"POST": Scope.TICKETS_WRITE}

    @extend_schema(
        operation_id="add_message",
        request=shapes.MessageIn,
        responses={202: _AS_FAR_AS_IT_MAY_READ, 200: _AS_FAR_AS_IT_MAY_READ, **_ERRORS_OF_ONE},
        parameters=[_idempotency_key("message")],
    )
    def post(self, request: Request, pk: int) -> Response:
        """A new message of the requester. The ticket is scored anew; where a person decided, its queue stays.

        202 when it is new, 200 when its Idempotency-Key is known. A ticket holds 1,000 messages of its requester and
        1,048,576 characters of text; one more is a 409: open a new ticket.
        """
        message = _valid(shapes.MessageIn, request)
        accepted = pipeline.add_message(pk, message["body"], _once(request))
        return _answer(request, pk, _status(accepted))


class OverrideView(APIView):
    scopes = {"POST": Scope.TICKETS_DECIDE}

    @extend_schema(
        operation_id="override_decision",
        request=shapes.OverrideIn,
        responses={200: _AS_FAR_AS_IT_MAY_READ, **_ERRORS_OF_ONE},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Move a ticket to the other queue, and say why. No model overrules it."""
        wish = _word(shapes.OverrideIn, request)
        pipeline.override(pk, Queue(wish["queue"]), actor(request), wish["reason"])
        return _answer(request, pk)


class ConfirmView(APIView):
    scopes = {"POST": Scope.TICKETS_DECIDE}

    @extend_schema(
        operation_id="confirm_decision",
        request=shapes.ConfirmIn,
        responses={200: _AS_FAR_AS_IT_MAY_READ, **_ERRORS_OF_ONE},
    )
    def post(self, request: Request, pk: int) -> Response:
        """Say that the queue is right. No model overrules it."""
        wish = _word(shapes.ConfirmIn, request)
        pipeline.confirm(pk, actor(request), wish.get("reason", ""))
        return _answer(request, pk)


class ExplainView(APIView):
    scopes = {"POST": Scope.TICKETS_DECIDE}

    @extend_schema(
        operation_id="explain_decision", request=None, responses={202: _AS_FAR_AS_IT_MAY_READ, **_ERRORS_OF_ONE}
    )
    def post(self, request: Request, pk: int) -> Response:
        """Ask which sentences moved the score; soon after, they stand in `decision.sentences`."""
        pipeline.ask_for_explanation(pk, actor(request))
        return _answer(request, pk, status=202)


class UndoView(APIView):
    scopes = {"POST": Scope.TICKETS_DECIDE}

    @extend_schema(operation_id="undo_review", request=None, responses={200: _AS_FAR_AS_IT_MAY_READ, **_ERRORS_OF_ONE})
    def post(self, request: Request, pk: int) -> Response:
        """Take back the last override or confirmation."""
        _word(shapes.NothingIn, request)
        pipeline.undo(pk, actor(request))
        return _answer(request, pk)


def _answer(request: Request, pk: int, status: int = 200) -> Response:
    """The ticket after a change, as far as the key may read it."""
    if Scope.TICKETS_READ in key_of(request).scopes:
        return _ticket(pk, status)
    return Response(shapes.accepted_out(Ticket.objects.get(pk=pk)), status=status)


def _ticket(pk: int, status: int = 200) -> Response:
    ticket = Ticket.objects.get(pk=pk)
    return Response(shapes.ticket_out(ticket, explain(ticket)), status=status)


def _valid(serializer: type[Any], request: Request) -> dict[str, Any]:
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)


def _word(serializer: type[Any], request: Request) -> dict[str, Any]:
    """What a person or program says about a decision. Nothing remembers its Idempotency-Key, so it must not seem so."""
    if "Idempotency-Key" in request.headers:
        raise ValidationError({"Idempotency-Key": ["Not for this: look at the ticket before you send it again."]})
    return _valid(serializer, request)


def _status(accepted: Accepted) -> int:
    return 202 if accepted.created else 200


def _once(request: Request) -> Once | None:
    value = request.headers.get("Idempotency-Key")
    if value is None:
        return None
    if not 1 <= len(value) <= IDEMPOTENCY_KEY_MAX or not all("!" <= character <= "~" for character in value):
        raise ValidationError({"Idempotency-Key": [f"Send 1 to {IDEMPOTENCY_KEY_MAX} printable ASCII characters."]})
    asked = f"{request.path} {json.dumps(request.data, sort_keys=True, ensure_ascii=True)}"
    return Once(key_of(request), value, hashlib.sha256(asked.encode()).hexdigest())


def _checked(line: Any) -> shapes.TicketIn | Any:
    """The valid ticket of a line, or its errors."""
    if isinstance(line, APIException):
        return {"line": [str(line.detail)]}
    ticket = shapes.TicketIn(data=line)
    return ticket if ticket.is_valid() else ticket.errors


def _accepted_line(number: int, accepted: Accepted) -> dict[str, Any]:
    return {"line": number, "status": _status(accepted), **shapes.accepted_out(accepted.ticket)}
