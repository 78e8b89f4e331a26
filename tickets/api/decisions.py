"""The decisions, page by page, and the log as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import ValidationError
from rest_framework.generics import ListAPIView
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.views import APIView

from tickets import pipeline
from tickets.api.fields import printable
from tickets.api.keys import actor
from tickets.api.serializers import DecisionOut, ErrorOut
from tickets.audit.explain import MILLION
from tickets.flow.record import Draft
from tickets.models import Decision, Entry, Kind, Queue, Scope
from tickets.models.entry import DECISIONS

_EXPORT_CHUNK = 2_000


class ByLog(CursorPagination):
    """Latest first; a cursor, so that page 10,000 costs what page 1 does."""

    ordering = "-entry_id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500

    def get_page_size(self, request: Request) -> int:
        wanted = request.query_params.get(self.page_size_query_param, str(self.page_size))
        if not (wanted.isascii() and wanted.isdigit() and 1 <= int(wanted[:9]) <= self.max_page_size):
            raise ValidationError({self.page_size_query_param: [f"Write a number from 1 to {self.max_page_size}."]})
        return int(wanted)


class DecisionFilter(django_filters.FilterSet):
    ticket = django_filters.NumberFilter(field_name="ticket_id", min_value=1, max_value=2**63 - 1)
    queue = django_filters.ChoiceFilter(choices=Queue.choices)
    kind = django_filters.ChoiceFilter(choices=[(kind.value, kind.label) for kind in DECISIONS])
    policy = django_filters.NumberFilter(field_name="policy_number", min_value=1, max_value=2**31 - 1)
    model = django_filters.CharFilter(field_name="model_name", max_length=200)
    actor = django_filters.CharFilter(field_name="actor", max_length=200)
    needs_check = django_filters.BooleanFilter()
    score_min = django_filters.NumberFilter(method="above", min_value=0, max_value=1)
    score_max = django_filters.NumberFilter(method="below", min_value=0, max_value=1)
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt")

    class Meta:
        model = Decision
        fields: list[str] = []

    def above(self, queryset: Any, name: str, value: Any) -> Any:
        return queryset.filter(score__gte=int(value * MILLION))

    def below(self, queryset: Any, name: str, value: Any) -> Any:
        return queryset.filter(score__lte=int(value * MILLION))


@extend_schema_view(
    get=extend_schema(
        operation_id="list_decisions",
        responses={200: DecisionOut(many=True), 400: dict, 401: ErrorOut, 403: ErrorOut, 404: ErrorOut},
    )
)
class DecisionsView(ListAPIView):
    """Decisions, latest first. Filter by anything a decision is made of."""

    scopes = {"GET": Scope.DECISIONS_READ}
    queryset = Decision.objects.all()
    serializer_class = DecisionOut
    pagination_class = ByLog
    filter_backends = [django_filters.rest_framework.DjangoFilterBackend]
    filterset_class = DecisionFilter

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = {*DecisionFilter.base_filters, ByLog.cursor_query_param, ByLog.page_size_query_param}
        if unknown := sorted(set(self.request.query_params) - known):
            raise ValidationError({printable(name): ["There is no such filter."] for name in unknown})
        return super().filter_queryset(queryset)


class ExportView(APIView):
    scopes = {"GET": Scope.DECISIONS_READ}

    @extend_schema(
        operation_id="export_log",
        responses={(200, "application/x-ndjson"): OpenApiTypes.STR, 401: ErrorOut, 403: ErrorOut},
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """The whole log as NDJSON, one entry a line: prev_hash, hash, and body, the text that was hashed."""
        last = Entry.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
        pipeline.note(Draft(Kind.EXPORTED, "log", actor(request).name, {"through": last}))
        response = StreamingHttpResponse(_lines(last), content_type="application/x-ndjson")
        response["Content-Disposition"] = f'attachment; filename="triage-log-{last}.ndjson"'
        return response


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
