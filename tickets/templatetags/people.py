"""What the reader may see."""

from __future__ import annotations

from typing import Any

from django import template

from tickets.models import Role, User

register = template.Library()


@register.filter
def may(user: Any, roles: str) -> bool:
    """Whether somebody is logged in who holds one of the roles: `user|may:"ops auditor"`."""
    return isinstance(user, User) and user.has_role(*map(Role, roles.split()))
