"""HeteroFeatureBinning: equal to pandas on pooled columns, nothing undeclared, models as FATE's."""

from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federatedml.binning_model import BinningModel
from federatedml.maths import optimal_binning
from federation import codec
from tests.protocol.binning_parties import (
    BANK,
    SHOP,
    G,
    as_sparse,
    bins_of,
    check,
    columns,
    dense,
    frame,
    frames,
    labels,
    params,
    played,
    twin,
)

FORMS = {"dense": lambda x: x, "sparse": as_sparse}
HOSTS = {"one_host": (BANK,), "two_hosts": (BANK, SHOP)}
SCHEMES = {
    "lattice": {},
    "paillier": {"encrypt_param": {"method": "Paillier", "key_length": 256}},
    "ou": {"encrypt_param": {"method": "OU", "key_length": 512}},
}


def own_points(model):
    return {name: c.split_points for name, c in model.param.binning_result.binning_result.items()}


def check_all(
    results, data, event, results_of=lambda param: (param.binning_result, param.host_results)
):
    """The guest's model against twins of all parties' columns."""
    mine, theirs = results_of(results[G][0].model.param)
    points = own_points(results[G][0].model)
    x = dense(data[G])
    for j, name in enumerate(data[G].schema.header):
        if name in points:
            check(mine.binning_result[name], twin(x[:, j], points[name], event))
    hosts = [me for me in data if me != G]
    assert [(r.role, r.party_id) for r in theirs] == [("host", h.party_id) for h in hosts]
    for host, result in zip(hosts, theirs, strict=True):
        points, x = own_points(results[host][0].model), dense(data[host])
        wanted = {
            f"host_{host.party_id}_x{j}": twin(x[:, j], points[name], event)
            for j, name in enumerate(data[host].schema.header)
            if name in points
        }
        assert set(result.binning_result) == set(wanted)
        for name, rows in wanted.items():
            check(result.binning_result[name], rows)
            assert result.binning_result[name].split_points == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("hosts", HOSTS)
@pytest.mark.parametrize("form", FORMS)
def test_counts_woe_and_iv_of_all_columns_are_those_of_pooled_data(form, hosts, scheme):
    data = frames(hosts=HOSTS[hosts], pack=FORMS[form])
    results, _ = played(params(bin_num=4, **SCHEMES[scheme]), data)
    check_all(results, data, data[G].label == 1)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    n=st.integers(3, 60),
    seed=st.integers(0, 2**31),
    method=st.sampled_from(["quantile", "bucket"]),
    bin_num=st.integers(1, 7),
    form=st.sampled_from(list(FORMS)),
)
def test_random_tables_are_counted_as_pandas_counts_them(n, seed, method, bin_num, form):
    data = frames(n, pack=FORMS[form], seed=seed)
    if np.isnan(dense(data[G])[:, 0]).all() or np.isnan(dense(data[BANK])[:, 0]).all():
        return
    results, _ = played(params(method=method, bin_num=bin_num), data)
    check_all(results, data, data[G].label == 1)


@pytest.mark.parametrize("form", FORMS)
def test_values_are_replaced_by_numbers_of_bins(form):
    data = frames(pack=FORMS[form])
    results, _ = played(params(bin_num=4), data)
    for me in (G, BANK):
        points, x = own_points(results[me][0].model), dense(data[me])
        found = results[me][0].data[0]
        assert type(found.x) is type(data[me].x)
        wanted = [bins_of(x[:, j], points[name]) for j, name in enumerate(data[me].schema.header)]
        np.testing.assert_array_equal(dense(found), np.array(wanted).T)
        assert found.schema == data[me].schema


def test_only_columns_to_transform_are_replaced():
    data = frames()
    results, _ = played(
        params(transform_param={"transform_cols": [1], "transform_names": []}), data
    )
    for me in (G, BANK):
        found = results[me][0].data[0].x
        np.testing.assert_array_equal(found[:, [0, 2, 3, 4]], data[me].x[:, [0, 2, 3, 4]])
        assert set(np.unique(found[:, 1])) <= set(range(10))
    results, _ = played(params(transform_param={"transform_type": None}), data)
    np.testing.assert_array_equal(results[G][0].data[0].x, data[G].x)


def test_the_guest_may_put_woe_in_place_of_values():
    data = frames()
    p = {
        G: params(bin_num=4, transform_param={"transform_type": "woe", "transform_cols": [0, 1]}),
        BANK: params(bin_num=4),
    }
    results, _ = played(p, data)
    found, points = results[G][0].data[0].x, own_points(results[G][0].model)
    for j, name in enumerate(["g0", "g1"]):
        rows = twin(data[G].x[:, j], points[name], data[G].label == 1)
        np.testing.assert_allclose(
            found[:, j], rows["woe"].to_numpy()[bins_of(data[G].x[:, j], points[name])]
        )
    np.testing.assert_array_equal(found[:, 2:], data[G].x[:, 2:])


# Which columns, by which method; every party for itself.


def test_parties_may_bin_by_different_methods():
    data = frames(hosts=(BANK, SHOP))
    p = {
        G: params(method="quantile", bin_num=3),
        BANK: params(method="bucket", bin_num=4, bin_indexes=[0, 1]),
        SHOP: params(method="optimal", bin_num=3, bin_indexes=[4], bin_names=["h1"]),
    }
    results, _ = played(p, data)
    check_all(results, data, data[G].label == 1)
    points = {me: own_points(results[me][0].model) for me in data}
    assert len(points[G]) == 5
    assert list(points[BANK]) == ["h0", "h1"]
    assert list(points[SHOP]) == ["h1", "h4"]
    low, high = np.nanmin(data[BANK].x[:, 0]), np.nanmax(data[BANK].x[:, 0])
    np.testing.assert_allclose(points[BANK]["h0"], low + (high - low) / 4 * np.arange(1, 5))


def test_category_columns_have_a_bin_for_each_value():
    data = frames()
    p = {G: params(category_names=["g3"]), BANK: params(bin_indexes=[0], category_indexes=[3, 2])}
    results, _ = played(p, data)
    assert own_points(results[G][0].model)["g3"] == [0, 1, 2]
    assert own_points(results[BANK][0].model)["h3"] == [0, 1, 2]
    assert list(own_points(results[BANK][0].model)) == ["h0", "h2", "h3"]
    check_all(results, data, data[G].label == 1)


def test_split_points_may_be_given_by_index_and_by_name():
    data = frames(missing=False)
    p = {
        G: params(
            bin_indexes=[0, 1],
            split_points_by_index={"0": [0.0, 9.0]},
            split_points_by_col_name={"g1": [1.0, 2.0, 3.0]},
        ),
        BANK: params(
            method="optimal", split_points_by_col_name={f"h{i}": [0, 5] for i in range(5)}
        ),
    }
    results, _ = played(p, data)
    assert own_points(results[G][0].model) == {"g0": [0, 9], "g1": [1, 2, 3]}
    assert own_points(results[BANK][0].model)["h4"] == [0, 5]
    check_all(results, data, data[G].label == 1)


# Optimal binning.


def optimal(metric, **given):
    inner = {"metric_method": metric, "init_bin_nums": 12, "min_bin_pct": 0.1, **given}
    return {"method": "optimal", "bin_num": 4, "optimal_binning_param": inner}


@pytest.mark.parametrize("start", ["quantile", "bucket"])
@pytest.mark.parametrize("metric", ["iv", "gini", "chi-square", "ks"])
def test_a_hosts_buckets_are_merged_as_the_guest_would_merge_its_own(metric, start):
    """Both parties hold the same columns: they must end in the same bins."""
    n = 150
    x, label = columns(n, 4), labels(n, 4)
    data = {G: frame(x, "g", label), BANK: frame(x, "h")}
    results, _ = played(params(**optimal(metric, init_bucket_method=start)), data)
    check_all(results, data, label == 1)
    mine, theirs = (own_points(results[me][0].model) for me in (G, BANK))
    assert list(mine.values()) == list(theirs.values())
    assert 1 < max(map(len, mine.values())) <= 4
    param = results[G][0].model.param
    for own, other in zip(
        param.binning_result.binning_result.values(),
        param.host_results[0].binning_result.values(),
        strict=True,
    ):
        assert own.optimal_metric_array == other.optimal_metric_array
        assert len(own.optimal_metric_array) == len(own.split_points) - 1


def test_the_metric_array_tells_what_merging_neighbours_would_cost():
    data = frames(150, missing=False)
    p = params(**optimal("iv"))
    results, _ = played(p, data)
    shown = results[G][0].model.param.binning_result.binning_result["g0"]
    event, other = (
        np.array(a, dtype=np.int64) for a in (shown.event_count_array, shown.non_event_count_array)
    )
    costs = optimal_binning.neighbour_costs(event, other, p.rules)
    np.testing.assert_allclose(shown.optimal_metric_array, costs)


def test_a_host_keeps_its_own_number_of_bins_with_optimal_binning():
    """FATE's host tells the guest its number of first buckets in its place, and gets too many."""
    data = frames(300, missing=False)
    p = params(method="optimal", bin_num=3, optimal_binning_param={"min_bin_pct": 0.0})
    results, _ = played(p, data)
    model = results[BANK][0].model
    assert model.meta.bin_num == "3"
    assert max(len(points) for points in own_points(model).values()) == 3


def test_categories_are_not_merged():
    data = frames(150, missing=False)
    rng = np.random.default_rng(1)
    x = np.column_stack([rng.normal(size=150), rng.integers(0, 9, 150)])
    p = params(category_indexes=[1], **optimal("iv"))
    results, _ = played(p, {G: frame(x, "g", data[G].label), BANK: frame(x, "h")})
    for me in (G, BANK):
        free, category = own_points(results[me][0].model).values()
        assert len(free) <= 4
        assert category == list(range(9))


# Several classes.


@pytest.mark.parametrize("scheme", SCHEMES)
def test_of_several_labels_each_is_counted_beside_all_others(scheme):
    data = frames(hosts=(BANK, SHOP), n_classes=4)
    results, _ = played(params(bin_num=3, **SCHEMES[scheme]), data)
    outputs, report = results[G]
    shown = outputs.model.param.multi_class_result
    assert shown.labels == ["3", "2", "1", "0"]
    assert shown.has_host_result
    assert shown.host_party_ids == ["10000", "10001"]
    assert list(report.told) == shown.labels
    for i, label in enumerate([3, 2, 1, 0]):
        check_all(
            results,
            data,
            data[G].label == label,
            lambda param, i=i: (
                param.multi_class_result.results[i],
                param.multi_class_result.host_results[i::4],
            ),
        )
        told = report.told[str(label)]
        assert len(told["iv"]) == 15
        parties = [shown.results[i], *shown.host_results[i::4]]
        wanted = {n: c.woe_array for party in parties for n, c in party.binning_result.items()}
        assert told["woe"] == wanted
        assert [iv for _, iv in told["iv"]] == sorted((iv for _, iv in told["iv"]), reverse=True)
    check_all(results, data, data[G].label == 3)


def test_texts_may_be_labels():
    data = frames()
    words = np.where(data[G].label == 1, "yes", "no")
    named = replace(data[G], label=pa.array(words.tolist()))
    results, _ = played(params(), {**data, G: named})
    assert results[G][0].model.param.multi_class_result.labels == ["yes", "no"]
    check_all(results, data, data[G].label == 1)


# Without labels, or without others.


def test_skip_static_makes_bins_and_counts_nothing():
    data = frames()
    results, transcript = played(params(skip_static=True), data)
    assert {s.message.partition(".")[0] for s in transcript} == {"agreement"}
    for me in (G, BANK):
        model, told = results[me][0].model, results[me][1].told
        assert all(not c.woe_array for c in model.param.binning_result.binning_result.values())
        assert told == own_points(model)
        assert model.meta.skip_static


def test_local_only_counts_the_guests_columns_alone():
    data = frames()
    results, transcript = played(params(local_only=True), data)
    assert {s.message.partition(".")[0] for s in transcript} == {"agreement"}
    param = results[G][0].model.param
    assert not param.multi_class_result.has_host_result
    check_all({G: results[G]}, {G: data[G]}, data[G].label == 1)


def test_a_host_without_a_column_to_count_is_asked_nothing():
    data = frames()
    p = {G: params(), BANK: params(bin_indexes=[])}
    results, transcript = played(p, data)
    assert "label_sums.sealed_classes" not in {s.message for s in transcript}
    assert results[G][0].model.param.host_results[0].binning_result == {}
    constant = {G: params(), BANK: params(bin_indexes=[2])}
    results, transcript = played(constant, data)
    assert "label_sums.sealed_classes" not in {s.message for s in transcript}
    check_all(results, data, data[G].label == 1)


# Later data.


def restored(results):
    return {
        me: msgspec.json.decode(msgspec.json.encode(outputs.model), type=BinningModel)
        for me, (outputs, _) in results.items()
    }


def test_later_data_goes_into_the_same_bins_and_is_counted_again():
    data, new = frames(hosts=(BANK, SHOP)), frames(30, hosts=(BANK, SHOP), seed=50)
    p = params(bin_num=4)
    models = restored(played(p, data)[0])
    results, _ = played(p, new, models, "test_data")
    param = results[G][0].model.param
    assert param.binning_result == models[G].param.binning_result
    assert param.transform_multi_class_result.labels == ["1", "0"]
    check_all(
        results,
        new,
        new[G].label == 1,
        lambda of: (of.transform_binning_result, of.transform_host_results),
    )
    for me in new:
        points = own_points(models[me])
        wanted = [bins_of(new[me].x[:, j], own) for j, own in enumerate(points.values())]
        np.testing.assert_array_equal(results[me][0].data[0].x, np.array(wanted).T)


@pytest.mark.parametrize("label", [None, np.ones(30, dtype=np.int64)])
def test_later_data_without_labels_to_count_is_put_into_bins_alone(label):
    data, new = frames(), frames(30, seed=50)
    models = restored(played(params(), data)[0])
    new[G] = frame(new[G].x, "g", label)
    results, transcript = played(params(), new, models, "test_data")
    assert {s.message for s in transcript} == {
        "agreement.rows",
        "hetero_feature_binning.scheme",
    }
    assert results[G][0].model == models[G]
    assert results[BANK][0].data[0].n_rows == 30


def test_of_later_data_with_several_labels_the_first_stands_for_all():
    data = frames(hosts=(BANK, SHOP), n_classes=3)
    models = restored(played(params(), data)[0])
    results, _ = played(params(), data, models, "test_data")
    param = results[G][0].model.param
    assert param.transform_multi_class_result == param.multi_class_result
    assert param.transform_host_results == param.host_results
    assert param.transform_binning_result == param.binning_result


def test_later_data_may_have_no_rows():
    data = frames()
    models = restored(played(params(), data)[0])
    none = {me: f.take(np.arange(0)) for me, f in data.items()}
    results, _ = played(params(), none, models, "test_data")
    assert results[BANK][0].data[0].x.shape == (0, 5)


def test_columns_of_later_data_are_found_by_name():
    data = frames(missing=False)
    models = restored(played(params(bin_indexes=[0, 3]), data)[0])
    order = [3, 1, 0]
    new = {me: frame(data[me].x[:, order], "?", data[me].label) for me in data}
    for me, names in ((G, "g"), (BANK, "h")):
        new[me].schema.header[:] = [f"{names}{j}" for j in order]
    results, _ = played(params(bin_indexes=[0, 2]), new, models, "test_data")
    found = results[BANK][0].data[0].x
    points = own_points(models[BANK])
    np.testing.assert_array_equal(found[:, 0], bins_of(data[BANK].x[:, 3], points["h3"]))
    np.testing.assert_array_equal(found[:, 1], data[BANK].x[:, 1])
    np.testing.assert_array_equal(found[:, 2], bins_of(data[BANK].x[:, 0], points["h0"]))


def test_a_host_whose_model_was_given_woe_may_use_it():
    data = frames()
    models = restored(played(params(bin_num=4), data)[0])
    names = [f"host_10000_x{j}" for j in range(5)]
    counted = models[G].param.host_results[0].binning_result
    for name, column in zip(
        names, models[BANK].param.binning_result.binning_result.values(), strict=True
    ):
        column.woe_array = counted[name].woe_array
    woe = params(bin_num=4, transform_param={"transform_type": "woe"})
    results, _ = played({G: params(bin_num=4), BANK: woe}, data, models, "test_data")
    points, x = own_points(models[BANK]), data[BANK].x
    rows = twin(x[:, 0], points["h0"], data[G].label == 1)
    np.testing.assert_allclose(
        results[BANK][0].data[0].x[:, 0], rows["woe"].to_numpy()[bins_of(x[:, 0], points["h0"])]
    )


# What leaves a party.


@pytest.mark.parametrize("scheme", ["lattice", "paillier"])
def test_parties_exchange_exactly_the_declared_messages(scheme, golden):
    p = params(**{**optimal("iv"), **SCHEMES[scheme]})
    _, transcript = played(p, frames(hosts=(BANK, SHOP)))
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden(f"hetero_feature_binning_{scheme}", sorted(map(list, lines)))


def test_the_guest_sees_numbers_of_rows_and_no_value_of_a_host():
    data = frames()
    _, transcript = played(params(), data)
    to_guest = [s for s in transcript if s.dst == G]
    assert {s.message for s in to_guest} == {
        "hetero_feature_binning.bins", "label_sums.sealed_counts"
    }  # fmt: skip
    (bins,) = [s.value for s in to_guest if s.message.endswith(".bins")]
    assert bins.names == [f"host_10000_x{j}" for j in range(5)]
    assert {bins.n_points.dtype.kind, bins.rows.dtype.kind} == {"i"}
    # The same rows with other values in the same order look the same.
    other = {**data, BANK: frame(3 * data[BANK].x + 100, "h")}
    again = [s.value for s in played(params(), other)[1] if s.message.endswith(".bins")]
    assert codec.encode(bins) == codec.encode(again[0])


def test_the_guest_cannot_tell_rows_of_one_label_apart():
    """Its view is the same when the host's rows change places with others of the same label."""
    data = frames()
    order = np.empty(80, dtype=np.int64)
    for label in (0, 1):
        (rows,) = np.nonzero(data[G].label == label)
        order[rows] = np.random.default_rng(label).permutation(rows)
    views = []
    for x in (data[BANK].x, data[BANK].x[order]):
        results, transcript = played(params(), {**data, BANK: frame(x, "h")})
        told = [s.value for s in transcript if s.message.endswith(".bins")]
        views.append((codec.encode(told[0]), results[G][0].model.param.host_results))
    assert views[0] == views[1]
    assert not np.array_equal(data[BANK].x, data[BANK].x[order], equal_nan=True)


def test_what_a_host_sees_in_the_clear_does_not_depend_on_labels():
    data = frames()
    seen = []
    for label in (data[G].label, 1 - data[G].label, labels(80, 9)):
        _, transcript = played(params(), {**data, G: frame(data[G].x, "g", label)})
        to_host = [s for s in transcript if s.dst == BANK and s.envelope.kind == "plain"]
        hidden = [s for s in transcript if s.dst == BANK and s.envelope.kind != "plain"]
        assert [s.message for s in hidden] == ["label_sums.sealed_classes"]
        seen.append([s.message for s in to_host])
    assert seen == [["agreement.settings", "agreement.rows", "label_sums.lattice_key"]] * 3


def test_a_host_learns_of_its_model_nothing_but_its_points():
    results, _ = played(params(), frames())
    for column in results[BANK][0].model.param.binning_result.binning_result.values():
        assert (column.woe_array, column.event_count_array, column.iv) == ([], [], 0.0)
    assert results[BANK][0].model.param.multi_class_result.labels == []


# What FATE shows.


def test_models_have_the_shapes_that_fate_shows():
    data = frames(missing=False)
    results, _ = played(params(error=0.001), data)
    guest, host = (msgspec.to_builtins(results[me][0].model) for me in (G, BANK))
    assert guest["meta"] == {
        "adjustmentFactor": 0.5, "binNum": "10", "cols": [f"g{i}" for i in range(5)],
        "compressThres": "10000", "error": 0.001, "headSize": "10000", "localOnly": False,
        "method": "quantile", "needRun": True, "optimalMetricMethod": "", "skipStatic": False,
        "transformParam": {"transformCols": list("01234"), "transformType": "bin_num"},
    }  # fmt: skip
    assert set(guest["param"]) == set(host["param"]) == {
        "binningResult", "header", "headerAnonymous", "hostResults", "modelName",
        "multiClassResult", "transformHostResults",
    }  # fmt: skip
    assert guest["param"]["modelName"] == "binning_model"
    assert guest["param"]["headerAnonymous"][0] == "guest_9999_x0"
    own = guest["param"]["binningResult"]
    assert (own["role"], own["partyId"]) == ("guest", "9999")
    theirs = host["param"]["binningResult"]
    assert (theirs["role"], theirs["partyId"]) == ("", "")
    fields = {
        "binAnonymous", "binNums", "eventCountArray", "eventRateArray", "isWoeMonotonic", "iv",
        "ivArray", "nonEventCountArray", "nonEventRateArray", "optimalMetricArray", "splitPoints",
        "woeArray",
    }  # fmt: skip
    column = own["binningResult"]["g0"]
    assert set(column) == set(theirs["binningResult"]["h0"]) == fields
    assert column["binNums"] == "10"
    assert column["binAnonymous"] == [f"bin_{i}" for i in range(10)]
    assert all(isinstance(c, str) for c in column["eventCountArray"])
    several = guest["param"]["multiClassResult"]
    assert several["results"] == [own]
    assert several["hostResults"] == guest["param"]["hostResults"]
    assert several["labels"] == ["1", "0"]
    assert host["param"]["multiClassResult"] == {
        "hasHostResult": False, "hostPartyIds": ["10000"], "hostResults": [], "labels": [],
        "results": [theirs],
    }  # fmt: skip


def test_summaries_have_the_shapes_that_fate_shows():
    results, _ = played(params(), frames())
    told = results[G][1].told
    assert list(told) == ["result"]
    assert set(told["result"]) == {"iv", "woe", "monotonic", "split_points"}
    assert told["result"]["split_points"]["host_10000_x0"] is None
    assert len(told["result"]["split_points"]["g0"]) == 10
    assert {name for name, _ in told["result"]["iv"]} == set(told["result"]["woe"])
    assert results[BANK][1].told == own_points(results[BANK][0].model)


def test_missing_values_have_the_last_bin():
    data = frames()
    results, _ = played(params(bin_num=4), data)
    column = results[G][0].model.param.binning_result.binning_result["g0"]
    n_missing = int(np.isnan(data[G].x[:, 0]).sum())
    assert len(column.split_points) == 4
    assert column.bin_nums == "5"
    assert int(column.event_count_array[4]) + int(column.non_event_count_array[4]) == n_missing
    host = results[BANK][0].model.param.binning_result.binning_result["h0"]
    assert (len(host.split_points), host.bin_nums) == (4, "5")


@pytest.mark.parametrize("method", ["Lattice", "Paillier"])
def test_a_class_of_one_row_tells_the_guest_that_rows_bins_and_logs_say_so(caplog, method):
    """What docs/security says of counts by class: no encryption changes it."""
    data, row = frames(80, missing=False), 7
    data[G] = replace(data[G], label=np.eye(80, dtype=np.int64)[row])
    p = params(bin_num=5, encrypt_param={"method": method, "key_length": 512})
    results, _ = played(p, data)
    seen = results[G][0].model.param.host_results[0].binning_result
    read = [list(map(int, column.event_count_array)).index(1) for column in seen.values()]
    own = results[BANK][0].model.param.binning_result.binning_result
    x = data[BANK].x[row]
    assert read == [np.searchsorted(c.split_points, x[j]) for j, c in enumerate(own.values())]
    assert "1 of 2 classes have fewer than 10 rows" in caplog.text
    caplog.clear()
    played(p, {me: f.take(np.r_[0:12, row]) for me, f in data.items()})
    assert "13 rows are few for 2 classes" in caplog.text
    caplog.clear()
    played(p, frames(80, missing=False))
    assert "rows" not in caplog.text
