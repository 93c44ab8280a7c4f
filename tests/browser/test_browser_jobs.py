"""The lists of jobs (scenarios 3 and 6 to 10): running ones, all of them, notes, cancelling."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import unquote

from playwright.sync_api import Locator, Page, expect

from fateboard.testing import scripted_jobs as jobs
from tests.browser.conftest import BoardSite, Live, Pages, Shown, address
from tests.browser.drawn import until
from tests.browser.live_site import LINEAR, LINEAR_COMMON, LiveSite


def rows(page: Page) -> Any:
    return page.locator(".jobs tbody tr")


def entries(page: Page, count: int) -> None:
    until(page.locator(".page-head [role=status]").inner_text, f"{count:,} entries")
    expect(page.locator(".jobs")).to_have_attribute("aria-busy", "false")


def expected(shown: Shown, **wanted: str) -> int:
    """How many rows of the fixture have texts like these."""
    found = shown.flow.rows()
    return sum(all(text in str(row[name]) for name, text in wanted.items()) for row in found)


def test_the_address_that_submitting_prints_shows_the_job(live_site: LiveSite, live: Live) -> None:
    told = live_site.submit(LINEAR, LINEAR_COMMON)
    url = told["data"]["board_url"]
    assert url.startswith(live.url)
    page = live.page("history", "")
    page.goto(url)
    expect(page.locator(".dag-node")).to_have_count(7)
    assert told["jobId"] in page.url
    expect(page.locator(".job-line")).to_contain_text(re.compile("waiting|running"))
    expect(page.locator(".job-line")).to_contain_text("guest 9999")
    expect(page.locator(".job-line .status")).to_have_text("success", timeout=90_000)


def test_running_jobs(board: BoardSite) -> None:
    board.flow.clock.advance(-1)  # waits
    page = board.page("#/running")
    cards = page.locator(".job-card")
    expect(cards).to_have_count(3)
    expect(cards.nth(0)).to_contain_text("waiting")
    for n, party in enumerate(("guest 9999", "host 10000", "arbiter 10000")):
        expect(cards.nth(n).locator(".party")).to_have_text(party)
    page.evaluate("window.sameDocument = true")
    for seconds, percent in ((6, "12%"), (10, "37%")):
        board.advance(seconds)
        expect(cards.nth(0)).to_contain_text("running")
        expect(cards.nth(0)).to_contain_text(percent)
    board.flow.clock.advance(1_000)  # which the board finds by itself
    expect(page.get_by_text("Nothing runs")).to_be_visible()
    toast = page.locator(".toast")
    expect(toast).to_have_count(1)
    expect(toast).to_contain_text("(guest 9999, host 10000, arbiter 10000)")
    assert page.evaluate("window.sameDocument")
    toast.get_by_role("link", name="View job").click()
    expect(page).to_have_url(re.compile(f"job_id={jobs.LIVE}"))


def test_filters_of_a_thousand_jobs(shown: Shown) -> None:
    page = shown.page("#/history")
    every = len(shown.flow.rows())
    assert every > jobs.ENDED_JOBS
    entries(page, every)
    search = page.get_by_label("Search job ID")
    search.fill("2025000000000000000")
    entries(page, expected(shown, job_id="2025000000000000000"))
    search.fill("lr=0.3")  # in the notes
    entries(page, expected(shown, description="lr=0.3"))
    search.fill("")
    entries(page, every)
    pick(page, "Role", "host")
    entries(page, expected(shown, role="host"))
    pick(page, "Status", "failed", "canceled")
    both = [r for r in shown.flow.rows() if r["role"] == "host" and r["status"] in FAILURES]
    entries(page, len(both))
    contains(page, "Notes", "lr=0.3")
    noted = [r for r in both if "lr=0.3" in r["description"]]
    entries(page, len(noted))
    page.get_by_role("button", name="Date").click()
    page.get_by_label("From").fill("2025-10-09")
    page.get_by_label("To", exact=True).fill("2025-10-09")
    page.get_by_role("button", name="Apply").click()
    day = [
        r for r in noted if time.strftime("%F", time.gmtime(r["create_time"] / 1e3)) == "2025-10-09"
    ]
    assert 0 < len(day) < len(noted)
    entries(page, len(day))
    expect(page.locator(".filter-chip")).to_have_count(5)
    asked = unquote(page.url)
    assert all(part in asked for part in ("role=host", "status=failed,canceled", "note=lr=0.3"))
    seen = page.locator(".job-id").all_inner_texts()
    assert seen
    copied = shown.pages(page.url)
    expect(copied.locator(".job-id")).to_have_text(seen)
    entries(copied, len(day))
    page.get_by_role("button", name="Clear all").click()
    entries(page, every)
    contains(page, "Partner", "9999")
    entries(page, expected(shown, partners="9999"))
    page.goto(f"{shown.url}/#/history?party_id=10000")
    entries(page, expected(shown, party_id="10000"))


FAILURES = ("failed", "canceled")


def pick(page: Page, filter_name: str, *values: str) -> None:
    page.get_by_role("search").get_by_role("button", name=filter_name).click()
    for value in values:
        page.get_by_role("group", name=filter_name).get_by_text(value).click()
    page.keyboard.press("Escape")


def contains(page: Page, filter_name: str, text: str) -> None:
    page.get_by_role("search").get_by_role("button", name=filter_name).click()
    page.get_by_role("group", name=filter_name).get_by_role("textbox").fill(text)
    page.get_by_role("button", name="Apply").click()


def test_sorting_and_pages(shown: Shown) -> None:
    page = shown.page(
        "#/history?q=2025&status=success,failed,canceled", viewport={"width": 1200, "height": 500}
    )
    ended = {row["job_id"]: row for row in shown.flow.ended}
    names = page.locator(".job-id")

    def sorted_by(member: str, order: str = "asc") -> list[Any]:
        return sorted((row[member] for row in ended.values()), reverse=order == "desc")

    def seen(member: str) -> list[Any]:
        return [ended[name][member] for name in names.all_inner_texts()]

    pick_columns(page, "Ended")
    for label, member in (
        ("Started", "start_time"),
        ("Ended", "end_time"),
        ("Duration", "elapsed"),
    ):
        for order in ("desc", "asc"):
            page.get_by_role("button", name=label, exact=True).click()
            expect(page).to_have_url(re.compile(f"order={order}"))
            expect(page.locator(f"th[aria-sort={order}ending]")).to_have_text(label)
            until(lambda m=member: seen(m), sorted_by(member, order)[:20])  # type: ignore[misc]
    page.get_by_role("button", name="Next page").click()
    expect(page.locator(".pager")).to_contain_text(f"21–40 of {len(ended):,}")
    expect(page).to_have_url(re.compile("sort=elapsed.*order=asc.*page=2"))
    until(lambda: seen("elapsed"), sorted_by("elapsed")[20:40])
    page.get_by_role("button", name="Status", exact=True).last.click()
    expect(page).to_have_url(re.compile("sort=status"))
    until(lambda: {*seen("status")}, {sorted_by("status", "desc")[0]})
    first = names.all_inner_texts()
    page.reload()
    expect(names).to_have_text(first)
    page.get_by_role("button", name="Next page").click()
    expect(page.locator(".pager")).to_contain_text("21–40")
    second = names.all_inner_texts()
    assert not {*first} & {*second}
    page.evaluate("scrollTo(0, 240)")
    until(lambda: page.evaluate("history.state?.scroll"), 240)
    names.nth(12).click()
    expect(page.locator(".jobs")).to_have_count(0)
    page.go_back()
    expect(names).to_have_text(second)
    expect(page.locator("html")).to_have_js_property("scrollTop", 240)


def pick_columns(page: Page, *names: str) -> None:
    page.get_by_role("button", name="Columns").click()
    for name in names:
        page.get_by_role("group", name="Columns").get_by_text(name, exact=True).click()
    page.keyboard.press("Escape")


def test_notes(board: BoardSite, open_page: Pages) -> None:
    open_page.expect("status of 502", "status of 500")
    page = board.page("#/history?q=2025")
    first = rows(page).nth(0)
    name = first.locator(".job-id").inner_text()
    text, field = first.locator(".notes-text"), first.get_by_role("textbox")
    noted = "v1.2, lr=0.1 <b>x</b> 备注"

    def write(what: str, key: str) -> None:
        first.get_by_role("button", name="Edit notes").focus()
        page.keyboard.press("Enter")
        field.fill(what)
        field.press(key)

    write(noted, "Enter")
    expect(text).to_have_text(noted)
    page.reload()
    expect(text).to_have_text(noted)
    write("gone", "Escape")
    expect(text).to_have_text(noted)
    board.flow.fault = "500"
    board.look()
    write("kept", "Enter")
    expect(first.get_by_role("alert")).to_be_visible()
    expect(field).to_have_value("kept")
    board.flow.fault = ""
    board.look()
    field.fill("x" * 2_001)
    expect(first.get_by_role("button", name="Save")).to_be_disabled()
    field.fill("kept")
    field.press("Enter")
    expect(text).to_have_text("kept")
    board.flow.notes[name] = noted
    board.look()
    first.locator(".job-id").click()
    expect(page.locator(".job-notes-text")).to_have_text(noted)
    assert page.locator(".job-notes-text b").count() == 0


def test_cancelling(board: BoardSite) -> None:
    """From the job's page, then from its card among the running ones: each asks before."""
    board.flow.clock.advance(7)
    page = board.page(address("dashboard", jobs.LIVE))
    cancel(board, page.get_by_role("button", name="Cancel job"))
    expect(page.locator(".job-line .status")).to_have_text("canceled")
    expect(page.get_by_role("button", name="Cancel job")).to_have_count(0)
    expect(page.locator('.dag-node[data-status="canceled"]').first).to_be_visible()
    assert board.flow.counts["job/stop"] == 1
    board.flow.live.canceled = False
    board.look()
    page.goto(f"{board.url}/#/running")
    cancel(board, page.locator(".job-card").nth(0).get_by_role("button", name="Cancel job"))
    expect(page.get_by_text("Nothing runs")).to_be_visible()
    assert board.flow.live.canceled


def cancel(board: BoardSite, button: Locator) -> None:
    """By a button, at the second time."""
    button.click()
    dialog = button.page.get_by_role("dialog")
    expect(dialog).to_contain_text(jobs.LIVE)
    expect(dialog).to_contain_text(re.compile("stop|cancel", re.I))
    button.page.keyboard.press("Escape")
    expect(button).to_be_focused()
    assert not board.flow.live.canceled
    button.click()
    dialog.get_by_role("button", name="Cancel job").click()


def test_a_failed_job_is_retried_from_its_row(board: BoardSite) -> None:
    """By the mouse: the menu lies above the rows below it."""
    page = board.page("#/history?status=failed")
    rows(page).nth(1).get_by_role("button", name="Actions of job").click()
    page.get_by_role("menuitem", name="Retry").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(rows(page).nth(1)).to_contain_text("retrying")
    expect(page.locator(".toast")).to_contain_text("runs again")
    assert board.flow.counts["job/rerun"] == 1


def test_a_viewer_changes_nothing(board: BoardSite) -> None:
    page = board.page("#/running", user="vera")
    expect(page.locator(".job-card")).to_have_count(3)
    expect(page.get_by_role("button", name=re.compile("Cancel"))).to_have_count(0)
    page.goto(f"{board.url}/#/history")
    expect(rows(page)).to_have_count(20)
    expect(page.get_by_role("button", name=re.compile("Edit notes|Actions of"))).to_have_count(0)
    page.goto(f"{board.url}/{address('dashboard', jobs.LIVE)}")
    expect(page.locator(".dag-node")).to_have_count(8)
    expect(page.get_by_role("button", name=re.compile("Cancel"))).to_have_count(0)
    path = f"{board.url}/api/v1/jobs/{jobs.LIVE}/guest/9999"
    for act in ("cancel", "rerun"):
        assert page.request.post(f"{path}/{act}", data={}).status == 403
    assert page.request.put(f"{path}/notes", data={"notes": "x"}).status == 403
    assert not board.flow.live.canceled


def test_a_thousand_jobs_on_one_page(shown: Shown) -> None:
    page = shown.page("#/running")
    expect(page.locator(".job-card")).to_have_count(3)
    began = time.monotonic()
    page.goto(f"{shown.url}/#/history?size=1000")
    expect(rows(page).nth(20)).to_be_visible()
    first_s = time.monotonic() - began
    expect(rows(page)).to_have_count(1_000, timeout=60_000)
    assert first_s < 10
