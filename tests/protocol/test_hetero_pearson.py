"""HeteroPearson: equal to numpy on pooled columns, nothing undeclared, FATE's model."""

from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from federatedml import archive
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.hetero_pearson import Chosen, HeteroPearson, Wire
from federatedml.crypto import lattice_columns
from federatedml.data.anonymous import anonymous_header
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData, BadParameters
from federatedml.params import parse
from federatedml.protocols import cross_products
from federatedml.runner import run as run_component
from federation import GUEST, HOST, Party, codec
from federation.errors import ProtocolViolation
from federation.transport.inproc import run

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
N = 50


def data(k, seed=0, n=N):
    """Columns that are correlated, of all sizes, discrete and skewed ones among them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k)) + rng.normal(size=(n, 1))
    x[:, 1 % k] = x[:, 1 % k] > 0.3
    x[:, 2 % k] = np.exp(2 * x[:, 2 % k])
    return x * 10.0 ** rng.integers(-6, 6, k) + 10.0 ** rng.integers(-3, 5, k)


def frame(x, me=G, names=None, ids=None):
    header = names or [f"x{i}" for i in range(x.shape[1])]
    schema = FrameSchema(header=header, anonymous_header=anonymous_header(me, x.shape[1]))
    return Frame(pa.array(ids or [f"r{i}" for i in range(x.shape[0])]), x, schema)


def params(**given):
    return parse(HeteroPearson.Params, {"column_indexes": -1, **given}, "HeteroPearson#pearson_0")


def play(frames, p=None):
    """(outputs, report) of every party, and the transcript. frames: by party."""

    def party(me):
        def one(ctx):
            ctx.name = "pearson_0"
            given = p[me] if isinstance(p, dict) else p or params()
            inputs = Inputs({"train_data": [NamedData("i_0", "data", frames[me])]})
            return run_component(HeteroPearson(given), ctx, inputs), ctx.report

        return one

    return run({me: party(me) for me in frames}, Ctx)


def pooled(*parts):
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.corrcoef(np.column_stack(parts), rowvar=False)


@pytest.mark.parametrize("pack", [lambda x: x, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("sizes", [(3, 5), (4, 2), (1, 1)])
def test_correlations_are_those_of_pooled_columns_whoever_has_more(sizes, pack):
    x, y = data(sizes[0], 1), data(sizes[1], 2)
    results, _ = play({G: frame(pack(x), G), BANK: frame(pack(y), BANK)})
    whole, k = pooled(x, y), sizes[0]
    guest, host = (results[me][0].model for me in (G, BANK))
    for model in (guest, host):
        np.testing.assert_allclose(model.corr, whole[:k, k:], atol=1e-10)
    np.testing.assert_allclose(guest.local_corr, whole[:k, :k], atol=1e-13)
    np.testing.assert_allclose(host.local_corr, whole[k:, k:], atol=1e-13)
    assert guest.param.corr == host.param.corr


def test_every_host_is_correlated_with_the_guest():
    parts = {G: data(2, 1), BANK: data(3, 2), SHOP: data(1, 3)}
    results, _ = play({me: frame(x, me) for me, x in parts.items()})
    whole = pooled(*parts.values())
    guest = results[G][0].model
    np.testing.assert_allclose(guest.corr, whole[:2, 2:], atol=1e-10)
    assert guest.param.parties == ["(guest,9999)", "(host,10000)", "(host,10001)"]
    assert guest.param.shapes == [2, 3, 1]
    assert [n.names for n in guest.param.all_names][2] == ["host_10001_x0"]
    assert results[G][1].told["num_remote_features"] == 4
    shop = results[SHOP][0].model
    np.testing.assert_allclose(shop.corr, whole[:2, 5:], atol=1e-10)
    assert shop.param.parties == ["(guest,9999)", "(host,10001)"]


def test_constant_columns_are_null_and_take_no_part():
    x, y = data(3, 1), data(2, 2)
    x[:, 1], y[:, 0] = 0.1, -7.3
    results, transcript = play({G: frame(x, G), BANK: frame(y, BANK)})
    whole = pooled(x, y)
    guest, host = (results[me][0].model for me in (G, BANK))
    wanted = np.full((3, 2), np.nan)
    wanted[[0, 2], 1] = whole[[0, 2], 4]
    np.testing.assert_allclose(guest.corr, wanted, atol=1e-10)
    assert np.isnan(guest.local_corr[1]).all()
    assert np.isnan(guest.local_vif).tolist() == [False, True, False]
    assert host.param.local_corr == [None, None, None, 1.0]
    assert results[G][1].told["corr"] == [
        [None, guest.param.corr[1]],
        [None, None],
        [None, guest.param.corr[5]],
    ]
    opened = [s.value for s in transcript if s.message == cross_products.Wire.opened.name]
    assert [o.shape for o in opened] == [(1, 2, 2)] * 2


def test_a_party_without_varying_columns_ends_the_conversation():
    results, transcript = play({G: frame(np.ones((N, 2)), G), BANK: frame(data(2), BANK)})
    assert results[BANK][0].model.param.corr == [None] * 4
    assert {s.message for s in transcript} == {Wire.chosen.name}


def test_few_rows_and_a_column_of_one_outlier_are_exact():
    x, y = np.zeros((3, 2)), np.array([[1.0], [2.0], [4.0]])
    x[0, 0], x[:, 1] = 1e9, [1, -1, 0]
    results, _ = play({G: frame(x, G), BANK: frame(y, BANK)})
    np.testing.assert_allclose(results[G][0].model.corr, pooled(x, y)[:2, 2:], atol=1e-10)


def test_many_rows_go_in_parts_and_many_columns_in_strips(monkeypatch):
    """Blocks of 16 rows, 8 of them a part; two columns a ciphertext; one column a strip."""
    real = lattice_columns.laid_out
    monkeypatch.setattr(lattice_columns, "SEALED_BYTES", 1)
    monkeypatch.setattr(lattice_columns, "SUM_BYTES", 1)
    monkeypatch.setattr(
        lattice_columns, "laid_out", lambda *sizes: replace(real(*sizes), group=2, inner=16)
    )
    layout = lattice_columns.laid_out(300, 3, 4)
    assert [len(cut) for cut in (layout.parts, layout.groups, layout.strips)] == [3, 2, 4]
    x, y = data(3, 1, 300), data(4, 2, 300)
    results, _ = play({G: frame(x, G), BANK: frame(y, BANK)})
    np.testing.assert_allclose(results[G][0].model.corr, pooled(x, y)[:3, 3:], atol=1e-10)


def test_a_party_is_warned_where_its_columns_could_be_solved_for(caplog):
    """Six rows: a column has four degrees of freedom, and four columns of the guest take them."""
    x = np.random.default_rng(1).normal(size=(6, 6))
    play({G: frame(x[:, :4], G), BANK: frame(x[:, 4:], BANK)})
    said = [r.getMessage() for r in caplog.records if "too few" in r.getMessage()]
    assert len(said) == 1
    assert "6 rows are too few for 4 columns of guest 9999" in said[0]


# Parameters.


def test_columns_are_chosen_by_index_and_by_name_at_each_party():
    x, y = data(4, 1), data(3, 2)
    p = {
        G: params(column_indexes=[2], column_names=["x0"]),
        BANK: params(column_indexes=None, column_names=["x1"]),
    }
    results, _ = play({G: frame(x, G), BANK: frame(y, BANK)}, p)
    guest, host = (results[me][0].model for me in (G, BANK))
    np.testing.assert_allclose(guest.corr, pooled(x, y)[[0, 2], 5:6], atol=1e-10)
    assert (guest.param.names, host.param.names) == (["x0", "x2"], ["x1"])
    assert [n.names for n in guest.param.all_names] == [["x0", "x2"], ["host_10000_x1"]]
    assert [n.names for n in host.param.all_names] == [["guest_9999_x0", "guest_9999_x2"], ["x1"]]
    assert host.param.anonymous_map[0].anonymous == "host_10000_x1"


def test_alone_a_party_sends_nothing():
    x = data(3)
    results, transcript = play({BANK: frame(x, BANK)}, params(cross_parties=False))
    outputs, report = results[BANK]
    assert transcript == []
    assert outputs.model.param.corr == []
    assert outputs.model.param.parties == ["(host,10000)"]
    assert set(report.told) == {"num_local_features", "local_corr"}
    np.testing.assert_allclose(outputs.model.local_corr, pooled(x), atol=1e-13)


def test_variance_inflation_may_be_left_out():
    p = params(cross_parties=False, calc_local_vif=False)
    assert play({G: frame(data(3))}, p)[0][G][0].model.param.local_vif == []


def test_a_party_that_need_not_run_keeps_no_model_and_passes_its_data():
    results, _ = play({G: frame(data(3))}, params(need_run=False, cross_parties=False))
    outputs, _ = results[G]
    assert outputs.model is None
    assert outputs.data[0].n_features == 3


def test_fates_parameters_that_have_no_effect_are_taken():
    assert params(fixpoint_bit_length=1024, use_mix_rand=True).use_mix_rand


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"need_run": False}, "cross_parties needs need_run"),
        ({"fixpoint_bit_length": 512}, ">= 1024"),
        ({"column_indexes": -2}, "column_indexes"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(given, said):
    with pytest.raises(BadParameters, match=said):
        params(**given)


# Inputs.


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e200])
@pytest.mark.parametrize("pack", [lambda x: x, sparse.csr_matrix], ids=["dense", "sparse"])
def test_missing_infinite_and_huge_values_are_refused_by_the_anonymous_name(wrong, pack):
    x = data(3)
    x[4, 1] = wrong
    with pytest.raises(BadData, match=r"values in host_10000_x1;.*FeatureImputation"):
        play({BANK: frame(pack(x), BANK, ["a", "secret", "c"])}, params(cross_parties=False))


def test_a_faulty_column_that_is_not_chosen_does_not_matter():
    x = data(3)
    x[4, 1] = np.nan
    p = params(column_indexes=[0, 2], cross_parties=False)
    assert play({G: frame(x)}, p)[0][G][0].model.param.names == ["x0", "x2"]


def test_other_rows_than_the_guests_are_refused():
    ids = [f"r{i}" for i in range(N)][::-1]
    frames = {G: frame(data(2), G), BANK: frame(data(2), BANK, ids=ids)}
    with pytest.raises(BadData, match="different rows, or in another order"):
        play(frames)


def test_tables_without_rows_and_twins_and_unknown_columns_are_refused():
    alone = params(cross_parties=False)
    with pytest.raises(BadData, match="no rows"):
        play({G: frame(np.empty((0, 2)))}, alone)
    with pytest.raises(BadData, match="same name"):
        play({G: frame(data(2), names=["a", "a"])}, alone)
    with pytest.raises(BadParameters, match="no columns; give column_indexes"):
        play({G: frame(data(2))}, params(column_indexes=None, cross_parties=False))
    with pytest.raises(BadParameters, match="no column 'b'"):
        play({G: frame(data(1))}, params(column_names=["b"], cross_parties=False))


@pytest.mark.parametrize(
    "answer",
    [Chosen([], []), Chosen(["a"], [True, False]), Chosen(["a", "a"], [True, False])],
    ids=["none", "unequal", "twins"],
)
def test_a_peer_that_names_other_columns_than_it_counts_breaks_the_protocol(answer):
    def host(ctx):
        ctx.remote(Wire.chosen, answer, to=G)

    def guest(ctx):
        inputs = Inputs({"train_data": [NamedData("i_0", "data", frame(data(2)))]})
        run_component(HeteroPearson(params()), ctx, inputs)

    with pytest.raises(ProtocolViolation):
        run({G: guest, BANK: host}, Ctx)


def test_a_transform_gives_no_data():
    results, _ = play({G: frame(data(2))}, params(cross_parties=False))
    inputs = Inputs({"data": [NamedData("i_0", "data", frame(data(2)))]}, model=results[G][0].model)
    said, _ = run({G: lambda ctx: run_component(HeteroPearson(params()), ctx, inputs)}, Ctx)
    assert said[G].data == [None]


# Shapes that FATE shows.


def test_the_model_has_fates_names_and_survives_its_file(tmp_path):
    x, y = data(2, 1), data(3, 2)
    x[:, 1] = 1.0
    results, _ = play({G: frame(x, G), BANK: frame(y, BANK)})
    model = results[BANK][0].model
    param = msgspec.to_builtins(model)["param"]
    assert {name: type(value) for name, value in param.items()} == {
        "party": str, "parties": list, "shape": int, "shapes": list, "names": list, "corr": list,
        "localCorr": list, "allNames": list, "anonymousMap": list, "modelName": str,
        "localVif": list,
    }  # fmt: skip
    assert (param["party"], param["shape"]) == ("(host,10000)", 3)
    assert param["parties"] == ["(guest,9999)", "(host,10000)"]
    assert param["shapes"] == [2, 3]
    assert param["modelName"] == "HeteroPearson"
    assert (len(param["corr"]), len(param["localCorr"]), len(param["localVif"])) == (6, 9, 3)
    assert param["allNames"][0] == {"names": ["guest_9999_x0", "guest_9999_x1"]}
    assert param["anonymousMap"][0] == {"anonymous": "host_10000_x0", "name": "x0"}
    assert msgspec.to_builtins(model)["meta"] == {"shapes": []}
    assert (model.meta_name, model.param_name) == (
        "HeteroPearsonModelMeta", "HeteroPearsonModelParam"
    )  # fmt: skip
    archive.save(tmp_path / "model.json", "HeteroPearson", model)
    assert archive.load(tmp_path / "model.json") == model


def test_the_report_is_what_the_board_draws():
    results, _ = play({G: frame(data(2, 1), G), BANK: frame(data(3, 2), BANK)})
    report = results[G][1]
    assert report.metrics["statistic", "correlation"] == (
        "CORRELATION_GRAPH", [], {"name": "pearson"}
    )  # fmt: skip
    assert set(report.told) == {
        "num_local_features", "num_remote_features", "local_corr", "corr"
    }  # fmt: skip
    assert np.shape(report.told["corr"]) == (2, 3)


# What leaves a party.


def test_parties_exchange_exactly_the_declared_messages(golden):
    _, transcript = play(
        {G: frame(data(2, 1), G), BANK: frame(data(3, 2), BANK), SHOP: frame(data(1, 3), SHOP)}
    )
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden("hetero_pearson", sorted(map(list, lines)))
