"""Who may log in, and which pages their role opens."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.http import url_has_allowed_host_and_scheme

from tickets.models import Role, User

View = Callable[..., HttpResponseBase]


class PeopleBackend(ModelBackend):
    """Passwords, as Django checks them; demo users in demo mode on a loopback address alone."""

    def authenticate(self, request: HttpRequest | None, *args: Any, **kwargs: Any) -> User | None:
        user = super().authenticate(request, *args, **kwargs)
        if not isinstance(user, User) or (user.is_demo and not may_demo(request)):
            return None
        return user


def role_required(*roles: Role) -> Callable[[View], View]:
    """Lets in who holds one of the roles; others get a 403, strangers the log-in page."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return log_in_first(request)
            if not request.user.has_role(*roles):  # type: ignore[union-attr]
                raise PermissionDenied(f"This page is for {' and '.join(roles)}.")
            return view(request, *args, **kwargs)

        return checked

    return decorate


def log_in_first(request: HttpRequest) -> HttpResponse:
    """To the log-in, and from there to the page; what a form sent is not done, so to the page that the form was on."""
    if request.method in ("GET", "HEAD"):
        return redirect_to_login(request.get_full_path())
    messages.error(request, "You were logged out before that arrived, so nothing was changed. Log in and do it again.")
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, {request.get_host()}, require_https=request.is_secure()):
        return redirect_to_login("/")
    page = urlsplit(referer)
    return redirect_to_login(urlunsplit(("", "", page.path, page.query, "")) if page.path != request.path else "/")


def is_local(request: HttpRequest) -> bool:
    """Whether the request came straight from this machine. Behind a proxy every request does, so that is no proof."""
    if any(name in request.headers for name in ("Forwarded", "X-Forwarded-For", "X-Real-Ip")):
        return False
    try:
        return ipaddress.ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def client_address(request: HttpRequest) -> str | None:
    """Where the request came from, for the lock of the log-in.

    Each proxy of ours adds one address on the right of X-Forwarded-For; what stands left of those anybody may have
    written. So it is the PROXY_COUNT-th from the right, or who connected, where there is none or it is no address.
    """
    connected: str | None = request.META.get("REMOTE_ADDR")
    forwarded = request.headers.get("X-Forwarded-For", "").split(",")
    if not 0 < settings.PROXY_COUNT <= len(forwarded):
        return connected
    try:
        return str(ipaddress.ip_address(forwarded[-settings.PROXY_COUNT].strip()))
    except ValueError:
        return connected


def may_demo(request: HttpRequest | None) -> bool:
    """Whether demo people may be here: in demo mode, on this machine."""
    return settings.DEMO and request is not None and is_local(request)
