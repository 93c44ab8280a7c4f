"""Every kind of component has a page that is neither empty nor broken (scenario 29)."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Shown
from tests.browser.drawn import block
from tests.browser.exhibits import EXHIBITS

SAID = {
    "reader_0": ["experiment", "569", "guest_9999_x1"],
    "transform_filled": ["mean", "25%", "guest_9999_x0"],
    "transform_plain": ["Nothing was imputed", "guest_9999_x1"],
    "imputation_0": ["50%", "min"],
    "scale_0": ["min_max_scale", "9.5"],
    "onehot_0": ["x2_C"],
    "label_transform_0": ["yes"],
    "sample_weight_0": ["class weight", "2.5"],
    "sample_random": ["random", "512"],
    "sample_stratified": ["300", "26%"],
    "split_stratified": ["60%", "Total"],
    "split_continuous": ["(0.5, 1.5]"],
    "statistics_0": ["missing_count", "x9"],
    "psi_0": ["0.06"],
    "union_0": ["b.data.0", "Total"],
    "intersection_0": ["rsa", "75%", "missing"],
    "kmeans_0": ["33.33%", "Total"],
    "scorecard_0": ["credit", "500"],
    "unlabeled_0": ["56"],
    "model_loader_0": ["guest-9999#model"],
    "cache_loader_0": ["cache_key"],
    "stepwise_0": ["host_10000_x1", "-11"],
    "hetero_nn_0": ["Linear", "in_features=30", "7"],
    "homo_nn_0": ["ReLU"],
    "ftl_0": ["Loss"],
    "of_others_0": ["red", "colour", "height"],
}


def go_to(page: Page, name: str) -> None:
    """Within the open page, as a click on the graph does."""
    page.evaluate(
        "name => { location.hash = location.hash.replace(/component=[^&]*/, `component=${name}`)"
        ".replace(/&view=[^&]*/, '') }",
        name,
    )


def test_a_page_for_every_component(shown: Shown) -> None:
    page = shown.open("reader_0")
    for name, (module, _) in EXHIBITS.items():
        go_to(page, name)
        view = page.locator(f'.component-view[data-component="{name}"]')
        expect(view.locator(".block").first).to_be_visible()
        expect(view.locator('[role="alert"]')).to_have_count(0)
        for text in SAID.get(name, []):
            expect(view, f"{name} ({module})").to_contain_text(text, ignore_case=True)
        charts = view.locator("figure.chart")
        for at in range(charts.count()):
            expect(charts.nth(at).locator(".chart-empty")).to_have_count(0)
    assert set(SAID) <= set(EXHIBITS)


def test_what_other_parties_have_of_them(shown: Shown) -> None:
    page = shown.open("kmeans_0", role="arbiter")
    expect(block(page, "dbi.train").locator("figure")).to_be_visible()
    # A host of a job without anything of its own to show is told so.
    shown.open("evaluation_0", role="host", on=page)
    expect(page.locator(".component-view .notice").first).to_be_visible()
