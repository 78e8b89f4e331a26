"""Timelines on paper: what a print leaves out, what it adds, and how it is asked for."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import log_in
from tests.installation import Installation

A4_WIDTH = 718
"""Pixels between the margins of a page."""


@pytest.fixture
def in_kolkata(live_site: Installation) -> None:
    code = "from tickets.models import User; User.objects.filter(username='auditor').update(time_zone='Asia/Kolkata')"
    live_site.shell(code)


@pytest.mark.parametrize("path", ["/audit/tickets/1/", "/audit/policies/", "/audit/people/user:3/"])
@pytest.mark.usefixtures("in_kolkata")
def test_paper_has_no_controls_but_utc_and_a_foot_that_names_the_log(page: Page, path: str) -> None:
    log_in(page, "auditor")
    page.goto(path)
    foot = page.locator("tfoot").first
    expect(foot).to_be_hidden()
    expect(page.locator("thead").first).to_contain_text("(Asia/Kolkata)")
    page.set_viewport_size({"width": A4_WIDTH, "height": 1_000})
    page.emulate_media(media="print", color_scheme="dark")
    for control in page.locator("button, form, nav, .top").all():
        expect(control).to_be_hidden()
    expect(foot).to_contain_text("Log triage with")
    expect(foot).to_contain_text(path)
    expect(page.locator("thead").first).to_contain_text("(UTC)")
    shown = page.locator("tbody time").first.inner_text()
    assert page.locator("tbody time").first.get_attribute("datetime").startswith(shown.replace(" ", "T"))  # type: ignore[union-attr]
    assert page.locator("thead").first.evaluate("head => getComputedStyle(head).display") == "table-header-group"
    assert page.locator("body").evaluate("body => getComputedStyle(body).color") == "rgb(0, 0, 0)"


def test_the_button_prints_and_the_paper_says_when(page: Page) -> None:
    log_in(page, "auditor")
    page.goto("/audit/tickets/1/")
    page.evaluate("window.print = () => window.dispatchEvent(new Event('beforeprint'))")
    page.get_by_role("button", name="Print").click()
    expect(page.locator("tfoot")).to_contain_text(re.compile(r"printed at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"))


def test_the_key_prints_too(page: Page) -> None:
    log_in(page, "auditor")
    page.goto("/audit/policies/")
    page.evaluate("window.print = () => document.body.dataset.wasPrinted = 'yes'")
    page.keyboard.press("p")
    expect(page.locator("body")).to_have_attribute("data-was-printed", "yes")


def test_an_auditor_chooses_two_versions_and_walks_from_a_ticket_to_its_people(page: Page) -> None:
    log_in(page, "auditor")
    page.goto("/audit/policies/")
    page.get_by_role("link", name="Compare two versions").click()
    page.get_by_label("From").select_option("1")
    page.get_by_label("To", exact=True).select_option("1")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("From policy 1 to policy 1")
    expect(page.locator("tr.differs")).to_have_count(0)
    page.goto("/tickets/1/")
    page.get_by_role("link", name="Timeline").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Timeline of T-1")
    page.locator("th[data-label=Entry] a").first.click()
    expect(page.get_by_text("The recomputed hash matches.")).to_be_visible()
