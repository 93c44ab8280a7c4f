"""Linear models, their loss while they train, and boosted trees (scenarios 23 to 25)."""

from __future__ import annotations

import json
import logging
import re
import time

from playwright.sync_api import Page, expect

from fateboard.testing.scripted_jobs import LIVE
from tests.browser.conftest import BoardSite, Live, Shown, address
from tests.browser.drawn import block, drag, is_blank, rows, saved, series, until
from tests.browser.exhibits import tree

LOG = logging.getLogger(__name__)


def test_weights_and_where_they_are(shown: Shown) -> None:
    page = shown.open("hetero_lr_0")
    weights = block(page, "weights")
    until(lambda: rows(weights)[-1], ["intercept", "-0.125"])
    until(lambda: rows(weights)[0], ["x0", "1.25"])
    weights.get_by_role("button", name="Weight").click()
    until(lambda: [row[0] for row in rows(weights)][:2], ["x1", "x3"])  # the least first
    weights.get_by_role("button", name="Weight").click()
    until(lambda: [row[0] for row in rows(weights)][:2], ["x0", "x2"])
    chart = block(page, "loss.train").locator("figure.chart")
    expect(chart).to_have_attribute("data-series", re.compile("arbiter 10000"))
    until(lambda: [(one["count"], one["high"]) for one in series(chart)], [(12, 0.7)])

    shown.open("hetero_lr_0", role="host", on=page)
    expect(page.locator('.component-view [data-block="weights"]')).to_be_visible()
    expect(page.locator('[data-block="weights"]')).not_to_contain_text("intercept")
    until(lambda: len(rows(block(page, "weights"))), 10)

    shown.open("hetero_lr_0", role="arbiter", on=page)
    expect(block(page, "hint")).to_contain_text("guest")
    assert not is_blank(block(page, "loss.train"))
    expect(block(page, "loss.train")).to_contain_text("0.05")
    expect(block(page, "weights")).to_have_count(0)


def test_one_model_per_class(shown: Shown) -> None:
    page = shown.open("hetero_lr_ovr")
    picked = block(page, "class")
    until(lambda: rows(picked)[-1], ["intercept", "-0.125"])
    picked.get_by_role("combobox").select_option(label="dog")
    expect(picked).to_contain_text("30")
    until(lambda: rows(picked)[-1], ["intercept", "0.5"])
    assert "view=class" in page.url
    page.reload()
    until(lambda: rows(picked)[-1], ["intercept", "0.5"])


def test_points_of_the_loss_come_while_it_trains(board: BoardSite) -> None:
    flow = board.flow
    begins = flow.live.names.index("heterolr_0") * flow.live.step_s
    flow.clock.advance(begins + 0.35 * flow.live.step_s)
    page = board.page(address("details", LIVE, "guest", component="heterolr_0"))
    chart = page.locator("figure.chart").first
    expect(chart).to_have_attribute("data-series", re.compile('"count":3'))
    expect(chart.locator("canvas").first).to_be_visible()
    drag(page, chart, (0.3, 0.3), (0.7, 0.7))
    box = chart.locator(".chart-box")
    expect(box).to_have_attribute("data-zoomed", "1")
    board.advance(0.3 * flow.live.step_s)
    began = time.monotonic()
    expect(chart).to_have_attribute("data-series", re.compile('"count":6'))
    LOG.info("points appended after %.1f s", time.monotonic() - began)
    expect(box).to_have_attribute("data-zoomed", "1")
    board.advance(2 * flow.live.step_s)
    expect(chart).to_have_attribute("data-series", re.compile('"count":10'))
    expect(box).to_have_attribute("data-zoomed", "1")
    expect(chart).to_contain_text("0.07")


def test_a_real_loss_is_of_the_arbiter(live: Live) -> None:
    page = live.page("details", live.job("linear"), component="hetero_lr_0")
    chart = block(page, "loss.train").locator("figure.chart")
    expect(chart).to_have_attribute("data-series", re.compile("arbiter 10000"))
    until(lambda: series(chart)[0]["count"], 4)
    until(lambda: rows(block(page, "weights"))[-1][0], "intercept")


def node(page: Page, id: int) -> str:
    return page.locator(f'[data-node="{id}"]').text_content() or ""


def picked(page: Page) -> str | None:
    return page.locator('.forest [aria-selected="true"]').get_attribute("data-tree")


def test_trees_are_picked_by_chip_by_id_and_in_the_line_chart(shown: Shown) -> None:
    page = shown.open("hetero_secure_boost_0")
    forest = block(page, "forest")
    expect(forest.locator(".forest button")).to_have_count(150)
    until(lambda: series(forest.locator('[data-kind="forest"]'))[0]["count"], 150)
    until(lambda: picked(page), "0")
    forest.locator('[data-tree="4"]').click()
    expect(forest).to_contain_text("Tree 4 · round 1 · class dog")
    assert "tree=4" in page.url
    forest.get_by_label("Tree ID").fill("77")
    expect(forest).to_contain_text("Tree 77 · round 25 · class eel")
    forest.get_by_role("button", name="Class").click()
    page.get_by_role("checkbox", name="dog").check()
    page.keyboard.press("Escape")
    expect(forest.locator(".forest button")).to_have_count(50)
    forest.get_by_role("switch", name="Sizes").press("Space")
    sizes = forest.locator('[data-kind="forest"] .chart-box')
    expect(sizes.locator("canvas").first).to_be_visible()
    place = sizes.bounding_box()
    assert place
    sizes.click(position={"x": place["width"] * 0.95, "y": place["height"] / 2})
    expect(forest).to_contain_text(re.compile(r"Tree 1[34]\d · round 4\d · class dog"))


def test_a_tree_tells_its_own_splits_and_the_owners_of_others(shown: Shown) -> None:
    page = shown.open("hetero_secure_boost_0", tree="1")
    made = tree(1, 3)
    expect(page.locator('[data-node="0"]')).to_be_visible()
    assert "x1" in node(page, 0)
    assert f"≤ {made['splitMaskdict']['0']:g}" in node(page, 0)
    assert "host 10000" in node(page, 1)
    assert "≤" not in node(page, 1), "a split of another party is not told"
    leaf = made["tree"][8]
    assert f"weight: {leaf['weight']:g}" in node(page, 8)
    assert "count: 24" in node(page, 8)
    page.locator('[data-node="0"]').focus()
    for key in ("ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator('[data-node="2"]')).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator('[data-node="2"]')).to_have_attribute("aria-expanded", "false")
    chart = page.locator('figure[data-kind="tree"]')
    assert len(json.loads(saved(chart, "JSON of the tree"))["nodes"]) == 15
    picture = saved(chart, "SVG picture").decode()
    assert picture.startswith("<svg")
    assert "host 10000" in picture

    shown.open("hetero_secure_boost_0", role="host", on=page, tree="1")
    expect(page.locator('[data-node="0"]')).to_contain_text("guest 9999")
    assert "≤" not in node(page, 0)
    assert "weight" not in (page.locator("svg.tree").text_content() or "")
    expect(block(page, "mapping")).to_contain_text("host_10000_x3")


def test_importances_are_by_split_and_by_gain(shown: Shown) -> None:
    page = shown.open("hetero_secure_boost_0")
    table = block(page, "importance")
    until(
        lambda: [row[:2] for row in rows(table)[:2]], [["x0", "guest 9999"], ["x1", "guest 9999"]]
    )
    table.locator(".dt-tools").get_by_role("button", name="party").click()
    page.get_by_role("checkbox", name="host 10000").check()
    page.keyboard.press("Escape")
    until(lambda: [row[0] for row in rows(table)], [f"host_10000_x{at}" for at in range(4)])
    table.get_by_role("tab").nth(1).click()
    until(lambda: rows(table)[0][0], "x5")  # by gain the last is first


def test_trees_of_a_mix_that_belong_to_the_other_party(shown: Shown) -> None:
    page = shown.open("hetero_secure_boost_mix", tree="1")
    expect(block(page, "forest")).to_contain_text("belongs to host 10000")
    shown.open("hetero_secure_boost_mix", on=page, tree="2")
    expect(page.locator('[data-node="0"]')).to_be_visible()


def test_trees_of_a_real_job(live: Live) -> None:
    page = live.page("details", live.job("boosted"), component="hetero_secure_boost_0")
    expect(page.locator(".forest button")).to_have_count(9)
    expect(page.locator('[data-node="0"]')).to_be_visible()
    chart = page.locator('figure[data-kind="tree"]')
    assert series(chart)[0]["leaves"] >= 2
