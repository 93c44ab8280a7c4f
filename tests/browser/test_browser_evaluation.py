"""Evaluations: scores, curves, sliders, stability, classes, clusters (scenarios 20 to 22)."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import exhibits
from tests.browser.conftest import Shown
from tests.browser.drawn import (
    block,
    drag,
    heads,
    is_blank,
    on,
    points,
    rows,
    saved,
    series,
    until,
    walk,
)

TAB_NAMES = ["ROC", "K-S", "Lift", "Gain", "Precision and recall", "Accuracy"]


def chart_of(page: Page, tab: str, part: str = "train") -> Locator:
    """The chart below a tab of the curves."""
    kind = page.get_by_role("tab", name=tab, exact=True)
    kind.click()
    expect(kind).to_have_attribute("aria-selected", "true")
    parts = page.get_by_role("tab", name=part, exact=True)
    if parts.count():
        parts.click()
        expect(parts).to_have_attribute("aria-selected", "true")
    chart = block(page, "performance").locator("figure.chart").first
    expect(chart).to_have_attribute("data-kind", "curve")
    return chart


def test_scores_and_curves_of_two_models(shown: Shown) -> None:
    page = shown.open("evaluation_0")
    scores = block(page, "scores")
    until(lambda: heads(scores)[:4], ["Model", "Data set", "AUC", "K-S"])
    until(
        lambda: [row[:3] for row in rows(scores)],
        [
            ["hetero_lr_0", "train", "0.95"],
            ["hetero_lr_1", "train", "0.9"],
            ["hetero_lr_0", "validate", "0.9"],
        ],
    )
    ks = rows(scores)[0][3]
    shown_tabs = block(page, "performance").get_by_role("tab").all_inner_texts()
    assert [name for name in shown_tabs if name in TAB_NAMES] == TAB_NAMES

    roc = chart_of(page, "ROC")
    until(
        lambda: [(one["name"], one["count"], one["low"], one["high"]) for one in series(roc)],
        [
            ("hetero_lr_0", 101, 0, 1),
            ("hetero_lr_1", 101, 0, 1),
        ],
    )
    assert not is_blank(roc)
    wanted = [[f"{x:g}", f"{y:g}"] for x, y in exhibits.roc(0.25)[:5]]
    assert [row[1:3] for row in points(roc)[:5]] == wanted
    tip = walk(roc, 3)
    assert "0.376" in tip, "the third point of the first curve"
    assert "threshold 0.98" in tip

    chart = chart_of(page, "K-S")
    until(
        lambda: [one["name"] for one in series(chart)][:2],
        [
            "hetero_lr_0 true positive rate",
            "hetero_lr_0 false positive rate",
        ],
    )
    marked = f"hetero_lr_0: K-S {float(ks):.4g}"
    assert marked in saved(chart, "SVG picture").decode(), "the gap is the score of the table"
    for tab, low, high in (
        ("Lift", 1, 2),
        ("Gain", 0, 1),
        ("Precision and recall", 0.5, 1),
        ("Accuracy", 0.54, 0.9),
    ):
        chart = chart_of(page, tab)
        first = series(chart)[0]
        assert (first["count"], round(first["low"], 4), round(first["high"], 4)) == (101, low, high)
        assert not is_blank(chart), tab
    until(
        lambda: [one["name"] for one in series(chart_of(page, "ROC", "validate"))], ["hetero_lr_0"]
    )


def test_a_legend_hides_curves_and_a_zoom_is_taken_back(shown: Shown) -> None:
    page = shown.open("evaluation_0")
    roc = chart_of(page, "ROC")
    until(lambda: on(roc), ["hetero_lr_0", "hetero_lr_1"])
    roc.get_by_role("button", name="hetero_lr_0").click()
    until(lambda: on(roc), ["hetero_lr_1"])
    roc.get_by_role("button", name="hetero_lr_0").click()
    box = roc.locator(".chart-box")
    expect(roc.locator("canvas").first).to_be_visible()
    drag(page, roc, (0.2, 0.2), (0.5, 0.5))
    expect(box).to_have_attribute("data-zoomed", "1")
    roc.get_by_role("button", name="Show all").click()
    expect(box).not_to_have_attribute("data-zoomed", "1")
    box.press("+")
    expect(box).to_have_attribute("data-zoomed", "1")
    box.press("0")
    expect(box).not_to_have_attribute("data-zoomed", "1")


def test_threshold_and_quantile_move_by_keyboard(shown: Shown) -> None:
    page = shown.open("evaluation_0")
    table = page.locator(".b-cm-table")
    expect(table).to_have_attribute("data-threshold", "0.5")
    slider = page.get_by_role("slider", name="Classification threshold")
    for keys, at in ((["ArrowLeft"] * 20, 30), (["Home"], 0)):
        for key in keys:
            slider.press(key)
        expect(table).to_have_attribute("data-threshold", f"{at / 100:g}")
        tp, tn, fp, fn = exhibits.confusion(at)
        cells = table.locator("[data-model=hetero_lr_0][data-dataset=train] td.b-cm")
        texts = [text.split() for text in cells.all_inner_texts()]
        assert [int(text[0]) for text in texts] == [tn, fp, fn, tp]
        assert sum(float(text[1].rstrip("%")) for text in texts) == pytest.approx(100)
        expect(table.locator("[data-f1]").first).to_have_text(f"{exhibits.f1(at):g}")

    scores = block(page, "scores")
    until(lambda: rows(scores)[0][4:], ["0.6", "0.75"])
    page.get_by_role("slider", name="Quantile of the score").press("ArrowRight")
    until(lambda: rows(scores)[0][4:], ["0.62", "0.725"])
    page.get_by_role("slider", name="Quantile of the score").press("End")
    until(lambda: rows(scores)[0][4:], ["0.8", "0.5"])


def test_stability_has_its_total_and_charts(shown: Shown) -> None:
    page = shown.open("evaluation_0")
    psi = block(page, "psi.parts")
    chart = psi.locator("figure.chart").first
    until(
        lambda: [(one["type"], one["count"]) for one in series(chart)],
        [
            ("bar", 20),
            ("bar", 20),
            ("line", 20),
        ],
    )
    assert not is_blank(chart)
    assert psi.locator("tfoot").inner_text().split() == ["Total", "-", "-", "0.19"]
    until(lambda: len(rows(block(page, "psi.summary"))), 20)
    psi.get_by_role("tab", name="Events").click()
    table = block(page, "psi.events")
    until(lambda: rows(table)[3][1:], ["103", "2.56%", "15%", "5", "5%", "85%"])
    assert not is_blank(block(page, "psi.events_chart"))


def test_several_classes_are_scored_one_by_one(shown: Shown) -> None:
    page = shown.open("evaluation_multi")
    until(
        lambda: rows(block(page, "scores"))[0], ["hetero_secure_boost_0", "train", "0.8125", "0.75"]
    )
    chart = chart_of(page, "Precision and recall")
    until(
        lambda: [(one["count"], one["low"], one["high"]) for one in series(chart)],
        [
            (3, 0.5, 0.7),
            (3, 0.7, 0.9),
        ],
    )
    one = block(page, "ovr")
    until(
        lambda: rows(one)[:3],
        [
            ["cat", "train", "0.7", "0.4"],
            ["dog", "train", "0.8", "0.5"],
            ["eel", "train", "0.9", "0.6"],
        ],
    )
    assert not is_blank(one)


def test_regressions_and_clusters_have_their_tables(shown: Shown) -> None:
    page = shown.open("evaluation_regression")
    scores = block(page, "scores")
    until(lambda: rows(scores)[0], ["lin_0", "train", "0.5", "0.625", "0.75", "0.875", "1"])
    until(lambda: len(heads(scores)), 7)
    shown.open("evaluation_clustering", on=page)
    until(lambda: rows(block(page, "external"))[0][2:], ["0.625", "0.5"])
    until(lambda: rows(block(page, "internal"))[0][2:], ["1.5"])
    until(
        lambda: [row[2:] for row in rows(block(page, "distance"))],
        [
            ["0", "7.5", "1"],
            ["1", "9", "2"],
            ["2", "4.25", "1"],
        ],
    )
    matrix = page.locator('[data-block^="contingency"]').first
    until(lambda: rows(matrix), [["0", "40", "8", "2"], ["1", "10", "20", "20"]])
    matrix.get_by_role("tab", name="Share of all samples").click()
    until(lambda: rows(matrix), [["0", "40%", "8%", "2%"], ["1", "10%", "20%", "20%"]])
