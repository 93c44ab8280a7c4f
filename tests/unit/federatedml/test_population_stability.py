"""PSI: how far columns have moved, as FATE shows it, and what is refused."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from plain_parties import G, frame, kept
from scipy import sparse

from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.psi import PSI, PSIParam
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.params import parse
from federatedml.runner import run

BEFORE = np.array([[0.0, 1.5], [0.0, 2.5], [1.0, 3.5], [1.0, np.nan]])
AFTER = np.array([[0.0, 1.0], [0.0, 9.0], [0.0, np.nan], [1.0, np.nan]])


def ran(expected, actual, model=None, /, **params):
    """The model and what was reported."""
    ctx = Ctx(G, [G], None)
    ctx.name = "psi_0"
    component = PSI(parse(PSIParam, params, "PSI#psi_0"))
    data = {"train_data": expected, "validate_data": actual}
    given = {kind: [NamedData("b", "data", d)] for kind, d in data.items() if d is not None}
    outputs = run(component, ctx, Inputs(given, model=model))
    assert outputs.data == []
    return outputs.model, ctx.report


def test_the_model_has_fates_names_bins_and_texts(tmp_path):
    model, report = ran(frame(BEFORE, ["y", "x1"]), frame(AFTER, ["y", "x1"]), max_bin_num=3)
    fields = msgspec.to_builtins(model)
    assert fields["meta"] == {"maxBinNum": 3}
    assert fields["param"]["modelName"] == "psi"
    first, second = fields["param"]["featurePsi"]
    quarter = 0.25 * np.log(0.75 / 0.5)
    assert first == {
        "featureName": "y",
        "interval": ["y<=0.0", "0.0<y", "missing"],
        "expectPerc": [0.5, 0.5, 0.0],
        "actualPerc": [0.75, 0.25, 0.0],
        "psi": [round(quarter, 6), round(0.25 * np.log(2), 6), 0.0],
    }
    assert second["interval"] == ["x1<=1.5", "1.5<x1<=2.5", "2.5<x1", "missing"]
    assert second["expectPerc"] == [0.25] * 4
    assert second["actualPerc"] == [0.25, 0.0, 0.25, 0.5]
    scores = fields["param"]["totalScore"]
    assert report.told == {"psi_scores": scores}
    assert scores["y"] == pytest.approx(quarter + 0.25 * np.log(2))
    assert kept(PSI, model, tmp_path) == model


def test_columns_meet_by_name_whatever_their_order():
    expected, actual = frame(BEFORE, ["y", "x1"]), frame(AFTER[:, ::-1].copy(), ["x1", "y"])
    assert ran(expected, actual)[0] == ran(expected, frame(AFTER, ["y", "x1"]))[0]


def test_sparse_and_dense_tables_agree():
    dense = ran(frame(BEFORE), frame(AFTER))[0]
    assert ran(frame(sparse.csr_matrix(BEFORE)), frame(sparse.csr_matrix(AFTER)))[0] == dense


def test_a_value_may_stand_for_missing():
    model, _ = ran(frame(BEFORE), frame(AFTER), dense_missing_val="1")
    assert model.param.feature_psi[0].interval == ["c0", "missing"]
    assert model.param.feature_psi[0].expect_perc == [0.5, 0.5]
    assert (
        ran(frame(BEFORE), frame(AFTER), dense_missing_val="NA")[0]
        == ran(frame(BEFORE), frame(AFTER))[0]
    )


def test_other_columns_on_one_side_are_refused_with_the_names_others_may_see(caplog):
    with pytest.raises(BadData) as refusal:
        ran(frame(BEFORE, ["age", "income"]), frame(AFTER, ["age", "debt"]))
    said = str(refusal.value)
    assert "validate_data lacks guest_9999_x1; train_data lacks guest_9999_x1" in said
    assert not any(name in said for name in ("age", "income", "debt"))
    assert "'income'" in caplog.text
    assert "'debt'" in caplog.text


def test_a_column_without_expected_values_is_refused(caplog):
    none = np.column_stack([BEFORE[:, 0], np.full(4, np.nan)])
    with pytest.raises(BadData, match="no value in guest_9999_x1 of train_data"):
        ran(frame(none, ["age", "income"]), frame(AFTER, ["age", "income"]))
    assert "'income'" in caplog.text
    model, _ = ran(frame(BEFORE), frame(none))
    assert model.param.feature_psi[1].actual_perc[-1] == 1.0


def test_a_constant_column_that_moves_up_is_one_open_bin_as_in_fate():
    model, _ = ran(frame(np.full((3, 1), 5.0)), frame(np.full((3, 1), 7.0)))
    assert model.param.feature_psi[0].interval == ["c0", "missing"]
    assert model.param.total_score == {"c0": 0.0}


@pytest.mark.parametrize("side", ["train_data", "validate_data"])
def test_tables_that_are_not_there_or_empty_are_refused(side):
    full, empty = frame(BEFORE), frame(BEFORE[:0])
    with pytest.raises(BadData, match=f"{side} has 0 rows"):
        ran(*((empty, full) if side == "train_data" else (full, empty)))
    if side == "validate_data":
        with pytest.raises(BadData, match=r"needs instances.*as validate_data"):
            ran(full, None)


def test_text_and_twins_are_refused():
    words = frame(BEFORE, ["a", "city"], {"city": pa.array(list("abcd"))})
    with pytest.raises(BadData, match="guest_9999_x1 of train_data is text"):
        ran(words, frame(AFTER, ["a", "city"]))
    with pytest.raises(BadData, match="same name"):
        ran(frame(BEFORE, ["a", "a"]), frame(AFTER, ["a", "a"]))


@pytest.mark.parametrize("params", [{"max_bin_num": 0}, {"max_bin_num": 70_000}])
def test_impossible_numbers_of_bins_are_refused(params):
    with pytest.raises(BadParameters, match="max_bin_num"):
        parse(PSIParam, params, "PSI#psi_0")


def test_later_data_change_nothing():
    model, _ = ran(frame(BEFORE), frame(AFTER))
    ctx = Ctx(G, [G], None)
    given = Inputs({"data": [NamedData("b", "data", frame(AFTER))]}, model=model)
    assert run(PSI(PSIParam()), ctx, given).model is model
    with pytest.raises(BadModel, match="needs a model of PSI"):
        run(PSI(PSIParam()), ctx, Inputs(given.data, model=object()))
