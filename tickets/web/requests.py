"""What a view knows about the person who asks, and where it sends them back to."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme

from tickets.models import User
from tickets.pipeline import Actor


class PersonRequest(HttpRequest):
    """A request behind `role_required`: somebody is logged in."""

    user: User  # type: ignore[assignment]


def actor(request: PersonRequest) -> Actor:
    """The person who asks, as the log names them."""
    return Actor(f"user:{request.user.pk}", request.user)


def back(request: HttpRequest, otherwise: str, *args: Any) -> HttpResponse:
    """To the page of ours that the form names as `next`, or to the view named `otherwise`."""
    wanted = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()):
        return redirect(wanted)
    return redirect(otherwise, *args)
