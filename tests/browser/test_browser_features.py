"""Binning, selection, correlation (scenarios 26 to 28)."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Shown
from tests.browser.drawn import block, heads, is_blank, rows, series, until


def choose(page: Page, id: str, label: str) -> None:
    """An option of one of the view's choices, and what it brings."""
    box = block(page, id).get_by_role("combobox").first
    with page.expect_response(lambda answer: "/view?path=" in answer.url):
        box.select_option(label=label)
    expect(block(page, id).locator(".is-stale")).to_have_count(0)


def test_binning_at_the_guest(shown: Shown) -> None:
    page = shown.open("hetero_feature_binning_0")
    party = block(page, "party")
    summary = block(page, "summary")
    until(lambda: [row[:3] for row in rows(summary)[:2]], [["x0", "4", "1"], ["x1", "4", "1.125"]])
    summary.get_by_role("button", name="IV").click()
    summary.get_by_role("button", name="IV").click()
    until(lambda: rows(summary)[0][0], "x11")  # the greatest first
    summary.get_by_placeholder("Find").fill("x10")
    expect(summary.locator(".dt-found")).to_have_text("1 of 1")

    bins = block(page, "bins")
    until(
        lambda: [row[0] for row in rows(bins)],
        [
            "x0 <= 1",
            "1 < x0 <= 2.5",
            "2.5 < x0 <= 4",
            "x0 > 4",
        ],
    )
    charts = party.locator('figure[data-kind="combo"]')
    expect(charts).to_have_count(2)
    until(lambda: [one["high"] for one in series(charts.nth(0))][:2], [13, 5])
    assert not is_blank(charts.nth(0))
    assert not is_blank(charts.nth(1))
    bins.get_by_label("WOE: least").first.fill("-0.5")
    bins.get_by_label("WOE: least").first.press("Enter")
    expect(bins.locator(".dt")).to_have_attribute("data-shown", "2")

    choose(page, "variable", "x3")
    expect(bins).to_contain_text("x3")
    # Only the end that was moved still filters, though these bins reach further than the others.
    until(lambda: [row[0] for row in rows(bins)], ["2.5 < x3 <= 4", "x3 > 4", "missing_value"])
    bins.get_by_label("WOE: least").first.fill("-9")
    bins.get_by_label("WOE: least").first.press("Enter")
    choose(page, "party", "host 10001")
    until(lambda: [row[0] for row in rows(bins)], ["bin_0", "bin_1", "bin_2"])
    expect(party.locator('figure[data-kind="combo"]')).to_have_count(2)


def test_binning_elsewhere_and_without_statistics(shown: Shown) -> None:
    page = shown.open("hetero_feature_binning_0", role="host")
    summary = block(page, "summary")
    assert "IV" not in heads(summary)
    expect(block(page, "at_guest")).to_be_visible()
    shown.open("binning_static", on=page)
    expect(block(page, "skipped")).to_be_visible()
    until(lambda: rows(summary)[0], ["x0", "3", "-", "-"])
    shown.open("binning_multi", on=page)
    expect(block(page, "label")).to_be_visible()
    until(lambda: rows(summary)[0][2], "2")
    choose(page, "label", "1")
    until(lambda: rows(summary)[0][2], "1")
    shown.open("binning_later", on=page)
    runs = block(page, "runs")
    expect(runs.get_by_role("tab").first).to_have_attribute("aria-selected", "true")
    until(lambda: rows(summary), [["x0", "2", "0.0625", "yes"]])
    runs.get_by_role("tab").nth(1).click()
    until(lambda: len(rows(summary)), 12)


def test_selection_says_what_each_filter_removed(shown: Shown) -> None:
    page = shown.open("selection_0")
    table = block(page, "selection")
    found = {row[0]: row for row in rows(table)}
    assert found["x0"][1:3] == ["no", "unique_value"]
    assert found["x1"][1:3] == ["yes", "-"]
    assert found["x16"][2] == "iv_filter"
    filters = rows(block(page, "filters"))
    assert [row[:4] for row in filters] == [
        ["unique_value", "30", "6", "24"],
        ["iv_filter", "24", "12", "12"],
    ]
    assert not is_blank(block(page, "party"))
    table.locator(".dt-tools").get_by_role("button", name="Kept").click()
    kept = page.get_by_role("checkbox", name="true").or_(page.get_by_role("checkbox", name="yes"))
    kept.check()
    expect(table.locator(".dt")).to_have_attribute("data-shown", "12")
    kept.uncheck()
    page.keyboard.press("Escape")
    choose(page, "party", "host 10000")
    until(
        lambda: [row[:3] for row in rows(table)],
        [
            ["host_10000_x0", "yes", "-"],
            ["host_10000_x1", "no", "iv_filter"],
        ],
    )


def test_correlations_of_sixty_features_of_two_parties(shown: Shown) -> None:
    page = shown.open("correlation_0")
    chart = block(page, "correlation").locator("figure")
    # 120 features, of which 80 fit; what the host's have with each other nobody here knows.
    until(lambda: series(chart)[0]["rows"], 80)
    until(lambda: series(chart)[0]["unknown"], 20 * 20)
    assert not is_blank(chart)
    expect(chart.locator(".heat-unknown")).to_be_visible()
    chart.get_by_role("button", name="Party").click()
    page.get_by_role("checkbox", name="guest 9999").check()
    page.keyboard.press("Escape")
    cells = series(chart)[0]
    assert (cells["rows"], cells["columns"], cells["unknown"]) == (60, 60, 0)
    assert (round(cells["low"], 4), cells["high"]) == (-0.9833, 1)
    chart.get_by_role("switch", name="Coefficients").press("Space")
    chart.get_by_label("Sort by").select_option("0 desc")
    box = chart.locator(".chart-scroll")
    box.press("ArrowDown")
    expect(chart.locator(".chart-tip-title")).to_have_text("1")
    chart.get_by_label("Values: least").first.fill("0.5")
    chart.get_by_label("Values: least").first.press("Enter")
    assert not is_blank(chart)
    chart.get_by_role("button", name="Show as table").click()
    assert len(rows(chart)) > 10
    until(lambda: rows(block(page, "variables"))[1], ["x1", "1.125"])
