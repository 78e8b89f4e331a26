"""Times as people read them: relative text made here, the exact moment in the reader's zone beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django import template
from django.utils import timezone
from django.utils.html import format_html

from tickets.models.clock import moment

register = template.Library()

_SECOND, _MINUTE, _HOUR, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_LARGE_ENOUGH = 10


@register.filter
def ago(at: datetime | None) -> str:
    """`<time>` that reads "12 min ago"."""
    if at is None:
        return ""
    passed = timezone.now() - at
    return _time(at, "now" if passed < _MINUTE else f"{span(passed)} ago")


@register.filter
def left(at: datetime | None) -> str:
    """`<time>` that reads "12 min left" or "overdue by 3 min"."""
    if at is None:
        return ""
    remaining = at - timezone.now()
    return _time(at, f"overdue by {span(-remaining)}" if remaining < timedelta() else f"{span(remaining)} left")


@register.filter
def exactly(at: datetime | None) -> str:
    """`<time>` to the second, in the reader's zone."""
    return "" if at is None else _time(at, f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S}")


@register.filter
def at_microsecond(at: int) -> str:
    """`<time>` of a log entry's microseconds since 1970, in UTC and exact."""
    return format_html('<time datetime="{0}">{0}</time>', f"{moment(at):%Y-%m-%dT%H:%M:%S.%fZ}")


@register.filter
def is_past(at: datetime | None) -> bool:
    return at is not None and at < timezone.now()


@register.filter
def span(duration: timedelta | None) -> str:
    """ "850 ms", "4.2 s", "40 s", "12 min", "1 h 20 min", "3 d 4 h"."""
    if duration is None:
        return "-"
    if duration < _MINUTE:
        return _short(duration)
    if duration < _HOUR:
        return f"{duration // _MINUTE} min"
    if duration < _DAY:
        return _two(duration // _HOUR, "h", duration % _HOUR // _MINUTE, "min")
    return _two(duration // _DAY, "d", duration % _DAY // _HOUR, "h")


def _short(duration: timedelta) -> str:
    if duration < _SECOND:
        return f"{duration // timedelta(milliseconds=1)} ms"
    return f"{duration / _SECOND:.1f} s" if duration < 10 * _SECOND else f"{duration // _SECOND} s"


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    """The small unit where it says something: "1 h 20 min", but "23 h"."""
    needs_small = small and large < _LARGE_ENOUGH
    return f"{large} {large_unit} {small} {small_unit}" if needs_small else f"{large} {large_unit}"


def _time(at: datetime, text: str) -> str:
    title = f"{timezone.localtime(at):%-d %b %Y, %H:%M:%S %Z}"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.astimezone(UTC).isoformat(), title, text)
