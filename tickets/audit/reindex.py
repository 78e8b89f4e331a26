"""Builds the copy anew under the next generation, from the log, and puts it in the place of the old one.

Searches go on in the old generation meanwhile, and shipping into it. Nothing is ever overwritten.
"""

from __future__ import annotations

from collections.abc import Callable

from django.db import transaction
from elasticsearch import Elasticsearch

from tickets.audit.elasticsearch import put_template
from tickets.audit.ship import ALIAS, BATCH, indices_of, operations
from tickets.models import Entry, Shipping, ShippingFailure

_CREATED, _PRESENT = 201, 409


class ReindexRefused(Exception):
    """Elasticsearch does not take an entry; says which and why."""


def reindex(admin: Elasticsearch, progress: Callable[[int], object] = int) -> int:
    """Returns the new generation. Raises ReindexRefused, ApiError, TransportError; begun again, it goes on."""
    generation = Shipping.objects.get(pk=1).generation + 1
    put_template(admin, generation, aliases={})
    built = 0
    while entries := list(Entry.objects.filter(seq__gt=built).order_by("seq")[:BATCH]):
        _create(admin, entries, generation)
        built = entries[-1].seq
        progress(built)
    _swap(admin, generation)
    with transaction.atomic():
        # What was shipped to the old generation since is shipped to this one: the cursor goes back to what was built.
        Shipping.objects.filter(pk=1).update(generation=generation, shipped_through=built)
        # They tell of the old generation. What comes behind the cursor is told anew.
        ShippingFailure.objects.all().delete()
    return generation


def _create(admin: Elasticsearch, entries: list[Entry], generation: int) -> None:
    answers = admin.bulk(operations=operations(entries, generation))["items"]
    for entry, answer in zip(entries, (answer["create"] for answer in answers), strict=True):
        if answer["status"] not in (_CREATED, _PRESENT):
            raise ReindexRefused(f"entry {entry.seq}: {answer.get('error')}"[:500])


def _swap(admin: Elasticsearch, generation: int) -> None:
    """The alias moves in one step, and months to come join it by the template."""
    put_template(admin, generation, aliases={ALIAS: {}})
    new = indices_of(generation)
    before = [name for name in admin.indices.get(index=f"{ALIAS}-g*", features=["aliases"]) if not name.startswith(new)]
    actions = [{"remove": {"index": name, "alias": ALIAS, "must_exist": False}} for name in before]
    actions.append({"add": {"index": f"{new}*", "alias": ALIAS}})
    admin.indices.update_aliases(actions=actions)
