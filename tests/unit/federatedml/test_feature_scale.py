"""FeatureScale: equal to scikit-learn's scalers, sparse as dense; limits only where asked for."""

import json
import logging

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_parties import frame, kept, ran
from scipy import sparse
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, StandardScaler

from federatedml.components.feature_scale import FeatureScale
from federatedml.errors import BadData, BadModel, BadParameters


def table(seed, n=30):
    """Columns that are normal, skewed, constant, categorical, large, and partly missing."""
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [
            rng.normal(size=n),
            rng.lognormal(sigma=3, size=n),
            np.full(n, rng.normal()),
            rng.integers(0, 3, size=n),
            rng.normal(1e6, 10, size=n),
            rng.normal(size=n),
        ]
    )
    x[rng.random(n) < 0.3, 5] = np.nan
    x[0] = [0.5, 1, x[0, 2], 1, 1e6, 0.25]
    return x


def dense(x):
    return x.toarray() if sparse.issparse(x) else x


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_standard_scores_are_scikit_learns(seed, with_mean, with_std):
    x, new = table(seed), table(seed + 1)
    twin = StandardScaler(with_mean=with_mean, with_std=with_std).fit(x)
    found, model, _ = ran(FeatureScale, frame(x), with_mean=with_mean, with_std=with_std)
    np.testing.assert_allclose(found.x, twin.transform(x), rtol=1e-6, atol=1e-6)
    later, _, _ = ran(FeatureScale, frame(new), model)
    np.testing.assert_allclose(later.x, twin.transform(new), rtol=1e-6, atol=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_min_max_is_scikit_learns_and_new_rows_may_lie_outside(seed):
    x, new = table(seed), table(seed + 1)
    twin = MinMaxScaler().fit(x)
    found, model, _ = ran(FeatureScale, frame(x), method="min_max_scale")
    np.testing.assert_allclose(found.x, twin.transform(x), rtol=1e-9, atol=1e-9)
    later, _, _ = ran(FeatureScale, frame(new), model)
    np.testing.assert_allclose(later.x, twin.transform(new), rtol=1e-9, atol=1e-9)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.sampled_from(["standard_scale", "min_max_scale"]),
    st.sampled_from([{}, {"with_mean": False}, {"feat_upper": 0.5}, {"feat_lower": 0.2},
                     {"mode": "cap", "feat_upper": 0.8, "feat_lower": 0.1}]),
)  # fmt: skip
def test_a_sparse_table_is_scaled_as_its_dense_twin(seed, method, more):
    rng = np.random.default_rng(seed)
    x = table(seed) * (rng.random((30, 6)) < 0.4)
    new = table(seed + 1) * (rng.random((30, 6)) < 0.4)
    x[0] = 1.0
    one, model, _ = ran(FeatureScale, frame(x), method=method, **more)
    other, again, _ = ran(FeatureScale, frame(sparse.csr_matrix(x)), method=method, **more)
    np.testing.assert_allclose(dense(other.x), one.x, rtol=1e-9, atol=1e-12)
    assert again.meta == model.meta
    one, _, _ = ran(FeatureScale, frame(new), model)
    other, _, _ = ran(FeatureScale, frame(sparse.csr_matrix(new)), model)
    np.testing.assert_allclose(dense(other.x), one.x, rtol=1e-9, atol=1e-12)


def test_sparse_stays_sparse_where_a_zero_stays_zero():
    x = sparse.random(50, 8, 0.2, format="csr", random_state=1)
    found, _, _ = ran(FeatureScale, frame(x), with_mean=False)
    assert found.x.nnz == x.nnz
    found, _, _ = ran(FeatureScale, frame(x), method="min_max_scale")
    assert found.x.nnz == x.nnz
    np.testing.assert_allclose(found.x.toarray(), MaxAbsScaler().fit_transform(x.toarray()))
    found, _, _ = ran(FeatureScale, frame(x))
    assert not sparse.issparse(found.x)
    found, _, _ = ran(FeatureScale, frame(x), scale_col_indexes=[2])
    assert sparse.issparse(found.x)
    np.testing.assert_array_equal(found.x[:, 3].toarray(), x[:, 3].toarray())


@pytest.mark.parametrize("share", [(0.0, 1.0), (0.1, 0.9), (0.5, 0.5), (0.25, 1.0)])
def test_cap_limits_to_quantiles_of_the_training_rows_then_and_later(share):
    x = table(3)[:, [0, 1, 4]]
    limits = [np.quantile(x, q, axis=0, method="inverted_cdf") for q in share]
    capped = np.clip(x, *limits)
    more = {"mode": "cap", "feat_lower": share[0], "feat_upper": share[1]}
    found, model, _ = ran(FeatureScale, frame(x), method="min_max_scale", **more)
    twin = MinMaxScaler().fit(capped)
    np.testing.assert_allclose(found.x, twin.transform(capped), atol=1e-12)
    assert model.meta.mode == "cap"
    later, _, _ = ran(FeatureScale, frame(x * 3), model)
    np.testing.assert_allclose(later.x, twin.transform(np.clip(x * 3, *limits)), atol=1e-12)


def test_limits_are_applied_before_mean_and_deviation_and_again_at_transform():
    x = np.array([[0.0, 5], [10, 6], [20, 7]])
    limits = {"feat_upper": [12, None], "feat_lower": [1, None]}
    found, model, report = ran(FeatureScale, frame(x), **limits)
    limited = np.array([[1.0, 5], [10, 6], [12, 7]])
    np.testing.assert_allclose(found.x, StandardScaler().fit_transform(limited))
    assert report.told["c0"]["column_upper"] == 12.0
    assert report.told["c0"]["column_lower"] == 1.0
    assert model.meta.feat_upper == ["12", "None"]
    later, _, _ = ran(FeatureScale, frame(np.array([[100.0, 100.0]])), model)
    twin = StandardScaler().fit(limited)
    np.testing.assert_allclose(later.x, twin.transform([[12.0, 100.0]]))


def test_a_limit_beyond_the_training_rows_is_the_limit_of_later_rows():
    _, model, _ = ran(FeatureScale, frame(np.array([[0.0], [4.0]])), method="min_max_scale",
                      feat_upper=8)  # fmt: skip
    later, _, _ = ran(FeatureScale, frame(np.array([[6.0], [20.0]])), model)
    assert later.x.tolist() == [[1.5], [2.0]]


def test_transform_says_how_many_values_lie_beyond_training(caplog):
    _, model, _ = ran(FeatureScale, frame(np.array([[0.0, 1], [1, 2]])), feat_upper=[None, 2])
    with caplog.at_level(logging.WARNING):
        ran(FeatureScale, frame(np.array([[0.5, 1], [7, 9], [-1, 9]])), model)
    assert "scaled, not limited: 2 of 'c0'" in caplog.text
    assert "limited as asked for: 2 of 'c1'" in caplog.text


def test_columns_are_chosen_by_index_and_name_and_the_rest_stays():
    x = table(5)[:, [0, 1, 3, 4]]
    found, model, _ = ran(FeatureScale, frame(x), scale_col_indexes=[3], scale_names=["c1"])
    assert model.meta.scale_column == ["c1", "c3"]
    assert model.param.header == ["c0", "c1", "c2", "c3"]
    np.testing.assert_array_equal(found.x[:, [0, 2]], x[:, [0, 2]])
    np.testing.assert_allclose(found.x[:, 1].std(), 1.0)
    moved, _, _ = ran(FeatureScale, frame(x[:, [3, 1]], ["c3", "c1"]), model)
    np.testing.assert_allclose(moved.x, found.x[:, [3, 1]])


def test_the_model_has_fates_names_and_survives_its_file(tmp_path):
    x = np.array([[0.0, 3], [1, 3], [1, 3]])
    _, model, report = ran(FeatureScale, frame(x))
    shown = msgspec.to_builtins(model)
    assert shown["meta"] == {
        "method": "standard_scale", "mode": "", "area": "null", "scaleColumn": ["c0", "c1"],
        "featUpper": ["None", "None"], "featLower": ["None", "None"], "withMean": True,
        "withStd": True, "needRun": True,
    }  # fmt: skip
    assert shown["param"]["header"] == ["c0", "c1"]
    assert shown["param"]["colScaleParam"]["c1"] == {
        "columnUpper": 3.0, "columnLower": 3.0, "mean": 3.0, "std": 1.0,
    }  # fmt: skip
    assert kept(FeatureScale, model, tmp_path) == model
    method = ("SCALE", [], {"curve_name": "scale", "method": "standard_scale"})
    assert report.metrics == {("train", "scale"): method}
    assert set(report.told["c0"]) == {"column_upper", "column_lower", "mean", "std"}
    json.dumps(report.told, allow_nan=False)
    _, _, report = ran(FeatureScale, frame(x), model)
    assert (report.metrics, report.told) == ({("train", "scale"): method}, {})


def test_a_model_of_fates_without_limits_does_not_limit():
    _, model, _ = ran(FeatureScale, frame(np.array([[0.0], [2.0]])))
    model.meta.feat_upper, model.meta.feat_lower = [], []
    later, _, _ = ran(FeatureScale, frame(np.array([[9.0]])), model)
    assert later.x.tolist() == [[8.0]]


def test_constant_columns_become_zero_and_the_log_names_them(caplog):
    with caplog.at_level(logging.WARNING):
        found, _, _ = ran(FeatureScale, frame(np.full((5, 1), 1e12 + 0.1)))
    assert found.x.tolist() == [[0.0]] * 5
    assert "'c0'" in caplog.text


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"mode": "cap", "feat_upper": 2}, "share of values in mode cap"),
        ({"mode": "cap", "feat_upper": [1]}, "one number in mode cap"),
        ({"feat_upper": 1, "feat_lower": 2}, "feat_lower is above feat_upper"),
        ({"feat_upper": [1, None, 3], "feat_lower": [0, 9, 4]}, "feat_lower is above"),
        ({"feat_upper": float("inf")}, "finite"),
        ({"feat_upper": [1, 2]}, "feat_upper has 2 limits and this party's data 3 columns"),
        ({"method": "robust"}, "allowed: standard_scale, min_max_scale"),
        ({"scale_col_indexes": [7]}, "no column 7"),
        ({"scale_col_indexes": [-2]}, "scale_col_indexes"),
        ({"scale_names": ["c9"]}, "no column 'c9'"),
    ],
)
def test_impossible_parameters_are_refused(params, said):
    with pytest.raises(BadParameters, match=said):
        ran(FeatureScale, frame(np.eye(3)), **params)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (frame(np.array([[1.0, np.nan], [2, np.nan]])), "no value to scale by in guest_9999_x1;"),
        (frame(np.empty((0, 2))), "no value to scale by in guest_9999_x0, guest_9999_x1;"),
        (frame(np.array([[1.0, np.inf], [2, 0]])), "infinite or too large values in guest_9999_x1"),
        (frame(np.array([[-1.7e308], [1.7e308]])), "too large values in guest_9999_x0"),
        (frame(np.eye(2), ["a", "a"]), "guest_9999_x0, guest_9999_x1 have the same name"),
        (
            frame(np.full((2, 1), np.nan), ["a"], {"a": pa.array(["u", "v"])}),
            "guest_9999_x0 is text",
        ),
    ],
)
def test_columns_that_cannot_be_scaled_are_named_to_others_by_their_anonymous_names(
    data, said, caplog
):
    with pytest.raises(BadData, match=f"part_0: .*{said}"):
        ran(FeatureScale, data)
    assert f"is {data.schema.header[0]!r}" in caplog.text or "is 'c1'" in caplog.text


def test_rows_that_lack_a_column_or_a_model_of_something_else_are_refused(caplog):
    _, model, _ = ran(FeatureScale, frame(np.eye(3)))
    with pytest.raises(BadModel, match="lacks 1 of the 3 columns"):
        ran(FeatureScale, frame(np.eye(3)[:, :2]), model)
    assert "'c2'" in caplog.text
    with pytest.raises(BadData, match="guest_9999_x1, guest_9999_x2 have the same name"):
        ran(FeatureScale, frame(np.eye(4), ["c0", "c1", "c1", "c2"]), model)
    with pytest.raises(BadModel, match="needs a model of FeatureScale"):
        ran(FeatureScale, frame(np.eye(3)), object())
    with pytest.raises(BadData, match="takes instances"):
        ran(FeatureScale, None)
