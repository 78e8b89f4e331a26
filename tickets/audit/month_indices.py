"""The copy's indices of months that were archived whole."""

from __future__ import annotations

import re

from elasticsearch import Elasticsearch

from tickets.audit.archive import archived_through
from tickets.audit.ship import ALIAS
from tickets.models import Entry
from tickets.models.clock import moment

_MONTH = re.compile(rf"{ALIAS}-g[0-9]+-([0-9]{{4}}\.[0-9]{{2}})")


def drop_archived(admin: Elasticsearch) -> list[str]:
    """Deletes those of every generation, and returns their names. Raises ApiError, TransportError.

    Times never fall in the log, so a month before that of the first entry which is still here was archived whole.
    """
    through = archived_through()
    first = Entry.objects.filter(seq__gt=through).order_by("seq").first() if through else None
    if first is None:
        return []
    here = f"{moment(first.at):%Y.%m}"
    names = sorted(admin.indices.get(index=f"{ALIAS}-g*", features=["aliases"]))
    gone = [name for name in names if (found := _MONTH.fullmatch(name)) and found[1] < here]
    for name in gone:
        admin.indices.delete(index=name)
    return gone
