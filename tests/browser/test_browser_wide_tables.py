"""Tables that are scrolled draw in steps: what is in sight is always there, and in its place."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from fateboard.testing import scripted_jobs as jobs
from tests.browser.conftest import BoardSite, Shown, address

SEEN = """() => {
  const box = document.querySelector(".dt-scroll"), inside = box.getBoundingClientRect();
  const at = (x, y) => document.elementFromPoint(x, y)?.closest("td, th");
  const found = [], low = Math.min(inside.top + box.clientHeight, innerHeight) - 20;
  for (let x = inside.left + 20; x < inside.right - 30; x += 50) {
    const cell = at(x, low);
    const head = at(x, inside.top + 12);
    found.push([cell, head].map(one => one?.getAttribute("aria-colindex") ?? ""));
  }
  return found;
}"""
"""Under points across the box: the column of the cell and that of the heading above it."""


INSIDE = """() => [...document.querySelectorAll(".b-cm-fill, .dt-bar")].every(fill => {
  const a = fill.getBoundingClientRect(), b = fill.closest("td").getBoundingClientRect();
  const wide = a.left >= b.left - 1 && a.right <= b.right + 1;
  return wide && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
})"""


def test_no_gap_is_seen_wherever_a_wide_table_is_scrolled_to(board: BoardSite) -> None:
    page = board.page(
        address("details", jobs.BIG, component="heterosecureboost_0", tab="data"),
        viewport={"width": 1400, "height": 900},
    )
    box = page.locator(".dt-scroll")
    expect(box.locator("tbody td").first).to_be_visible()
    for left, top in ((0, 0), (319, 59), (321, 61), (47_111, 777), (639, 1_001), (10**7, 10**7)):
        box.evaluate("(box, [x, y]) => { box.scrollLeft = x; box.scrollTop = y; }", [left, top])
        page.wait_for_timeout(100)
        seen = page.evaluate(SEEN)
        assert len(seen) > 5
        assert [pair for pair in seen if not pair[0] or pair[0] != pair[1]] == [], (left, top)


@pytest.mark.parametrize("component", ["evaluation_0", "hetero_feature_binning_0"])
def test_fills_and_bars_stay_in_their_cells(shown: Shown, component: str) -> None:
    page = shown.open(component)
    fills = page.locator(".b-cm-fill, .dt-bar")
    expect(fills.first).to_be_attached()
    assert page.evaluate(INSIDE)
