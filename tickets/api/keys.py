"""Who calls the API, and what their key may do."""

from __future__ import annotations

import hmac
from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from tickets.models import ApiKey
from tickets.pipeline import Actor


class KeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer tri_...`"""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        if not secret.strip() or len(secret.split()) > 1:
            raise AuthenticationFailed("Write the header as: Authorization: Bearer KEY")
        return AnonymousUser(), _key(secret.strip().decode("ascii", errors="replace"))

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class HasScope(BasePermission):
    """A view says in `scopes` which scope each method needs."""

    def has_permission(self, request: Request, view: Any) -> bool:
        # Django answers HEAD with what GET does.
        needed = view.scopes.get("GET" if request.method == "HEAD" else request.method)
        if needed is None or not isinstance(request.auth, ApiKey):
            # An unknown method is a 405 for whoever holds a key.
            return needed is None and isinstance(request.auth, ApiKey)
        self.message = f"This key lacks the scope {needed}."
        return needed in request.auth.scopes


def actor(request: Request) -> Actor:
    """The key is the actor of what it does."""
    return Actor(f"key:{key_of(request).pk}")


def key_of(request: Request) -> ApiKey:
    """The key behind a request that passed `HasScope`."""
    key: Any = request.auth
    return key


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = "tickets.api.keys.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "Made by: manage.py api_key NAME --scope SCOPE"}


def _key(secret: str) -> ApiKey:
    digest = ApiKey.digest_of(secret)
    # PostgreSQL takes no NUL, and no key of ours has one.
    alike = ApiKey.objects.filter(prefix=ApiKey.prefix_of(secret), revoked_at=None) if secret.isprintable() else ()
    for key in alike:
        if hmac.compare_digest(key.digest, digest):
            if key.expires_at <= timezone.now():
                raise AuthenticationFailed("This key has expired; ask an admin for a new one.")
            return key
    raise AuthenticationFailed("This key is not known.")
