"""For every reader: Chinese, dark, still, narrow, by keyboard, and hostile names in tooltips
(scenario 32)."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

import fateboard
from tests.browser.conftest import BoardSite, Shown, check_axe
from tests.browser.drawn import DRAWN, block, on, series, until, walk
from tests.browser.shown_flow import COMPARED, LONG, NASTY, SHOWN

JOB = {"job_id": SHOWN, "role": "guest", "party_id": "9999"}
LIST = "#/history"
COMPARISON = "#/compare?jobs=" + ",".join(f"{job}:guest:9999" for job in COMPARED)


def details(component: str, **query: str) -> str:
    parts = {**JOB, "component": component, **query}
    return "#/details?" + "&".join(f"{name}={value}" for name, value in parts.items())


LOOKS: tuple[tuple[Any, int], ...] = (("dark", 390), ("light", 1440))
COMPONENTS = {
    details("hetero_secure_boost_0"): '[data-node="0"]',
    details("correlation_0"): ".chart-scroll canvas",
    details("stepwise_0"): '[data-block="step"]',
    details("evaluation_clustering"): '[data-block="external"]',
}
LISTS = {
    "#/history?status=failed&q=2025": ".jobs tbody tr",
    "#/running": ".job-card",
    "#/compare": ".empty",
    "#/about": ".facts",
}
PAGES = {
    LIST: ".jobs tbody tr",
    **LISTS,
    COMPARISON: "figure.chart canvas",
    "#/dashboard?" + "&".join(f"{name}={value}" for name, value in JOB.items()): ".dag-node",
    "#/dashboard?show=log&" + "&".join(f"{name}={value}" for name, value in JOB.items()): ".ll",
    "#/disclosure?" + "&".join(f"{name}={value}" for name, value in JOB.items()): ".verdict",
    **COMPONENTS,
    details("selection_0"): "figure.chart canvas",
    details("evaluation_0"): "figure.chart canvas",
    details("hetero_lr_0", tab="model"): ".drawer-model .model",
    details("hetero_feature_binning_0"): "figure.chart canvas",
    details("transform_plain"): '[data-block="nothing"]',
    details("hetero_lr_0", tab="parameters"): ".drawer-parameters *",
    details("split_wide", tab="data"): ".dt tbody td",
}


def go(page: Page, where: str, url: str) -> None:
    """Within the open document. What is still drawn of the component before does not count."""
    page.goto(f"{url}/{where}")
    of = re.search("component=([^&]+)", where)
    shown = page.locator(f'.drawer[data-component="{of[1]}"]' if of else "main")
    expect(shown.locator(PAGES[where]).first).to_be_visible()
    expect(page.locator("[aria-busy=true]")).to_have_count(0)


def dress(page: Page, theme: Any, width: int) -> str:
    """Its background then."""
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(DRAWN)
    expect(page.locator(".spinner")).to_have_count(0)
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def test_pages_of_components_are_sound(shown: Shown) -> None:
    """In both themes and widths no scrolling sideways, and nothing that moves for who wants none.
    axe looks at each page in one of them; ``test_browser_looks`` has it look at all."""
    page = shown.page("#/about", reduced_motion="reduce")
    grounds = set()
    for at, where in enumerate((COMPARISON, *COMPONENTS)):
        go(page, where, shown.url)
        for theme, width in LOOKS[:: 1 if at % 2 else -1]:
            grounds.add(dress(page, theme, width))
            assert page.evaluate("document.getAnimations().length") == 0, where
            wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert wide <= 0, f"{where} is {wide} of {width} pixels too wide"
        check_axe(page)
    assert len(grounds) == len(LOOKS)


def test_narrow_lists_scroll_one_way(board: BoardSite) -> None:
    page = board.page(viewport={"width": 390, "height": 800})
    for where, something in LISTS.items():
        page.goto(f"{board.url}/{where}")
        expect(page.locator(something).first).to_be_visible()
        expect(page.locator(".spinner, [aria-busy=true]")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, where


# Chinese

TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const holder = node.parentElement;
    if (holder.closest("script, style, .ll, [hidden]") || !holder.checkVisibility()) continue;
    found.push(node.data);
  }
  for (const one of document.querySelectorAll("[title], [aria-label], [placeholder]")) {
    for (const name of ["title", "aria-label", "placeholder"]) found.push(one.getAttribute(name));
  }
  return [...new Set(found.filter(Boolean).map(text => text.trim()))];
}"""
"""All that is to be read or heard."""
DATA = {"data", "local", "auc", "count", "mean", "intercept"}
"""Names in the jobs themselves, some of which English messages also are."""
HEADINGS = "h1, h2, th, button, .field-label, .muted, .empty"
NAMES = re.compile(r"fateflow$|(host|guest|arbiter)\b|run \d+|with |.*(none|auc)", re.S)
"""What jobs, parties and metrics are called, among the headings of lists."""


def english() -> re.Pattern[str]:
    """What the board says in English only: a whole text of a catalogue, gaps filled."""
    folder = Path(fateboard.__file__).parent / "static" / "messages"
    found = []
    for file in folder.glob("*.json"):
        for said in json.loads(file.read_text("utf-8")).values():
            words = re.sub(r"\{\w+\}", "", said["en"])
            if said["en"] == said["zh-CN"] or not re.search(r"[A-Za-z]{3}.*[A-Za-z]", words):
                continue
            found.append(re.sub(r"\\\{\w+\\\}", ".+", re.escape(said["en"].strip())))
    assert len(found) > 500
    return re.compile("|".join(f"(?:{one})" for one in found))


def english_headings(page: Page) -> list[str]:
    """Words without a Chinese character among them, in no catalogue or not."""
    words = [text.strip() for text in page.locator(HEADINGS).all_inner_texts()]
    latin = [text for text in words if re.search("[a-z]{3}", text) and not NAMES.match(text)]
    return [text for text in latin if not re.search("[\u4e00-\u9fff]", text)]


def test_chinese_is_everywhere(shown: Shown) -> None:
    page = shown.pages(f"{shown.url}/{LIST}")
    page.get_by_role("button", name=re.compile("language", re.I)).click()
    page.get_by_role("menuitem", name="中文").or_(
        page.get_by_role("menuitemradio", name="中文")
    ).click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    said = english()
    left: dict[str, list[str]] = {}
    for where in PAGES:
        go(page, where, shown.url)
        texts = page.evaluate(TEXTS)
        assert any(re.search("[\u4e00-\u9fff]", text) for text in texts)
        faults = [text for text in texts if said.fullmatch(text) and text not in DATA]
        if where in LISTS:
            faults += english_headings(page)
        if faults:
            left[where] = faults
    assert left == {}


# the keyboard alone


def tab_to(page: Page, selector: str, most: int = 120) -> None:
    """Tab, as often as it takes to come to something."""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} is not reached by {most} times Tab")


def test_from_the_list_to_a_curve_by_keyboard(shown: Shown) -> None:
    page = shown.pages(f"{shown.url}/{LIST}")
    expect(page.locator(".jobs tbody tr")).to_have_count(20)
    tab_to(page, "input[type=search]")
    page.keyboard.type(SHOWN)
    expect(page.locator(".jobs tbody tr")).to_have_count(3)
    tab_to(page, f".jobs tbody a[href*='job_id={SHOWN}'][href*='role=guest']")
    page.keyboard.press("Enter")
    expect(page.locator(".dag-node").first).to_be_visible()
    tab_to(page, ".dag-node, .dag [tabindex='0'], [class*=dag]:focus")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator(".drawer")).to_be_visible()
    for _ in range(6):  # along the graph, whose first line has six components
        if page.locator('.drawer[data-component="evaluation_0"]').count():
            break
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Enter")
    expect(page.locator('.drawer[data-component="evaluation_0"]')).to_be_visible()
    expect(block(page, "performance")).to_be_visible()
    tab_to(page, '[data-block="performance"] [role=tab]')
    chart = block(page, "performance").locator("figure.chart").first
    expect(chart.locator("canvas").first).to_be_visible()
    tab_to(page, "figure.chart button[aria-pressed]")
    page.keyboard.press("Enter")
    until(lambda: len(on(chart)), 1)
    page.keyboard.press("Enter")
    tab_to(page, ".chart-box")
    page.keyboard.press("ArrowRight")
    expect(chart.locator(".chart-tip")).to_be_visible()
    page.keyboard.press("+")
    expect(chart.locator(".chart-box")).to_have_attribute("data-zoomed", "1")
    page.keyboard.press("0")
    expect(chart.locator(".chart-box")).not_to_have_attribute("data-zoomed", "1")


# names of others


def test_hostile_names_in_tables_charts_and_their_tooltips(shown: Shown) -> None:
    page = shown.open("hostile_0")
    weights = block(page, "weights")
    for name in (NASTY, "=HYPERLINK(1)", LONG):
        expect(weights.get_by_text(name, exact=True)).to_be_visible()
    roc = page.locator("figure.chart", has=page.locator(".is-square")).first
    until(lambda: series(roc)[0]["name"], NASTY)
    assert NASTY in walk(roc, 2)
    shown.open("hostile_1", on=page)
    expect(page.locator(".component-view")).to_contain_text(NASTY)
    page.locator(".dag-node").last.hover()
    assert page.locator("main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
