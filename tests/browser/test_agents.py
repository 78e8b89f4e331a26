"""A support agent's day, by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import log_in
from tests.browser.seed import SCRIPT
from tests.installation import Installation

BOTH_WIDTHS = pytest.mark.parametrize("page", ["1440x900", "390x844"], indirect=True)


def new_urgent(site: Installation, subject: str) -> int:
    return int(site.shell(f"from tests.browser.seed import urgent_ticket; print(urgent_ticket({subject!r}))"))


@BOTH_WIDTHS
def test_an_agent_moves_a_ticket_with_a_reason_and_takes_it_back_by_keyboard_alone(
    page: Page, live_site: Installation
) -> None:
    ticket = new_urgent(live_site, "Moved by keyboard")
    log_in(page, "agent")
    page.locator(f"li[data-ticket='{ticket}']").wait_for()
    for _ in range(200):
        page.keyboard.press("j")
        if page.locator(f"li.selected[data-ticket='{ticket}']").count():
            break
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/tickets/{ticket}/$"))
    page.keyboard.press("u")
    page.keyboard.type("Not an outage")
    page.keyboard.press("Enter")
    expect(page.get_by_text(f"T-{ticket} moved to Standard.")).to_be_visible()
    expect(page.locator(".story").get_by_text("Not an outage")).to_be_visible()
    page.keyboard.press("z")
    expect(page.get_by_text(f"Undone for T-{ticket}.")).to_be_visible()
    expect(page.locator(".state .queue-name")).to_have_text("Urgent")
    page.keyboard.press("Escape")
    expect(page.locator(f"li.selected[data-ticket='{ticket}']")).to_be_visible()


def test_one_key_confirms_from_the_list_and_the_selection_stays(page: Page, live_site: Installation) -> None:
    ticket = new_urgent(live_site, "Confirmed from the list")
    log_in(page, "agent")
    page.locator(f"#t{ticket}").focus()
    page.keyboard.press("c")
    expect(page.get_by_text(f"The queue of T-{ticket} is confirmed.")).to_be_visible()
    expect(page.locator(f"li.selected[data-ticket='{ticket}']")).to_contain_text("person")


def test_a_new_ticket_appears_by_itself_and_the_selection_stays(page: Page, live_site: Installation) -> None:
    log_in(page, "agent")
    expect(page.locator("#lists")).to_have_attribute("hx-trigger", re.compile("^every 2s"))
    page.keyboard.press("j")
    selected = page.locator("li.selected").get_attribute("data-ticket")
    ticket = new_urgent(live_site, "Appears by itself")
    page.locator(f"li[data-ticket='{ticket}']").wait_for()
    expect(page.locator("li.selected")).to_have_attribute("data-ticket", str(selected))
    expect(page.locator("li.selected a.subject")).to_be_focused()


def test_nothing_moves_under_the_pointer(page: Page, live_site: Installation) -> None:
    log_in(page, "agent")
    page.locator(".queue.urgent li").first.hover()
    ticket = new_urgent(live_site, "Waits for the hand to go")
    page.get_by_role("button", name="The queues have changed").wait_for()
    expect(page.locator(f"li[data-ticket='{ticket}']")).to_have_count(0)
    page.get_by_role("button", name="The queues have changed").click()
    expect(page.locator(f"li[data-ticket='{ticket}']")).to_have_count(1)


def test_hostile_text_is_shown_as_text(page: Page) -> None:
    log_in(page, "agent")
    page.get_by_role("searchbox").fill("hostile-script")
    page.keyboard.press("Enter")
    page.get_by_role("link", name=SCRIPT).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(SCRIPT)
    expect(page.locator(".message .body")).to_contain_text("{{ 7*7 }}")
    assert page.title() != "broken"


@BOTH_WIDTHS
def test_one_very_long_word_stays_inside_the_page(page: Page) -> None:
    log_in(page, "agent")
    page.goto("/?q=hostile-word&show=standard")
    page.locator("li a.subject:visible").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("W" * 300)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_a_question_mark_lists_the_keys_which_can_be_turned_off(page: Page) -> None:
    log_in(page, "agent")
    page.keyboard.press("?")
    page.get_by_label("Single-letter keys are on").uncheck()
    page.get_by_role("button", name="Close").click()
    page.keyboard.press("j")
    expect(page.locator("li.selected")).to_have_count(0)


def test_slash_searches_and_g_q_goes_home(page: Page) -> None:
    log_in(page, "agent")
    page.keyboard.press("/")
    page.keyboard.type("no such subject at all")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Nothing in urgent matches.")).to_be_visible()
    page.goto("/account/")
    page.keyboard.press("g")
    page.keyboard.press("q")
    expect(page.get_by_role("searchbox")).to_be_visible()
