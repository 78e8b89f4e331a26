"""Customers, ops, auditors: what they can do, and what they cannot."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import log_in
from tests.installation import Installation


def test_a_customer_gets_a_reference_number(page: Page) -> None:
    page.goto("/new/")
    page.get_by_label("Your e-mail address").fill("lea@example.com")
    page.get_by_label("Subject").fill("Where is my lamp?")
    page.get_by_label("Message").fill("It was due on Tuesday.\n日本語")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".reference")).to_have_text(re.compile(r"T-\d+"))


def test_what_a_customer_wrote_is_kept_when_a_field_is_wrong(page: Page, complaints: list[str]) -> None:
    page.goto("/new/")
    page.get_by_label("Your e-mail address").fill("nonsense")
    page.get_by_label("Message").fill("Long and carefully written.")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("Enter a valid email address.")).to_be_visible()
    expect(page.get_by_label("Message")).to_have_value("Long and carefully written.")
    expect(page.get_by_label("Subject")).to_have_attribute("aria-invalid", "true")
    assert all("400" in complaint for complaint in complaints)
    complaints.clear()


def test_an_agent_may_not_read_the_audit(page: Page, complaints: list[str]) -> None:
    log_in(page, "agent")
    page.goto("/audit/")
    expect(page.get_by_role("heading", level=1)).to_have_text("This page is not for you")
    complaints.clear()


def test_an_auditor_starts_at_the_log_and_cannot_override(page: Page) -> None:
    log_in(page, "auditor")
    expect(page).to_have_url(re.compile("/audit/$"))
    page.locator("td[data-label=Ticket] a").first.click()
    expect(page.get_by_role("heading", name="Decision")).to_be_visible()
    expect(page.get_by_role("button", name="Confirm")).to_have_count(0)
    expect(page.locator(".actions")).to_have_count(0)


def test_an_auditor_sees_that_the_hash_matches(page: Page) -> None:
    log_in(page, "auditor")
    page.locator("th[data-label=Entry] a").first.click()
    expect(page.get_by_text("The recomputed hash matches.")).to_be_visible()


def test_the_address_of_a_search_is_the_same_in_every_zone(page: Page, live_site: Installation) -> None:
    code = "from tickets.models import User; User.objects.filter(username='auditor').update(time_zone='Europe/Berlin')"
    live_site.shell(code)
    log_in(page, "auditor")
    page.goto("/audit/?since=2026-01-10T12:00:00")
    expect(page).to_have_url(re.compile("since=2026-01-10T11:00:00Z"))
    expect(page.get_by_label("Since")).to_have_value(re.compile("^2026-01-10T12:00"))


def test_ops_draft_compare_activate_and_roll_back(page: Page) -> None:
    log_in(page, "ops")
    page.goto("/ops/policies/")
    page.get_by_label("Threshold").fill("0.65")
    page.get_by_label("Review band").fill("0.04")
    page.get_by_label("Reason").fill("Fewer missed")
    page.get_by_role("button", name="Save as draft").click()
    expect(page.locator("tr.differs")).to_have_count(3)
    page.get_by_label("Reason").fill("Agreed on Monday")
    page.get_by_role("button", name="Activate policy").click()
    expect(page.get_by_text("is urgent when its score is above 0.65")).to_be_visible()
    page.get_by_role("link", name="1", exact=True).click()
    page.get_by_label("Reason").fill("Too many")
    page.get_by_role("button", name="Activate policy 1").click()
    expect(page.get_by_text("is urgent when its score is above 0.7;", exact=False)).to_be_visible()


def test_ops_are_told_that_no_worker_runs(page: Page) -> None:
    log_in(page, "ops")
    page.goto("/ops/")
    expect(page.get_by_text("The sweep was not heard of")).to_be_visible()
