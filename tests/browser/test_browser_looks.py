"""Every page in both themes and on a narrow screen: axe finds nothing serious, nothing is cut off.

Screenshots go to the folder that DISTAFF_SHOTS names, to be looked at."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import BoardSite, Live, Pages, check_axe, sign_in

pytestmark = pytest.mark.slow  # `test_browser_everyone` looks at main pages in every run

READY = {
    "history": ".jobs tbody tr",
    "running": "h1",
    "about": ".facts",
    "serving": "h1",
    "compare": ".compare-job",
    "dashboard": ".dag-node",
    "timeline": ".gantt-rows li",
    "table": ".tasks tbody tr",
    "log": ".ll",
    "binning": ".drawer [data-kind]",
    "trees": ".drawer .tree-node, .drawer svg",
    "evaluation": ".drawer [data-kind]",
    "parameters": ".json li",
    "data": ".drawer .dt",
    "messages": ".drawer table",
    "disclosure": "main table",
}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "narrow": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True},
}


def addresses(live: Live) -> dict[str, str]:
    linear, boosted = live.job("linear"), live.job("boosted")

    def at(page: str, job_id: str = linear, **query: str) -> str:
        return live.site.address(page, job_id, **query)

    return {
        "history": "#/history?metric=auc",
        "running": "#/running",
        "about": "#/about",
        "serving": "#/serving",
        "compare": f"#/compare?jobs={linear}:guest:9999,{boosted}:guest:9999",
        "dashboard": at("dashboard"),
        "timeline": at("dashboard", show="timeline"),
        "table": at("dashboard", show="table"),
        "log": at("dashboard", show="log"),
        "binning": at("details", component="hetero_feature_binning_0"),
        "trees": at("details", boosted, component="hetero_secure_boost_0"),
        "evaluation": at("details", component="evaluation_0"),
        "parameters": at("details", component="hetero_lr_0", tab="parameters"),
        "data": at("details", component="intersection_0", tab="data"),
        "messages": at("details", component="hetero_lr_0", tab="messages"),
        "disclosure": at("disclosure"),
    }


def settled(page: Page) -> None:
    expect(page.locator(".spinner")).to_have_count(0)
    page.wait_for_timeout(300)  # charts are drawn once they know their size


@pytest.mark.parametrize("look", LOOKS)
def test_every_page(live: Live, open_page: Pages, look: str) -> None:
    page = open_page(**LOOKS[look], reduced_motion="reduce")
    shots = os.environ.get("DISTAFF_SHOTS")
    problems = []
    for name, where in addresses(live).items():
        page.goto(f"{live.url}/{where}")
        expect(page.locator(READY[name]).first).to_be_visible()
        settled(page)
        if shots:
            page.screenshot(path=Path(shots) / f"{name}-{look}.png")
        try:
            check_axe(page)
        except AssertionError as found:
            problems.append(f"{name}: {found}")
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wider > 0:
            problems.append(f"{name}: {wider} pixels wider than the screen")
    assert problems == []


WCAG = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
}


def violations(page: Page) -> list[str]:
    """Of WCAG 2.2 AA, slight ones also."""
    found = Axe().run(page, options=WCAG).response["violations"]
    return [f"{one['impact']} {one['id']} {one['nodes'][0]['target']}" for one in found]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lists_and_dialogs_violate_no_rule(board: BoardSite, open_page: Pages, theme: Any) -> None:
    open_page.expect("status of 401")
    page = board.page(user="", color_scheme=theme, reduced_motion="reduce")
    expect(page.get_by_label("User name")).to_be_visible()
    found = {"login": violations(page)}
    sign_in(page)
    expect(page.locator(".bar")).to_be_visible()
    for name in ("history?status=success,failed&metric=auc", "running", "compare", "about"):
        page.goto(f"{board.url}/#/{name}")
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        settled(page)
        found[name] = violations(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    found["help"] = violations(page)
    assert {name: told for name, told in found.items() if told} == {}
