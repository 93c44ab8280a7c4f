"""A timeline leaves out the time between a failure and its rerun, in which nothing ran."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from fateboard.testing import scripted_jobs as jobs
from tests.browser.conftest import BoardSite, Shown, address

PARTS = """async runs => {
  const { cuts, placed, ticks } = await import("./js/gantt.js");
  const left = cuts(runs.map(run => ({ start: run ? run[0] : null, length: run ? run[1] : 0 })));
  const end = Math.max(...runs.filter(Boolean).map(([start, length]) => start + length));
  const marks = ticks(end, left);
  const at = marks.map(mark => placed(mark, left));
  const rising = at.every((one, n) => !n || one > at[n - 1]);
  return { left, span: placed(end, left), marks, rising };
}"""


def laid_out(shown: Shown, *runs: list[int] | None) -> dict[str, Any]:
    page = shown.pages(f"{shown.url}/#/history")
    return dict(page.evaluate(PARTS, list(runs)))


def test_a_long_pause_is_cut_and_the_rest_stays_in_order(shown: Shown) -> None:
    told = laid_out(shown, [0, 1000], [1200, 800], None, [3_600_000, 2000])
    (cut,) = told["left"]
    assert 2000 <= cut["at"] < cut["at"] + cut["length"] <= 3_600_000
    assert 4000 < told["span"] < 5000, "what ran took four seconds"
    assert told["rising"]
    assert all(not cut["at"] < mark < cut["at"] + cut["length"] for mark in told["marks"])
    assert told["marks"][-1] > 3_599_000


@pytest.mark.parametrize("runs", [[[0, 5000]], [[0, 5000], [20_000, 5000]], [[0, 9], [5000, 9]]])
def test_short_pauses_stay(shown: Shown, runs: list[list[int]]) -> None:
    told = laid_out(shown, *runs)
    assert told["left"] == []
    assert told["span"] == sum(runs[-1])


def test_nothing_is_left_out_of_a_job_that_ran_through(board: BoardSite) -> None:
    board.flow.clock.advance(20 * board.flow.live.step_s)
    page = board.page(address("dashboard", jobs.LIVE, show="timeline"))
    expect(page.locator(".gantt-rows li")).to_have_count(8)
    expect(page.locator(".gantt-cuts")).to_have_count(0)
