"""FeatureImputation: equal to scikit-learn's SimpleImputer, numbers and text, sparse as dense."""

import json

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_parties import frame, kept, ran
from scipy import sparse
from sklearn.impute import SimpleImputer

from federatedml.components.feature_imputation import FeatureImputation
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.maths.imputation import typical

TWINS = {"mean": "mean", "median": "median", "mode": "most_frequent"}


def table(seed, n=30):
    """Skewed, constant and categorical columns, each with missing values and some without any."""
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [
            rng.lognormal(sigma=3, size=n),
            np.full(n, rng.normal()),
            rng.integers(-2, 3, size=n),
            rng.normal(size=n),
        ]
    )
    x[:, :3][rng.random((n, 3)) < 0.3] = np.nan
    x[0] = [1, 2, 3, 4]
    return x


def dense(x):
    return x.toarray() if sparse.issparse(x) else x


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(TWINS)))
def test_missing_values_are_filled_as_by_scikit_learn_then_and_later(seed, method):
    x, new = table(seed), table(seed + 1)
    twin = SimpleImputer(strategy=TWINS[method]).fit(x)
    found, model, _ = ran(FeatureImputation, frame(x), missing_fill_method=method)
    np.testing.assert_allclose(found.x, twin.transform(x), rtol=1e-12)
    later, _, _ = ran(FeatureImputation, frame(new), model)
    np.testing.assert_allclose(later.x, twin.transform(new), rtol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["min", "max"]))
def test_least_and_greatest_are_those_of_the_values_that_are_there(seed, method):
    x = table(seed)
    found, _, _ = ran(FeatureImputation, frame(x), missing_fill_method=method)
    there = getattr(np, f"nan{method}")(x, axis=0)
    np.testing.assert_array_equal(found.x, np.where(np.isnan(x), there, x))


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["min", "max", "mean", "median", "mode", "designated"]),
    st.sampled_from([None, [1], [0, 2], [-1]]),
)
def test_a_sparse_table_is_filled_as_its_dense_twin(seed, method, declared):
    rng = np.random.default_rng(seed)
    x = np.round(table(seed) * (rng.random((30, 4)) < 0.5))
    x[:2] = [[5, 6, 7, 8], [9, 5, 6, 7]]
    given = {"missing_fill_method": method, "missing_impute": declared, "default_value": 3}
    one, model, _ = ran(FeatureImputation, frame(x), **given)
    other, again, _ = ran(FeatureImputation, frame(sparse.csr_matrix(x)), **given)
    np.testing.assert_allclose(dense(other.x), one.x, rtol=1e-12)
    assert sparse.issparse(other.x) == (declared != [0, 2])
    assert again.param.imputer_param.missing_value_ratio == (
        model.param.imputer_param.missing_value_ratio
    )
    other, _, _ = ran(FeatureImputation, frame(sparse.csr_matrix(x)), model)
    np.testing.assert_allclose(dense(other.x), one.x, rtol=1e-12)


@given(st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 5.0]), min_size=1, max_size=12))
def test_counted_zeros_are_worth_what_stored_ones_are(values):
    column = np.array(values)
    stored = column[column != 0]
    for statistic in ("min", "max", "mean", "median", "mode"):
        wanted = typical(column, 0, statistic)
        assert typical(stored, len(column) - len(stored), statistic) == pytest.approx(wanted)


def test_declared_values_count_as_missing_beside_empty_cells():
    x = np.array([[0.0, 1], [3, np.nan], [7, 5]])
    found, model, report = ran(
        FeatureImputation, frame(x), missing_fill_method="max", missing_impute=[0, "7", "none"]
    )
    assert found.x.tolist() == [[3, 1], [3, 5], [3, 5]]
    assert report.told["missing_value"] == [0, "7", "none"]
    assert report.told["missing_impute_rate"] == {"c0": 2 / 3, "c1": 1 / 3}
    meta = model.meta.imputer_meta
    assert (meta.missing_value, meta.missing_value_type) == (
        ["0", "7", "none"], ["int", "str", "str"],
    )  # fmt: skip
    later, _, _ = ran(FeatureImputation, frame(np.array([[7.0, 7], [np.nan, 0]])), model)
    assert later.x.tolist() == [[3, 5], [3, 5]]


def test_each_column_has_its_method_and_one_without_stays_as_it_is(tmp_path):
    x = np.array([[1.0, 0, 3, np.nan], [2, 5, np.nan, 1]])
    found, model, report = ran(
        FeatureImputation,
        frame(x),
        col_missing_fill_method={"c1": "designated", "c0": "min"},
        missing_impute=[0],
        default_value=42,
    )
    np.testing.assert_array_equal(found.x, [[1, 42, 3, np.nan], [2, 5, np.nan, 1]])
    shown = msgspec.to_builtins(model)
    assert shown == {
        "meta": {
            "needRun": True,
            "imputerMeta": {
                "isImputer": True, "strategy": "", "missingValue": ["0"],
                "missingValueType": ["int"], "colsStrategy": {"c1": "designated", "c0": "min"},
            },
        },
        "param": {
            "header": ["c0", "c1", "c2", "c3"],
            "imputerParam": {
                "missingReplaceValue": {"c0": "1.0", "c1": "42"},
                "missingValueRatio": {"c0": 0.0, "c1": 0.5, "c2": 0.0, "c3": 0.0},
                "missingReplaceValueType": {"c0": "float", "c1": "int"},
                "skipCols": ["c2", "c3"],
                "colsReplaceMethod": {
                    "c0": "min", "c1": "designated", "c2": "None", "c3": "None",
                },
            },
        },
    }  # fmt: skip
    assert kept(FeatureImputation, model, tmp_path) == model
    assert report.told == {
        "missing_value": [0],
        "missing_impute_value": {"c0": 1.0, "c1": 42, "c2": 0, "c3": 0},
        "missing_impute_rate": {"c0": 0.0, "c1": 0.5, "c2": 0.0, "c3": 0.0},
        "skip_cols": ["c2", "c3"],
    }
    json.dumps(report.told, allow_nan=False)
    assert report.metrics == {}
    others, again, _ = ran(
        FeatureImputation,
        frame(x),
        missing_fill_method="max",
        col_missing_fill_method={"c1": None},
    )
    np.testing.assert_array_equal(others.x, [[1, 0, 3, 1], [2, 5, 3, 1]])
    assert again.param.imputer_param.skip_cols == ["c1"]


def test_without_declared_values_fates_words_are_missing_texts():
    words = pa.array(["none", "a", "b", "b", None, "", "nan", "None"])
    x = np.column_stack([np.full(8, np.nan), np.arange(8.0)])
    given = frame(x, ["word", "number"], {"word": words})
    found, model, _ = ran(FeatureImputation, given, missing_fill_method="mode")
    assert found.texts["word"].to_pylist() == ["b", "a", "b", "b", "b", "b", "b", "b"]
    assert np.isnan(found.x[:, 0]).all()
    assert model.param.imputer_param.missing_value_ratio == {"word": 5 / 8, "number": 0.0}
    assert model.param.imputer_param.missing_replace_value_type["word"] == "str"
    assert model.meta.imputer_meta.missing_value == ["", "none", "null", "na", "None", "nan"]
    new = frame(x[:2], ["word", "number"], {"word": pa.array(["null", "zz"])})
    later, _, _ = ran(FeatureImputation, new, model)
    assert later.texts["word"].to_pylist() == ["b", "zz"]


def test_text_takes_a_designated_word_and_other_texts_stay():
    texts = {"w": pa.array(["?", "a"]), "v": pa.array(["?", "b"])}
    given = frame(np.full((2, 2), np.nan), ["w", "v"], texts)
    found, _, _ = ran(
        FeatureImputation,
        given,
        col_missing_fill_method={"w": "designated"},
        missing_impute=["?"],
        default_value="other",
    )
    assert found.texts.to_pydict() == {"w": ["other", "a"], "v": ["?", "b"]}


def test_the_least_of_equally_frequent_texts_is_the_mode():
    given = frame(np.full((5, 1), np.nan), ["w"], {"w": pa.array(["b", "a", "b", "a", None])})
    found, _, _ = ran(FeatureImputation, given, missing_fill_method="mode")
    assert found.texts["w"].to_pylist()[-1] == "a"


def test_a_list_of_defaults_goes_by_the_columns_place():
    x = np.array([[np.nan, np.nan, 3.0]])
    how = {"c0": "designated", "c1": "designated"}
    found, _, _ = ran(
        FeatureImputation, frame(x), col_missing_fill_method=how, default_value=[1, 2.5, 3]
    )
    assert found.x.tolist() == [[1, 2.5, 3]]


def test_nothing_to_do_leaves_the_table_as_it_is():
    x = np.array([[np.nan, 0.0]])
    found, model, _ = ran(FeatureImputation, frame(x))
    np.testing.assert_array_equal(found.x, x)
    assert model.param.imputer_param.skip_cols == ["c0", "c1"]


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"missing_fill_method": "average"}, "allowed: min, max, mean, median, mode, designated"),
        ({"col_missing_fill_method": {"c0": "avg"}}, "col_missing_fill_method"),
        ({"col_missing_fill_method": {"c7": "min"}}, "no column 'c7'"),
        (
            {"missing_fill_method": "designated", "default_value": [1, 2]},
            "default_value has 2 values and this party's data 3 columns",
        ),
        (
            {"missing_fill_method": "designated", "default_value": "none"},
            "default_value is no number, and guest_9999_x0 is a column of numbers",
        ),
    ],
)
def test_impossible_parameters_are_refused(params, said):
    with pytest.raises(BadParameters, match=said):
        ran(FeatureImputation, frame(np.eye(3)), **params)


@pytest.mark.parametrize("method", ["min", "max", "mean", "median", "mode"])
def test_a_column_without_a_value_is_named_to_others_by_its_anonymous_name(method, caplog):
    x = np.array([[1.0, np.nan], [2, np.nan]])
    for matrix in (x, sparse.csr_matrix(x)):
        with pytest.raises(BadData, match=r"part_0: no values.* in guest_9999_x1; .*designated"):
            ran(FeatureImputation, frame(matrix), missing_fill_method=method)
    assert "guest_9999_x1 is 'c1'" in caplog.text
    found, _, _ = ran(
        FeatureImputation,
        frame(x),
        missing_fill_method=method,
        col_missing_fill_method={"c1": "designated"},
    )
    assert found.x.tolist() == [[1, 0], [2, 0]]


def test_other_tables_that_cannot_be_filled_are_refused():
    words = frame(np.full((2, 1), np.nan), ["w"], {"w": pa.array(["u", "v"])})
    with pytest.raises(BadData, match="guest_9999_x0 is text, which has no min, max"):
        ran(FeatureImputation, words, missing_fill_method="mean")
    with pytest.raises(BadData, match="have the same name"):
        ran(FeatureImputation, frame(np.eye(2), ["a", "a"]), missing_fill_method="mean")
    with pytest.raises(BadData, match="infinite"):
        ran(FeatureImputation, frame(np.array([[np.inf]])), missing_fill_method="mean")
    with pytest.raises(BadData, match="no values"):
        ran(FeatureImputation, frame(np.empty((0, 1))), missing_fill_method="mean")


def test_a_model_that_does_not_fit_the_rows_is_refused(caplog):
    words = frame(np.full((2, 1), np.nan), ["w"], {"w": pa.array(["u", "v"])})
    _, model, _ = ran(FeatureImputation, words, missing_fill_method="mode")
    with pytest.raises(BadModel, match="was text in training and holds numbers now"):
        ran(FeatureImputation, frame(np.eye(1), ["w"]), model)
    with pytest.raises(BadModel, match="lacks 1 of the 1 columns"):
        ran(FeatureImputation, frame(np.eye(1), ["v"]), model)
    assert "'w'" in caplog.text
    with pytest.raises(BadModel, match="needs a model of FeatureImputation"):
        ran(FeatureImputation, words, object())
