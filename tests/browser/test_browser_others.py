"""What others may do to a reader: hostile names from other parties, and what a share link shows."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from fateboard.testing import scripted_jobs as jobs
from tests.browser.conftest import BoardSite, Pages, Shown, address

HOSTILE_PAGES = {
    "dashboard": address("dashboard", jobs.HOSTILE),
    "timeline": address("dashboard", jobs.HOSTILE, show="timeline"),
    "table": address("dashboard", jobs.HOSTILE, show="table"),
    "details": address("details", jobs.HOSTILE),
    "disclosure": address("disclosure", jobs.HOSTILE),
}
READY = {
    "dashboard": ".dag-node",
    "timeline": ".gantt-rows li",
    "table": ".tasks tbody tr",
    "details": ".drawer",
    "disclosure": ".verdict",
}


def inert(page: Page) -> None:
    """Nothing that another party wrote became markup, and the page is no wider for it."""
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_hostile_names_do_nothing(shown: Shown) -> None:
    page = shown.page("#/about")
    for name, where in HOSTILE_PAGES.items():
        page.goto(f"{shown.url}/{where}")
        expect(page.locator(READY[name]).first).to_be_visible()
        expect(page.locator(".job-head h1")).to_contain_text(jobs.NASTY)
        inert(page)
        for target in page.locator("[data-component], .status, h1, .chip").all()[:12]:
            target.dispatch_event("pointerenter")
            target.hover(force=True, trial=True)
        inert(page)


def test_hostile_names_in_the_list(shown: Shown) -> None:
    page = shown.page(f"#/history?q={jobs.HOSTILE}")
    expect(page.locator(".jobs tbody tr")).to_have_count(1)
    expect(page.locator(".job-name")).to_have_text(jobs.NASTY)
    inert(page)
    page.goto(f"{shown.url}/#/compare?jobs={jobs.HOSTILE}:guest:9999,{jobs.LIVE}:guest:9999")
    expect(page.locator(".compare-job")).to_have_count(2)
    inert(page)


def test_components_with_hostile_names(shown: Shown, open_page: Pages) -> None:
    open_page.expect("status of 40[04]")  # names that fateflow itself would not have taken
    page = shown.page(address("dashboard", jobs.HOSTILE, show="table"))
    for name in jobs.NASTY_NAMES[:3]:
        page.locator(".tasks").get_by_role("button", name=name, exact=True).click()
        expect(page.locator(".drawer h2")).to_have_text(name)
        for tab in ("Parameters", "Data", "Model", "Messages", "Log"):
            page.get_by_role("tab", name=tab).click()
            expect(page.locator(".drawer .spinner")).to_have_count(0)
            inert(page)


def test_a_share_link_shows_one_job(board: BoardSite, open_page: Pages) -> None:
    open_page.expect("status of 404", "status of 401")
    page = board.page(address("dashboard", jobs.BIG))
    page.get_by_role("button", name="Share").click()
    page.get_by_role("button", name="Create a link").click()
    url = page.get_by_role("dialog").get_by_role("textbox").input_value()
    guest = open_page(url)
    expect(guest.locator(".dag-node")).to_have_count(2)
    assert jobs.BIG in guest.url
    api = f"{board.url}/api/v1/jobs"
    assert guest.request.get(f"{api}/{jobs.BIG}/guest/9999").status == 200
    for other in (f"{jobs.LIVE}/guest/9999", f"{jobs.BIG}/host/10000", "1/guest/9999"):
        for path in ("", "/dsl", "/logs/partyInfo", "/components/reader_0/view"):
            answer = guest.request.get(f"{api}/{other}{path}")
            assert answer.status == 404, (other, path)
    assert guest.request.get(f"{board.url}/api/v1/stream?topics=jobs").status == 404
    assert guest.request.put(f"{api}/{jobs.BIG}/guest/9999/notes", data={"notes": ""}).status == 403
    guest.goto(f"{board.url}/{address('dashboard', jobs.LIVE)}")
    expect(guest.get_by_role("alert")).to_be_visible()
    expect(guest.locator(".dag-node")).to_have_count(0)
    for name in ("history", "running", "compare"):
        guest.goto(f"{board.url}/#/{name}")
        expect(guest).to_have_url(re.compile(f"#/dashboard.job_id={jobs.BIG}"))
        expect(guest.locator(".job-line")).to_contain_text(jobs.BIG)
    expect(guest.get_by_role("navigation", name="Main")).to_have_count(0)
