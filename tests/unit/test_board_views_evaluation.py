"""What the board shows of an evaluation, from metrics as fateflow answers them."""

from __future__ import annotations

import math
import random
from typing import Any

import msgspec

from fateboard import views
from fateboard.blocks import (
    Axis,
    Block,
    ByAxis,
    Choice,
    Combo,
    Confusion,
    ConfusionModel,
    Curve,
    Flag,
    Mark,
    Series,
    Table,
    Tabs,
    msg,
)
from fateboard.views.cells import TOTAL
from fateboard.views.curves import thin

TRAIN, VALIDATE = msg("part.train"), msg("part.validate")


def evaluated(metrics: Any, path: dict[str, str] | None = None, role: str = "guest") -> views.View:
    context = views.read(
        component="evaluation_0", module="Evaluation", role=role, party_id="9999", metrics=metrics
    )
    view = views.build(context, path or {})
    msgspec.json.encode(view)
    return view


def blocks(metrics: Any, path: dict[str, str] | None = None) -> dict[str, Block]:
    view = evaluated(metrics, path)
    assert view.notices == []
    return {block.id: block for block in view.blocks}


def metric(kind: str, data: Any = (), **meta: Any) -> dict[str, Any]:
    return {"data": list(data), "meta": {"metric_type": kind, **meta}}


def summary(**scores: Any) -> dict[str, Any]:
    return metric("EVALUATION_SUMMARY", [[name, value] for name, value in scores.items()])


def columns(table: Table) -> list[str]:
    return [column.id for column in table.columns]


def tab(block: Block, id: str) -> list[Block]:
    assert isinstance(block, Tabs)
    return {item.id: item.blocks for item in block.items}[id]


def test_scores_have_a_row_per_data_set_and_lose_the_prefix_of_its_part():
    got = blocks(
        {
            "train": {"train_fold_0": summary(auc=0.9), "train_fold_1": summary(auc=0.8)},
            "validate": {"validate_fold_0": summary(auc=0.7, ks="0.25")},
        }
    )
    assert list(got) == ["scores"]
    table = got["scores"]
    assert isinstance(table, Table)
    assert columns(table) == ["model", "dataset", "score.auc", "score.ks"]
    assert table.rows == [
        [msg("dataset.fold", n=1), TRAIN, 0.9, None],
        [msg("dataset.fold", n=2), TRAIN, 0.8, None],
        [msg("dataset.fold", n=1), VALIDATE, 0.7, 0.25],
    ]
    assert table.facets == ["dataset"]
    assert table.export_name == "evaluation_scores"


def test_scores_that_are_no_finite_numbers_are_flagged():
    table = blocks(
        {"train": {"a": summary(r2_score="NaN", x="-Infinity", y=-9999999, z=math.nan)}}
    )["scores"]
    assert isinstance(table, Table)
    assert table.rows == [["a", TRAIN, None, None, None, None]]
    assert table.flags == [
        Flag(row=0, column=2, flag="nan"),
        Flag(row=0, column=3, flag="minus_infinite"),
        Flag(row=0, column=4, flag="infinite"),
        Flag(row=0, column=5, flag="nan"),
    ]


def test_quantiles_give_precision_and_recall_by_a_slider():
    quantiles = metric(
        "QUANTILE_PR",
        p_scores=[[0.0, 0.5], [0.1, 0.6], [0.2, 0.7]],
        r_scores=[[0.0, 1.0], [0.5, 0.9], [0.6, 0.8]],
        thresholds=[0.1, 0.5, 0.9],
    )
    got = blocks({"train": {"lr": summary(auc=0.9), "lr_quantile_pr": quantiles}})
    axis = got["scores"]
    assert isinstance(axis, ByAxis)
    assert axis.positions == [0.0, 0.5, 1.0]
    assert axis.selected == 1
    assert axis.rows == [["lr", TRAIN, 0.9, None, None]]
    assert axis.cells == {"precision": [[0.5, 0.6, 0.7]], "recall": [[1.0, 0.9, 0.8]]}


def test_scores_of_rounds_are_curves_and_a_table():
    rounds = {
        "train": {f"iteration_{at}": summary(auc=0.5 + at / 10) for at in (1, 0, 2)},
        "validate": {"iteration_0": summary(auc=0.4), "iteration_1": summary(auc=0.6)},
    }
    got = blocks(rounds)
    assert list(got) == ["rounds", "scores_by_round"]
    (curve,) = tab(got["rounds"], "auc")
    assert isinstance(curve, Curve)
    assert [(one.label, one.points) for one in curve.series] == [
        (TRAIN, [(0.0, 0.5), (1.0, 0.6), (2.0, 0.7)]),
        (VALIDATE, [(0.0, 0.4), (1.0, 0.6)]),
    ]
    table = got["scores_by_round"]
    assert isinstance(table, Table)
    assert columns(table) == ["round", "dataset", "score.auc"]
    assert table.rows[:2] == [[0, TRAIN, 0.5], [0, VALIDATE, 0.4]]
    assert table.export_name == "performance_scores"


def test_rounds_of_folds_name_the_fold():
    metrics = {"validate": {f"fold_0.iteration_{at}": summary(auc=at / 4) for at in (0, 1)}}
    table = blocks(metrics)["scores_by_round"]
    assert isinstance(table, Table)
    fold = msg("dataset.fold", n=1)
    assert table.rows == [[0, fold, VALIDATE, 0.0], [1, fold, VALIDATE, 0.25]]


def test_confusion_is_by_threshold_in_rising_order_with_the_f1_of_the_same_model():
    counts = {"thresholds": [1.0, 0.5, 0.3], "tp": ["1", 2, 3], "tn": [6, 5, 4], "fp": [0, 1, 2],
              "fn": [2, 1, 0]}  # fmt: skip
    got = blocks(
        {
            "train": {
                "lr_confusion_mat": metric("CONFUSION_MAT", **counts),
                "lr_f1_score": metric("F1_SCORE", thresholds=[0.3, 0.5], f1_scores=[0.75, 0.8]),
            }
        }
    )
    assert got["confusion"] == Confusion(
        id="confusion",
        thresholds=[0.3, 0.5, 1.0],
        selected=1,
        models=[
            ConfusionModel(
                label="lr",
                dataset=TRAIN,
                tp=[3.0, 2.0, 1.0],
                tn=[4.0, 5.0, 6.0],
                fp=[2.0, 1.0, 0.0],
                fn=[0.0, 1.0, 2.0],
                f1=[0.75, 0.8, None],
            )
        ],
        title=msg("confusion.title"),
        help=msg("confusion.help"),
        export_name="confusion_matrix",
    )


def test_psi_has_a_summary_with_its_total_and_the_events_of_both_data_sets():
    psi = metric(
        "PSI",
        psi_scores=[0.1, 0.2],
        total_psi=0.3,
        intervals=["[0, 0.5)", "[0.5, 1]"],
        expected_interval=[40.0, 60.0],
        expected_percentage=[0.4, 0.6],
        actual_interval=[10.0, 10.0],
        actual_percentage=[0.5, 0.5],
        train_pos_perc=[0.1, 0.9],
        validate_pos_perc=[0.2, 0.8],
    )
    parts = blocks({"validate": {"lr_psi": psi}})["psi.parts"]
    (chart, table), (_, events) = tab(parts, "scores"), tab(parts, "events")
    assert isinstance(table, Table)
    assert table.rows == [["[0, 0.5)", 0.4, 0.5, 0.1], ["[0.5, 1]", 0.6, 0.5, 0.2]]
    assert table.footer == [[TOTAL, None, None, 0.3]]
    assert isinstance(chart, Combo)
    assert [(one.type, one.values) for one in chart.series] == [
        ("bar", [0.4, 0.6]),
        ("bar", [0.5, 0.5]),
        ("line", [0.1, 0.2]),
    ]
    assert isinstance(events, Table)
    assert events.rows[0] == ["[0, 0.5)", 40.0, 0.4, 0.1, 10.0, 0.5, 0.2]
    several = blocks({"validate": {"lr_psi": psi, "sbt_psi": psi}}, {"psi": "validate/sbt_psi"})
    picked = several["psi"]
    assert isinstance(picked, Choice)
    assert [option.label for option in picked.options] == ["lr", "sbt"]
    assert picked.selected == "validate/sbt_psi"


def test_one_vs_rest_lists_the_scores_of_each_class_and_compares_them():
    metrics = {
        part: {
            f"lr_class_{label}_ovr": metric("ovr", name="lr", **{label: {"auc": auc, "ks": 0.1}})
            for label, auc in (("a", 0.6), ("b", 0.7))
        }
        for part in ("train", "validate")
    }
    picked = blocks(metrics)["ovr"]
    assert isinstance(picked, Choice)
    table, chart = picked.blocks
    assert isinstance(table, Table)
    assert table.rows[:2] == [["a", TRAIN, 0.6, 0.1], ["b", TRAIN, 0.7, 0.1]]
    assert isinstance(chart, Combo)
    assert chart.categories == ["a", "b"]
    assert chart.series[0].values == [0.6, 0.7]


def test_roc_draws_thresholds_only_where_there_is_one_for_each_point():
    points = [[0.0, 0.0], [0.2, 0.6], [1.0, 1.0]]
    metrics = {
        "train": {
            "lr_roc": metric("ROC_EVALUATION", points, curve_name="lr", thresholds=[2, 0.5, 0])
        },
        "validate": {"lr_roc": metric("ROC_EVALUATION", points, curve_name="lr", thresholds=[0.5])},
    }
    (roc,) = tab(blocks(metrics)["performance"], "roc")
    (train,), (validate,) = tab(roc, "train"), tab(roc, "validate")
    assert isinstance(train, Curve)
    assert isinstance(validate, Curve)
    assert train.diagonal
    assert train.series == [
        Series(
            id="lr_roc",
            label="lr",
            points=[(0.0, 0.0), (0.2, 0.6), (1.0, 1.0)],
            thresholds=[2.0, 0.5, 0.0],
            area=True,
        )
    ]
    assert validate.series[0].thresholds == []


def test_curves_of_folds_count_them_from_one_and_name_the_part():
    rates = [[0, 0], [1, 1]]
    metrics = {
        part: {
            f"{part}_fold_{fold}_ks_{rate}": metric(
                "KS_EVALUATION", rates, pair_type=f"{part}_fold_{fold}"
            )
            for fold in (0, 1)
            for rate in ("tpr", "fpr")
        }
        for part in ("train", "validate")
    }
    (tabs,) = tab(blocks(metrics)["performance"], "ks")
    (curve,) = tab(tabs, "validate")
    second = msg("dataset.joined", first=msg("dataset.fold", n=2), second=VALIDATE)
    assert [one.group_label for one in curve.series[2:]] == [second, second]
    assert curve.series[2].label == msg("ks.tpr", name=second)
    assert curve.marks[1].label == msg("ks.gap", name=second, value="0")


def test_ks_marks_the_first_place_of_the_largest_gap():
    metrics = {
        "train": {
            "lr_ks_tpr": metric(
                "KS_EVALUATION", [[0, 0], [0.5, 0.8], [0.7, 0.9], [1, 1]], pair_type="lr"
            ),
            "lr_ks_fpr": metric(
                "KS_EVALUATION", [[0, 0], [0.5, 0.3], [0.7, 0.4], [1, 1]], pair_type="lr"
            ),
        }
    }
    (curve,) = tab(blocks(metrics)["performance"], "ks")
    assert isinstance(curve, Curve)
    assert [(one.label, one.group) for one in curve.series] == [
        (msg("ks.tpr", name="lr"), "lr"),
        (msg("ks.fpr", name="lr"), "lr"),
    ]
    assert curve.marks == [Mark(x=0.5, label=msg("ks.gap", name="lr", value="0.5"), series="lr")]


def test_precision_over_recall_is_joined_at_the_cut_and_keeps_the_best_of_a_recall():
    precision = [[0.0, 1.0], [0.1, 0.7], [0.2, 0.9], [0.4, 0.5]]
    recall = [[0.0, 0.0], [0.1, 0.5], [0.2, 0.5], [0.3, 1.0]]
    metrics = {
        "train": {
            "lr_precision": metric("PRECISION_BINARY_EVALUATION", precision, pair_type="lr",
                                   thresholds=[0.9, 0.8, 0.7, 0.6]),
            "lr_recall": metric("RECALL_BINARY_EVALUATION", recall, pair_type="lr"),
        }
    }  # fmt: skip
    (curve,) = tab(blocks(metrics)["performance"], "precision_recall")
    assert isinstance(curve, Curve)
    assert curve.series[0].points == [(0.0, 1.0), (0.5, 0.9)]
    assert curve.series[0].thresholds == [0.9, 0.7]


def test_precision_and_recall_of_many_classes_are_by_class():
    metrics = {
        "train": {
            "lr_precision": metric(
                "PRECISION_MULTI_EVALUATION", [[0, 0.6], [1, 0.5]], pair_type="lr"
            ),
            "lr_recall": metric("RECALL_MULTI_EVALUATION", [[0, 0.3], [1, 0.4]], pair_type="lr"),
        }
    }
    (curve,) = tab(blocks(metrics)["performance"], "precision_recall")
    assert isinstance(curve, Curve)
    assert curve.x == Axis(label=msg("axis.class"), integer=True)
    assert [(one.label, one.points, one.group) for one in curve.series] == [
        (msg("series.precision", name="lr"), [(0.0, 0.6), (1.0, 0.5)], "lr"),
        (msg("series.recall", name="lr"), [(0.0, 0.3), (1.0, 0.4)], "lr"),
    ]


def test_curves_of_many_rounds_are_shown_one_round_at_a_time():
    metrics = {
        "train": {
            f"iteration_{at}_roc": metric(
                "ROC_EVALUATION", [[0, 0], [1, 1]], curve_name=f"iteration_{at}"
            )
            for at in range(12)
        }
    }
    last = blocks(metrics)["round"]
    assert isinstance(last, Choice)
    assert last.selected == "11"
    (roc,) = tab(last.blocks[0], "roc")
    assert isinstance(roc, Curve)
    assert [one.label for one in roc.series] == [msg("dataset.iteration", round=11)]
    fourth = blocks(metrics, {"round": "3"})["round"]
    assert isinstance(fourth, Choice)
    assert fourth.selected == "3"


def test_clusters_are_compared_with_labels_and_with_each_other():
    got = blocks(
        {
            "train": {
                "km": metric("CLUSTERING_EVALUATION_SUMMARY", [["adjusted_rand_score", 0.6]]),
                "km_dbi": metric("CLUSTERING_EVALUATION_SUMMARY", [["davies_bouldin_index", 1.5]]),
                "km_distance_measure": metric(
                    "DISTANCE_MEASURE", cluster_index=[0, 1], radius=[7.5, 9.0], nearest_idx=[1, 0]
                ),
                "km_contingency_matrix": metric(
                    "CONTINGENCY_MATRIX",
                    true_labels=[0, 1],
                    predicted_labels=[0, 1],
                    result_table=[[6, 2], [1, 1]],
                ),
            }
        }
    )
    assert list(got) == [
        "external",
        "internal",
        "distance",
        "contingency.train/km_contingency_matrix",
    ]
    external, distance = got["external"], got["distance"]
    assert isinstance(external, Table)
    assert external.rows == [["km", TRAIN, 0.6]]
    assert isinstance(distance, Table)
    assert distance.rows == [["km", TRAIN, "0", 7.5, "1"], ["km", TRAIN, "1", 9.0, "0"]]
    matrix = got["contingency.train/km_contingency_matrix"]
    (counts,), (shares,) = tab(matrix, "counts"), tab(matrix, "shares")
    assert isinstance(counts, Table)
    assert counts.rows == [["0", 6.0, 2.0], ["1", 1.0, 1.0]]
    assert counts.footer == [[TOTAL, 7.0, 3.0]]
    assert isinstance(shares, Table)
    assert shares.rows == [["0", 0.6, 0.2], ["1", 0.1, 0.1]]


def test_parties_without_labels_are_told_where_to_look():
    assert evaluated({}, role="host").notices[0].text == msg("view.host_has_no_labels")
    assert evaluated({}, role="arbiter").notices[0].text == msg("view.arbiter_has_no_output")


def test_thinning_keeps_the_ends_and_the_extremes_of_a_long_curve():
    chance = random.Random(5)
    line = [(float(x), chance.random()) for x in range(50_000)]
    line[31_337] = (31_337.0, 9.0)
    line[4_242] = (4_242.0, -9.0)
    kept = thin(line)
    assert len(kept) <= 2000
    assert kept == sorted(set(kept))
    assert {0, 49_999, 31_337, 4_242} <= set(kept)
    assert thin(line[:2000]) == list(range(2000))
