"""Who does what the pipeline does."""

from __future__ import annotations

from dataclasses import dataclass

from tickets.models import User


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something: `name` for the log ("user:1", "key:2", "sweep"), and the person if it is one."""

    name: str
    user: User | None = None
