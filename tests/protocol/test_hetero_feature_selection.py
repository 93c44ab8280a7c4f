"""HeteroFeatureSelection: as pandas would choose, nothing undeclared, models as FATE's."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from tests.protocol.selection_parties import (
    BANK,
    SHOP,
    G,
    anonymous,
    binning,
    boosting,
    frames,
    iv_of,
    left,
    params,
    pearson,
    played,
    psi,
    statistics,
)


def twin(data, values, filter_type, threshold, take_high=True, host_thresholds=None):
    """What pandas leaves of all parties' columns, and of each at least the best."""
    pooled = pd.DataFrame(
        [
            (me, name, value)
            for me in data
            for name, value in zip(data[me].schema.header, values[me], strict=True)
        ],
        columns=["party", "name", "value"],
    )
    better = pooled["value"] if take_high else -pooled["value"]
    if filter_type == "threshold":
        limit = pooled["party"].map(lambda me: (host_thresholds or {}).get(me, threshold))
        kept = better >= (limit if take_high else -limit)
    else:
        k = threshold if filter_type == "top_k" else math.ceil(round(threshold * len(pooled), 9))
        kept = better.rank(method="first", ascending=False) <= k
    found = {}
    for me in data:
        own = pooled[kept & (pooled["party"] == me)]["name"].tolist()
        rest = pooled[pooled["party"] == me]
        found[me] = own or [rest.loc[better[rest.index].idxmax(), "name"]]
    return found


# Filters by IV, for all parties at once.


@pytest.mark.parametrize("hosts", [(BANK,), (BANK, SHOP)])
@pytest.mark.parametrize(
    ("filter_type", "threshold"), [("threshold", 0.5), ("top_k", 4), ("top_percentile", 0.3)]
)
@pytest.mark.parametrize("take_high", [True, False])
def test_all_parties_columns_are_filtered_together_by_iv(hosts, filter_type, threshold, take_high):
    data = frames({G: 4, **dict.fromkeys(hosts, 5)})
    rng = np.random.default_rng(3)
    values = {me: rng.random(frame.n_features).tolist() for me, frame in data.items()}
    p = params(
        filter_methods=["iv_filter"],
        iv_param={"filter_type": filter_type, "threshold": threshold, "take_high": take_high},
    )
    results, _ = played(p, data, iv_of(data, values))
    assert left(results) == twin(data, values, filter_type, threshold, take_high)
    for me, (outputs, _) in results.items():
        at = [data[me].schema.header.index(name) for name in left(results)[me]]
        np.testing.assert_array_equal(outputs.data[0].x, data[me].x[:, at])
        kept = [data[me].schema.anonymous_header[i] for i in at]
        assert outputs.data[0].schema.anonymous_header == kept


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    n=st.lists(st.integers(1, 6), min_size=3, max_size=3),
    seed=st.integers(0, 2**31),
    rule=st.sampled_from(
        [("threshold", 0.0), ("threshold", 3), ("top_k", 1), ("top_k", 9), ("top_percentile", 0.7)]
    ),
    take_high=st.booleans(),
)
def test_random_ivs_with_ties_are_filtered_as_pandas_does(n, seed, rule, take_high):
    data = frames(dict(zip([G, BANK, SHOP], n, strict=True)), n=3)
    rng = np.random.default_rng(seed)
    values = {me: rng.integers(0, 5, frame.n_features).tolist() for me, frame in data.items()}
    p = params(
        filter_methods=["iv_filter"],
        iv_param={"filter_type": rule[0], "threshold": rule[1], "take_high": take_high},
    )
    results, _ = played(p, data, iv_of(data, values))
    assert left(results) == twin(data, values, *rule, take_high)


def test_hosts_may_have_thresholds_of_their_own():
    data = frames({G: 2, BANK: 2, SHOP: 2})
    values = {G: [0.1, 0.5], BANK: [0.1, 0.5], SHOP: [0.1, 0.5]}
    for thresholds, of in (
        ([0.05, None], {BANK: 0.05, SHOP: 0.3}),
        (0.05, {BANK: 0.05, SHOP: 0.05}),
        (None, {}),
    ):
        p = params(
            filter_methods=["iv_value_thres"],
            iv_value_param={"value_threshold": 0.3, "host_thresholds": thresholds},
        )
        results, _ = played(p, data, iv_of(data, values))
        assert left(results) == twin(data, values, "threshold", 0.3, host_thresholds=of)


def test_each_metric_of_a_list_is_a_filter_of_its_own():
    data = frames({G: 4, BANK: 4})
    values = {G: [0.02, 0.2, 0.3, 0.9], BANK: [0.1, 0.2, 0.8, 0.7]}
    p = params(
        filter_methods=["iv_filter"],
        iv_param={
            "metrics": ["iv", "iv", "iv"],
            "filter_type": ["threshold", "top_k", "top_percentile"],
            "threshold": [0.03, 5, 0.7],
            "host_thresholds": [[0.15], None, None],
        },
    )
    results, _ = played(p, data, iv_of(data, values))
    # 0.2, 0.3, 0.9 and 0.2, 0.8, 0.7; five of them, ties to the guest; ceil(0.7 * 5) of these.
    assert left(results) == {G: ["a2", "a3"], BANK: ["b2", "b3"]}
    names = [r.filter_name for r in results[G][0].model.param.results]
    assert names == ["iv_threshold", "iv_top_k", "iv_top_percentile"]


@pytest.mark.parametrize(
    ("merge", "wanted"), [("average", ["a0"]), ("min", ["a1"]), ("max", ["a2"])]
)
def test_ivs_of_several_labels_become_one(merge, wanted):
    """FATE's min is its max."""
    data = frames({G: 3, BANK: 3})
    labelled = [[0.0, 0.6, 0.6], [0.3, 0.3, 0.3], [0.0, 0.0, 0.9]]
    p = params(
        filter_methods=["iv_filter"],
        iv_param={"filter_type": "top_k", "threshold": 1, "mul_class_merge_type": merge},
    )
    results, _ = played(p, data, iv_of(data, {G: labelled, BANK: labelled}))
    assert left(results)[G] == wanted
    merged = {"average": np.mean, "min": np.min, "max": np.max}[merge](labelled, axis=1)
    shown = results[G][0].model.param.results[0]
    assert shown.feature_values == pytest.approx(dict(zip(["a0", "a1", "a2"], merged, strict=True)))
    assert shown.host_feature_values[0].feature_values == pytest.approx(
        dict(zip(anonymous(BANK, 3), merged, strict=True))
    )


@pytest.mark.parametrize(
    ("method", "given"),
    [
        ("iv_filter", {"iv_param": {"threshold": 0.5, "select_federated": False}}),
        ("iv_value_thres", {"iv_value_param": {"value_threshold": 0.5, "local_only": True}}),
        (
            "iv_percentile",
            {"iv_percentile_param": {"percentile_threshold": 0.5, "local_only": True}},
        ),
        ("iv_top_k", {"iv_top_k_param": {"k": 1, "local_only": True}}),
    ],
)
def test_filters_by_iv_that_are_local_are_for_the_guest_alone(method, given):
    data = frames({G: 2, BANK: 2})
    values = {G: [0.1, 0.9], BANK: [0.1, 0.9]}
    results, transcript = played(
        params(filter_methods=[method], **given), data, iv_of(data, values)
    )
    assert left(results) == {G: ["a1"], BANK: ["b0", "b1"]}
    assert {s.message for s in transcript} == {"agreement.settings"}


# Filters of each party by itself.


def test_statistics_filter_each_partys_own_columns():
    data = frames({G: 3, BANK: 2})
    models = {
        G: {"s_0": statistics(mean={"a0": 1.0, "a1": 2.0, "a2": "NaN"})},
        BANK: {"s_0": statistics(mean={"b0": 3.0, "b1": 0.0})},
    }
    p = params(filter_methods=["statistic_filter"], statistic_param={"threshold": 1.5})
    results, transcript = played(p, data, models)
    assert left(results) == {G: ["a1"], BANK: ["b0"]}
    assert {s.message for s in transcript} == {"agreement.settings"}
    shown = results[G][0].model.param.results[0]
    assert (shown.filter_name, shown.feature_values) == ("mean", {"a0": 1.0, "a1": 2.0})


def test_a_list_of_statistics_is_applied_one_after_the_other():
    data = frames({G: 4})
    models = {
        G: {
            "s_0": statistics(
                skewness={"a0": -11.0, "a1": 0.0, "a2": 11.0, "a3": 1.0},
                median={"a0": 0.0, "a1": 0.0, "a2": 0.0, "a3": -2.0},
            )
        }
    }
    p = params(
        filter_methods=["statistic_filter"],
        statistic_param={
            "metrics": ["skewness", "skewness", "median"],
            "take_high": [True, False, True],
            "threshold": [-10, 10, -1.5],
        },
    )
    results, _ = played(p, data, models)
    assert left(results) == {G: ["a1"]}
    assert list(results[G][1].told) == ["skewness", "skewness_2", "median", "all"]
    assert results[G][1].told["skewness_2"] == {
        "last_col_nums": 3, "left_col_nums": 2, "left_col_names": ["a1", "a3"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "given", "measures"),
    [
        ("unique_value", {"unique_param": {"eps": 0.5}}, {"stddev": [0.4, 0.5, 2.0]}),
        (
            "coefficient_of_variation_value_thres",
            {"variance_coe_param": {"value_threshold": 0.3}},
            {"coefficient_of_variance": [0.1, 0.3, 9.0]},
        ),
        (
            "outlier_cols",
            {"outlier_param": {"percentile": 0.95, "upper_threshold": 2.0}},
            {"95%": [2.1, 2.0, -5.0]},
        ),
    ],
)
def test_fates_old_filters_go_by_statistics(method, given, measures):
    data = frames({G: 3})
    of = {name: dict(zip(["a0", "a1", "a2"], v, strict=True)) for name, v in measures.items()}
    models = {G: {"s_0": statistics(**of)}}
    results, _ = played(params(filter_methods=[method], **given), data, models)
    assert left(results) == {G: ["a1", "a2"]}
    assert results[G][0].model.param.results[0].filter_name == method


def test_psi_vif_and_importance_have_their_filters():
    data = frames({G: 5, BANK: 5})
    trees = [("guest:9999", "a4", 9.0), ("guest:9999", "a3", 2.0), ("host:10000", "a0", 50.0)]
    theirs = [("hostLocal", "b1", 3.0)]
    models = {
        me: {
            "psi_0": psi({f"{c}{i}": v for i, v in enumerate([0.1, 0.1, 0.5, 0.1, 0.1])}),
            "pearson_0": pearson(
                me, [f"{c}{i}" for i in range(5)], np.eye(5), vif=[1, 9, 1, 5, np.nan]
            ),
            "sbt_0": boosting([f"{c}{i}" for i in range(5)], importances),
        }
        for me, c, importances in ((G, "a", trees), (BANK, "b", theirs))
    }
    wanted = {
        "psi_filter": ({"psi_param": {"threshold": 0.2}}, "0134", "0134"),
        "vif_filter": ({}, "023", "023"),
        "hetero_sbt_filter": ({"sbt_param": {"threshold": 2}}, "34", "1"),
    }
    for method, (more, mine, others) in wanted.items():
        results, _ = played(params(filter_methods=[method], **more), data, models)
        assert left(results) == {G: [f"a{i}" for i in mine], BANK: [f"b{i}" for i in others]}


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("homo_sbt_filter", "homo_sbt"),
        ("hetero_fast_sbt_filter", "hetero_fast_sbt_mix"),
        ("hetero_fast_sbt_filter", "hetero_fast_sbt_layered"),
    ],
)
def test_every_kind_of_boosting_has_a_filter(method, kind):
    data = frames({G: 3})
    site = "host:10000" if kind == "homo_sbt" else "guest:9999"
    models = {G: {"sbt_0": boosting(["a0", "a1", "a2"], [(site, "a2", 4.0)], kind)}}
    results, _ = played(params(filter_methods=[method]), data, models)
    assert left(results) == {G: ["a2"]}


def test_columns_of_which_too_many_rows_have_one_value_go():
    data = frames({G: 4}, n=20)
    x = data[G].x
    x[:11, 1], x[:10, 2], x[:15, 3] = 7.0, 7.0, np.nan
    x[:6, 0] = 1 + 1e-10 * np.arange(6)
    p = params(filter_methods=["percentage_value"], percentage_value_param={"upper_pct": 0.5})
    results, _ = played(p, data)
    assert left(results) == {G: ["a0", "a2"]}
    shown = results[G][0].model.param.results[0].feature_values
    assert shown == {"a0": 0.3, "a1": 0.55, "a2": 0.5, "a3": 0.75}


# Correlation.


def correlated(seed, k=4, m=3):
    """Correlations of k columns of the guest and m of the host, and models that tell them."""
    whole = np.corrcoef(np.random.default_rng(seed).normal(size=(k + m, 6)))
    mine, theirs = whole[:k, :k], whole[k:, k:]
    names = [f"a{i}" for i in range(k)], [f"b{i}" for i in range(m)]
    models = {
        G: {"p_0": pearson(G, names[0], mine, anonymous(BANK, m), whole[:k, k:])},
        BANK: {"p_0": pearson(BANK, names[1], theirs, anonymous(G, k), whole[:k, k:])},
    }
    return pd.DataFrame(whole, names[0] + names[1], names[0] + names[1]), models


def greedy(corr, iv, threshold):
    kept = []
    for name in iv.sort_values(ascending=False, kind="stable").index:
        if not (corr.loc[name, kept].abs() > threshold).any():
            kept.append(name)
    return kept


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**31), threshold=st.sampled_from([0.1, 0.3, 0.6, 0.9]))
def test_of_columns_that_correlate_the_one_with_more_iv_stays(seed, threshold):
    data = frames({G: 4, BANK: 3}, n=3)
    corr, models = correlated(seed)
    iv = pd.Series(np.random.default_rng(seed).integers(0, 6, 7), corr.index)
    models[G] |= iv_of(data, {G: iv[:4].tolist(), BANK: iv[4:].tolist()})[G]
    p = params(filter_methods=["correlation_filter"], correlation_param={"threshold": threshold})
    results, _ = played(p, data, models)
    kept = greedy(corr, iv, threshold)
    own = {me: [n for n in data[me].schema.header if n in kept] for me in data}
    for me, part in ((G, iv[:4]), (BANK, iv[4:])):
        own[me] = own[me] or [part.idxmax()]
    assert left(results) == own
    shown = results[G][0].model.param.results[0]
    theirs = {f"b{n[-1]}": v for n, v in shown.host_feature_values[0].feature_values.items()}
    for name, value in (shown.feature_values | theirs).items():
        better = [n for n in kept if iv.index.get_loc(n) != iv.index.get_loc(name)]
        assert (value == 0.0) == (name in kept)
        assert value == 0.0 or np.isclose(corr.loc[name, better], value).any()


def test_correlation_may_be_the_guests_own_affair():
    data = frames({G: 4, BANK: 3})
    corr, models = correlated(1)
    iv = pd.Series([4.0, 3.0, 2.0, 1.0], corr.index[:4])
    models[G] |= iv_of(data, {G: iv.tolist(), BANK: [1.0, 1.0, 1.0]})[G]
    p = params(
        filter_methods=["correlation_filter"],
        correlation_param={"threshold": 0.3, "select_federated": False},
    )
    results, transcript = played(p, data, models)
    kept = greedy(corr.iloc[:4, :4], iv, 0.3)
    assert left(results) == {G: sorted(kept), BANK: ["b0", "b1", "b2"]}
    assert {s.message for s in transcript} == {"agreement.settings"}


def test_correlation_works_for_a_party_without_selected_columns():
    _, models = correlated(2)
    data = frames({G: 4, BANK: 3})
    models[G] |= iv_of(data, {G: [0.5] * 4, BANK: [0.5] * 3})[G]
    every = {"filter_methods": ["correlation_filter"], "correlation_param": {"threshold": 0.0}}
    p = {me: params(**every) for me in data}
    for none in data:
        chosen = p | {none: params(select_col_indexes=[], **every)}
        results, _ = played(chosen, data, models)
        (other,) = set(data) - {none}
        assert left(results) == {
            none: data[none].schema.header, other: data[other].schema.header[:1],
        }  # fmt: skip


# By hand, and which columns filters are for.


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"filter_out_indexes": [1]}, ["a0", "a2", "a3"]),
        ({"filter_out_names": ["a0"], "filter_out_indexes": [1]}, ["a2", "a3"]),
        ({"left_col_indexes": [3]}, ["a3"]),
        ({"left_col_names": ["a2"], "left_col_indexes": [0]}, ["a0", "a2"]),
        ({}, ["a0", "a1", "a2", "a3"]),
        ({"filter_out_indexes": None, "filter_out_names": None}, ["a0", "a1", "a2", "a3"]),
    ],
)
def test_columns_are_chosen_by_hand(given, wanted):
    results, _ = played(params(manually_param=given), frames({G: 4}))
    assert left(results) == {G: wanted}


def test_names_may_be_anonymous():
    data = frames({G: 2, BANK: 4})
    p = {
        G: params(),
        BANK: params(use_anonymous=True, manually_param={"filter_out_names": ["host_10000_x3"]}),
    }
    results, _ = played(p, data)
    assert left(results) == {G: ["a0", "a1"], BANK: ["b0", "b1", "b2"]}
    p[BANK] = params(
        use_anonymous=True,
        select_col_indexes=[],
        select_names=["host_10000_x1", "host_10000_x0"],
        manually_param={"left_col_names": ["host_10000_x1"]},
    )
    results, _ = played(p, data)
    assert left(results)[BANK] == ["b1", "b2", "b3"]
    assert results[BANK][0].model.meta.cols == ["b0", "b1"]
    assert results[BANK][0].model.param.col_names == ["b1", "b2", "b3", "b0"]


def test_columns_that_are_not_selected_stay():
    data = frames({G: 3, BANK: 3})
    values = {G: [0.0, 0.9, 0.0], BANK: [0.0, 0.9, 0.0]}
    common = {"filter_methods": ["iv_top_k"], "iv_top_k_param": {"k": 1}}
    p = {
        G: params(select_col_indexes=[0], **common),
        BANK: params(select_col_indexes=None, select_names=["b1", "b2"], **common),
    }
    results, _ = played(p, data, iv_of(data, values))
    assert left(results) == {G: ["a1", "a2"], BANK: ["b0", "b1"]}
    counts = results[BANK][1].told["iv_top_k"]
    assert (counts["last_col_nums"], counts["left_col_nums"]) == (3, 2)


@pytest.mark.parametrize("none", [G, BANK])
def test_a_party_may_have_no_column_selected(none):
    data = frames({G: 2, BANK: 2})
    values = {G: [0.0, 0.9], BANK: [0.9, 0.0]}
    p = {
        me: params(
            filter_methods=["iv_filter"],
            iv_param={"threshold": 0.5},
            select_col_indexes=[] if me == none else -1,
        )
        for me in data
    }
    results, _ = played(p, data, iv_of(data, values))
    assert left(results) == {G: ["a1"], BANK: ["b0"]} | {none: data[none].schema.header}


def test_a_party_without_selected_columns_needs_no_models_of_its_own():
    data = frames({G: 2, BANK: 2})
    given = {"filter_methods": ["vif_filter", "percentage_value", "unique_value"]}
    p = {G: params(select_col_indexes=[], **given), BANK: params(**given)}
    theirs = {
        "p_0": pearson(BANK, ["b0", "b1"], np.eye(2), vif=[1.0, 9.0]),
        "s_0": statistics(stddev={"b0": 1.0, "b1": 1.0}),
    }
    results, _ = played(p, data, {BANK: theirs})
    assert left(results) == {G: ["a0", "a1"], BANK: ["b0"]}


def test_a_party_may_have_no_column_at_all():
    data = frames({G: 0, BANK: 2})
    p = params(filter_methods=["iv_filter"], iv_param={"threshold": 0.5})
    results, _ = played(p, data, iv_of(data, {G: [], BANK: [0.9, 0.0]}))
    assert left(results) == {G: [], BANK: ["b0"]}


def test_filters_run_in_the_order_that_was_given():
    data = frames({G: 4})
    models = {
        G: {
            "s_0": statistics(stddev={"a0": 1.0, "a1": 0.0, "a2": 1.0, "a3": 1.0}),
            "b_0": binning({"a0": 0.1, "a1": 0.9, "a2": 0.5, "a3": 0.3}),
        }
    }
    names = ["unique_value", "iv_top_k"]
    given = {"iv_top_k_param": {"k": 1, "local_only": True}}
    results, _ = played(params(filter_methods=names, **given), data, models)
    assert left(results) == {G: ["a2"]}
    results, _ = played(params(filter_methods=names[::-1], **given), data, models)
    assert left(results) == {G: ["a1"]}


def test_sparse_tables_stay_sparse_and_texts_go_with_their_columns():
    data = frames({G: 4})
    thin = replace(data[G], x=sparse.csr_matrix(data[G].x))
    p = params(
        filter_methods=["manually", "percentage_value"],
        manually_param={"filter_out_indexes": [0]},
        percentage_value_param={"upper_pct": 0.5},
    )
    found = played(p, {G: thin})[0][G][0].data[0]
    assert isinstance(found.x, sparse.csr_matrix)
    np.testing.assert_array_equal(found.x.toarray(), data[G].x[:, 1:])
    words = pa.table({"a0": ["u"] * 30, "a1": ["u"] * 16 + ["v"] * 14, "a2": ["u", "v"] * 15})
    worded = replace(data[G], texts=words)
    worded.x[:, :3] = np.nan
    found = played(p, {G: worded})[0][G][0].data[0]
    assert found.schema.header == ["a2", "a3"]
    assert found.texts.column_names == ["a2"]
