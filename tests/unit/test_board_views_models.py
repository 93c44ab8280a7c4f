"""What the board shows of models, from param messages and metrics as fateflow answers them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fateboard import views
from fateboard.blocks import (
    Axis,
    Block,
    Choice,
    Combo,
    Curve,
    Flag,
    Item,
    KeyValues,
    Paragraph,
    Series,
    Table,
    msg,
)
from fateboard.views.cells import TOTAL

INTERCEPT = msg("model.intercept")
LOSS = {"metric_type": "LOSS", "name": "train", "unit_name": "iters", "curve_name": "loss"}
LINEAR = {
    "iters": 12,
    "isConverged": True,
    "bestIteration": -1,
    "header": ["x1", "x0"],
    "weight": {"x0": 0.25, "x1": "-0.5"},
    "intercept": -0.125,
    "encryptedWeight": {},
    "lossHistory": [],
    "needOneVsRest": False,
}


def page(module: str, role: str = "guest", path: Any = None, **given: Any) -> views.View:
    parties = {"guest": "9999", "host": "10000", "arbiter": "10001"}
    context = views.read(component="c_0", module=module, role=role, party_id=parties[role], **given)
    view = views.build(context, path or {})
    msgspec.json.encode(view)
    return view


def blocks(module: str, role: str = "guest", path: Any = None, **given: Any) -> dict[str, Block]:
    return {block.id: block for block in page(module, role, path, **given).blocks}


def loss(points: list[Any], **meta: Any) -> dict[str, Any]:
    return {"train": {"loss": {"data": points, "meta": {**LOSS, **meta}}}}


def table(block: Block) -> Table:
    assert isinstance(block, Table)
    return block


def test_a_guests_linear_model_ends_with_the_intercept_and_a_hosts_has_none():
    guest, host = blocks("HeteroLR", model=LINEAR), blocks("HeteroLR", "host", model=LINEAR)
    assert table(guest["weights"]).rows == [["x1", -0.5], ["x0", 0.25], [INTERCEPT, -0.125]]
    assert table(host["weights"]).rows == [["x1", -0.5], ["x0", 0.25]]
    assert guest["model"] == KeyValues(
        id="model",
        items=[
            Item(label=msg("linear.iterations"), value=12, format="integer"),
            Item(label=msg("linear.converged"), value=True, format="yes_no"),
        ],
        export_name="model_summary",
    )
    assert table(blocks("HomoLR", "host", model=LINEAR)["weights"]).rows[-1][0] == INTERCEPT


def test_encrypted_weights_are_said_to_be_so():
    model = {**LINEAR, "weight": {}, "encryptedWeight": {"x0": {}, "x1": {}}}
    got = blocks("HeteroSSHELR", "host", model=model)
    assert got["encrypted"] == Paragraph(id="encrypted", text=msg("linear.encrypted", count=2))
    assert table(got["weights"]).rows == [["x1", None], ["x0", None]]


def test_one_model_per_class_is_picked_by_its_label():
    model = {
        **LINEAR,
        "needOneVsRest": True,
        "oneVsRestResult": {
            "completedModels": [LINEAR, {**LINEAR, "iters": 30, "bestIteration": 7}],
            "oneVsRestClasses": ["cat", "dog"],
        },
    }
    picked = blocks("HeteroLR", path={"class": "1"}, model=model)["class"]
    assert isinstance(picked, Choice)
    assert [option.label for option in picked.options] == ["cat", "dog"]
    facts, weights = picked.blocks
    assert isinstance(facts, KeyValues)
    assert [item.value for item in facts.items] == [30, True, 7]
    assert table(weights).rows[-1] == [INTERCEPT, -0.125]


def test_the_arbiter_shows_its_loss_and_says_where_the_weights_are():
    model = {**LINEAR, "header": [], "weight": {}}
    got = blocks("HeteroLR", "arbiter", model=model, metrics=loss([[0, 0.7], [1, 0.5]], Best=0.5))
    assert list(got) == ["model", "hint", "loss.train"]
    assert got["loss.train"] == Curve(
        id="loss.train",
        x=Axis(label=msg("axis.iteration"), integer=True),
        y=Axis(label=msg("axis.loss")),
        series=[Series(id="train/loss", label=msg("axis.loss"), points=[(0.0, 0.7), (1.0, 0.5)])],
        live=["train/loss"],
        title=msg("loss.title"),
        help=msg("loss.best", value="0.5"),
        export_name="loss",
    )


def test_a_guest_sees_the_loss_of_the_arbiter_of_its_site_by_its_party():
    siblings = [("arbiter", "10001", loss([[0, "NaN"], [1, 0.5]]))]
    curve = blocks("HeteroLR", model=LINEAR, siblings=siblings)["loss.train"]
    assert isinstance(curve, Curve)
    (series,) = curve.series
    assert series.party == "arbiter 10001"
    assert series.points == [(0.0, None), (1.0, 0.5)]
    assert curve.live == ["arbiter:10001/train/loss"]
    assert curve.help == msg("loss.best", value="0.5")
    elsewhere = blocks("HeteroLR", model=LINEAR)["loss"]
    assert isinstance(elsewhere, Paragraph)
    assert elsewhere.text == msg("loss.elsewhere", role="arbiter")
    unlogged = blocks("HeteroLR", model=LINEAR, siblings=[("arbiter", "10001", {})])
    assert list(unlogged) == ["model", "weights"]


def test_a_running_component_awaits_the_first_loss_of_the_party_that_learns_it():
    alone = blocks("HeteroSSHELR", status="running")
    assert isinstance(alone["loss.train"], Curve)
    assert alone["loss.train"].live == ["train/loss"]
    beside = blocks("HeteroLR", status="running", siblings=[("arbiter", "1", {})])
    assert isinstance(beside["loss.train"], Curve)
    assert beside["loss.train"].live == ["arbiter:1/train/loss"]
    assert page("HeteroLR", status="running").blocks == []


def test_folds_are_curves_of_one_chart_and_a_loss_without_points_says_so():
    metrics = {
        "train": {
            f"loss.{fold}": {"data": [[0, 1.0]], "meta": {**LOSS, "curve_name": f"loss.{fold}"}}
            for fold in range(3)
        }
    }
    curve = blocks("HeteroLinR", "arbiter", metrics=metrics)["loss.train"]
    assert isinstance(curve, Curve)
    assert [one.label for one in curve.series] == [msg("dataset.fold", n=n) for n in (1, 2, 3)]
    empty = blocks("HomoLR", "arbiter", metrics=loss([]))["loss.train"]
    assert isinstance(empty, Paragraph)
    assert empty.text == msg("loss.no_points")


def test_the_loss_of_a_model_is_drawn_where_none_was_logged():
    curve = blocks("HomoLR", model={**LINEAR, "lossHistory": [0.7, "0.5"]})["loss_history"]
    assert isinstance(curve, Curve)
    assert curve.series[0].points == [(0.0, 0.7), (1.0, 0.5)]


def test_a_warm_start_says_where_it_went_on():
    start = {"data": [["init_iter", 5]], "meta": {"metric_type": "init_iter"}}
    got = blocks("HeteroLR", metrics={"train": {"init_iter": start}})
    assert got["warm_start"] == KeyValues(
        id="warm_start",
        items=[Item(label=msg("warm_start.first"), value=5, format="integer")],
    )


def step(number: int, host: list[bool], **meta: Any) -> dict[str, Any]:
    return {
        "data": [[f"stepwise_{number}", number]],
        "meta": {
            "metric_type": "STEPWISE",
            "score_name": "aic",
            "direction": "backward",
            "n_count": "800",
            "number_in": 1 + sum(host),
            "guest_mask": [True],
            "host_mask": host,
            "guest_features_anonym": ["guest_9999_x0"],
            "host_features_anonym": ["host_10000_x0", "host_10000_x1"],
            "fit_intercept": True,
            **meta,
        },
    }


def test_stepwise_lists_what_each_step_removed_with_the_score_that_the_arbiter_found():
    own = {"all_features": ["age"], "header": ["age"], "to_enter": [], "weight": {"age": 0.5},
           "intercept": 0.25, "loss": None, "current_ic_val": None}  # fmt: skip
    guest = {
        "stepwise_1": step(1, [True, False], **own),
        "stepwise_0": step(0, [True, True], **own),
    }
    arbiter = {
        f"stepwise_{n}": step(n, [True, n == 0], loss=0.5 - n / 4, current_ic_val=-10.0 - n)
        for n in (0, 1)
    }
    got = blocks(
        "HeteroLinR",
        metrics={"train": guest},
        siblings=[("arbiter", "10001", {"train": arbiter})],
    )
    assert table(got["stepwise.summary"]).rows == [
        [0, "", "", None, 3, -10.0, 0.5],
        [1, "", "host_10000_x1", False, 2, -11.0, 0.25],
    ]
    picked = got["step"]
    assert isinstance(picked, Choice)
    assert picked.selected == "1"
    shown = {block.id: block for block in picked.blocks}
    assert table(shown["stepwise.effects"]).rows == [["", "host_10000_x1", False]]
    assert table(shown["stepwise.estimates"]).rows == [
        ["age", "guest_9999_x0", 1, 0.5],
        [INTERCEPT, "", 1, 0.25],
    ]
    host = blocks("HeteroLinR", "host", metrics={"train": {"stepwise_0": step(0, [True, True])}})
    assert "step" in host


def test_kmeans_has_clusters_with_a_total_and_centres_by_variable():
    model = {
        "countOfClusters": "2",
        "maxInteration": "10",
        "converged": False,
        "header": ["x0", "x1"],
        "clusterDetail": [{"cluster": [0.0, 353.0, 0.75]}, {"cluster": [1.0, 96.0, 0.25]}],
        "centroidDetail": [{"centroid": [1.5, "NaN"]}, {"centroid": [2.5, 3.5]}],
    }
    got = blocks("HeteroKmeans", model=model)
    assert list(got) == ["kmeans", "clusters", "centroids"]
    assert table(got["clusters"]).rows == [["0", 353.0, 0.75], ["1", 96.0, 0.25]]
    assert table(got["clusters"]).footer == [[TOTAL, 449.0, 1.0]]
    assert table(got["centroids"]).rows == [["x0", 1.5, 2.5], ["x1", None, 3.5]]
    dbi = {"data": [[0, 1.9], [1, 1.6]], "meta": {"metric_type": "DBI", "unit_name": "iters"}}
    arbiter = blocks("HeteroKmeans", "arbiter", metrics={"train": {"DBI": dbi}})
    assert isinstance(arbiter["dbi.train"], Curve)


def test_networks_show_their_layers_in_torchs_and_in_keras_words():
    torch = {"0-0": {"layer": "Linear", "in_features": 30, "bias": True}, "1-1": {"layer": "ReLU"}}
    keras = {
        "class_name": "Sequential",
        "config": {"layers": [{"class_name": "Dense", "config": {"units": 8}}]},
    }
    got = blocks(
        "HeteroNN",
        parameters={"ComponentParam": {"bottom_nn_define": torch, "top_nn_define": keras}},
        model={"iterEpoch": "7", "bestIteration": 3, "historyLoss": [0.5, 0.25]},
    )
    assert table(got["layers"]).rows == [
        ["bottom_nn", "0-0", "Linear", "in_features=30, bias=true"],
        ["bottom_nn", "1-1", "ReLU", ""],
        ["top_nn", "0", "Dense", "units=8"],
    ]
    facts, history = got["model"], got["loss_history"]
    assert isinstance(facts, KeyValues)
    assert [item.value for item in facts.items] == [7, 3]
    assert isinstance(history, Curve)


def test_a_scorecard_counts_the_credit_scores_of_its_first_rows():
    got = blocks(
        "Scorecard",
        parameters={"ComponentParam": {"method": "credit", "offset": 500}},
        output=[[["1", 400.0], ["2", 600.0], ["3", 600.0], ["4", "NaN"]]],
        output_meta={"header": [["id", "credit_score"]], "names": ["data"], "total": [30000]},
    )
    chart = got["credit_score"]
    assert isinstance(chart, Combo)
    assert chart.series[0].values == [1, *([0] * 18), 2]
    assert chart.categories[0] == "400 - 410"
    assert chart.help == msg("scorecard.sample", shown=3, total=30000)
    assert isinstance(got["scale"], KeyValues)


@pytest.mark.parametrize("module", ["ModelLoader", "CacheLoader"])
def test_loaders_show_what_was_loaded_else_what_was_asked_for(module):
    info = {"data": [], "meta": {"metric_type": "cache_info", "name": "c", "cache_key": "k"}}
    logged = page(module, metrics={"cache_loader": {"c": info}}).blocks
    assert [block.items for block in logged if isinstance(block, KeyValues)] == [
        [Item(label="cache_key", value="k")]
    ]
    asked = blocks(module, parameters={"ComponentParam": {"model_id": "m", "step_index": None}})
    assert isinstance(asked["loaded"], KeyValues)
    assert asked["loaded"].items == [Item(label="model_id", value="m")]


def test_positive_unlabeled_counts_and_secure_addition_points_to_the_log():
    counted = {"data": [["count of converted unlabeled", 56]], "meta": {"metric_type": "PU_MODEL"}}
    got = blocks("PositiveUnlabeled", metrics={"train": {"positive_unlabeled": counted}})
    assert isinstance(got["converted"], KeyValues)
    assert got["converted"].items[0].value == 56
    assert isinstance(blocks("SecureAddExample")["where"], Paragraph)


def test_numbers_of_a_weight_table_that_are_none_are_flagged():
    model = {**LINEAR, "weight": {"x0": "Infinity", "x1": "NaN"}}
    assert table(blocks("HeteroLR", model=model)["weights"]).flags == [
        Flag(row=0, column=1, flag="nan"),
        Flag(row=1, column=1, flag="infinite"),
    ]
