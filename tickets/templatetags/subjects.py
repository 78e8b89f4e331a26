"""From what the log speaks of ("ticket:12", "policy:3", "user:1") to the page about it."""

from __future__ import annotations

from django import template
from django.urls import reverse

register = template.Library()

_PAGES = {
    "ticket": "ticket_timeline",
    "user": "acts",
    "key": "acts",
    "entry": "decision",
    "policy": "policy_series",
}
_DIGITS = 18


@register.filter
def address(subject: str) -> str:
    """Empty where there is no such page; "timeline:ticket:12" and "page:ticket:12" are what somebody opened."""
    noun, _, number = subject.removeprefix("timeline:").removeprefix("page:").partition(":")
    if noun not in _PAGES or not (number.isascii() and number.isdecimal() and len(number) <= _DIGITS):
        return ""
    if noun == "policy":
        return f"{reverse(_PAGES[noun])}#policy-{number}"
    return reverse(_PAGES[noun], args=[f"{noun}:{number}" if _PAGES[noun] == "acts" else number])
