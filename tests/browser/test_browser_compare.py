"""Jobs side by side (scenario 31)."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.conftest import Shown
from tests.browser.drawn import is_blank, rows, series, until
from tests.browser.shown_flow import COMPARED


def test_three_jobs_from_the_list(shown: Shown) -> None:
    page = shown.pages(f"{shown.url}/#/history?role=guest&q=2026030200000000000")
    found = page.locator(".jobs tbody tr")
    expect(found).to_have_count(3)
    for at in range(3):
        found.nth(at).get_by_role("checkbox").check()
    page.get_by_role("button", name="Compare").or_(
        page.locator("main").get_by_role("link", name="Compare")
    ).last.click()
    expect(page.locator(".compare-job")).to_have_count(3)
    results = page.locator(".compare-found")
    table = results.locator(".dt").filter(has_text="AUC").first
    expect(table.locator("td.is-best").first).to_be_visible()
    best = table.locator("td.is-best").all_inner_texts()
    assert "0.9" in [text.split()[0] for text in best], "the greatest AUC"
    parameters = results.locator(".dt").filter(has_text="alpha").first
    text = " ".join(" ".join(row) for row in rows(parameters))
    assert "penalty" not in text, "what all have in common is left out"
    assert "max_iter" not in text
    assert "0.03" in text
    roc = results.locator("figure.chart").filter(has=page.locator(".is-square")).first
    names = [one["name"] for one in series(roc)]
    assert len(set(names)) == 3
    until(lambda: [one["count"] for one in series(roc)], [101] * 3)
    assert not is_blank(roc)
    assert all(job in page.url for job in COMPARED)
    again = shown.pages(page.url)
    expect(again.locator(".compare-job")).to_have_count(3)
    expect(again.locator("figure.chart").first).to_be_visible()


def test_keys_lead_from_the_list_to_a_comparison(shown: Shown) -> None:
    page = shown.page("#/history?status=success&q=2025")
    expect(page.locator(".jobs tbody tr")).to_have_count(20)
    for at in range(2):
        page.keyboard.press("j")
        page.keyboard.press("x")
        expect(page.locator(".picked-bar")).to_contain_text(f"{at + 1} selected")
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
