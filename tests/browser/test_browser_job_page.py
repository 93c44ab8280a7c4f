"""A job's page (scenarios 11 to 16): its graph as it runs, fails and runs again, data sets,
parameters, what left the party."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from fateboard.testing import scripted_jobs as jobs
from tests.browser.conftest import BoardSite, Live, Shown, address, check_axe
from tests.browser.live_site import LINEAR, SPACE

COUNT = len(jobs.LIVE_MODULES)
PARTS = Path(__file__).with_name("job_parts.js")


def node(page: Page, status: str) -> Any:
    return page.locator(f'.dag-node[data-status="{status}"]')


def rerun(page: Page) -> None:
    page.get_by_role("dialog").get_by_role("button", name="Run again").click()


def test_rerunning_a_failed_job(board: BoardSite) -> None:
    """From a component, in the graph and by the menu, and the whole."""
    board.flow.live.fails_at = "heterolr_0"
    board.flow.clock.advance(100)
    page = board.page(address("dashboard", jobs.LIVE))
    expect(node(page, "failed")).to_have_count(1)
    page.locator(".dag-rerun").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("Run again from heterolr_0?")
    rerun(page)
    part_runs_and_fails(board, page)
    page.get_by_role("button", name="Rerun", exact=True).click()
    page.get_by_role("menuitem", name="heterolr_0").click()
    rerun(page)
    part_runs_and_fails(board, page)
    page.get_by_role("button", name="Rerun", exact=True).click()
    page.get_by_role("menuitem").first.click()
    rerun(page)
    expect(node(page, "success")).to_have_count(0)
    expect(node(page, "waiting")).to_have_count(COUNT - 1)
    board.advance(100)
    expect(node(page, "success")).to_have_count(COUNT)
    expect(page.locator(".job-line .status")).to_have_text("success")
    asked = [body["component_name"] for path, body in board.flow.bodies if path == "job/rerun"]
    assert asked == ["heterolr_0", "heterolr_0", "pipeline"]


def part_runs_and_fails(board: BoardSite, page: Page) -> None:
    expect(node(page, "success")).to_have_count(6)
    expect(node(page, "running")).to_have_count(1)
    expect(page.locator(".failure")).to_have_count(0)
    board.flow.live.fails_at = "heterolr_0"
    board.advance(6)
    expect(page.locator(".job-line .status")).to_have_text("failed")


def test_a_failure_of_another_party_and_a_rerun(live: Live) -> None:
    """On a real node: the host has no table yet."""
    site = live.site
    site.node.post("table/delete", namespace=SPACE, table_name="late")
    told = site.submit(LINEAR[:3], {"intersection_0": {"intersect_method": "ecdh"}}, host="late")
    job_id = told["jobId"]
    assert site.node.wait(job_id) == "failed"
    page = live.page("dashboard", job_id)
    banner = page.locator(".failure")
    expect(banner).to_contain_text("reader_0 failed at host 10000, not at this party")
    expect(banner).to_contain_text("late")
    host = live.page("dashboard", job_id, "host")
    expect(host.locator(".failure")).to_contain_text("reader_0 failed at this party")
    host.locator(".failure").get_by_role("link", name="Open the log").click()
    expect(host.locator(".drawer")).to_have_attribute("data-tab", "log")
    expect(host.locator(".ll", has_text="ERROR").first).to_be_in_viewport()
    site.upload("host", as_table="late")
    page.get_by_role("button", name="Rerun", exact=True).click()
    page.get_by_role("menuitem", name="reader_0").click()
    rerun(page)
    expect(page.locator(".job-line .status")).to_have_text("success", timeout=60_000)
    expect(node(page, "success")).to_have_count(3)
    expect(banner).to_have_count(0)
    host.reload()
    expect(host.locator(".drawer")).to_contain_text("attempt 2")
    expect(host.locator(".ll", has_text="version 1 runs as host")).to_be_visible()
    expect(host.locator(".ll", has_text="ERROR")).to_have_count(0)
    host.get_by_label("Attempt whose log is shown").select_option("1")
    expect(host.locator(".ll", has_text="ERROR").first).to_be_visible()


def test_a_job_runs_before_the_readers_eyes(board: BoardSite) -> None:
    board.flow.clock.advance(-1)
    page = board.page(address("dashboard", jobs.LIVE))
    expect(node(page, "waiting")).to_have_count(COUNT)
    expect(page.get_by_text("waits for 4 cores")).to_be_visible()
    page.get_by_role("button", name="Zoom in").click()
    zoomed = page.locator(".dag").get_attribute("data-scale")
    page.evaluate("window.sameDocument = true")
    for done in range(3):
        board.advance(1 if done == 0 else 5)
        expect(node(page, "success")).to_have_count(done)
        expect(node(page, "running")).to_have_count(1)
        expect(node(page, "running").locator(".dag-time")).to_have_text(re.compile(r"\d"))
        row = page.request.get(f"{board.url}/api/v1/jobs/{jobs.LIVE}/guest/9999").json()["job"]
        expect(page.locator(".job-line")).to_contain_text(f"{row['progress']}%")
    expect(page.locator(".job-line .status")).to_have_text("running")
    order = [task.get_attribute("data-status") for task in page.locator(".dag-node").all()]
    assert order == ["success", "success", "running", *["waiting"] * (COUNT - 3)]
    board.flow.clock.advance(1_000)  # which the board finds by itself
    expect(node(page, "success")).to_have_count(COUNT)
    expect(page.locator(".job-line .status")).to_have_text("success")
    path = f"{board.url}/api/v1/jobs/{jobs.LIVE}/guest/9999"
    assert page.request.get(path).json()["job"]["elapsed_ms"] == COUNT * 5_000
    expect(page.locator(".job-elapsed")).to_have_text("40.0 s")
    assert page.evaluate("window.sameDocument")
    expect(page.locator(".dag")).to_have_attribute("data-scale", zoomed or "")
    page.get_by_role("button", name="Timeline").click()
    expect(page.locator(".gantt-rows li")).to_have_count(COUNT)
    page.get_by_role("button", name="Table", exact=True).click()
    expect(page.locator(".tasks tbody tr")).to_have_count(COUNT)


def thirty() -> dict[str, Any]:
    """A DSL of 30 components: a row of preparation, then three branches; one component of
    somebody's own puts out two tables."""
    dsl = jobs.dsl_of([f"Step{n:02d}" for n in range(30)])
    for n, component in enumerate(dsl["components"].values()):
        if n > 3:
            component["input"] = {"data": {"train_data": [f"step{n - 3:02d}_0.data"]}}
    split = dsl["components"]["step03_0"]
    split["module"], split["output"] = "OurSplit", {"data": ["left", "right"], "model": ["model"]}
    dsl["components"]["step06_0"]["input"] = {
        "data": {"train_data": ["step03_0.left"], "validate_data": ["step03_0.right"]}
    }
    return dsl


@pytest.fixture
def large(board: BoardSite) -> Page:
    idle, passed = frozenset({"step29_0"}), frozenset({"step02_0"})
    board.flow.live = jobs.Live(board.flow.clock, 5.0, dsl=thirty(), idle=idle, passed=passed)
    board.flow.clock.advance(52)
    page = board.page(address("dashboard", jobs.LIVE))
    expect(page.locator(".dag-node")).to_have_count(30)
    return page


def test_a_graph_of_thirty_components(large: Page) -> None:
    page, dag = large, large.locator(".dag")
    expect(dag).to_have_attribute("data-edges", "30")
    expect(page.locator('.dag-node:has([data-component="step02_0"])')).to_have_attribute(
        "data-status", "pass"
    )
    split = page.locator('.dag-node:has([data-component="step03_0"])')
    names = split.locator(".dag-port").evaluate_all("all => all.map((one) => one.dataset.port)")
    assert names == ["data", "left", "right", "model"]
    split.locator('[data-port="right"]').hover()
    expect(page.locator(".dag-tip")).to_have_text("Data output: right")
    idle = page.locator('[data-component="step29_0"]')
    assert "Another party" in (idle.get_attribute("aria-label") or "")
    before = float(dag.get_attribute("data-scale") or 0)
    page.get_by_role("button", name="Zoom in").click()
    zoomed = float(dag.get_attribute("data-scale") or 0)
    assert zoomed > before
    dag.hover(position={"x": 40, "y": 40})
    page.mouse.wheel(0, 120)
    expect(dag).not_to_have_attribute("data-scale", f"{zoomed:.3f}")
    page.get_by_role("button", name="Show all").click()
    expect(dag).to_have_attribute("data-scale", f"{before:.3f}")
    page.locator('[data-component="step00_0"]').focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    expect(page.locator('[data-component="step03_0"]')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="step03_0")).to_be_visible()
    assert "component=step03_0" in page.url
    idle.click()
    expect(page.get_by_role("heading", name="step29_0")).to_be_visible()
    expect(page.locator(".drawer")).to_contain_text("does not run this component")
    page.go_back()
    expect(page.get_by_role("heading", name="step03_0")).to_be_visible()
    check_axe(page)
    page.get_by_role("tab", name="Parameters").click()
    page.get_by_role("searchbox", name="Filter by name or value").fill("need")
    expect(page.locator(".json li")).to_have_text(["need_runtrue"])
    assert "tab=parameters" in page.url
    page.reload()
    expect(page.locator(".json li").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".drawer")).to_have_count(0)


def test_data_sets(live: Live) -> None:
    job_id = live.job("linear")
    page = live.page("dashboard", job_id)
    tables = page.locator(".datasets dd .mono")
    expect(tables).to_have_text([f"{SPACE}.guest", f"{SPACE}.host"])
    host = live.page("dashboard", job_id, "host")
    expect(host.locator(".datasets dd .mono")).to_have_text([f"{SPACE}.host"])
    host.locator(".datasets").get_by_role("button", name="reader_0").click()
    expect(host.get_by_role("heading", name="reader_0")).to_be_visible()


def test_a_failure_leads_to_its_line(board: BoardSite) -> None:
    board.flow.live.fails_at = "heterolr_0"
    board.flow.clock.advance(100)
    page = board.page(address("dashboard", jobs.LIVE))
    banner = page.locator(".failure")
    expect(banner).to_contain_text("heterolr_0 failed")
    expect(banner).to_contain_text("ValueError: too few rows")
    banner.get_by_role("link", name="Open the log").click()
    expect(page.locator(".drawer")).to_have_attribute("data-tab", "log")
    expect(page).to_have_url(re.compile(r"component=heterolr_0.*line=1000"))
    expect(page.locator('.ll[data-number="1000"]')).to_contain_text("ERROR")
    expect(page.locator('.ll[data-number="1000"]')).to_be_in_viewport()
    check_axe(page)


def test_parameters(live: Live) -> None:
    job_id = live.job("linear")
    page = live.page("details", job_id, component="hetero_lr_0", tab="parameters")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("searchbox", name="Filter by name or value").fill("penalty")
    expect(page.locator('.json [data-path$="penalty"] code').first).to_have_text('"L2"')
    page.get_by_role("searchbox", name="Filter by name or value").fill("")
    path = f"{live.url}/api/v1/jobs/{job_id}/guest/9999/components/hetero_lr_0/parameters"
    parameters = page.request.get(path).json()["parameters"]
    page.get_by_role("button", name="Unfold all").click()
    for name, value in leaves(parameters):
        shown = page.locator(f'.json [data-path="{name}"] > code')
        expect(shown).to_have_text(json.dumps(value, ensure_ascii=False))
    page.get_by_role("button", name="Copy as JSON").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert json.loads(copied) == parameters
    check_axe(page)


def leaves(value: dict[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """Nulls, and lists of plain values: what a page is most likely to get wrong."""
    found = []
    for name, one in value.items():
        path = f"{above}.{name}" if above else name
        if isinstance(one, dict):
            found += leaves(one, path)
        elif one is None or (isinstance(one, list) and one and not isinstance(one[0], dict)):
            found.append((path, one))
    return found[:6]


def test_what_left_adds_up_to_the_report(shown: Shown) -> None:
    page = shown.page(address("disclosure", jobs.BIG))
    verdict = page.locator(".verdict")
    expect(verdict).to_be_visible()
    answer = page.request.get(f"{shown.url}/api/v1/jobs/{jobs.BIG}/guest/9999/disclosure").json()
    out = [line for line in answer["lines"] if line["direction"] == "out"]
    assert verdict.get_attribute("data-sent") == str(sum(line["size"] for line in out))
    assert verdict.get_attribute("data-messages") == str(sum(line["count"] for line in out))
    told = page.locator(".disclosure").get_attribute("data-verified")
    assert told == json.dumps(answer["verified"])
    for scheme in answer["schemes"]:
        expect(page.locator(".schemes")).to_contain_text(scheme["text"])
    expect(page.locator(".record table:not(.print-only) tbody tr:not(.dt-gap)")).to_have_count(
        len(answer["lines"])
    )


def test_what_the_page_decides_without_drawing(shown: Shown) -> None:
    found = shown.page("#/about").evaluate(PARTS.read_text("utf-8"))
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
