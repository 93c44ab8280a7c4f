"""fateflow down, slow, failing and restarted; the board itself gone; many tabs."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from fateboard.testing import scripted_jobs as jobs
from fateboard.testing.fake_flow import FakeFlow
from tests.browser.conftest import BoardSite, Pages, address

PROVOKED = r"status of 50[234]"
TWELVE = (*jobs.LIVE_MODULES, "HeteroSecureBoost", "Evaluation2", "HeteroFastSecureBoost", "PSI")


def banner(page: Page) -> Any:
    return page.locator("[data-outage=flow]")


def test_a_stopped_fateflow(board: BoardSite, open_page: Pages) -> None:
    """Told on every page, also on one that is opened meanwhile, and over by itself."""
    open_page.expect(PROVOKED)
    dashboard = address("dashboard", jobs.LIVE)
    history, running, job = (board.page(where) for where in ("#/history", "#/running", dashboard))
    for page in (history, running, job):
        expect(page.locator(".job-id, .dag-node").first).to_be_visible()
    board.flow.stop()
    for page in (history, running, job):
        expect(banner(page)).to_contain_text("fateflow")
        expect(banner(page)).to_contain_text(board.flow.url)
    history.get_by_role("button", name="Next page").click()
    late = board.page(dashboard)
    expect(banner(late)).to_be_visible()
    for page in (history, late):
        expect(page.get_by_role("alert")).to_contain_text("fateflow")
    board.flow.clock.advance(7)  # what happens meanwhile is shown afterwards
    board.flow.start()
    for page in (history, running, job, late):
        expect(banner(page)).to_have_count(0)
        expect(page.get_by_role("alert")).to_have_count(0)
    expect(history.locator(".pager")).to_contain_text("21–40")
    history.get_by_role("button", name="Previous page").click()
    for page in (history, running, job, late):
        expect(page.get_by_text(re.compile("12%")).first).to_be_visible()
    expect(late.locator(".dag-node")).to_have_count(8)


def test_a_slow_fateflow(board: BoardSite) -> None:
    board.flow.fault = "slow"
    page = board.page("#/history")
    expect(page.locator(".spinner").first).to_be_visible()
    expect(page.locator(".jobs tbody tr")).to_have_count(20, timeout=20_000)
    expect(banner(page)).to_have_count(0)


def test_answers_that_are_none(board: BoardSite, open_page: Pages) -> None:
    open_page.expect(r"status of (50[0234]|4\d\d)")
    page = board.page("#/history")
    alert = page.get_by_role("alert")
    for fault in ("500", "garbage", "refuse"):
        board.flow.fault = fault
        board.look()
        page.reload()
        expect(alert, fault).to_be_visible()
        expect(alert, fault).not_to_contain_text("Traceback")
        board.flow.fault = ""
        board.look()
        if fault == "refuse":  # fateflow is there, so that nothing recovers by itself
            page.get_by_role("button", name="Try again").click()
        expect(page.locator(".jobs tbody tr"), fault).to_have_count(20)
        expect(alert, fault).to_have_count(0)


def test_the_board_itself_is_gone(board: BoardSite, open_page: Pages) -> None:
    open_page.expect("ERR_INTERNET_DISCONNECTED")
    page = board.page("#/history")
    expect(page.locator(".jobs tbody tr")).to_have_count(20)
    page.context.set_offline(True)
    page.get_by_role("button", name="Next page").click()
    expect(page.locator("[data-outage=board]")).to_be_visible()
    page.context.set_offline(False)
    expect(page.locator("[data-outage=board]")).to_have_count(0, timeout=20_000)
    expect(page.locator(".pager")).to_contain_text("21–40")
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.timeout(300)  # twenty pages to open, on two cores that may be busy
@pytest.mark.slow  # the same without a browser: test_board_live
def test_twenty_tabs_cost_five_requests_a_second(board: BoardSite, open_page: Pages) -> None:
    flow: FakeFlow = board.flow
    flow.clock.real = True
    flow.live = jobs.Live(flow.clock, 30.0, dsl=jobs.dsl_of(list(TWELVE)))
    where = address("dashboard", jobs.LIVE)
    tabs = []
    for _ in range(5):
        first = board.page(where)
        # Browsers open six connections to a site, and each visible tab's stream holds one.
        beside = [open_page(beside=first) for _ in range(3)]
        for tab in beside:
            tab.goto(f"{board.url}/{where}", wait_until="commit")
        tabs += [first, *beside]
    for tab in tabs:
        expect(tab.locator(".dag-node")).to_have_count(12, timeout=60_000)
        expect(tab.locator(".ll").first).to_be_visible(timeout=60_000)
    flow.counts.clear()
    began = time.monotonic()
    tabs[0].wait_for_timeout(6_000)
    per_second = flow.total() / (time.monotonic() - began)
    assert flow.live.status() == "running"
    assert 1 < per_second <= 5, flow.counts
    running = flow.live.ended()
    for tab in tabs[::5]:
        expect(tab.locator('.dag-node[data-status="success"]')).to_have_count(running)
