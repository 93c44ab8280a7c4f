"""HomoFeatureBinning: the bins of the pooled rows, whoever holds them; the arbiter reads sums."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federatedml import archive, runner
from federatedml.binning_model import BinningModel
from federatedml.binning_side import Choice
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components import homo_feature_binning
from federatedml.components.homo_feature_binning import HomoBinsTotals, HomoFeatureBinning
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.params import parse
from federation import ARBITER, GUEST, HOST, Party, codec
from federation.errors import PeerFailed, ProtocolViolation
from federation.transport.inproc import run
from tests.protocol.binning_parties import as_sparse, columns, dense

G, *HOSTS = Party(GUEST, "9999"), *(Party(HOST, f"1000{i}") for i in range(3))
JUDGE = Party(ARBITER, "10000")
METHODS = ("virtual_summary", "recursive_query")


def frame(x, me=G, names=None):
    names = names or [f"x{i}" for i in range(x.shape[1])]
    shown = [f"{me.role}_{me.party_id}_x{i}" for i in range(x.shape[1])]
    ids = pa.array([f"{me}{i}" for i in range(x.shape[0])])
    return Frame(ids, x, FrameSchema(header=names, anonymous_header=shown))


def split(x, n_hosts, pack=lambda x: x):
    """Consecutive rows for every client, the guest's half as many again."""
    clients = [G, *HOSTS[:n_hosts]]
    at = [0, *np.linspace(0, len(x), n_hosts + 2).astype(int)[1:]]
    at[1] = min(at[1] + at[1] // 2, at[2] - 1)
    return {me: frame(pack(x[a:b]), me) for me, a, b in zip(clients, at, at[1:], strict=False)}


def ran(data, models=None, **given):
    """Outputs and report of every party, and the transcript. given: of all, or by party."""

    def party(me):
        def play(ctx):
            ctx.name = "homo_binning_0"
            own = given.get(me.role.value, given.get("guest", given))
            made = HomoFeatureBinning(parse(HomoFeatureBinning.Params, own, "HomoFeatureBinning#0"))
            inputs = [NamedData("before_0", "data", data[me])] if me in data else []
            return runner.run(
                made, ctx, Inputs({"data": inputs}, model=(models or {}).get(me))
            ), ctx.report

        return play

    return run({me: party(me) for me in [*data, JUDGE]}, Ctx)


def pooled_points(values, bin_num):
    """The i/bin_num quantiles; of few values each one."""
    known = np.sort(values[~np.isnan(values)])
    if len(np.unique(known)) <= bin_num:
        return np.unique(known)
    return np.unique([known[-(-i * len(known) // bin_num) - 1] for i in range(1, bin_num + 1)])


def pooled_bins(x, bin_num):
    found = np.empty(x.shape)
    for j, values in enumerate(x.T):
        points = pooled_points(values, bin_num)
        found[:, j] = np.searchsorted(points[:-1], values, side="left")
        found[np.isnan(values), j] = len(points)
    return found


def bins_of(results, data):
    return np.concatenate([dense(results[me][0].data[0]) for me in data])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    n=st.integers(8, 60),
    seed=st.integers(0, 2**31),
    n_hosts=st.integers(1, 3),
    method=st.sampled_from(METHODS),
    bin_num=st.integers(1, 9),
    pack=st.sampled_from([lambda x: x, as_sparse]),
)
def test_rows_are_in_the_bins_of_pooled_quantiles(n, seed, n_hosts, method, bin_num, pack):
    x = columns(n, seed)
    x[0, 0] = 1.0
    data = split(x, n_hosts, pack)
    results, _ = ran(data, method=method, bin_num=bin_num, error=0.0)
    np.testing.assert_array_equal(bins_of(results, data), pooled_bins(x, bin_num))


@pytest.mark.parametrize("error", [0.0, 1e-4, 0.02])
def test_ranks_of_quantiles_are_off_by_no_more_than_the_error(error):
    x = np.random.default_rng(3).lognormal(size=(2000, 3))
    data = split(x, 2)
    results, _ = ran(data, bin_num=8, error=error)
    for j, column in enumerate(points_of(results[G][0].model).values()):
        ranks = (x[:, [j]] <= np.array(column[:-1])).sum(axis=0)
        assert np.abs(ranks - 250 * np.arange(1, 8)).max() <= error * 2000


def points_of(model):
    return {name: c.split_points for name, c in model.param.binning_result.binning_result.items()}


@pytest.fixture(scope="module")
def three():
    data = split(columns(90, 5), 2)
    return data, *ran(data, bin_num=4)


def test_every_client_has_the_same_points_and_bins_and_the_arbiter_none(three):
    data, results, _ = three
    shown = [msgspec.to_builtins(results[me][0].model.param.binning_result) for me in data]
    for me, one in zip(data, shown, strict=True):
        assert (one.pop("role"), one.pop("partyId")) == (me.role.value, me.party_id)
    assert shown[0] == shown[1] == shown[2]
    assert results[JUDGE][0].model.param.binning_result.binning_result == {}
    assert results[JUDGE][0].data == []


def test_the_model_has_fates_names_and_the_summary_split_points(three, tmp_path):
    data, results, _ = three
    model = results[HOSTS[0]][0].model
    shown = msgspec.to_builtins(model)
    assert shown["meta"]["method"] == "virtual_summary"
    assert shown["meta"]["cols"] == [f"x{i}" for i in range(5)]
    assert shown["meta"]["transformParam"] == {
        "transformCols": [*"01234"],
        "transformType": "bin_num",
    }
    assert (BinningModel.meta_name, BinningModel.param_name) == (
        "FeatureBinningMeta",
        "FeatureBinningParam",
    )
    column = shown["param"]["binningResult"]["binningResult"]["x0"]
    assert column["binNums"] == "5"  # one of missing values
    assert column["binAnonymous"] == [f"bin_{i}" for i in range(5)]
    assert len(column["splitPoints"]) == 4
    assert shown["param"]["headerAnonymous"] == [f"host_10000_x{i}" for i in range(5)]
    assert results[G][1].told["split_points"] == points_of(results[G][0].model)
    archive.save(tmp_path / "m.json", "HomoFeatureBinning", model)
    assert archive.load(tmp_path / "m.json") == model
    assert data[G].schema == results[G][0].data[0].schema


def test_missing_values_have_a_bin_at_all_clients_if_one_lacks_a_value():
    x = columns(40, 1, missing=False)
    x[0, 1] = np.nan
    data = split(x, 1)
    assert not np.isnan(data[HOSTS[0]].x).any()
    results, _ = ran(data, bin_num=3)
    for me in data:
        found = results[me][0].model.param.binning_result.binning_result
        assert [found[name].bin_nums for name in ("x0", "x1")] == ["3", "4"]
    assert results[G][0].data[0].x[0, 1] == 3


def test_categories_of_all_clients_are_the_bins_of_a_category_column():
    x = columns(40, 2, missing=False)
    data = split(x, 2)
    data[HOSTS[1]].x[0, 3] = 7.5
    results, _ = ran(data, bin_num=2, category_names=["x3"], bin_indexes=[0])
    for me in data:
        points = points_of(results[me][0].model)
        assert list(points) == ["x0", "x3"]
        assert points["x3"] == [0.0, 1.0, 2.0, 7.5]
    assert results[HOSTS[1]][0].data[0].x[0, 3] == 3
    np.testing.assert_array_equal(results[G][0].data[0].x[:, 1], data[G].x[:, 1])


def test_only_categories_need_no_quantiles():
    data = split(columns(30, 2, missing=False), 1)
    results, transcript = ran(data, bin_indexes=None, category_indexes=[3])
    assert points_of(results[G][0].model) == {"x3": [0.0, 1.0, 2.0]}
    assert not [line for line in transcript if line.message.endswith(".query")]


def test_columns_are_chosen_by_index_and_by_name_and_transformed_alone():
    data = split(columns(40, 4, missing=False), 1)
    transform = {"transform_cols": [1], "transform_names": None}
    results, _ = ran(data, bin_indexes=[1], bin_names=["x4"], bin_num=3, transform_param=transform)
    for me in data:
        assert list(points_of(results[me][0].model)) == ["x1", "x4"]
        found = results[me][0].data[0].x
        np.testing.assert_array_equal(found[:, [0, 2, 3, 4]], data[me].x[:, [0, 2, 3, 4]])
        assert set(found[:, 1]) == {0.0, 1.0, 2.0}
    results, _ = ran(data, transform_param={"transform_type": None})
    assert results[G][0].data[0] is data[G]


def test_later_data_fall_into_the_same_bins_without_a_message(three):
    data, results, _ = three
    models = {me: results[me][0].model for me in results}
    turned = {
        me: frame(np.ascontiguousarray(d.x[:, ::-1]), me, [f"x{i}" for i in range(4, -1, -1)])
        for me, d in data.items()
    }
    later, transcript = ran(turned, models, bin_num=4)
    assert transcript == []
    for me in data:
        np.testing.assert_array_equal(later[me][0].data[0].x[:, ::-1], results[me][0].data[0].x)
        assert later[me][0].model == models[me]


def test_parties_exchange_exactly_the_declared_messages(golden):
    data = split(columns(90, 5), 2)
    _, transcript = ran(data, bin_num=4, category_indexes=[3])
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden("homo_feature_binning_two_hosts", sorted(map(list, lines)))


def test_no_client_sends_numbers_of_its_rows_in_the_clear(three):
    _, _, transcript = three
    said = {s.message.rpartition(".")[2] for s in transcript if s.src != JUDGE}
    plain = {
        s.message.rpartition(".")[2]
        for s in transcript
        if s.src != JUDGE and s.envelope.kind == "plain"
    }
    assert "masked" in said
    assert plain == {"settings", "header", "outline", "keys", "heard"}


def test_the_largest_value_and_the_smallest_are_not_told():
    x = columns(60, 8, missing=False)
    x[:, 1] += 0.123456789
    x[0, 1], x[-1, 1] = -98765.4321, 98765.4321
    results, transcript = ran(split(x, 1), bin_num=4)
    told = [v for me in (G, HOSTS[0]) for v in points_of(results[me][0].model)["x1"]]
    queries = [s.value for s in transcript if s.message.endswith(".query")]
    lows = np.concatenate([q.low[q.feature == 1] for q in queries if q.bits and q.bits < 40])
    for extreme in (-98765.4321, 98765.4321):
        assert np.abs(np.array(told) - extreme).min() > 1
        image = int(np.array([extreme]).view(np.uint64)[0])
        image = (1 << 64) - 1 - image if extreme < 0 else image | 1 << 63
        assert all(abs(int(low) - image) > 1 << 40 for low in lows)


def refused(data, by, **given):
    """The error of this party."""
    with pytest.raises((BadData, BadParameters, BadModel, PeerFailed)) as refusal:
        ran(data, **given)
    found = [refusal.value, *getattr(refusal.value, "__notes__", [])]
    text = " ".join(map(str, found))
    assert by in text, text
    return text


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda d: {**d, HOSTS[0]: frame(d[HOSTS[0]].x[:, :4], HOSTS[0])},
            "not those of the guest",
        ),
        (
            lambda d: {**d, HOSTS[0]: frame(d[HOSTS[0]].x, HOSTS[0], [*"cbade"])},
            "not those of the guest",
        ),
        (
            lambda d: {
                **d,
                HOSTS[0]: frame(d[HOSTS[0]].x, HOSTS[0], ["x1", "x0", "x2", "x3", "x4"]),
            },
            "another order",
        ),
        (lambda d: {me: frame(f.x[:0], me) for me, f in d.items()}, "there are no rows"),
        (
            lambda d: {
                me: frame(np.where([0, 1, 1, 1, 1], f.x, np.nan), me) for me, f in d.items()
            },
            "no party has a value of ",
        ),
        (
            lambda d: {
                me: frame(np.where([0, 1, 1, 1, 1], f.x, np.inf), me) for me, f in d.items()
            },
            "infinite values in ",
        ),
        (
            lambda d: {me: frame(f.x, me, ["a", "a", "b", "c", "d"]) for me, f in d.items()},
            "same name",
        ),
    ],
)
def test_data_that_cannot_be_binned_are_refused(change, told):
    data = change(split(columns(30, 3, missing=False), 1))
    text = refused(data, told)
    assert "'x0'" not in text


def test_a_column_that_one_client_lacks_is_binned_by_the_others():
    data = split(columns(30, 3, missing=False), 1)
    data[G].x[:, 0] = np.nan
    results, _ = ran(data, bin_num=2, error=0.0)
    assert set(results[G][0].data[0].x[:, 0]) == {2.0}
    wanted = pooled_bins(data[HOSTS[0]].x[:, :1], 2)
    np.testing.assert_array_equal(results[HOSTS[0]][0].data[0].x[:, :1], wanted)


def test_parameters_that_mean_different_things_are_refused():
    data = split(columns(30, 3), 1)
    text = refused(data, "bin_indexes", guest={"bin_indexes": [0]}, host={"bin_indexes": [1]})
    assert "component_parameters.common" in text
    refused(data, "bin_num is 5 here and 4", guest={"bin_num": 4}, host={"bin_num": 5})
    refused(data, "no column is to be binned", bin_indexes=[])
    refused(data, "there is no column 'x9'", bin_names=["x9"])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"method": "quantile"}, "virtual_summary, recursive_query"),
        ({"bin_num": 0}, "bin_num"),
        ({"max_iter": 101}, "max_iter"),
        ({"error": 1}, "error"),
        ({"transform_param": {"transform_type": "woe"}}, "use bin_num"),
        ({"secure_aggregation_param": {"method": "ckks"}}, "take masks"),
        ({"secure_aggregation_param": {"threshold": 1}}, "threshold must be"),
    ],
)
def test_impossible_parameters_are_refused(given, told):
    data = split(columns(30, 3), 1)
    refused(data, told, **given)


def test_a_model_of_another_kind_is_refused(three):
    data, results, _ = three
    empty = results[JUDGE][0].model
    with pytest.raises(BadModel, match="model of HomoFeatureBinning"):
        ran(data, dict.fromkeys([*data, JUDGE], empty))


SOUND = HomoBinsTotals(5, np.zeros(2, dtype=np.bool_), np.zeros(2, dtype=np.bool_))


@pytest.mark.parametrize(
    "change",
    [
        {"count_bits": 0},
        {"count_bits": 4},
        {"count_bits": 64},
        {"gaps": np.zeros(3, dtype=np.bool_)},
        {"empty": np.zeros((1, 2), dtype=np.bool_)},
    ],
)
@pytest.mark.parametrize("n", [0, 20])
def test_totals_that_cannot_be_are_refused(change, n):
    """Without bits, or with fewer than its own rows need, a client's counts would run together."""
    if not n and change == {"count_bits": 4}:
        change = {"count_bits": 0}

    def client(ctx):
        data = frame(columns(20, 0)[:n])
        chosen = Choice([0, 1], frozenset())
        return homo_feature_binning._checked_totals(ctx, data, chosen)

    def arbiter(told):
        return lambda ctx: ctx.remote(homo_feature_binning.Wire.totals, told)

    run({G: client, JUDGE: arbiter(SOUND)}, Ctx)
    with pytest.raises(ProtocolViolation, match="arbiter"):
        run({G: client, JUDGE: arbiter(msgspec.structs.replace(SOUND, **change))}, Ctx)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_category_that_is_no_number_is_refused(monkeypatch, value):
    points = homo_feature_binning.binning.category_points
    wrong = iter([np.array([value])])
    monkeypatch.setattr(
        homo_feature_binning.binning, "category_points", lambda c: next(wrong, points(c))
    )
    with pytest.raises(ProtocolViolation, match="no value of a column"):
        ran(split(columns(30, 3), 1), bin_indexes=None, category_indexes=[3])
