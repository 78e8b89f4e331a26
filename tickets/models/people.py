"""Who uses the product, and who writes to it."""

from __future__ import annotations

import zoneinfo

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models


class Role(models.TextChoices):
    """The groups people belong to; made by the first migration."""

    AGENT = "agent"
    OPS = "ops"
    AUDITOR = "auditor"
    ADMIN = "admin"


def validate_time_zone(name: str) -> None:
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"{name!r} is no time zone; write one like Europe/Berlin.")


def site_time_zone() -> str:
    return str(settings.TIME_ZONE)


class User(AbstractUser):
    """A person who logs in. Demo users work in demo mode on a loopback address alone."""

    time_zone = models.CharField(max_length=64, default=site_time_zone, validators=[validate_time_zone])
    is_demo = models.BooleanField(default=False)

    def has_role(self, *roles: Role) -> bool:
        """Whether the person holds one of the roles; an admin holds them all."""
        return self.is_active and (self.is_superuser or bool(self.roles & {Role.ADMIN, *roles}))

    @property
    def roles(self) -> set[str]:
        if not hasattr(self, "_roles"):
            self._roles = set(self.groups.values_list("name", flat=True))
        return self._roles


class Requester(models.Model):
    """Who asks for help. The address is stored in lower case: one person, one row."""

    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=200, blank=True)
    region = models.CharField(max_length=64, blank=True)
    locale = models.CharField(max_length=35, blank=True)

    def __str__(self) -> str:
        return self.name or self.email
