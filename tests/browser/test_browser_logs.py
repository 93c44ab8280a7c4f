"""Logs: followed while they grow, searched at any length (scenarios 18 and 19)."""

from __future__ import annotations

import logging
import re
import time

import pytest
from playwright.sync_api import Locator, Page, expect

from fateboard.testing import scripted_jobs as jobs
from tests.browser.conftest import BoardSite, Live, Shown, address
from tests.browser.shown_flow import NASTY

LOG = logging.getLogger(__name__)
FOLLOWED_S = 9
"""In which the 3,000 lines of the running job come: 333 each second."""
WATCH = """() => {
  const seen = window.seen = { looks: 0, faults: [] };
  const look = () => {
    const rows = [...document.querySelectorAll(".ll")].map(row =>
      [Number(row.dataset.number), row.querySelector(".ll-text").textContent]);
    seen.looks += 1;
    rows.forEach(([number, text], at) => {
      const before = at ? rows[at - 1][0] : number - 1;
      if (number !== before + 1) seen.faults.push(`${before} then ${number}`);
      if (text !== "…" && !text.endsWith(` ${number}`)) seen.faults.push(`${number} is ${text}`);
    });
  };
  const all = { childList: true, subtree: true, characterData: true };
  new MutationObserver(look).observe(document.querySelector(".log-box"), all);
}"""
"""Whenever rows change, those in sight must follow each other, each with its own text."""
READ = """async () => {
  const box = document.querySelector(".log-box");
  const total = Number(box.dataset.total);
  const found = [];
  const press = key => box.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
  const frame = () => new Promise(done => setTimeout(done, 8));
  press("Home");
  for (let turn = 0; turn < 40 * total + 4000; turn += 1) {
    await frame();
    const rows = [...document.querySelectorAll(".ll")];
    const texts = rows.map(row => row.querySelector(".ll-text").textContent);
    if (texts.includes("…")) continue;
    let grew = false;
    rows.forEach((row, at) => {
      if (Number(row.dataset.number) !== found.length + 1) return;
      found.push(texts[at]);
      grew = true;
    });
    if (found.length >= total) break;
    if (!grew || Number(rows.at(-1).dataset.number) <= found.length) press("PageDown");
  }
  return found;
}"""
"""The texts of all lines as a reader sees them who pages from the first to the last."""


def box_of(page: Page) -> Locator:
    box = page.locator(".log-box")
    expect(box).to_be_visible()
    return box


def said(line: str) -> str:
    """What the board shows of a line beside its time, level and place."""
    return re.sub(
        r"^\[[A-Z]+\] \[[^\]]+\](?: \[[^\]]*\]){0,2} - (?:\[[^\]]+\] \[line:\d+\]: )?", "", line
    )


def test_a_log_is_followed_line_by_line(board: BoardSite) -> None:
    flow = board.flow
    flow.live.step_s = FOLLOWED_S / len(flow.live.names)
    page = board.page(address("dashboard", jobs.LIVE, show="log", log="partyInfo"))
    box = box_of(page)
    page.evaluate(WATCH)
    flow.clock.real = True
    flow.clock.advance(-flow.clock())
    expect(box).not_to_have_attribute("data-total", "0")
    expect(box).to_have_attribute("data-follow", "true")
    expect(box).to_have_attribute("data-total", re.compile(r"\d{3,}"))
    box.press("PageUp")
    box.press("PageUp")
    expect(box).to_have_attribute("data-follow", "false")
    top, total = (box.get_attribute(name) for name in ("data-top", "data-total"))
    expect(box).not_to_have_attribute("data-total", total or "")
    assert box.get_attribute("data-top") == top, "who reads is not moved"
    page.get_by_role("button", name=re.compile("end", re.I)).last.click()
    expect(box).to_have_attribute("data-follow", "true")
    expect(box).to_have_attribute("data-total", str(jobs.LIVE_LINES))
    expect(page.locator(".ll").last).to_contain_text(f" {jobs.LIVE_LINES}")
    seen = page.evaluate("seen")
    assert seen["faults"] == []
    assert seen["looks"] > 5
    every = [jobs.log_line(n) for n in range(1, jobs.LIVE_LINES + 1)]
    assert page.evaluate(READ) == [said(line) for line in every]


@pytest.mark.parametrize("component", ["", "hetero_lr_0"])
def test_the_log_of_a_real_job_is_its_file(live: Live, component: str) -> None:
    job = live.job("linear")
    folder = live.node.home / "logs" / job / "guest" / "9999" / component
    written = (folder / "INFO.log").read_text().splitlines()
    if component:
        page = live.page("details", job, component=component, tab="log")
    else:
        page = live.page("dashboard", job, show="log", log="partyInfo")
    expect(box_of(page)).to_have_attribute("data-total", str(len(written)))
    assert [" ".join(text.split()) for text in page.evaluate(READ)] == [
        " ".join(said(line).split()) for line in written
    ]


def test_a_million_lines(shown: Shown) -> None:
    page = shown.page(address("dashboard", jobs.BIG))
    expect(page.locator(".dag-node").first).to_be_visible()
    began = time.monotonic()
    page.evaluate("where => { location.hash = where }", address("dashboard", jobs.BIG, show="log"))
    expect(page.locator(".ll").last).to_contain_text("line 1000000")
    opened = time.monotonic() - began
    goto = page.get_by_label("Go to line")
    goto.fill("500,000")
    began = time.monotonic()
    goto.press("Enter")
    marked = page.locator(".ll.marked")
    expect(marked).to_contain_text("line 500000")
    jumped = time.monotonic() - began
    LOG.info("1,000,000 lines opened after %.2f s, line 500,000 after %.2f s", opened, jumped)
    assert opened < 10
    assert jumped < 10
    assert "line=500000" in page.url
    box = box_of(page)
    top = int(box.get_attribute("data-top") or 0)
    box.hover()
    page.mouse.wheel(0, 400)  # 20 lines, however coarse the scroll bar is
    expect(box).to_have_attribute("data-top", str(top + 20))
    page.reload()
    expect(marked).to_contain_text("line 500000")
    expect(marked).to_be_in_viewport()
    assert page.locator(".ll").count() < 60, "only what is in sight is drawn"


def test_finding_in_a_million_lines(shown: Shown) -> None:
    where = address("dashboard", jobs.BIG, show="log", log="partyInfo", line="500000")
    page = shown.page(where)
    expect(page.locator('.ll[data-number="500000"]')).to_be_in_viewport()
    search = page.get_by_role("searchbox", name="Find in the log")
    search.fill("line")
    told, found = page.locator(".log-find output"), page.locator(".ll.found")
    expect(told).to_have_text("500 of 1,000")
    expect(found).to_contain_text("line 500000")
    page.get_by_role("button", name="Next (Enter)").click()
    expect(told).to_have_text("501 of 1,000")
    expect(found).to_contain_text("line 501000")
    page.get_by_role("button", name="Previous").last.click()
    expect(found).to_have_attribute("data-number", "500000")
    search.fill("nowhere")
    expect(told).to_contain_text(re.compile("not found|no ", re.I))
    search.fill("")
    page.locator(".log-find select").select_option("ERROR")
    expect(told).to_contain_text("of 1,000")
    expect(page.locator(".ll.off").first).to_be_visible()
    box_of(page).press("End")
    expect(page.locator(".ll").last).to_contain_text("1000000")


def test_lines_are_text_and_are_linked(shown: Shown) -> None:
    page = shown.open("", show="log", log="partyInfo", line="12")
    line = page.locator('.ll[data-number="12"]')
    expect(line).to_be_visible()
    expect(line).to_have_class(re.compile("marked"))
    expect(line).to_contain_text(f"{NASTY} line 12")
    assert page.locator("main img").count() == 0
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=re.compile("raw", re.I)).first.click()
    raw = opened.value
    raw.wait_for_load_state()
    text = raw.inner_text("body")
    assert text.splitlines()[11].endswith(f"{NASTY} line 12")
    assert raw.locator("img").count() == 0
