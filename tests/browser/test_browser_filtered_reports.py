"""A report holds what a reader filtered in tables beside the whole, in words of the page."""

from __future__ import annotations

import csv
import io
import zipfile

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Shown


def columns_of(page: Page) -> Locator:
    return page.locator('[data-block="selection"] .dt')


def report(page: Page) -> dict[str, bytes]:
    with page.expect_download() as saved:
        page.get_by_role("button", name="Report").click()
    with zipfile.ZipFile(saved.value.path()) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def rows_in(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def test_a_report_holds_what_filters_leave_of_a_selection(shown: Shown) -> None:
    page = shown.open("selection_0")
    table = columns_of(page)
    every = int(table.get_attribute("data-rows") or 0)
    kept = table.locator(".dt-tools").get_by_role("button", name="Kept")
    kept.click()
    picks = page.locator(".b-pick-label")
    assert set(picks.all_inner_texts()) == {"yes", "no"}
    page.locator(".b-pick", has_text="no").get_by_role("checkbox").check()
    expect(table).not_to_have_attribute("data-shown", str(every))
    left = int(table.get_attribute("data-shown") or 0)
    assert 0 < left < every
    page.keyboard.press("Escape")
    files = report(page)
    heading, *rows = rows_in(files["selection_detail_filtered.csv"])
    assert len(rows) == left
    assert {row[heading.index("Kept")] for row in rows} == {"false"}
    assert "selection_detail.csv" in files, "the whole is there too"
    kept.click()
    page.get_by_role("button", name="Clear").click()
    expect(table).to_have_attribute("data-shown", str(every))
    assert not [name for name in report(page) if "filtered" in name]
