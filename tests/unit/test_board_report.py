"""A component's page as a zip of CSV files."""

from __future__ import annotations

import base64
import csv
import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fateboard import report, views
from fateboard.blocks import (
    Axis,
    Block,
    ByAxis,
    Choice,
    Column,
    Combo,
    ComboSeries,
    Confusion,
    ConfusionModel,
    Curve,
    Entry,
    EveryOption,
    Flag,
    HeatMap,
    Item,
    KeyValues,
    Option,
    Paragraph,
    Series,
    Table,
    Tabs,
    Text,
    choice,
    msg,
)
from fateboard.testing.fake_flow import FakeFlow
from fateboard.testing.scripted_jobs import HOSTILE
from tests.board_site import client


def said(text: Text) -> str:
    return f"<{text.code}>"


def files(
    blocks: list[Block], *names: str, path: EveryOption | None = None
) -> dict[str, list[list[str]]]:
    built_with = report.every_option() if path is None else path
    packed = report.archive(blocks, built_with, names, said)
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        found = {}
        for name in opened.namelist():
            content = opened.read(name)
            assert content.startswith(b"\xef\xbb\xbf")
            found[name] = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
        return found


def table(rows: list[list[Any]], name: str = "t", **more: Any) -> Table:
    columns = [Column(id="a", label=msg("a")), Column(id="b", label="B")]
    return Table(id="t", columns=columns, rows=rows, export_name=name, **more)


def test_a_table_is_a_plain_file_with_whole_numbers() -> None:
    flags = [Flag(row=1, column=1, flag="nan")]
    block = table([["x", 1 / 3], ["y", None], ["z", True]], footer=[["Total", 7]], flags=flags)
    assert files([block]) == {
        "t.csv": [
            ["<a>", "B"],
            ["x", "0.3333333333333333"],
            ["y", "NaN"],
            ["z", "true"],
            ["Total", "7"],
        ]
    }


def test_blocks_without_an_export_name_are_not_in() -> None:
    assert files([table([], name=""), Paragraph(id="p", text="hello")]) == {}


def test_every_option_is_a_section() -> None:
    path = report.every_option()

    def of_party(party: str) -> list[Block]:
        options = [Option(id=name, label=name) for name in ("x0", "x1")]
        return [choice("variable", msg("variable"), options, of(party), path)]

    def of(party: str) -> Any:
        return lambda name: [table([[party, name]], name="detail")]

    parties = [Option(id="1", label="guest 1"), Option(id="2", label="=host")]
    tabs = choice("party", "party", parties, of_party, path)
    assert isinstance(tabs, Tabs)
    found = files([tabs], path=path)["detail.csv"]
    assert found[:4] == [
        ["party: guest 1", "<variable>: x0"],
        ["<a>", "B"],
        ["1", "x0"],
        [],
    ]
    assert found[-3:] == [["party: =host", "<variable>: x1"], ["<a>", "B"], ["2", "x1"]]


def test_options_beyond_the_limit_are_left_out_and_that_is_said() -> None:
    path = EveryOption(3)
    options = [Option(id=str(i), label=str(i)) for i in range(5)]
    block = choice("c", "c", options, lambda i: [table([[i, 0]])], path)
    found = files([block], path=path)
    assert [row[0] for row in found["t.csv"] if row and row[0].isdigit()] == ["0", "1", "2"]
    assert found["left_out.csv"] == [["<report.left_out>"]]


def test_a_page_for_the_browser_shows_one_option() -> None:
    options = [Option(id=str(i), label=str(i)) for i in range(5)]
    block = choice("c", "c", options, lambda i: [table([[i, 0]])], {"c": "3"})
    assert isinstance(block, Choice)
    assert files([block]) == {"t.csv": [["<a>", "B"], ["3", "0"]]}


def test_names_choose_files() -> None:
    curve = Curve(
        id="c",
        x=Axis(label="x"),
        y=Axis(label="y"),
        series=[Series(id="s", label="s", points=[(0.0, 1.0)])],
        export_name="roc",
    )
    blocks: list[Block] = [table([], name="one"), table([], name="two"), curve]
    assert set(files(blocks)) == {"one.csv", "two.csv", "roc_detail.csv"}
    assert set(files(blocks, "two", "roc")) == {"two.csv", "roc_detail.csv"}


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r=1", "\n=1", "\uff1d1", "-x", "=", "-"],
)
def test_formulas_are_defused(text: str) -> None:
    assert report.defused(text) == "'" + text


@pytest.mark.parametrize("text", ["-1.5", "+2e-3", "x=1", "", "-.5", "12", "a@b.c"])
def test_numbers_and_names_stay(text: str) -> None:
    assert report.defused(text) == text


@given(st.text(max_size=30))
def test_no_text_starts_a_formula(text: str) -> None:
    cell = report.defused(text)
    start = cell.lstrip()[:1]
    is_number = report._NUMBER.fullmatch(cell) is not None
    assert is_number or not start or start not in "=+-@\uff1d\uff0b\uff0d\uff20"


def test_hostile_names_are_defused_in_heads_lines_and_sections() -> None:
    evil = '=HYPERLINK("http://e")'
    block = Table(
        id="t", columns=[Column(id="a", label=evil)], rows=[[evil]], title=evil, export_name="t"
    )
    lines = KeyValues(id="k", items=[Item(label=evil, value=evil)], export_name="t")
    for row in files([block, lines])["t.csv"]:
        assert all(not cell.startswith("=") for cell in row)
    assert report.file_name("../../etc/passwd\0") == "_._.._etc_passwd_"
    assert report.file_name("x" * 300) == "x" * 100


def test_curves_have_all_their_points() -> None:
    points: list[tuple[float, float | None]] = [(i / 5_000, None) for i in range(5_001)]
    curve = Curve(
        id="c",
        x=Axis(label="fpr"),
        y=Axis(label=msg("tpr")),
        series=[
            Series(id="a", label="train", points=points),
            Series(
                id="b", label="validate", group="lr", points=[(0.0, 0.5)], thresholds=[0.9]
            ),
        ],
        export_name="roc",
    )  # fmt: skip
    found = files([curve])["roc_detail.csv"]
    assert found[0] == ["", "fpr", "<tpr>", "threshold"]
    assert found[1] == ["train", "0.0", "", ""]
    assert found[-1] == ["lr validate", "0.0", "0.5", "0.9"]
    assert len(found) == 5_003


def test_a_report_has_the_points_that_the_page_leaves_out() -> None:
    loss = {"data": [[i, 1 / (i + 1)] for i in range(9_000)], "meta": {"metric_type": "LOSS"}}
    context = views.read(
        component="lr_0",
        module="Mine",
        role="guest",
        party_id="1",
        metrics={"train": {"loss": loss}},
    )
    (page,) = (b for b in views.build(context, {}).blocks if isinstance(b, Curve))
    assert len(page.series[0].points) <= 2_000
    path = report.every_option()
    found = files(views.build(context, path).blocks, path=path)
    assert [len(rows) for rows in found.values()] == [9_001]


def test_blocks_whose_names_look_alike_as_files_share_one() -> None:
    found = files([table([["1", 2]], name="train/a"), table([["3", 4]], name="train a")])
    assert list(found) == ["train_a.csv"]
    assert [row[0] for row in found["train_a.csv"] if row] == ["<a>", "1", "<a>", "3"]


def test_the_board_answers_with_the_zip_of_a_component(tmp_path: Path) -> None:
    flow = FakeFlow().start()
    try:
        browser = client(tmp_path, flow)
        base = f"/api/v1/jobs/{HOSTILE}/guest/9999/components/reader_0"
        answer = browser.get(f"{base}/report.zip")
        other = browser.get(f"{base}/report.zip?names=nothing")
    finally:
        flow.stop()
    assert answer.status_code == 200
    disposition = answer.headers["Content-Disposition"]
    assert disposition == f'attachment; filename="{HOSTILE}_reader_0.zip"'
    with zipfile.ZipFile(io.BytesIO(answer.data)) as opened:
        assert opened.namelist()
        for name in opened.namelist():
            stem = name.removesuffix(".csv")
            assert report.file_name(stem) == stem
            text = opened.read(name).decode("utf-8-sig")
            for row in csv.reader(io.StringIO(text, newline="")):
                assert all(report.defused(cell) == cell for cell in row)
    with zipfile.ZipFile(io.BytesIO(other.data)) as opened:
        assert opened.namelist() == []


def test_the_other_kinds() -> None:
    combo = Combo(
        id="c",
        categories=["b0", "b1"],
        axes=[Axis(label="n")],
        series=[ComboSeries(label="rows", type="bar", values=[1.0])],
        x="bin",
        export_name="woe",
    )
    heat = HeatMap(
        id="h",
        rows=[Entry(label="r")],
        columns=[Entry(label="c"), Entry(label="d")],
        values=base64.b64encode(struct.pack("<2f", 0.1, float("nan"))).decode(),
        export_name="heat",
    )
    axis = ByAxis(
        id="a",
        axis="quantile",
        positions=[0.0, 0.5],
        selected=1,
        columns=[Column(id="m", label="model"), Column(id="p", label="precision")],
        rows=[["lr", None]],
        cells={"p": [[0.3, 0.4]]},
        export_name="pr",
    )
    model = ConfusionModel(label="lr", dataset="train", tp=[1], tn=[2], fp=[3], fn=[4], f1=[0.5])
    confusion = Confusion(
        id="c", thresholds=[0.5], selected=0, models=[model], export_name="confusion_matrix"
    )
    found = files([combo, heat, axis, confusion])
    assert found["woe.csv"] == [["bin", "rows"], ["b0", "1.0"], ["b1", ""]]
    assert found["heat.csv"] == [["", "c", "d"], ["r", "0.1", ""]]
    assert found["pr.csv"] == [
        ["quantile", "model", "precision"],
        ["0.0", "lr", "0.3"],
        ["0.5", "lr", "0.4"],
    ]
    assert found["confusion_matrix.csv"][1] == ["lr", "train", "0.5", "1", "3", "2", "4", "0.5"]


def test_variables_can_be_renamed() -> None:
    block = table([["x1", "1 < x1 <= 2"], ["x10", "=x1"]], title="x1")
    packed = report.archive([block], report.every_option(), (), said, {"x1": "age", "x10": "=1"})
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        text = opened.read("t.csv").decode("utf-8-sig")
    assert text.splitlines()[1:] == ["age,1 < age <= 2", "'=1,'=x1"]


def test_the_same_page_gives_the_same_bytes() -> None:
    blocks: list[Block] = [table([["x", 1]])]
    path = report.every_option()
    assert report.archive(blocks, path, (), said) == report.archive(blocks, path, (), said)
