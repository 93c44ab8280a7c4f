"""A job's pages in a browser, on the fake fateflow: graph, log, drawer, what left the party."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from fateboard.testing import scripted_jobs as jobs
from fateboard.testing.fake_flow import FakeFlow
from tests import board_site

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if not CHROMIUM:
    pytest.skip("no chromium here", allow_module_level=True)

Site = tuple[str, FakeFlow]
PARTS = Path(__file__).with_name("board_job_parts.js")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-gpu", "--disable-quic"]
        started = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield started
        started.close()


@contextlib.contextmanager
def running(home: Path) -> Iterator[Site]:
    flow = FakeFlow().start()
    with board_site.served(board_site.build(home, flow)) as client:
        yield str(client.base_url), flow
    flow.stop()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """For jobs that do not change."""
    with running(tmp_path_factory.mktemp("still")) as made:
        yield made


@pytest.fixture
def page(browser: Any) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    made = context.new_page()
    made.set_default_timeout(8000)
    problems: list[str] = []
    made.on("pageerror", lambda error: problems.append(str(error)))
    made.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    made.on("dialog", lambda dialog: problems.append(f"dialog {dialog.message}"))
    yield made
    context.close()
    assert problems == []


def job(site: Site, job_id: str, page: str = "dashboard", **query: str) -> str:
    key = {"job_id": job_id, "role": "guest", "party_id": "9999", **query}
    return f"{site[0]}/#/{page}?" + "&".join(f"{name}={value}" for name, value in key.items())


def node(page: Page, status: str) -> Any:
    return page.locator(f'.dag-node[data-status="{status}"]')


def test_the_graph_follows_the_job_and_keeps_its_zoom(site: Site, page: Page) -> None:
    _, flow = site
    flow.clock.advance(-1)
    page.goto(job(site, jobs.LIVE))
    expect(page.get_by_text("waits for 4 cores")).to_be_visible()
    expect(node(page, "waiting")).to_have_count(len(jobs.LIVE_MODULES))
    page.get_by_role("button", name="Zoom in").click()
    zoomed = page.locator(".dag").get_attribute("data-scale")
    flow.clock.advance(7)
    expect(node(page, "success")).to_have_count(1)
    expect(node(page, "running")).to_have_count(1)
    expect(page.locator(".job-line .status")).to_have_text("running")
    flow.clock.advance(60)
    expect(node(page, "success")).to_have_count(len(jobs.LIVE_MODULES))
    expect(page.locator(".job-line .status")).to_have_text("success")
    assert page.locator(".dag").get_attribute("data-scale") == zoomed
    page.get_by_role("button", name="Timeline").click()
    expect(page.locator(".gantt-rows li")).to_have_count(len(jobs.LIVE_MODULES))
    page.get_by_role("button", name="Table", exact=True).click()
    expect(page.locator(".tasks tbody tr")).to_have_count(len(jobs.LIVE_MODULES))


def test_arrow_keys_follow_the_lines_and_enter_opens(site: Site, page: Page) -> None:
    page.goto(job(site, jobs.LIVE))
    page.locator('.dag [data-component="reader_0"]').focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator('.dag [data-component="intersection_0"]')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="intersection_0")).to_be_visible()
    assert "component=intersection_0" in page.url
    page.get_by_role("tab", name="Parameters").click()
    page.get_by_role("searchbox", name="Filter by name or value").fill("need")
    expect(page.locator(".json li")).to_have_text(["need_runtrue"])
    assert "tab=parameters" in page.url
    page.reload()
    expect(page.locator(".json li").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_have_count(0)


def test_a_failure_says_where_and_why_and_leads_to_the_log(site: Site, page: Page) -> None:
    _, flow = site
    flow.live.fails_at = "heterolr_0"
    flow.clock.advance(60)
    page.goto(job(site, jobs.LIVE))
    banner = page.locator(".failure")
    expect(banner).to_contain_text("heterolr_0 failed")
    expect(banner).to_contain_text("ValueError: too few rows")
    banner.get_by_role("link", name="Open the log").click()
    expect(page.locator(".drawer")).to_have_attribute("data-tab", "log")
    expect(page.locator(".ll").first).to_be_visible()
    page.locator(".dag-rerun").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Run again from heterolr_0?")
    page.get_by_role("dialog").get_by_role("button", name="Run again").click()
    expect(node(page, "running")).to_have_count(1)
    flow.clock.advance(10)
    expect(node(page, "success")).to_have_count(len(jobs.LIVE_MODULES))
    assert flow.counts["job/rerun"] == 1


def test_a_growing_log_has_every_line_once_and_in_order(site: Site, page: Page) -> None:
    _, flow = site
    page.goto(job(site, jobs.LIVE, show="log"))
    box = page.locator(".log-box")
    for _ in range(4):
        flow.clock.advance(1)
        total = flow.live.lines()
        expect(box).to_have_attribute("data-total", str(total))
        expect(page.locator(f'.ll[data-number="{total}"]')).to_contain_text(f"line {total}")
    box.focus()
    page.keyboard.press("Home")
    expect(box).to_have_attribute("data-follow", "false")
    seen = [0]
    while seen[-1] < total:
        expect(page.locator(".ll-text", has_text="…")).to_have_count(0)
        lines = page.eval_on_selector_all(
            ".ll", "all => all.map(one => [Number(one.dataset.number), one.textContent])"
        )
        assert [number for number, _ in lines] == list(range(lines[0][0], lines[-1][0] + 1))
        assert all(text.startswith(str(number)) for number, text in lines)
        assert all(f"line {number}fake" in text for number, text in lines)
        assert lines[0][0] <= seen[-1] + 1  # no gap to what was seen before
        seen += [number for number, _ in lines if number > seen[-1]]
        page.keyboard.press("PageDown")
    assert seen == list(range(total + 1))
    page.keyboard.press("PageUp")
    page.get_by_role("button", name="Jump to the end").click()
    expect(box).to_have_attribute("data-follow", "true")


def test_a_million_lines(still: Site, page: Page) -> None:
    page.goto(job(still, jobs.BIG, show="log"))
    expect(page.locator('.ll[data-number="1000000"]')).to_contain_text("line 1000000")
    page.get_by_label("Go to line").fill("500,000")
    page.get_by_label("Go to line").press("Enter")
    marked = page.locator(".ll.marked")
    expect(marked).to_contain_text("line 500000")
    assert "line=500000" in page.url
    box = page.locator(".log-box")
    top = int(box.get_attribute("data-top") or 0)
    box.hover()
    page.mouse.wheel(0, 400)  # 20 lines, however coarse the scroll bar is
    expect(box).to_have_attribute("data-top", str(top + 20))
    page.reload()
    expect(marked).to_contain_text("line 500000")
    page.get_by_role("searchbox", name="Find in the log").fill("line")
    expect(page.locator(".log-find output")).to_have_text("500 of 1,000")
    expect(page.locator(".ll.found")).to_contain_text("line 500000")
    page.get_by_role("button", name="Next (Enter)").click()
    expect(page.locator(".ll.found")).to_contain_text("line 501000")
    assert page.locator(".ll").count() < 60


def test_a_table_of_two_thousand_columns(still: Site, page: Page) -> None:
    page.goto(job(still, jobs.BIG, "details", component="reader_0", tab="data"))
    expect(page.get_by_text("100 of 569 rows shown, 2,001 columns")).to_be_visible()
    assert page.locator("td").count() < 2000
    with page.expect_download() as download:
        page.get_by_role("link", name="All rows").click()
    assert download.value.suggested_filename.endswith(".tar.gz")


def test_what_left_adds_up_to_the_report(still: Site, page: Page) -> None:
    url, _ = still
    page.goto(job(still, jobs.BIG, "disclosure"))
    expect(page.locator(".verdict")).to_be_visible()
    answer = page.request.get(f"{url}/api/v1/jobs/{jobs.BIG}/guest/9999/disclosure").json()
    out = [line for line in answer["lines"] if line["direction"] == "out"]
    verdict = page.locator(".verdict")
    assert verdict.get_attribute("data-sent") == str(sum(line["size"] for line in out))
    assert verdict.get_attribute("data-messages") == str(sum(line["count"] for line in out))
    shown = page.locator(".disclosure").get_attribute("data-verified")
    assert shown == json.dumps(answer["verified"])
    for scheme in answer["schemes"]:
        expect(page.locator(".schemes")).to_contain_text(scheme["text"])
    expect(page.locator(".record table:not(.print-only) tbody tr:not(.dt-gap)")).to_have_count(
        len(answer["lines"])
    )


def test_names_of_others_do_nothing(still: Site, page: Page) -> None:
    for name in ("dashboard", "details", "disclosure"):
        page.goto(job(still, jobs.HOSTILE, name))
        expect(page.locator(".job-head h1")).to_contain_text("<img src=x")
        page.wait_for_timeout(300)
        assert page.locator("img").count() == 0
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= page.viewport_size["width"]


def test_pure_parts(still: Site, page: Page) -> None:
    page.goto(still[0])
    found = page.evaluate(PARTS.read_text("utf-8"))
    # What is missing is asked for in whole chunks, but what stands before it never again.
    assert found["log"] == [None, [999, 1000], [1, 250]]
    assert found["ends"] == [0, found["last"]]
    assert found["ranges"] == [[12, 12], [12, 30], None, None, None]
    assert found["took"] < 1000
    assert not found["overlap"]
    assert found["edges"] == 99
    assert found["told"] == ["a count", "whose sum it is"]
    assert found["hidden"] == "> 99.9%"  # never "100%" unless all is
    assert found["all"] == "100%"
