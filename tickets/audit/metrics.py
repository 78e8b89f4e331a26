"""The figures for Prometheus, read from the database at each scrape: true for every process and after any restart."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Min
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from tickets import presence
from tickets.audit import ship
from tickets.flow.tally import BATCH_BUCKETS, LATENCY_BUCKETS_MS
from tickets.models import ProcessKind, ShippingFailure, Tally, Ticket, Waiting
from tickets.models.clock import database_now
from tickets.models.waiting import Lane

_MINUTE = timedelta(minutes=1)


def registry() -> CollectorRegistry:
    """A fresh registry with one collector: nothing is kept between scrapes."""
    fresh = CollectorRegistry()
    fresh.register(_FromDatabase())  # type: ignore[arg-type]
    return fresh


class _FromDatabase:
    def collect(self) -> Iterator[Metric]:
        tallies = dict(Tally.objects.values_list("name", "value"))
        yield from _flow()
        yield _decided(tallies)
        yield from _histograms(tallies)
        yield from _log()
        yield _workers()


def _flow() -> Iterator[Metric]:
    now = database_now()
    inflow = GaugeMetricFamily("triage_inflow_last_minute", "Tickets accepted in the last minute.", labels=["source"])
    accepted = Ticket.objects.filter(accepted_at__gte=now - _MINUTE).values_list("source").annotate(Count("pk"))
    for source, count in accepted:
        inflow.add_metric([source], count)
    yield inflow
    waiting = GaugeMetricFamily("triage_waiting", "Tickets that wait for a model score.", labels=["lane"])
    oldest = GaugeMetricFamily("triage_oldest_waiting_seconds", "Age of the oldest of them.", labels=["lane"])
    rows = {lane: (count, since) for lane, count, since in _waiting_by_lane()}
    for lane in Lane:
        count, since = rows.get(lane, (0, now))
        waiting.add_metric([lane.name.lower()], count)
        oldest.add_metric([lane.name.lower()], max(0.0, (now - since).total_seconds()))
    yield from (waiting, oldest)


def _waiting_by_lane() -> list[tuple[int, int, datetime]]:
    return list(Waiting.objects.values_list("lane").annotate(Count("pk"), Min("accepted_at")))


def _decided(tallies: dict[str, int]) -> Metric:
    metric = CounterMetricFamily("triage_decided", "Decisions made.", labels=["kind", "queue"])
    for name, value in sorted(tallies.items()):
        if name.startswith("decided:"):
            metric.add_metric(name.split(":")[1:], value)
    return metric


def _histograms(tallies: dict[str, int]) -> Iterator[Metric]:
    latency = HistogramMetricFamily("triage_latency_seconds", "Time to a decision, by stage.", labels=["stage"])
    for stage in ("wait", "score", "total"):
        buckets, total = _histogram(tallies, f"latency:{stage}", LATENCY_BUCKETS_MS, unit=1000)
        latency.add_metric([stage], buckets, total)
    yield latency
    batch = HistogramMetricFamily("triage_batch_size", "Tickets settled together.")
    buckets, total = _histogram(tallies, "batch", BATCH_BUCKETS, unit=1)
    batch.add_metric([], buckets, total)
    yield batch


def _histogram(
    tallies: dict[str, int], name: str, limits: tuple[int, ...], unit: int
) -> tuple[list[tuple[str, float]], float]:
    """Cumulative buckets and sum, divided by `unit`, from running totals by bucket."""
    buckets, count = [], 0
    for limit in limits:
        count += tallies.get(f"{name}:bucket:{limit}", 0)
        buckets.append((str(limit / unit), float(count)))
    count += tallies.get(f"{name}:bucket:inf", 0)
    return [*buckets, ("+Inf", float(count))], tallies.get(f"{name}:sum", 0) / unit


def _log() -> Iterator[Metric]:
    yield GaugeMetricFamily("triage_unshipped_entries", "Entries the second witness lacks.", value=ship.unshipped())
    failures = ShippingFailure.objects.count()
    yield GaugeMetricFamily("triage_shipping_failures", "Entries the second witness refused.", value=failures)


def _workers() -> Metric:
    metric = GaugeMetricFamily("triage_workers", "Score workers heard of lately.", labels=["able"])
    workers = [process for process in presence.alive() if process.kind == ProcessKind.WORKER]
    metric.add_metric(["yes"], sum(not worker.problem for worker in workers))
    metric.add_metric(["no"], sum(bool(worker.problem) for worker in workers))
    return metric
