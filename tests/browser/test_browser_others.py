"""What others may do to a reader: hostile names from other parties, and what a share link shows."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from fateboard.testing import scripted_jobs as jobs
from tests.browser.conftest import BoardSite, Pages, address

HOSTILE_PAGES = {
    "dashboard": address("dashboard", jobs.HOSTILE),
    "timeline": address("dashboard", jobs.HOSTILE, show="timeline"),
    "table": address("dashboard", jobs.HOSTILE, show="table"),
    "details": address("details", jobs.HOSTILE),
    "disclosure": address("disclosure", jobs.HOSTILE),
}


def inert(page: Page) -> None:
    """Nothing that another party wrote became markup, and the page is no wider for it."""
    assert page.locator("img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("page_name", HOSTILE_PAGES)
def test_hostile_names_do_nothing(board: BoardSite, page_name: str) -> None:
    page = board.page(HOSTILE_PAGES[page_name])
    expect(page.get_by_text(jobs.NASTY).first).to_be_visible()
    inert(page)
    for target in page.locator("[data-component], .status, h1, .chip").all()[:12]:
        target.dispatch_event("pointerenter")
        target.hover(force=True, trial=True)
    inert(page)


def test_hostile_names_in_the_list(board: BoardSite) -> None:
    page = board.page(f"#/history?q={jobs.HOSTILE}")
    expect(page.locator(".jobs tbody tr")).to_have_count(1)
    expect(page.locator(".jobs")).to_contain_text(jobs.NASTY)
    inert(page)
    page.goto(f"{board.url}/#/compare?jobs={jobs.HOSTILE}:guest:9999,{jobs.LIVE}:guest:9999")
    expect(page.locator(".compare-job")).to_have_count(2)
    inert(page)


@pytest.mark.parametrize("name", jobs.NASTY_NAMES[:3])
def test_a_component_with_a_hostile_name(board: BoardSite, open_page: Pages, name: str) -> None:
    open_page.expect("status of 40[04]")  # a name that fateflow itself would not have taken
    page = board.page(address("dashboard", jobs.HOSTILE, show="table"))
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
    guest.goto(f"{board.url}/#/history")
    expect(guest.locator(".job-line")).to_contain_text(jobs.BIG)
