"""Searches that an auditor wants to find again, under a name: each person's own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import transaction
from django.utils import timezone

from tickets.models import SavedSearch, User
from tickets.web.decision_search import DecisionSearch
from tickets.web.fields import Line

MOST = 100
_NAME_MAX, _QUERY_MAX = 80, 4_000


class NotSaved(Exception):
    """Says why, and what to do."""


class NameTaken(NotSaved):
    """By another search of this person; may be replaced."""


class SaveForm(forms.Form):
    """search: what is shown, or what was sent along as `query`; it has been found valid."""

    name = Line(max_length=_NAME_MAX)
    replace = forms.BooleanField(required=False, widget=forms.HiddenInput)

    def __init__(self, search: DecisionSearch, data: Any = None) -> None:
        super().__init__(data, auto_id="save_%s")
        self.search = search
        self.can_replace = False

    @property
    def query(self) -> str:
        """The query string that means this search to every reader, from its newest decision on."""
        return self.search.address(before=None).removeprefix("?")

    def clean(self) -> dict[str, Any]:
        if len(self.query) > _QUERY_MAX:
            raise forms.ValidationError(f"query: at most {_QUERY_MAX:,} characters in an address can be saved.")
        return self.cleaned_data

    def save(self, user: User) -> bool:
        """Whether it could be; the form says why not."""
        try:
            _save(user, self.cleaned_data["name"], self.query, may_replace=self.cleaned_data["replace"])
        except NotSaved as error:
            self.can_replace = isinstance(error, NameTaken)
            self.add_error("name", str(error))
            return False
        return True


@dataclass(frozen=True, slots=True)
class Saved:
    """is_shown: whether it is the search on the page."""

    search: SavedSearch
    is_shown: bool


def saved_by(user: User, shown: str | None) -> list[Saved]:
    """By name. shown: the query of the search on the page, as it would be saved."""
    return [Saved(one, one.query == shown) for one in SavedSearch.objects.filter(user=user)[:MOST]]


def _save(user: User, name: str, query: str, *, may_replace: bool) -> None:
    """Raises NotSaved."""
    with transaction.atomic():
        # Their row as the lock of all they save: the bound holds, and so does a name.
        theirs = SavedSearch.objects.filter(user=User.objects.select_for_update().get(pk=user.pk))
        same = theirs.filter(name=name).first()
        if same and same.query != query and not may_replace:
            raise NameTaken("Another search has this name. Replace it, or choose another name.")
        if not same and theirs.count() >= MOST:
            raise NotSaved(f"{MOST} searches are saved already. Delete one first.")
        values = {"query": query, "saved_at": timezone.now()}
        SavedSearch.objects.update_or_create(user=user, name=name, defaults=values)
