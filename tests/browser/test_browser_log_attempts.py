"""After a rerun the log of each attempt is there by itself (part of scenario 11)."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from fateboard.testing import scripted_jobs as jobs
from tests.browser.conftest import BoardSite, address

EARLIER = str(jobs.EARLIER_LINES)


def attempts_of(page: Page) -> list[str]:
    return page.get_by_label("Attempt whose log is shown").locator("option").all_inner_texts()


@pytest.mark.parametrize("component", ["", "reader_0"])
def test_attempts_have_logs_of_their_own(board: BoardSite, component: str) -> None:
    board.flow.clock.advance(20 * board.flow.live.step_s)
    for _ in range(2):
        board.flow.live.rerun("")
        board.flow.clock.advance(20 * board.flow.live.step_s)
    more = {"component": component, "tab": "log"} if component else {"show": "log"}
    page = board.page(address("dashboard", jobs.LIVE, **more))
    box = page.locator(".log-box")
    expect(box).to_have_attribute("data-total", str(jobs.LIVE_LINES))
    assert attempts_of(page) == ["Attempt 3 (newest)", "Attempt 2", "Attempt 1"]
    page.get_by_label("Attempt whose log is shown").select_option("1")
    expect(box).to_have_attribute("data-total", EARLIER)
    expect(page.locator(".ll").last).to_contain_text(f"line {EARLIER} of attempt 0")
    assert "attempt=1" in page.url
    page.locator(".ll-no").nth(2).click()
    again = board.page(page.url.partition(board.url)[2].lstrip("/"))
    expect(again.locator(".ll.marked")).to_contain_text("line 3 of attempt 0")
    again.get_by_label("Attempt whose log is shown").select_option("")
    expect(again.locator(".log-box")).to_have_attribute("data-total", str(jobs.LIVE_LINES))
    assert "attempt=" not in again.url


def test_who_reads_sees_the_new_attempt_begin(board: BoardSite) -> None:
    flow = board.flow
    flow.live.fails_at = flow.live.names[1]
    flow.clock.advance(20 * flow.live.step_s)
    page = board.page(address("dashboard", jobs.LIVE, show="log", log="partyInfo"))
    box = page.locator(".log-box")
    expect(box).to_have_attribute("data-total", str(jobs.LIVE_LINES))
    expect(page.get_by_label("Attempt whose log is shown")).to_have_count(0)
    flow.live.rerun("")
    board.look()
    expect(page.get_by_label("Attempt whose log is shown")).to_have_count(1)
    expect(box).to_have_attribute("data-total", "0")
    board.advance(2 * flow.live.step_s)
    expect(box).not_to_have_attribute("data-total", "0")
    assert attempts_of(page) == ["Attempt 2 (newest)", "Attempt 1"]


def test_one_attempt_needs_no_switch(board: BoardSite) -> None:
    board.flow.clock.advance(20 * board.flow.live.step_s)
    page = board.page(address("dashboard", jobs.LIVE, show="log"))
    expect(page.locator(".log-box")).to_have_attribute("data-total", str(jobs.LIVE_LINES))
    expect(page.get_by_label("Attempt whose log is shown")).to_have_count(0)
