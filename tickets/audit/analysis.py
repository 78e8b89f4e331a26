"""What the log says as a whole: asks its copy where there is one, and the database where the copy cannot answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from tickets.audit import analysis_database, analysis_elasticsearch, copy_reader, ship
from tickets.audit.analysis_figures import Figures, Window
from tickets.models import ShippingFailure

PATIENCE = 5
"""Seconds the copy has."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """The figures, and which store gave them.

    behind, refused: entries that the copy lacks since they were not yet sent, or since it refused them; None where the
    database answered. problem: why the copy could not answer, or empty.
    """

    window: Window
    figures: Figures
    counted_at: datetime
    behind: int | None = None
    refused: int | None = None
    problem: str = ""

    @property
    def is_from_copy(self) -> bool:
        return self.behind is not None


def analyse(window: Window, index: str = ship.ALIAS) -> Analysis:
    """index: where the copy is."""
    counted_at, problem = timezone.now(), ""
    if settings.ELASTICSEARCH_READER_URL:
        try:
            found = analysis_elasticsearch.figures(window, copy_reader.reader(PATIENCE), index)
            return Analysis(window, found, counted_at, ship.unshipped(), ShippingFailure.objects.count())
        except copy_reader.FAILURES as error:
            problem = copy_reader.problem_of(error, PATIENCE)
    return Analysis(window, analysis_database.figures(window), counted_at, problem=problem)
