"""Every page in light and dark, wide and narrow: axe finds nothing, nothing overflows, nothing breaks the CSP."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from tests.browser.conftest import NARROW, WIDE, log_in
from tests.installation import Installation

PAGES = {
    "": ["/login/", "/new/"],
    "agent": ["/", "/?q=hostile", "/?q=no+such+thing", "/tickets/1/", "/tickets/1/#move", "/tickets/151/", "/account/"],
    "ops": ["/ops/", "/ops/policies/", "/ops/policies/1/", "/ops/models/", "/ops/models/1/"],
    "auditor": [
        "/audit/",
        "/audit/?ticket=1",
        "/audit/?reason=outage",
        "/audit/?kind=override",
        "/audit/analysis/",
        "/audit/changes/",
        "/audit/verify/",
        "/audit/decisions/6/",
        "/audit/decisions/1/",
        "/audit/tickets/1/",
        "/audit/policies/",
        "/audit/policies/difference/?from=1&to=1",
        "/audit/people/",
        "/audit/people/user:1/",
        "/audit/people/user:1/?kind=erased",
    ],
}
REFUSED = {
    "agent": ["/ops/", "/no/such/page/", "/?show=nonsense"],
    "auditor": ["/audit/?ticket=x", "/audit/tickets/1/?after=x", "/audit/policies/difference/?from=x&to=1"],
}
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("person", PAGES)
def test_pages_are_accessible_and_fit(
    person: str, viewport: dict[str, int], scheme: str, browser: Browser, live_site: Installation
) -> None:
    context = browser.new_context(base_url=live_site.url, viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
    context.set_default_timeout(10_000)
    page, complaints = context.new_page(), []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    if person:
        log_in(page, person)
    found = []
    for path in PAGES[person] + REFUSED.get(person, []):
        page.goto(path)
        if path not in REFUSED.get(person, []):
            assert complaints == [], path
        results = Axe().run(page, options={"runOnly": STANDARDS})
        found += [
            f"{path}: {violation['id']} {[node['html'][:120] for node in violation['nodes'][:3]]}"
            for violation in results.response["violations"]
        ]
        if page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"):
            found.append(f"{path}: wider than the screen")
    context.close()
    assert found == []
    assert not [complaint for complaint in complaints if "Content Security Policy" in complaint]
