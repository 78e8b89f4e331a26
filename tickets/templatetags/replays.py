"""A decision made again, as a part of its page."""

from __future__ import annotations

from typing import Any

from django import template

from tickets.audit.explain import MILLION
from tickets.models import Entry
from tickets.web.replaying import shown

register = template.Library()


@register.filter
def logits(millionths: int) -> str:
    """A margin's way, with its sign and all it has: "+0.000123"."""
    return f"{millionths / MILLION:+.6f}"


@register.inclusion_tag("audit/_replay.html", takes_context=True)
def replays(context: template.Context, entry: Entry) -> dict[str, Any]:
    """What the form in it needs of the page is its token alone, which Django hands on."""
    return shown(entry.seq)
