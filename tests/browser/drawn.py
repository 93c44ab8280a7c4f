"""What a page drew, as a test reads it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

PATIENCE_S = 20
DRAWN = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
"""Evaluated, it waits until what was changed is drawn."""


def until(read: Callable[[], Any], wanted: Any) -> None:
    """Reads again until it is what is wanted, as what is drawn follows a click a little later."""
    ends = time.monotonic() + PATIENCE_S
    while (found := read()) != wanted and time.monotonic() < ends:
        time.sleep(0.05)
    assert found == wanted


def block(page: Page, id: str) -> Locator:
    """The block of a component's view."""
    return page.locator(f'[data-block="{id}"]')


def rows(table: Locator) -> list[list[str]]:
    """The rows in sight, without those that stand for others."""
    found = table.locator("tbody tr:not(.dt-gap)")
    expect(found.first).to_be_visible()
    texts: list[list[str]] = found.evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('th, td:not(.dt-gap)')]"
        ".map(cell => cell.innerText.trim()))"
    )
    return texts


def heads(table: Locator) -> list[str]:
    found = table.locator("thead th")
    expect(found.first).to_be_visible()
    return [text.strip() for text in found.all_inner_texts()]


def series(chart: Locator) -> list[dict[str, Any]]:
    """What a chart says of its curves: name, count, low, high, and whether it is on."""
    found: list[dict[str, Any]] = json.loads(chart.get_attribute("data-series") or "[]")
    return found


def on(chart: Locator) -> list[str]:
    return [one["name"] for one in series(chart) if one["on"]]


def points(chart: Locator) -> list[list[str]]:
    """The first points of the chart as its table tells them; the chart is shown again after."""
    chart.get_by_role("button", name="Show as table").click()
    found = rows(chart)
    chart.get_by_role("button", name="Show as table").click()
    return found


def is_blank(chart: Locator) -> bool:
    """Whether all canvases in it have one colour only."""
    expect(chart.locator("canvas").first).to_be_visible()
    blank: bool = chart.locator("canvas").evaluate_all(
        """canvases => canvases.every(canvas => {
          const copy = new OffscreenCanvas(canvas.width, canvas.height);
          const pen = copy.getContext("2d", { willReadFrequently: true });
          pen.drawImage(canvas, 0, 0);
          const { data } = pen.getImageData(0, 0, copy.width, copy.height);
          return new Uint32Array(data.buffer).every((colour, _, all) => colour === all[0]);
        })"""
    )
    return blank


def saved(chart: Locator, item: str) -> bytes:
    """A file of the chart's own menu."""
    page = chart.page
    chart.get_by_role("button", name="Save the chart").last.click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name=item).click()
    return download.value.path().read_bytes()


def drag(page: Page, chart: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one place of the chart's box to another, both as shares of it."""
    chart.locator(".chart-box").scroll_into_view_if_needed()
    box = chart.locator(".chart-box").bounding_box()
    assert box
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=4)
    page.mouse.up()


def walk(chart: Locator, steps: int) -> str:
    """What the tooltip says after so many steps along the curve by arrow keys."""
    box = chart.locator(".chart-box")
    expect(chart.locator("canvas").first).to_be_visible()
    for _ in range(steps):
        box.press("ArrowRight")
    return chart.locator(".chart-tip").inner_text()
