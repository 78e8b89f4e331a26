"""People and keys in Django's admin. Who gave whom which role, and who revoked which key, is kept in the log."""

from __future__ import annotations

import contextlib
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse

from tickets import pipeline
from tickets.flow.record import Draft
from tickets.models import ApiKey, Kind, User

# Groups are the roles: renaming one would change what its people may do, and no entry would say so.
admin.site.unregister(Group)


@admin.register(User)
class PersonAdmin(UserAdmin):
    fieldsets = (*UserAdmin.fieldsets, ("Triage", {"fields": ("time_zone", "is_demo")}))  # type: ignore[misc]
    list_display = ("username", "email", "first_name", "last_name", "is_active", "is_staff", "is_superuser")

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001
        form.previous_roles = _roles(obj.pk)
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001
        super().save_related(request, form, formsets, change)
        number, previous = form.instance.pk, form.previous_roles
        roles = _roles(number)
        if roles != previous:
            _note(request, number, {"roles": roles, "previous": previous})

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        number, previous = obj.pk, _roles(obj.pk)
        with transaction.atomic():
            super().delete_model(request, obj)
            _note(request, number, {"roles": [], "previous": previous, "deleted": 1})

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        with transaction.atomic():
            for person in queryset:
                self.delete_model(request, person)


@admin.register(ApiKey)
class KeyAdmin(admin.ModelAdmin):
    """To look at and to revoke: `manage.py api_key` makes keys, since the secret is shown once."""

    list_display = ("name", "id", "prefix", "scopes", "created_by", "created_at", "expires_at", "revoked_at")
    fields = list_display
    actions = ("revoke",)

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> TemplateResponse | None:
        valid = queryset.filter(revoked_at=None).order_by("pk")
        if "post" not in request.POST:
            context = {**self.admin_site.each_context(request), "title": "Revoke", "opts": self.opts, "keys": valid}
            return TemplateResponse(request, "admin/revoke_keys.html", context)
        for number in list(valid.values_list("pk", flat=True)):
            with contextlib.suppress(pipeline.RevokedBefore):
                entry = pipeline.revoke_key(number, pipeline.Actor(f"user:{request.user.pk}"))
                self.message_user(request, f"Key {number} is revoked: entry {entry.seq}.")
        return None

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Whoever may change keys, which can be done in no other way here."""
        return super().has_change_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        return False


def _note(request: HttpRequest, person: int, content: dict[str, Any]) -> None:
    pipeline.note(Draft(Kind.ROLE_CHANGED, f"user:{person}", f"user:{request.user.pk}", content))


def _roles(number: int | None) -> list[str]:
    """Groups, and what else opens or closes doors, as the database has them; of nobody yet, none."""
    person = number and User.objects.filter(pk=number).first()
    if not person:
        return []
    marks = {"superuser": person.is_superuser, "staff": person.is_staff, "inactive": not person.is_active}
    groups = person.groups.values_list("name", flat=True)
    return sorted([*groups, *(name for name, holds in marks.items() if holds)])
