"""The page of online inference: services, models, orders after a question, a request to try."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from fateboard.testing.scripted_serving import KNOWN, NEW, OLD, SCORE, named
from tests.browser.conftest import BoardSite, Pages, check_axe
from tests.browser.drawn import DRAWN

SERVICE = "[data-service=tumour]"


@pytest.fixture
def serving(board: BoardSite) -> Any:
    board.flow.serving.running = True
    return board.flow.serving


def choose(page: Page, of: str, action: str) -> Locator:
    """The dialog of an action."""
    page.get_by_role("button", name=f"Actions of {of}").first.click()
    page.get_by_role("menuitem", name=action).click()
    return page.get_by_role("dialog")


def series(page: Page, name: str) -> Any:
    told = page.locator(f"{SERVICE} [data-kind=sparkline]").evaluate_all(
        "all => all.flatMap((one) => JSON.parse(one.dataset.series))"
    )
    return next(one for one in told if one["name"] == name)


def test_only_a_site_with_a_serving_has_the_page(board: BoardSite) -> None:
    page = board.page("#/history")
    expect(page.locator(".jobs tbody tr")).to_have_count(20)
    expect(page.get_by_role("link", name="Serving")).to_have_count(0)
    page.goto(f"{board.url}/#/serving")
    expect(page.get_by_text("This site runs no online inference")).to_be_visible()
    expect(page.locator("main")).to_contain_text("distaff up --serving")
    check_axe(page)
    board.flow.serving.running = True
    expect(page.locator(SERVICE)).to_be_visible()  # by itself
    page.reload()
    expect(page.get_by_role("link", name="Serving")).to_have_attribute("aria-current", "page")


def test_services_and_their_traffic(board: BoardSite, serving: Any) -> None:
    serving.problems = ["a model could not be restored"]
    serving.parties["10001"] = False
    page = board.page("#/serving", color_scheme="dark")
    card = page.locator(SERVICE)
    expect(card.locator(".sv-share")).to_have_text(["100%"])
    expect(card).to_contain_text("600 in 2 min")
    expect(card).to_contain_text("1%")
    assert series(page, "requests") == {"name": "requests", "count": 120, "low": 0, "high": 10}
    assert series(page, "latency") == {"name": "latency", "count": 60, "low": 4, "high": 4}
    assert series(page, "failed")["high"] == 1
    expect(page.get_by_text("party 10001 does not answer")).to_be_visible()
    expect(page.get_by_text("a model could not be restored")).to_be_visible()
    card.get_by_role("button", name="Show the chart").click()
    expect(card.locator("[data-kind=traffic] canvas")).to_be_visible()
    check_axe(page)
    page.emulate_media(color_scheme="light")
    check_axe(page)
    serving.parties["10001"] = True
    expect(page.get_by_text("party 10001 answers")).to_be_visible()


def test_a_canary_is_bound_and_rolled_back(
    board: BoardSite, serving: Any, open_page: Pages
) -> None:
    open_page.expect("status of 422")
    page = board.page("#/serving")
    dialog = choose(page, "tumour", "Change versions")
    dialog.get_by_role("checkbox", name=NEW).check()
    dialog.get_by_role("listitem").filter(has_text=OLD).get_by_label("Weight").fill("300")
    expect(dialog.get_by_role("status")).to_contain_text(f"{OLD} (75%)")
    check_axe(page)
    dialog.get_by_text("When something is missing").click()
    dialog.get_by_label("If a host does not answer").select_option("default")
    dialog.get_by_label("Score", exact=True).fill("0.5")
    serving.refusal = "self-test: other scores; the old binding stays"
    dialog.get_by_role("button", name="Bind").click()
    expect(dialog.get_by_role("alert")).to_contain_text("the old binding stays")
    serving.refusal = ""
    dialog.get_by_role("button", name="Bind").click()
    expect(page.locator(".sv-share")).to_have_text(["75%", "25%"])
    [(what, body)] = serving.orders
    assert what == "bind"
    assert {one["version"]: one["weight"] for one in body["versions"]} == {OLD: 300, NEW: 100}
    assert body["policy"]["default_score"] == 0.5
    dialog = choose(page, "tumour", "Roll back")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert len(serving.orders) == 1
    dialog = choose(page, "tumour", "Roll back")
    expect(dialog).to_contain_text(f"will be answered by {OLD} again")
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.locator(".sv-share")).to_have_text(["100%"])
    assert [what for what, _ in serving.orders] == ["bind", "rollback"]


def test_limits_unloading_and_unbinding(board: BoardSite, serving: Any) -> None:
    page = board.page("#/serving")
    dialog = choose(page, "tumour", "Limit")
    dialog.get_by_label("Rows a second").fill("50")
    dialog.get_by_role("button", name="Set limit").click()
    expect(page.locator(".sv-limits")).to_contain_text("50 rows/s")
    page.get_by_role("tab", name="Models").click()
    model = page.locator(f"[data-model='{OLD}'][data-role=guest]")
    expect(model).to_contain_text("200 kept rows: this party's part computes, single = batch")
    expect(model).to_contain_text("loaded 1 hour ago")
    check_axe(page)
    dialog = choose(page, OLD, "Unload")
    expect(dialog).to_contain_text("have no other version and end: tumour")
    dialog.get_by_role("button", name="Unload").click()
    expect(model).to_have_count(0)
    page.get_by_role("tab", name="Services").click()
    expect(page.get_by_text("No service is bound")).to_be_visible()
    page.get_by_role("button", name="New service").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Service ID").fill("loan")
    dialog.get_by_role("checkbox", name=NEW).check()
    dialog.get_by_role("button", name="Bind").click()
    expect(page.locator("[data-service=loan]")).to_be_visible()
    choose(page, "loan", "Unbind").get_by_role("button", name="Unbind").click()
    expect(page.locator("[data-service=loan]")).to_have_count(0)
    assert [what for what, _ in serving.orders] == ["rate", "unload", "bind", "unbind"]
    assert serving.orders[1] == ("unload", named(OLD))


def test_a_request_is_tried(board: BoardSite, serving: Any) -> None:
    page = board.page("#/serving?tab=try", permissions=["clipboard-read", "clipboard-write"])
    leaves = page.get_by_role("group", name="Sent to every host")
    expect(leaves).to_contain_text("Leaves this party")
    expect(leaves).to_contain_text("host 10000")
    page.get_by_label("x0", exact=True).fill("1.5")
    leaves.get_by_label("Name").fill("patient")
    leaves.get_by_label("Value").fill("it's nobody")
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-code='2113']")).to_contain_text("At the host: The id is not known")
    leaves.get_by_label("Value").fill(KNOWN)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("[data-score=score]")).to_have_text(str(SCORE))
    expect(page.locator(".sv-answer")).to_contain_text(re.compile(r"\d ms"))
    check_axe(page)
    request = serving.orders[-1][1]
    assert request["body"] == {
        "featureData": {"x0": 1.5},
        "sendToRemoteFeatureData": {"patient": KNOWN},
    }
    page.get_by_role("button", name="Copy as curl").click()
    expect(page.get_by_text("The command is copied")).to_be_visible()
    words = shlex.split(page.evaluate("navigator.clipboard.readText()"))
    assert words[:2] == ["curl", "http://127.0.0.1:8059/federation/v1/inference"]
    assert json.loads(words[-1]) == request


def test_a_request_is_written_as_json(board: BoardSite, serving: Any) -> None:
    page = board.page("#/serving?tab=try")
    page.get_by_label("x0", exact=True).fill("1.5")
    page.get_by_role("button", name="JSON").click()
    text = page.get_by_role("textbox", name="Request")
    assert json.loads(text.input_value())["body"]["featureData"] == {"x0": 1.5}
    text.fill("{")
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_disabled()
    batch = {"head": {"serviceId": "tumour"}, "body": {"batchDataList": [{"index": 7}]}}
    text.fill(json.dumps(batch))
    expect(page.get_by_role("button", name="Fields")).to_be_disabled()
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".sv-answer tbody td").first).to_have_text("7")
    assert serving.orders == [("try/batchInference", batch)]
    text.fill(json.dumps({"body": {"serviceId": "tumour", "featureData": {"x1": "2", "zz": 3}}}))
    page.get_by_role("button", name="Fields").click()
    expect(page.get_by_label("x1", exact=True)).to_have_value("2")
    expect(page.get_by_label("zz", exact=True)).to_have_value("3")


def test_viewers_see_and_change_nothing(board: BoardSite, serving: Any) -> None:
    page = board.page("#/serving?tab=try", user="vera")
    expect(page.locator(SERVICE)).to_be_visible()
    expect(page.get_by_role("tab")).to_have_count(2)
    expect(page.get_by_role("button", name=re.compile("Actions of|Try|New"))).to_have_count(0)


def test_hostile_names_stay_text(board: BoardSite, serving: Any) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    serving.problems = [nasty]
    serving.models[0]["components"] = [nasty]
    serving.models[0]["columns"] = [nasty, "${1}", "__proto__"]
    serving.models[0]["tested"] = nasty
    serving.bind({"service_id": nasty, "versions": [{**named(OLD), "weight": 1}]})
    page = board.page("#/serving")
    expect(page.get_by_role("heading", name=nasty)).to_be_visible()
    page.get_by_role("tab", name="Models").click()
    expect(page.locator(".sv-model").first).to_contain_text(nasty)
    page.goto(f"{board.url}/#/serving?tab=try")
    expect(page.get_by_label(nasty, exact=True)).to_be_visible()


def test_a_serving_that_dies_is_told_and_comes_back(
    board: BoardSite, serving: Any, open_page: Pages
) -> None:
    open_page.expect("status of 422")
    page = board.page("#/serving")
    expect(page.locator(SERVICE)).to_be_visible()
    serving.down = True
    expect(page.get_by_role("alert")).to_contain_text("distaff status")
    expect(page.locator(SERVICE)).to_be_visible()  # as it was last
    serving.down = False
    expect(page.get_by_role("alert")).to_have_count(0)


def test_narrow_pages_and_chinese(board: BoardSite, serving: Any) -> None:
    page = board.page("#/serving", locale="zh-CN")
    for tab in ("服务", "模型", "试一个请求"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        expect(page.locator(".spinner")).to_have_count(0)
        for width in (1024, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.evaluate(DRAWN)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        check_axe(page)
