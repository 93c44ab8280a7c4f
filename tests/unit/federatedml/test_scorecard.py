"""Scorecard: the points of every row, the limits, and what is refused."""

import math

import numpy as np
import pyarrow as pa
import pytest

from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.scorecard import Scorecard, ScorecardParam
from federatedml.data import layout, shown
from federatedml.data.frame import Frame, FrameSchema, Values
from federatedml.data.predicting import predictions, staged, united
from federatedml.errors import BadData, BadParameters
from federatedml.params import parse
from federatedml.runner import run
from federation import GUEST, HOST, Party


def frame(n, label=True, **more):
    return Frame(
        pa.array([str(i) for i in range(n)]),
        np.zeros((n, 1)),
        FrameSchema(header=["x0"], sid_name="sid", match_id_name="phone"),
        label=np.arange(n) % 2 if label else None,
        **more,
    )


def scored(p, role=GUEST, *, label=True, classes=(0, 1), kind="data", data=None, **params):
    me = Party(role, "1")
    ctx = Ctx(me, [me], None)
    ctx.name = "scorecard_0"
    if data is None:
        p = np.asarray(p, dtype=float)
        data = predictions(frame(len(p), label), p, classes)
    component = Scorecard(parse(ScorecardParam, params, "Scorecard#scorecard_0"))
    outputs = run(component, ctx, Inputs({kind: [NamedData("lr_0", "data", data)] if data else []}))
    return outputs.data[0], ctx.report


def scores(p, **more):
    return scored(p, **more)[0].columns["credit_score"].to_pylist()


def test_odds_twice_as_good_are_twenty_points():
    assert scores([1 / 2, 1 / 3, 1 / 5, 2 / 3]) == [500.0, 520.0, 540.0, 480.0]
    assert scores([0.1, 0.9], offset=600, factor=50, factor_base=10) == [
        round(600 + 50 * math.log10(9), 2),
        round(600 - 50 * math.log10(9), 2),
    ]


def test_scores_stay_between_the_limits_even_for_certain_rows():
    assert scores([0.0, 1.0, 1e-300, 1 - 1e-16]) == [1500.0, 0.0, 1500.0, 0.0]
    limits = {"upper_limit_ratio": 1.02, "lower_limit_value": 490}
    assert scores([0.0, 0.4, 0.5, 1.0], **limits) == [510.0, 510.0, 500.0, 490.0]


def test_the_output_has_fates_columns_and_can_be_stored_and_shown():
    table, _ = scored([0.25, 0.75])
    assert isinstance(table, Values)
    again = layout.from_arrow(layout.to_arrow(table))
    assert shown.header(again) == [
        "sid",
        "label",
        "predict_result",
        "predict_score",
        "credit_score",
    ]
    assert shown.rows(again) == [["0", 0, 0, 0.25, 531.7], ["1", 1, 1, 0.75, 468.3]]


def test_rows_keep_their_match_id_and_labels_of_text():
    p = np.array([0.25, 0.75])
    rows = frame(2, label=False, match_ids=pa.array(["+1", "+2"]))
    table, _ = scored(p, data=predictions(rows, p, ["good", "bad"]))
    assert shown.header(table)[:2] == ["sid", "phone"]
    assert shown.rows(table)[1] == ["1", "+2", None, "bad", 0.75, 468.3]


def test_the_summary_is_fates_formula_and_a_histogram_of_all_rows():
    _, report = scored([0.5, 0.2, 0.2])
    assert report.metrics == {}
    assert report.told["scorecard_compute_formula"] == "Score = 500 + 20 / ln(2) * ln(Odds)"
    bars = report.told["credit_score_histogram"]
    assert (sum(bars["counts"]), bars["counts"][0], bars["counts"][-1]) == (3, 1, 2)
    assert (bars["edges"][0], bars["edges"][-1]) == (500.0, 540.0)
    _, report = scored([0.5], offset=650.5, factor_base=3)
    assert report.told["scorecard_compute_formula"] == "Score = 650.5 + 20 / ln(3) * ln(Odds)"


def test_train_validate_and_predict_rows_are_scored_alike():
    p = np.array([0.2, 0.8])
    parts = [staged(predictions(frame(2), p, [0, 1]), stage) for stage in ("train", "validate")]
    table, _ = scored(p, data=united(parts))
    assert table.columns["credit_score"].to_pylist() == 2 * scores(p)
    assert scores(p, kind="test_data") == scores(p, kind="train_data") == scores(p)


def test_no_rows_are_no_scores():
    table, report = scored([])
    assert table.n_rows == 0
    assert report.told["credit_score_histogram"] == {"counts": [], "edges": []}


def test_a_host_without_predictions_has_nothing_to_do_and_one_with_them_scores():
    table, report = scored([], HOST, kind="data", data=())
    assert (table, report.told) == (None, {})
    assert scores([0.5], role=HOST) == [500.0]


def test_need_run_false_passes_the_data_on():
    said = predictions(frame(2), np.array([0.1, 0.2]), [0, 1])
    assert scored(None, data=said, need_run=False)[0] is said


@pytest.mark.parametrize(
    ("classes", "p", "said"),
    [
        (None, [0.5, 0.5], "regression; two classes"),
        ([0, 1, 2], np.full((2, 3), 1 / 3), "predictions of 3 classes"),
        ([0, 1], [0.5, 1.5], "1 of 2 predict_score are no probabilities"),
        ([0, 1], [np.nan, 0.5], "1 of 2 predict_score are no probabilities"),
    ],
)
def test_what_is_no_probability_of_two_classes_is_refused(classes, p, said):
    with pytest.raises(BadData, match=f"scorecard_0: .*{said}"):
        scored(p, classes=classes)


def test_instances_in_place_of_predictions_are_refused():
    with pytest.raises(BadData, match="needs predictions"):
        scored(None, data=frame(2))
    with pytest.raises(BadData, match="needs predictions"):
        scored(None, data=())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"factor_base": 1}, "no logarithm"),
        ({"factor_base": 0}, "factor_base"),
        ({"factor": 0}, "factor"),
        ({"offset": -1}, "offset"),
        ({"upper_limit_ratio": 0}, "upper_limit_ratio"),
        ({"lower_limit_value": 1501}, "above upper_limit_ratio"),
        ({"factor": math.inf}, "finite"),
        ({"method": "debit"}, "allowed: credit"),
        ({"offse": 1}, "did you mean `offset`"),
    ],
)
def test_impossible_parameters_are_refused_with_their_names(given, said):
    with pytest.raises(BadParameters, match=said):
        parse(ScorecardParam, given, "Scorecard#scorecard_0")
