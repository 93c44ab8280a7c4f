"""Signing in and out (scenarios 1, 2, 4 and 5), and the language that it is done in."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator

from playwright.sync_api import Page, Route, expect

from fateboard.testing.scripted_jobs import LIVE
from tests.browser.conftest import PASSWORD, BoardSite, Pages, address, check_axe, sign_in

NOBODY = r"status of 401.*/api/v1/session"
"""Chromium itself writes of every answer that is no success; asking who is there has this one."""


def test_signing_in(board: BoardSite, open_page: Pages) -> None:
    open_page.expect(NOBODY, "status of 429")
    page = board.page(user="")
    expect(page.get_by_label("User name")).to_be_focused()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Enter your user name.")).to_be_visible()
    said = set()
    for user in ("anna", "nobody"):
        with page.expect_response("**/api/v1/session") as answer:
            sign_in(page, user, "wrong")
        assert answer.value.status == 401
        expect(page.get_by_role("alert")).to_be_visible()
        said.add(page.get_by_role("alert").inner_text())
    assert len(said) == 1, "a wrong name must read as a wrong password"
    check_axe(page)
    statuses = []
    for _ in range(4):
        with page.expect_response("**/api/v1/session") as answer:
            sign_in(page, "anna", "wrong")
        statuses.append(answer.value.status)
    assert statuses == [401, 401, 401, 429], "the sixth try must be slowed"
    expect(page.get_by_text("Too many attempts")).to_be_visible()
    began = time.monotonic()
    expect(page.get_by_role("button", name="Sign in")).to_be_disabled()
    expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    assert time.monotonic() - began > 0.5
    page.get_by_role("button", name="Show password").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    sign_in(page)
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    expect(page.locator(".jobs tbody tr")).to_have_count(20)


def test_a_deep_link_while_signed_out(board: BoardSite, open_page: Pages) -> None:
    open_page.expect(NOBODY)
    link = f"index.html{address('dashboard', LIVE)}"
    page = board.page(link, user="")
    expect(page.get_by_label("User name")).to_be_focused()
    page.reload()
    sign_in(page)
    expect(page.locator(".dag-node")).to_have_count(8)
    expect(page.locator("main")).to_contain_text(LIVE)
    assert page.url == f"{board.url}/{link}"


@contextlib.contextmanager
def hours_later(board: BoardSite, page: Page, asked: str) -> Iterator[None]:
    """Sessions have ended when the page asks for an address like this, not before."""
    sessions = board.made.extensions["board"].sessions
    lasts = sessions._idle_s

    def end(route: Route) -> None:
        sessions._idle_s = -1
        route.continue_()

    page.route(re.compile(asked), end, times=1)
    yield
    sessions._idle_s = lasts


def test_a_session_that_ends_goes_on_in_the_same_place(board: BoardSite, open_page: Pages) -> None:
    open_page.expect(NOBODY, "status of 401")
    where = address("details", LIVE, component="intersection_0", tab="parameters")
    page = board.page(where)
    expect(page.get_by_role("tab", name="Parameters")).to_have_attribute("aria-selected", "true")
    with hours_later(board, page, "/logs/"):
        page.get_by_role("tab", name="Log").click()
        expect(page.get_by_text("Your session has ended.")).to_have_count(1)
    sign_in(page)
    expect(page.get_by_role("heading", name="intersection_0")).to_be_visible()
    expect(page.get_by_role("tab", name="Log")).to_have_attribute("aria-selected", "true")
    assert "component=intersection_0" in page.url
    assert "tab=log" in page.url


def test_an_answer_from_before_signing_in_ends_no_session(
    board: BoardSite, open_page: Pages
) -> None:
    open_page.expect("status of 401")
    page = board.page(address("details", LIVE, component="intersection_0", tab="parameters"))
    expect(page.get_by_role("tab", name="Parameters")).to_have_attribute("aria-selected", "true")
    late: list[Route] = []

    def hold_first(route: Route) -> None:
        if late:
            route.continue_()
        else:
            late.append(route)

    page.route("**/logs/**", hold_first)
    with page.expect_request("**/logs/**"):
        page.get_by_role("tab", name="Log").click()
    with hours_later(board, page, "intersection_0/data"):
        page.get_by_role("tab", name="Data").click()
        expect(page.get_by_text("Your session has ended.")).to_be_visible()
    sign_in(page)
    expect(page.get_by_role("tab", name="Data")).to_have_attribute("aria-selected", "true")
    with page.expect_response("**/logs/**"):
        late[0].fulfill(status=401, json={"error": {"code": "sign_in"}})
    page.get_by_role("tab", name="Log").click()
    expect(page.get_by_role("tab", name="Log")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".log-box")).to_be_visible()


def test_signing_out_ends_all_tabs_and_signing_in_goes_on_in_them(
    board: BoardSite, open_page: Pages
) -> None:
    open_page.expect("status of 401")
    failed = f"{board.url}/#/history?status=failed"
    page = board.page("#/history")
    page.locator(".job-id").nth(5).click()
    expect(page.locator(".job-line")).to_be_visible()
    other = open_page(failed, beside=page)
    rows = other.locator(".jobs tbody tr")
    expect(rows).to_have_count(20)
    page.get_by_role("button", name="anna").click()
    page.get_by_role("menuitem", name="Sign out").click()
    for tab in (page, other):
        expect(tab.get_by_label("User name")).to_be_visible()
    for tab in (page, other):
        tab.go_back()
        expect(tab.locator(".job-line, .job-id")).to_have_count(0)
    assert "job_id=" in page.url
    expect(page.get_by_label("User name")).to_be_visible()
    answer = page.request.get(f"{board.url}/api/v1/jobs")
    assert answer.status == 401
    assert not re.search(r"\d{10}", answer.text())

    other.goto(failed)
    sign_in(other)
    expect(rows).to_have_count(20)
    assert other.url == failed
    expect(page.locator(".bar")).to_be_visible()  # the first tab is signed in, too
    with hours_later(board, other, "page=2"):
        other.get_by_role("button", name="Next page").click()
        expect(other.get_by_text("Your session has ended.")).to_be_visible()
    sign_in(other)
    expect(rows).to_have_count(20)
    assert other.url == f"{failed}&page=2"


def test_signing_in_in_chinese_and_going_on_in_english(board: BoardSite, open_page: Pages) -> None:
    open_page.expect(NOBODY)
    page = board.page("?lang=zh-CN#/about", user="")
    page.get_by_label("用户名").fill("anna")
    page.get_by_label("密码", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="语言").click()
    page.get_by_role("menuitemradio", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("About")
    expect(page.locator("html")).to_have_attribute("lang", "en")
