"""The board's pages around jobs, as a reader uses them: Chromium, a board, a fake fateflow."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect, sync_playwright

from fateboard import accounts
from fateboard.testing import scripted_jobs
from fateboard.testing.fake_flow import FakeFlow
from tests.board_site import build, served

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if not CHROMIUM:
    pytest.skip("no chromium here", allow_module_level=True)

PASSWORD = "sesame-sesame"
LIVE = scripted_jobs.LIVE
EXPECTED = re.compile(r"status of (401|429|502|503)|ERR_CONNECTION")
"""What the browser itself writes of answers that these tests provoke."""

WCAG = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}

expect.set_options(timeout=30_000)


class Site:
    """A board on a fake fateflow, with users "anna" (operator) and "vera" (viewer)."""

    def __init__(self, url: str, flow: FakeFlow, made: Any, open_page: Callable[..., Page]) -> None:
        self.url, self.flow, self.made, self._open_page = url, flow, made, open_page

    def page(self, address: str = "", *, user: str = "", **context: Any) -> Page:
        page = self._open_page(**context)
        page.goto(f"{self.url}/{address}")
        if user:
            sign_in(page, user)
        return page


def sign_in(page: Page, user: str = "anna", password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_label("Password", exact=True).press("Enter")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
        started = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Page]]:
    """Each page in a profile of its own, else that of ``beside``. Whatever goes wrong is told."""
    contexts, problems = [], []

    def opened(beside: Page | None = None, **context: Any) -> Page:
        given = {"locale": "en", "viewport": {"width": 1440, "height": 900}, **context}
        if beside is None:
            contexts.append(browser.new_context(**given))
        page: Page = (beside.context if beside else contexts[-1]).new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: problems.append(f"dialog {dialog.message}"))
        page.on("console", lambda line: problems.append(line.text) if _is_bad(line) else None)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []


def _is_bad(line: Any) -> bool:
    return line.type in ("error", "warning") and not EXPECTED.search(line.text)


@pytest.fixture
def site(tmp_path: Path, open_page: Callable[..., Page]) -> Iterator[Site]:
    flow = FakeFlow().start()
    made = build(tmp_path, flow)
    folder = made.extensions["board"].settings.folder
    accounts.add(folder, "anna", "operator", PASSWORD)
    accounts.add(folder, "vera", "viewer", PASSWORD)
    try:
        with served(made) as server:
            yield Site(str(server.base_url).rstrip("/"), flow, made, open_page)
    finally:
        flow.stop()


def rows(page: Page) -> Any:
    return page.locator(".jobs tbody tr")


def total(page: Page) -> str:
    return page.locator(".page-head [role=status]").inner_text()


def test_sign_in_tells_nobody_who_exists_and_slows_down(site: Site) -> None:
    page = site.page()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Enter your user name.")).to_be_visible()
    said = []
    for user in ("anna", "nobody"):
        sign_in(page, user, "wrong")
        expect(page.get_by_role("alert")).to_be_visible()
        said.append(page.get_by_role("alert").inner_text())
    assert said[0] == said[1]
    for _ in range(5):
        if page.get_by_text("Too many attempts").count():
            break
        with page.expect_response("**/api/v1/session"):
            sign_in(page, "anna", "wrong")
        page.wait_for_timeout(100)
    expect(page.get_by_text("Too many attempts")).to_be_visible()
    expect(page.get_by_role("button", name="Sign in")).to_be_disabled()
    expect(page.get_by_role("button", name="Sign in")).to_be_enabled()
    page.get_by_role("button", name="Show password").click()
    expect(page.get_by_label("Password", exact=True)).to_have_attribute("type", "text")
    sign_in(page)
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()


def test_a_deep_link_survives_signing_in_and_a_reload(site: Site) -> None:
    link = f"index.html#/dashboard?job_id={LIVE}&role=guest&party_id=9999"
    page = site.page(link)
    expect(page.get_by_label("User name")).to_be_focused()
    page.reload()
    sign_in(page)
    expect(page.locator("main")).to_contain_text(LIVE)
    assert page.url == f"{site.url}/{link}"


def test_sessions_end_everywhere_and_go_on_in_the_same_place(
    site: Site, open_page: Callable[..., Page]
) -> None:
    page = site.page(user="anna")
    other = open_page(beside=page)
    other.goto(f"{site.url}/#/history?status=failed")
    expect(rows(other)).to_have_count(20)
    page.get_by_role("button", name="anna").click()
    page.get_by_role("menuitem", name="Sign out").click()
    for signed_out in (page, other):
        expect(signed_out.get_by_label("User name")).to_be_visible()
    other.go_back()
    expect(rows(other)).to_have_count(0)
    other.goto(f"{site.url}/#/history?status=failed")
    sign_in(other)
    expect(rows(other)).to_have_count(20)
    expect(page.locator(".bar")).to_be_visible()  # the first tab is signed in, too

    other.context.clear_cookies()
    other.get_by_role("button", name="Next page").click()
    expect(other.get_by_text("Your session has ended.")).to_be_visible()
    sign_in(other)
    expect(rows(other)).to_have_count(20)
    assert other.url.endswith("#/history?status=failed&page=2")


def test_filters_are_in_the_address(site: Site) -> None:
    page = site.page(user="anna")
    expect(rows(page)).to_have_count(20)
    assert total(page) == "1,005 entries"
    page.get_by_role("search").get_by_role("button", name="Status").click()
    page.get_by_role("group", name="Status").get_by_text("failed").click()
    page.get_by_role("group", name="Status").get_by_text("canceled").click()
    page.keyboard.press("Escape")
    page.get_by_label("Search job ID").fill("lr=0.3")
    expect(page.get_by_text(re.compile(r"^\d+ entries"))).not_to_have_text("1,005 entries")
    page.get_by_role("button", name="Date").click()
    page.get_by_label("From").fill("2025-10-09")
    page.get_by_label("To", exact=True).fill("2025-10-09")
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".filter-chip")).to_have_count(3)
    expect(page).to_have_url(re.compile("q=lr.*status=.*failed,canceled|status=.*q=lr"))
    expect(page.locator(".jobs")).to_have_attribute("aria-busy", "false")
    page.wait_for_timeout(300)
    seen, told = page.locator(".job-id").all_inner_texts(), total(page)
    assert seen
    again = site.page(page.url.removeprefix(f"{site.url}/"), user="anna")
    expect(again.locator(".job-id")).to_have_text(seen)
    assert total(again) == told
    page.get_by_role("button", name="Clear all").click()
    expect(page.get_by_text("1,005 entries")).to_be_visible()


def test_sorting_and_paging_are_kept_and_gone_back_to(site: Site) -> None:
    page = site.page(user="anna", viewport={"width": 1200, "height": 500})
    page.get_by_role("button", name="Duration").click()
    page.get_by_role("button", name="Duration").click()
    expect(page.locator("th[aria-sort=ascending]")).to_have_text("Duration")
    page.get_by_role("button", name="Next page").click()
    expect(page).to_have_url(re.compile("sort=elapsed.*order=asc.*page=2"))
    expect(page.locator(".pager")).to_contain_text("21–40 of 1,005")
    page.wait_for_timeout(300)
    page.evaluate("scrollTo(0, 240)")
    page.wait_for_timeout(300)
    seen = page.locator(".job-id").all_inner_texts()
    page.locator(".job-id").nth(9).click()
    expect(page.locator(".jobs")).to_have_count(0)
    page.go_back()
    expect(page.locator(".job-id")).to_have_text(seen)
    page.wait_for_timeout(200)
    assert page.evaluate("scrollY") == 240


def test_notes_are_text_and_are_not_lost(site: Site) -> None:
    page = site.page("#/history?q=2025", user="anna")
    first = rows(page).nth(0)
    text = "v1.2, lr=0.1 <b>x</b> 备注"

    def write(what: str, then: str) -> None:
        first.get_by_role("button", name="Edit notes").focus()
        page.keyboard.press("Enter")
        first.get_by_role("textbox").fill(what)
        first.get_by_role("textbox").press(then)

    write(text, "Enter")
    expect(first.locator(".notes-text")).to_have_text(text)
    page.reload()
    expect(first.locator(".notes-text")).to_have_text(text)
    write("gone", "Escape")
    expect(first.locator(".notes-text")).to_have_text(text)
    site.flow.fault = "500"
    write("kept", "Enter")
    expect(first.get_by_role("alert")).to_be_visible()
    expect(first.get_by_role("textbox")).to_have_value("kept")
    site.flow.fault = ""
    first.get_by_role("textbox").fill("x" * 2_001)
    expect(first.get_by_role("button", name="Save")).to_be_disabled()


def test_running_jobs_move_without_a_reload_and_leave_with_a_message(site: Site) -> None:
    page = site.page("#/running", user="anna")
    cards = page.locator(".job-card")
    expect(cards).to_have_count(3)
    expect(cards.nth(1)).to_contain_text("host 10000")
    expect(cards.nth(0)).to_contain_text("0%")
    site.flow.clock.advance(10)
    expect(cards.nth(0)).to_contain_text("25%")
    site.flow.clock.advance(1_000)
    expect(page.get_by_text("Nothing runs")).to_be_visible()
    expect(page.locator(".toast")).to_have_count(1)
    page.get_by_role("link", name="View job").click()
    expect(page).to_have_url(re.compile(f"job_id={LIVE}"))


def test_a_job_is_cancelled_after_a_question(site: Site) -> None:
    page = site.page("#/running", user="anna")
    button = page.locator(".job-card").nth(0).get_by_role("button", name="Cancel job")
    button.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text(LIVE)
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    assert not site.flow.live.canceled
    button.click()
    dialog.get_by_role("button", name="Cancel job").click()
    expect(page.get_by_text("Nothing runs")).to_be_visible()
    assert site.flow.live.canceled


def test_a_viewer_changes_nothing(site: Site) -> None:
    page = site.page("#/running", user="vera")
    expect(page.locator(".job-card")).to_have_count(3)
    assert page.get_by_role("button", name="Cancel job").count() == 0
    page.goto(f"{site.url}/#/history")
    expect(rows(page)).to_have_count(20)
    assert page.get_by_role("button", name="Edit notes").count() == 0
    assert page.get_by_role("button", name="Actions of job").count() == 0


def test_an_outage_is_told_and_ends_by_itself(site: Site) -> None:
    page = site.page(user="anna")
    expect(rows(page)).to_have_count(20)
    site.flow.fault = "500"
    banner = page.locator("[data-outage=flow]")
    expect(banner).to_contain_text(site.flow.url)
    page.get_by_role("button", name="Next page").click()
    expect(page.get_by_role("alert")).to_be_visible()
    site.flow.fault = ""
    expect(banner).to_have_count(0, timeout=12_000)
    expect(page.locator(".pager")).to_contain_text("21–40")


def test_keys_lead_from_the_list_to_a_comparison(site: Site) -> None:
    page = site.page("#/history?status=success", user="anna")
    expect(rows(page)).to_have_count(20)
    page.wait_for_timeout(200)
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(page.locator(".picked-bar")).to_contain_text("2 selected")
    page.keyboard.press("c")
    expect(page).to_have_url(re.compile(r"#/compare\?jobs=.+:.+:.+,.+:.+:.+"))
    expect(page.locator(".compare-job")).to_have_count(2)
    page.get_by_role("button", name="Remove job").first.click()
    expect(page.get_by_text("Nothing to compare yet")).to_be_visible()
    page.keyboard.press("g")
    page.keyboard.press("r")
    expect(page.get_by_role("heading", name="Running")).to_be_visible()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keyboard shortcuts")


def test_all_words_change_with_the_language(site: Site) -> None:
    page = site.page("?lang=zh-CN#/history", user="")
    page.get_by_label("用户名").fill("anna")
    page.get_by_label("密码", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator(".bar")).to_be_visible()
    for name in ("history?status=success", "running", "compare", "about"):
        page.goto(f"{site.url}/#/{name}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_timeout(300)
        words = page.locator("h1, h2, th, button, .field-label, .muted, .empty").all_inner_texts()
        english = {w for w in words if re.search(r"[a-z]{3,}", w)} - {"anna", "fateflow"}
        english -= {w for w in english if re.match(r"(host|guest|arbiter)\b|run \d+|with ", w)}
        assert {w for w in english if not re.search(r"[\u4e00-\u9fff]|none|auc", w)} == set()
    page.get_by_role("button", name="语言").click()
    page.get_by_role("menuitemradio", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("About")
    assert page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible(site: Site, theme: Any) -> None:
    page = site.page(color_scheme=theme, reduced_motion="reduce")
    expect(page.get_by_label("User name")).to_be_visible()
    found = {"login": violations(page)}
    sign_in(page)
    expect(page.locator(".bar")).to_be_visible()
    for name in ("history?status=success,failed&metric=auc", "running", "compare", "about"):
        page.goto(f"{site.url}/#/{name}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_timeout(300)
        found[name] = violations(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    found["help"] = violations(page)
    assert {name: told for name, told in found.items() if told} == {}


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options=WCAG).response["violations"]
    return [f"{one['impact']} {one['id']} {one['nodes'][0]['target']}" for one in found]


def test_narrow_screens_scroll_one_way(site: Site) -> None:
    page = site.page(user="anna", viewport={"width": 390, "height": 800})
    for name in ("history?status=failed&q=2025", "running", "compare", "about"):
        page.goto(f"{site.url}/#/{name}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.wait_for_timeout(200)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_names_of_other_parties_do_nothing(site: Site) -> None:
    """``open_page`` fails on any dialog."""
    page = site.page(f"#/history?q={scripted_jobs.HOSTILE}", user="anna")
    expect(rows(page)).to_have_count(1)
    expect(page.locator(".job-name")).to_have_text(scripted_jobs.NASTY)
    assert page.locator("main img").count() == 0


def test_a_share_link_shows_its_job_alone(site: Site, open_page: Callable[..., Page]) -> None:
    page = site.page(user="anna")
    expect(rows(page)).to_have_count(20)
    key = {"job_id": scripted_jobs.BIG, "role": "guest", "party_id": "9999"}
    headers = {"Origin": site.url}
    url = f"{site.url}/api/v1/share"
    made = page.context.request.post(url, data={**key, "days": 1}, headers=headers)
    guest = open_page()
    guest.goto(made.json()["url"])
    for name in ("history", "running", "compare"):
        guest.goto(f"{site.url}/#/{name}")
        expect(guest).to_have_url(re.compile(f"#/dashboard.job_id={scripted_jobs.BIG}"))
        expect(guest.locator("main")).to_contain_text(scripted_jobs.BIG)
    assert guest.get_by_role("navigation", name="Main").count() == 0


def test_a_failed_job_is_retried_from_its_row(site: Site) -> None:
    """By the mouse: the menu lies above the rows below it."""
    page = site.page("#/history?status=failed", user="anna")
    rows(page).nth(1).get_by_role("button", name="Actions of job").click()
    page.get_by_role("menuitem", name="Retry").click()
    page.get_by_role("dialog").get_by_role("button", name="Retry").click()
    expect(rows(page).nth(1)).to_contain_text("retrying")
    expect(page.locator(".toast")).to_contain_text("runs again")
    assert site.flow.counts["job/rerun"] == 1
