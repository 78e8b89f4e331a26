"""Searching and erasing ignore case in every script, whichever database there is."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import acting, fallen_back, person
from tests.web.test_pages import logged_in
from tickets import pipeline
from tickets.models import Queue, Reason, Ticket
from triage.any_case import like

letters = st.text("abAB%_\\\n.*é", max_size=8)


@given(letters, letters)
def test_in_ascii_it_is_the_like_of_sqlite(pattern: str, text: str) -> None:
    with sqlite3.connect(":memory:") as plain:
        (expected,) = plain.execute("SELECT ? LIKE ?", (text, pattern)).fetchone()
        escaped = pattern.replace("\\", "")  # SQLite and ours may differ on an escape before nothing
        (with_escape,) = plain.execute("SELECT ? LIKE ? ESCAPE '\\'", (text, escaped)).fetchone()
    assert like(pattern, text) == bool(expected)
    assert like(escaped, text, "\\") == bool(with_escape)


def test_what_is_escaped_means_itself() -> None:
    assert like("100\\%", "100%", "\\")
    assert not like("100\\%", "1000", "\\")


@pytest.mark.django_db
def test_a_search_finds_a_word_in_capitals() -> None:
    ticket = fallen_back(1)[0]
    Ticket.objects.filter(pk=ticket.pk).update(subject="MÜLLER BESCHWERT SICH")
    page = logged_in(person("agent")).get("/", {"q": "müller"}).content.decode()
    assert "BESCHWERT" in page


@pytest.mark.django_db
def test_whoever_is_erased_is_named_in_no_reason_however_it_was_written() -> None:
    first, about, other = fallen_back(3)
    first.requester.email = "lea@müller.example"
    first.requester.save()
    agent = acting(person("agent"))
    for ticket, reason in ((about, "also told LEA@MÜLLER.EXAMPLE"), (other, "Lea@müller.example knows")):
        pipeline.override(ticket.pk, Queue.STANDARD, agent, reason)
    pipeline.erase("lea@müller.example", agent, "Asked for by letter")
    assert not [one.text for one in Reason.objects.all() if "müller" in one.text.lower()]
