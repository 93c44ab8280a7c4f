"""The board's blocks, drawn by a browser from hand-made views."""

from __future__ import annotations

import base64
import io
import json
import re
import struct
import time
import zipfile
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Page, expect

from fateboard import blocks
from fateboard.blocks import Axis, Column, Entry, Flag, Option, Series
from tests.browser.conftest import Pages
from tests.browser.drawn_blocks import EVIL, Drawn


@pytest.fixture
def drawn(open_page: Pages) -> Drawn:
    return Drawn(open_page(viewport={"width": 1280, "height": 900}))


def table(rows: list[list[Any]], columns: list[Column], **more: Any) -> blocks.Table:
    return blocks.Table(id="t", title="Table", columns=columns, rows=rows, **more)


NUMBER = "number"
FREEZE_S = 20
"""Far more than it takes; a table drawn whole takes minutes."""


def first_column(page: Page) -> list[str]:
    return page.locator("tbody tr:not(.dt-gap) td:first-child").all_inner_texts()


def test_large_tables_draw_only_what_is_in_sight(drawn: Drawn) -> None:
    columns = [Column(id=f"c{i}", label=f"feature_{i}", format=NUMBER) for i in range(2000)]
    columns[0] = Column(id="id", label="id", frozen=True)
    wide = table([[f"r{r}"] + [r + c / 1e4 for c in range(1, 2000)] for r in range(200)], columns)
    started = time.monotonic()
    page = drawn.show(wide)
    page.wait_for_selector("tbody td")
    assert time.monotonic() - started < FREEZE_S
    assert page.locator("td").count() < 2000
    box = page.locator(".dt-scroll")
    box.evaluate("box => box.scrollTo(box.scrollWidth, box.scrollHeight)")
    expect(page.get_by_role("columnheader", name="feature_1999")).to_be_visible()
    expect(page.locator("tbody td.is-frozen", has_text="r199")).to_be_in_viewport()
    assert page.locator("td").count() < 2000

    long = table(
        [[i, f"n{i}"] for i in range(10_000)],
        [Column(id="a", label="a"), Column(id="b", label="b")],
        page_size=0,
    )
    page = drawn.show(long)
    page.locator(".dt-scroll").evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(page.get_by_text("n9999", exact=True)).to_be_visible()
    assert page.locator("tbody tr").count() < 100
    assert page.locator("table").get_attribute("aria-rowcount") == "10001"


def test_tables_sort_numbers_and_keep_empty_cells_and_totals_last(drawn: Drawn) -> None:
    rows = [["b10", 10], ["b9", 9.5], ["none", None], ["dash", "-"], ["b2", -2]]
    columns = [Column(id="n", label="name"), Column(id="v", label="value", format=NUMBER)]
    page = drawn.show(table(rows, columns, footer=[["Total", 17.5]]))
    page.get_by_role("button", name="value").click()
    assert first_column(page) == ["b2", "b9", "b10", "none", "dash"]
    expect(page.get_by_role("columnheader", name="value")).to_have_attribute(
        "aria-sort", "ascending"
    )
    page.get_by_role("button", name="value").press("Enter")
    assert first_column(page) == ["b10", "b9", "b2", "none", "dash"]
    assert page.locator("tfoot").inner_text().split() == ["Total", "17.5"]
    page.get_by_role("button", name="name").click()
    assert first_column(page)[:3] == ["b2", "b9", "b10"]


def test_tables_find_and_filter(drawn: Drawn) -> None:
    rows = [[f"x{i}", i / 10, "guest" if i % 2 else "host"] for i in range(300)]
    columns = [
        Column(id="n", label="name"),
        Column(id="v", label="value", format=NUMBER),
        Column(id="p", label="party"),
    ]
    slider = blocks.Range(column="v", min=0, max=29.9, step=0.1)
    page = drawn.show(table(rows, columns, facets=["p"], ranges=[slider]))
    page.get_by_placeholder("Find").fill("x29")
    expect(page.locator(".dt-found")).to_have_text("1 of 11")
    page.get_by_placeholder("Find").press("Enter")
    page.get_by_placeholder("Find").press("Enter")
    expect(page.locator("td.is-current")).to_have_text("x291")
    expect(page.locator("td.is-current")).to_be_in_viewport()
    page.get_by_role("button", name="Regular expression").click()
    page.get_by_placeholder("Find").fill("^x1[35]$")
    expect(page.locator(".dt-found")).to_have_text("1 of 2")
    page.get_by_placeholder("Find").fill("(")
    expect(page.locator(".dt-found")).to_have_text("Malformed")
    page.get_by_placeholder("Find").fill("")
    page.locator(".dt-tools").get_by_role("button", name="party").click()
    page.get_by_role("checkbox", name="guest").check()
    expect(page.locator(".dt")).to_have_attribute("data-shown", "150")
    least = page.get_by_label("value: least").first
    least.fill("20.05")
    page.locator(".dt-scroll").evaluate("box => box.scrollTo(0, box.scrollHeight)")
    expect(page.get_by_text("x299", exact=True)).to_be_visible()  # the table was drawn anew
    expect(least).to_have_value("20.05")
    least.press("Enter")
    expect(page.locator(".dt")).to_have_attribute("data-shown", "50")


def test_what_another_party_wrote_stays_text(drawn: Drawn) -> None:
    rows: list[list[Any]] = [[EVIL, 0.1 + 0.2, None], ["=1+1", -1e-7, None], ['a,"b"', 3, None]]
    columns = [
        Column(id=EVIL, label=EVIL),
        Column(id="v", label="@v", format=NUMBER),
        Column(id="w", label="w"),
    ]
    flags = [
        Flag(row=0, column=2, flag="other_party", party=EVIL),
        Flag(row=1, column=2, flag="infinite"),
        Flag(row=2, column=1, flag="removed"),
    ]
    hostile = [
        table(rows, columns, flags=flags),
        blocks.KeyValues(id="k", items=[blocks.Item(label=EVIL, value=EVIL)], title=EVIL),
        blocks.Paragraph(id="p", text=EVIL),
        blocks.Raw(id="r", content=json.dumps({"a": EVIL})),
        curve(1, label=EVIL),
    ]
    page = drawn.show(*hostile)
    assert page.locator("main img").count() == 0
    expect(page.locator("td.is-other_party")).to_have_attribute(
        "title", re.compile(re.escape(EVIL))
    )
    expect(page.locator("td.is-removed .dt-text")).to_have_css(
        "text-decoration-line", "line-through"
    )
    hover(page, 0.5)
    expect(page.locator(".chart-tip")).to_contain_text(EVIL)
    saved = drawn.download(page.locator(".dt").get_by_role("button", name="CSV").first.click)
    assert saved.suggested_filename == "t.csv"
    text = saved.path().read_bytes().decode("utf-8")
    assert text.startswith("\ufeff")
    assert text[1:].split("\r\n") == [
        f"{EVIL},'@v,w",
        f"{EVIL},0.30000000000000004,",
        "'=1+1,-1e-7,Infinity",
        '"a,""b""",3,',
        "",
    ]


def test_sliders_change_the_numbers_by_keyboard(drawn: Drawn) -> None:
    axis = blocks.ByAxis(
        id="q", axis="Quantile", positions=[0.0, 0.5, 1.0], selected=1,
        columns=[Column(id="m", label="model"), Column(id="p", label="precision", format=NUMBER)],
        rows=[["lr"]], cells={"p": [[0.1, 0.2, 0.3]]},
    )  # fmt: skip
    model = blocks.ConfusionModel(
        label="lr", dataset="train", tp=[9, 5], tn=[0, 6], fp=[6, 0], fn=[1, 5], f1=[0.72, 0.66]
    )
    page = drawn.show(
        axis, blocks.Confusion(id="m", thresholds=[0.3, 0.5], selected=1, models=[model])
    )
    quantile = page.get_by_role("slider", name="Quantile")
    assert page.locator(".is-by_axis tbody").inner_text().split() == ["lr", "0.2"]
    quantile.press("ArrowRight")
    assert page.locator(".is-by_axis tbody").inner_text().split() == ["lr", "0.3"]
    cells = page.locator("td.b-cm")
    assert [text.split() for text in cells.all_inner_texts()] == [
        ["6", "37.5%"],
        ["0", "0%"],
        ["5", "31.25%"],
        ["5", "31.25%"],
    ]
    page.get_by_role("slider", name="Classification threshold").press("ArrowLeft")
    assert [text.split()[0] for text in cells.all_inner_texts()] == ["0", "6", "1", "9"]
    expect(page.locator("[data-f1]")).to_have_text("0.72")


def curve(count: int, label: str = "curve", **more: Any) -> blocks.Curve:
    shares = [x / 50 for x in range(51)]
    cuts = [1 - x for x in shares]

    def line(i: int) -> Series:
        points = [(x, x ** (0.2 + i / 9)) for x in shares]
        return Series(id=f"s{i}", label=f"{label} {i}", points=points, thresholds=cuts)

    series = [line(i) for i in range(count)]
    return blocks.Curve(
        id="roc",
        title="ROC",
        x=Axis(label="fpr"),
        y=Axis(label="tpr"),
        series=series,
        diagonal=True,
        **more,
    )


def summary(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(
        page.locator("figure.chart").first.get_attribute("data-series") or "[]"
    )
    return found


def at(page: Page, x: float, y: float) -> tuple[float, float]:
    """A place of the first chart, as shares of its box."""
    box = page.locator(".chart-box").first.bounding_box()
    assert box
    return box["x"] + box["width"] * x, box["y"] + box["height"] * y


def hover(page: Page, x: float) -> None:
    page.wait_for_selector(".chart-drawing canvas")
    page.mouse.move(*at(page, x - 0.01, 0.4))
    page.mouse.move(*at(page, x, 0.4))


def test_curves_have_a_legend_thresholds_and_a_table(drawn: Drawn) -> None:
    page = drawn.show(curve(14))
    on = [one["name"] for one in summary(page) if one["on"]]
    assert len(on) == 12
    page.get_by_role("button", name="curve 0").click()
    assert [one["on"] for one in summary(page)][:2] == [False, True]
    page.get_by_role("button", name="8 more").click()
    page.get_by_role("checkbox", name="curve 13").check()
    page.get_by_role("checkbox", name="curve 12").check()
    shown = [one["name"] for one in summary(page) if one["on"]]
    assert len(shown) == 12
    assert "curve 1" not in shown  # the oldest gave way
    page.keyboard.press("Escape")
    hover(page, 0.5)
    expect(page.locator(".chart-tip")).to_contain_text("threshold")
    page.get_by_role("button", name="Show as table").click()
    expect(page.get_by_role("columnheader", name="Threshold")).to_be_visible()
    assert page.locator(".dt").get_attribute("data-rows") == str(14 * 51)


def test_groups_of_curves_switch_together(drawn: Drawn) -> None:
    pairs = [
        Series(id=f"{kind}{i}", label=kind, group=f"model {i}", points=[(0, 0), (1, 1)])
        for i in range(7)
        for kind in ("tpr", "fpr")
    ]
    mark = blocks.Mark(x=0.4, label="KS 0.9", series="model 0")
    page = drawn.show(
        blocks.Curve(id="ks", x=Axis(label="cut"), y=Axis(label="rate"), series=pairs, marks=[mark])
    )
    assert sum(one["on"] for one in summary(page)) == 12
    page.get_by_role("button", name="model 0").click()
    assert [one["on"] for one in summary(page)][:3] == [False, False, True]


def test_zoom_stays_while_points_are_appended(drawn: Drawn) -> None:
    before = Series(id="train/loss", label="loss", points=[(i, 1 / (i + 1)) for i in range(12)])
    loss = blocks.Curve(
        id="loss",
        title="Loss",
        x=Axis(label="round", integer=True),
        y=Axis(label="loss"),
        live=["train/loss"],
        series=[before],
    )
    body = {
        "component": "c",
        "namespace": "train",
        "name": "loss",
        "points": [[12, 0.07], [13, 0.06]],
        "whole": False,
    }
    event = {"number": 1, "topic": "job:1/guest/9999", "kind": "metric", "body": body}
    drawn.answers["/api/v1/stream"] = (
        "text/event-stream",
        f"retry: 900\ndata: {json.dumps(event)}\n\n".encode(),
    )
    drawn.answers["/api/v1/events"] = (
        "application/json",
        json.dumps({"events": [event], "last": 1}).encode(),
    )
    page = drawn.show(loss, query="?live")
    page.wait_for_selector(".chart-drawing canvas")
    page.mouse.move(*at(page, 0.3, 0.3))
    page.mouse.down()
    page.mouse.move(*at(page, 0.6, 0.6), steps=4)
    page.mouse.up()
    expect(page.locator(".chart-box")).to_have_attribute("data-zoomed", "1")
    expect(page.locator("figure.chart")).to_have_attribute("data-series", re.compile('"count":14'))
    expect(page.locator(".chart-box")).to_have_attribute("data-zoomed", "1")
    page.get_by_role("button", name="Show all").click()
    expect(page.locator(".chart-box")).not_to_have_attribute("data-zoomed", "1")
    page.get_by_role("switch", name="Log scale").press("Space")
    page.get_by_role("slider", name="Smoothing").press("ArrowRight")
    assert summary(page)[0]["last"] == 0.06


def test_charts_are_saved_as_pictures(drawn: Drawn) -> None:
    combo = blocks.Combo(
        id="bins", title="Bins", categories=["a", EVIL],
        axes=[Axis(label="n"), Axis(label="rate", percent=True)],
        series=[
            blocks.ComboSeries(label=EVIL, type="bar", values=[1, 2], stack="s"),
            blocks.ComboSeries(label="rate", type="line", values=[0.5, None], axis=1),
        ],
    )  # fmt: skip
    page = drawn.show(combo)
    page.wait_for_selector(".chart-drawing canvas")
    saved = {}
    for item in ("PNG picture", "SVG picture", "CSV of the points"):
        page.get_by_role("button", name="Save the chart").click()
        saved[item] = (
            drawn.download(page.get_by_role("menuitem", name=item).click).path().read_bytes()
        )
    assert saved["PNG picture"].startswith(b"\x89PNG")
    assert len(saved["PNG picture"]) > 10_000
    assert b"<img" not in saved["SVG picture"]
    assert b"&lt;img" in saved["SVG picture"]
    assert saved["CSV of the points"].decode().splitlines()[1:] == ["a,1,0.5", f"{EVIL},2,"]


def heat(size: int, own: int) -> blocks.HeatMap:
    names = [
        Entry(label=f"x{i}", party="guest 9999" if i < own else "host 10000") for i in range(size)
    ]
    nan = float("nan")
    values = [
        nan if i >= own and j >= own else ((i * 7 + j * 3) % 21 - 10) / 10
        for i in range(size)
        for j in range(size)
    ]
    packed = base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()
    return blocks.HeatMap(id="h", title="Correlation", rows=names, columns=names, values=packed)


def test_heat_maps_pick_sort_and_show_what_is_unknown(drawn: Drawn) -> None:
    page = drawn.show(heat(500, 30))
    page.wait_for_selector(".chart-scroll canvas")
    assert summary(page)[0]["rows"] == 80
    assert summary(page)[0]["unknown"] == 50 * 50
    page.get_by_role("button", name="Party").click()
    page.get_by_role("checkbox", name="guest 9999").check()
    page.keyboard.press("Escape")
    assert (summary(page)[0]["rows"], summary(page)[0]["unknown"]) == (30, 0)
    page.get_by_label("Sort by").select_option("0 desc")
    page.locator(".chart-scroll").press("ArrowDown")
    expect(page.locator(".chart-tip-title")).to_have_text("1")
    page.get_by_role("button", name="Show as table").click()
    values = page.locator("tbody tr td:nth-child(3)").all_inner_texts()
    assert values
    page.get_by_role("button", name="Save the chart").click()
    picture = (
        drawn.download(page.get_by_role("menuitem", name="SVG picture").click)
        .path()
        .read_text("utf-8")
    )
    assert picture.count("<rect") > 900


def tree(depth: int) -> blocks.Tree:
    nodes = []
    for i in range(2 ** (depth + 1) - 1):
        leaf = i >= 2**depth - 1
        mine = i % 2 == 0 and not leaf
        nodes.append(
            blocks.TreeNode(
                id=i, owner="guest:9999" if mine or leaf else "host:10000", leaf=leaf, mine=mine,
                left=-1 if leaf else 2 * i + 1, right=-1 if leaf else 2 * i + 2,
                feature=EVIL if mine else "", condition="≤ 0.5" if mine else "",
                weights=[0.1, 0.2] if leaf else [], count=7 if leaf else None,
            )
        )  # fmt: skip
    return blocks.Tree(index=0, nodes=nodes)


def forest(count: int, **more: Any) -> blocks.Forest:
    trees = [
        blocks.TreeEntry(index=i, round=i, size=3 + i % 60, depth=2 + i % 5) for i in range(count)
    ]
    return blocks.Forest(
        id="f", title="Trees", trees=trees, parties=["guest:9999", "host:10000"], **more
    )


def test_trees_are_picked_walked_folded_and_saved(drawn: Drawn) -> None:
    drawn.answers["/c/tree/"] = ("application/json", msgspec.json.encode(tree(7)))
    started = time.monotonic()
    page = drawn.show(forest(500))
    expect(page.locator(".forest button")).to_have_count(500)
    page.wait_for_selector('[data-node="0"]')
    assert time.monotonic() - started < FREEZE_S
    page.get_by_role("combobox", name="Depth").select_option("7")
    expect(page.locator(".tree-node")).to_have_count(255)
    assert page.locator("main img").count() == 0
    root = page.locator('[data-node="0"]')
    root.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page.locator('[data-node="2"]')).to_be_focused()
    expect(page.locator(".tree-path")).to_contain_text(EVIL)
    page.keyboard.press("Enter")
    expect(page.locator(".tree-node")).to_have_count(255 - 126)
    expect(page.locator('[data-node="2"]')).to_have_attribute("aria-expanded", "false")
    page.get_by_role("button", name="Save the chart").last.click()
    saved = drawn.download(page.get_by_role("menuitem", name="JSON of the tree").click)
    assert len(json.loads(saved.path().read_text("utf-8"))["nodes"]) == 255
    page.get_by_role("button", name="Save the chart").last.click()
    picture = drawn.download(page.get_by_role("menuitem", name="PNG picture").click)
    assert picture.path().read_bytes().startswith(b"\x89PNG")
    page.get_by_label("Tree ID").fill("321")
    page.wait_for_url("**tree=321**")
    page.get_by_role("option", name="Tree 321").press("ArrowRight")
    assert "tree=322" in page.url


def test_choices_ask_the_server_and_stand_in_the_address(drawn: Drawn) -> None:
    options = [Option(id=f"a:{i},b", label=f"x{i}", group="guest") for i in range(40)]
    inner = blocks.Paragraph(id="p", text="inside")
    choice = blocks.Choice(
        id="variable", label="Variable", options=options, selected="a:0,b", blocks=[inner]
    )
    tabs = blocks.Tabs(
        id="tabs",
        items=[
            blocks.Tab(id=n, label=n, blocks=[blocks.Paragraph(id=n, text=f"in {n}")]) for n in "AB"
        ],
    )
    page = drawn.show(choice, tabs)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("tab", name="B").click()
    expect(page.get_by_text("in B")).to_be_visible()
    assert asked == []
    page.get_by_role("button", name="x0").click()
    page.get_by_label("Search in Variable").fill("x39")
    with page.expect_request(lambda one: "view?path=variable%3Aa%253A39%252Cb" in one.url):
        page.keyboard.press("Enter")
    page.reload()
    expect(page.get_by_text("in B")).to_be_visible()
    expect(page.get_by_role("button", name="x39")).to_be_visible()


def test_the_report_is_an_archive_with_the_pictures_too(drawn: Drawn) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights.csv", "variable,weight\r\nx0,1\r\n" * 50)
    drawn.answers["/c/report.zip"] = ("application/zip", packed.getvalue())
    page = drawn.show(curve(2), heat(4, 2))
    page.wait_for_selector(".chart-drawing canvas")
    saved = drawn.download(page.get_by_role("button", name="Report").click)
    assert saved.suggested_filename == "1_c.zip"
    with zipfile.ZipFile(saved.path()) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["weights.csv", "roc.png", "h.png"]
        assert archive.read("roc.png").startswith(b"\x89PNG")
        assert archive.read("weights.csv").startswith(b"variable")


def test_a_fault_in_a_block_costs_only_itself(drawn: Drawn, open_page: Pages) -> None:
    open_page.expect("heat map of another size")
    broken = blocks.HeatMap(
        id="h", rows=[Entry(label="a")], columns=[Entry(label="a")], values="AAA="
    )
    page = drawn.show(broken, blocks.Paragraph(id="p", text="still here"))
    expect(page.get_by_role("alert")).to_contain_text("heat map of another size")
    expect(page.get_by_text("still here")).to_be_visible()
