"""People and keys in Django's admin. Who gave whom which role is kept in the log."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest

from tickets import pipeline
from tickets.flow.record import Draft
from tickets.models import ApiKey, Kind, User


@admin.register(User)
class PersonAdmin(UserAdmin):
    fieldsets = (*UserAdmin.fieldsets, ("Triage", {"fields": ("time_zone", "is_demo")}))  # type: ignore[misc]
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        person: User = form.instance
        previous = _roles(person)
        super().save_related(request, form, formsets, change)
        roles = _roles(person)
        if roles != previous:
            content = {"roles": roles, "previous": previous}
            pipeline.note(Draft(Kind.ROLE_CHANGED, f"user:{person.pk}", f"user:{request.user.pk}", content))


@admin.register(ApiKey)
class KeyAdmin(admin.ModelAdmin):
    """To look at: `manage.py api_key` makes keys, since the secret is shown once."""

    list_display = ("name", "prefix", "scopes", "created_by", "created_at", "expires_at", "revoked_at")
    fields = list_display

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False


def _roles(person: User) -> list[str]:
    """From the database: the person's own list may be from before."""
    return sorted(person.groups.values_list("name", flat=True))
