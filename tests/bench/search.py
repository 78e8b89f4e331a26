"""python -m tests.bench.search [--decisions N]: the auditor's search over N decisions in Elasticsearch, as JSON.

Fills an index of its own with documents as the shipper writes them, asks it as the page does, and deletes it. The rows
that a page reads from the database by their primary key are not in the figures.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "triage.settings")
django.setup()

from elasticsearch import Elasticsearch  # noqa: E402
from elasticsearch.helpers import streaming_bulk  # noqa: E402

from tests.bench.__main__ import Figure  # noqa: E402
from tests.bench.decision_log import APART, KINDS, MODELS, PEOPLE, POLICIES, START, entries  # noqa: E402
from tests.bench.measuring import percentile  # noqa: E402
from tickets.audit import search_elasticsearch  # noqa: E402
from tickets.audit.elasticsearch import MAPPING, install  # noqa: E402
from tickets.audit.search_query import Query  # noqa: E402
from tickets.audit.ship import document_of  # noqa: E402
from tickets.models import Queue  # noqa: E402
from tickets.models.clock import moment  # noqa: E402

PAGE = 50


@dataclass(frozen=True)
class Bench:
    reader: Elasticsearch
    index: str
    number: int

    def ask(self, query: Query) -> float:
        """Milliseconds."""
        started = time.perf_counter()
        search_elasticsearch.latest(query, PAGE + 1, self.reader, self.index)
        search_elasticsearch.count(query, self.reader, self.index)
        return 1000 * (time.perf_counter() - started)


@contextmanager
def filled(number: int) -> Iterator[tuple[Bench, float]]:
    """An index with so many decisions, and the seconds it took to fill."""
    index = f"triage-decisions-bench-{uuid.uuid4().hex[:12]}"
    with (
        Elasticsearch(os.environ["ELASTICSEARCH_ADMIN_URL"], request_timeout=120) as admin,
        Elasticsearch(os.environ["ELASTICSEARCH_READER_URL"], request_timeout=120) as reader,
    ):
        install(admin, os.environ["ELASTICSEARCH_URL"], os.environ["ELASTICSEARCH_READER_URL"])
        admin.indices.create(index=index, mappings=MAPPING, settings={"number_of_replicas": 0})
        try:
            started = time.perf_counter()
            actions = ({"_index": index, "_id": str(one.seq), "_source": document_of(one)} for one in entries(number))
            for _ in streaming_bulk(admin, actions, chunk_size=2_000):
                pass
            admin.indices.refresh(index=index)
            yield Bench(reader, index, number), time.perf_counter() - started
        finally:
            admin.indices.delete(index=index)


def searches(number: int) -> dict[str, Callable[[random.Random], Query]]:
    """By name: a search of that kind, another one at each call."""

    def at(dice: random.Random) -> int:
        return dice.randrange(1, number)

    return {
        "everything": lambda dice: Query(),
        "one queue": lambda dice: Query(queue=dice.choice(Queue.values)),
        "a kind, a model, a policy": lambda dice: Query(
            kind=dice.choice([*KINDS]).value, model=dice.choice(MODELS), policy=dice.randrange(1, 1 + POLICIES)
        ),
        "a person": lambda dice: Query(actor=f"user:{dice.randrange(1, PEOPLE)}"),
        "a ticket": lambda dice: Query(ticket=at(dice)),
        "a day and scores": lambda dice: _day(moment(START + at(dice) * APART), dice.randrange(900_000)),
        "a page deep down": lambda dice: Query(before=at(dice)),
    }


def _day(since: datetime, score: int) -> Query:
    return Query(since=since, until=since + timedelta(days=1), score_min=score, score_max=score + 100_000)


def figures(number: int, rounds: int) -> Iterator[Figure]:
    dice = random.Random(2)
    with filled(number) as (bench, seconds):
        yield Figure("documents, bulk", number / seconds, "/s")
        for name, make in searches(number).items():
            for _ in range(3):
                bench.ask(make(dice))
            times = [bench.ask(make(dice)) for _ in range(rounds)]
            yield Figure(f"{name}, p50", percentile(times, 0.5), "ms")
            yield Figure(f"{name}, p95", percentile(times, 0.95), "ms", "<= 200")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=50)
    arguments = parser.parse_args()
    told = [asdict(figure) for figure in figures(arguments.decisions, arguments.rounds)]
    print(json.dumps({"decisions": arguments.decisions, "cores": os.cpu_count(), "figures": told}, indent=2))


if __name__ == "__main__":
    main()
