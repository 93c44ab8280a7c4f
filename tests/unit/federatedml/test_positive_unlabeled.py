"""PositiveUnlabeled: which rows become positive by each strategy; what is refused."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml import runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.positive_unlabeled import PositiveUnlabeled
from federatedml.data.frame import Frame, FrameSchema
from federatedml.data.predicting import predictions
from federatedml.errors import BadData, BadParameters
from federatedml.params import parse
from federation import GUEST, HOST, Party

LABEL = np.array([1, 0, 0, 1, 0, 0, 0, 0])
SCORE = np.array([0.9, 0.2, 0.95, 0.1, 0.6, 0.9, 0.6, 0.0])


def frame(label=LABEL):
    n = len(LABEL) if label is None else len(label)
    ids = pa.array([f"r{i}" for i in range(n)])
    return Frame(ids, np.ones((n, 1)), FrameSchema(header=["x0"]), label=label)


def relabelled(*tables, role=GUEST, **parameters):
    me = Party(role, "9")
    ctx = Ctx(me, [me], None)
    ctx.name = "pu_0"
    params = parse(PositiveUnlabeled.Params, parameters, "PositiveUnlabeled#pu_0")
    named = [NamedData(f"t_{i}", "data", t) for i, t in enumerate(tables)]
    outputs = runner.run(PositiveUnlabeled(params), ctx, Inputs({"data": named}))
    return outputs.data[0], ctx.report


def converted(score=SCORE, label=LABEL, **parameters):
    data = frame(label)
    out, report = relabelled(data, predictions(data, score, [0, 1]), **parameters)
    changed = np.flatnonzero(out.label != label).tolist()
    assert (out.label[changed] == 1).all()
    assert report.told == {"count of converted unlabeled": len(changed)}
    assert report.metrics == {
        ("train", "positive_unlabeled"): ("PU_MODEL", list(report.told.items()), {})
    }
    return changed


@pytest.mark.parametrize(
    ("strategy", "threshold", "rows"),
    [
        ("probability", 0.9, [2, 5]),
        ("probability", 0.91, [2]),
        ("probability", 0, [1, 2, 4, 5, 6, 7]),
        ("quantity", 1, [2]),
        ("quantity", 3, [2, 4, 5]),
        ("quantity", 99, [1, 2, 4, 5, 6, 7]),
        ("quantity", 0, []),
        ("proportion", 0.25, [2, 5]),
        ("proportion", 0.49, [2, 4, 5]),
        ("proportion", 0.0, []),
        ("distribution", 0.9, []),
        ("distribution", 4, [2, 4, 5]),
        ("distribution", 2.0, [2]),
    ],
)
def test_unlabeled_rows_of_the_highest_scores_become_positive(strategy, threshold, rows):
    assert converted(strategy=strategy, threshold=threshold) == rows


def test_by_default_rows_of_nine_tenths_are_positive():
    assert converted() == [2, 5]


@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=40),
    count=st.integers(0, 45),
)
def test_the_best_are_those_of_a_stable_sort(rows, count):
    label = np.array([int(known) for known, _ in rows])
    score = np.array([s / 20 for _, s in rows])
    open_rows = [i for i, known in enumerate(label) if not known]
    best = sorted(open_rows, key=lambda i: (-score[i], i))[:count]
    assert converted(score, label, strategy="quantity", threshold=count) == sorted(best)


def test_predictions_in_another_order_and_with_further_rows_are_joined_by_id():
    data = frame()
    more = predictions(frame(np.zeros(12, dtype=int)), np.append(SCORE, [1.0] * 4), [0, 1])
    order = np.random.default_rng(0).permutation(12)
    shuffled = replace(
        more, ids=more.ids.take(pa.array(order)), detail=more.detail[order], score=more.score[order]
    )
    out, _ = relabelled(shuffled, data, strategy="quantity", threshold=3)
    assert np.flatnonzero(out.label != LABEL).tolist() == [2, 4, 5]
    assert data.label.tolist() == LABEL.tolist()


def test_the_score_is_that_of_label_one_whatever_the_order_of_classes():
    data = frame()
    out, _ = relabelled(
        data, predictions(data, 1 - SCORE, [1, 0]), strategy="quantity", threshold=2
    )
    assert np.flatnonzero(out.label != LABEL).tolist() == [2, 5]


def test_hosts_pass_their_rows_through():
    data = frame(None)
    out, report = relabelled(data, role=HOST)
    assert out is data
    assert report.metrics == {}


DATA = frame()
SAID = predictions(DATA, SCORE, [0, 1])


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ((DATA,), "got 1 and 0"),
        ((DATA, SAID, SAID), "got 1 and 2"),
        ((SAID,), "got 0 and 1"),
        ((frame(LABEL + 1), SAID), "labels must be 1 .positive. and 0"),
        ((frame(None), SAID), "has no label"),
        ((frame(pa.array(["a"] * 8)), SAID), "labels must be numbers"),
        ((DATA, predictions(DATA, SCORE)), "two classes"),
        ((DATA, predictions(DATA, SCORE, [0, 2])), "two classes, of which one is 1"),
        ((DATA, predictions(DATA, SCORE * np.nan, [0, 1])), "have no score"),
        ((frame(np.zeros(9, dtype=int)), SAID), "1 of 9 rows have no prediction"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(tables, said):
    with pytest.raises(BadData, match=f"pu_0: .*{said}"):
        relabelled(*tables)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"threshold": 1.5}, "share between 0 and 1"),
        ({"threshold": 2, "strategy": "proportion"}, "take strategy quantity"),
        ({"threshold": 2.5, "strategy": "quantity"}, "number of rows"),
        ({"threshold": -1}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"strategy": "best"}, "allowed: probability, quantity, proportion, distribution"),
    ],
)
def test_impossible_parameters_are_refused_with_their_names(parameters, said):
    with pytest.raises(BadParameters, match=said):
        parse(PositiveUnlabeled.Params, parameters, "PositiveUnlabeled#pu_0")
