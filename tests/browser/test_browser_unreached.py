"""A job that stopped half-way says which components it never reached, and because of which."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from fateboard.testing import scripted_jobs as jobs
from tests.browser.conftest import BoardSite, address

FAILING = "heterofeaturebinning_0"
AFTER = ["heterofeatureselection_0", "featurescale_0", "heterolr_0", "evaluation_0"]


def stopped(board: BoardSite, language: str = "en-US", **query: str) -> Page:
    board.flow.live.fails_at = FAILING
    board.flow.clock.advance(10 * board.flow.live.step_s)
    return board.page(address("dashboard", jobs.LIVE, **query), locale=language)


def test_every_form_says_what_was_not_reached(board: BoardSite) -> None:
    page = stopped(board)
    grey = page.locator('.dag-node[data-status="not_reached"]')
    expect(grey).to_have_count(len(AFTER))
    expect(page.locator('.dag-node[data-status="waiting"]')).to_have_count(0)
    expect(page.locator(".components .card-head")).to_contain_text(
        "3 of 8 done · 1 failed · 4 not reached"
    )
    named = page.locator(f'[role="button"][data-component="{AFTER[0]}"]')
    expect(named).to_have_attribute("aria-label", re.compile(f"{FAILING} failed at guest 9999"))
    page.get_by_role("button", name="Table", exact=True).click()
    expect(page.locator('.tasks .status[data-status="not_reached"]')).to_have_text(
        ["not reached"] * len(AFTER)
    )
    page.get_by_role("button", name="Timeline").click()
    expect(page.locator(".gantt-lane em", has_text="not reached")).to_have_count(len(AFTER))


def test_its_drawer_leads_to_the_one_that_failed(board: BoardSite) -> None:
    page = stopped(board, component=AFTER[1])
    drawer = page.locator(".drawer")
    expect(drawer).to_contain_text(f"{AFTER[1]} was not reached")
    expect(drawer).to_contain_text(f"{FAILING} failed at guest 9999")
    drawer.get_by_role("tab", name="Parameters").click()
    expect(drawer.locator(".parameters, .empty")).not_to_contain_text("not reached")
    drawer.get_by_role("tab", name="Log").click()
    drawer.get_by_role("link", name=f"See {FAILING}").click()
    expect(page.locator(f'.drawer[data-component="{FAILING}"]')).to_be_visible()
    assert f"component={FAILING}" in page.url


def test_a_canceled_job_blames_no_component(board: BoardSite) -> None:
    board.flow.clock.advance(3.5 * board.flow.live.step_s)
    board.flow.live.canceled = True
    page = board.page(address("details", jobs.LIVE, component=AFTER[-1]))
    expect(page.locator('.dag-node[data-status="not_reached"]')).to_have_count(len(AFTER))
    expect(page.locator(".drawer")).to_contain_text("The job was canceled before")


def test_it_is_said_in_chinese(board: BoardSite) -> None:
    page = stopped(board, "zh-CN", component=AFTER[0])
    expect(page.locator(".drawer")).to_contain_text(f"未执行到 {AFTER[0]}")
    expect(page.locator(".drawer")).to_contain_text(f"{FAILING} 在 guest 9999 失败")
