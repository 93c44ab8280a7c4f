"""HeteroKmeans: equal to scikit-learn on pooled columns, nothing undeclared, pads never twice."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.metrics import davies_bouldin_score

from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.evaluation import EvaluateParam, Evaluation
from federatedml.components.hetero_kmeans import HeteroKmeans, Wire
from federatedml.crypto import masking, rings
from federatedml.data import layout, shown
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.kmeans_model import KmeansModel
from federatedml.params import parse
from federatedml.protocols import distance_sum
from federatedml.protocols.secure_sum import Pads
from federatedml.runner import run as run_component
from federation import ARBITER, GUEST, HOST, Party, codec
from federation.errors import ProtocolViolation
from federation.transport.inproc import run

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
JUDGE = Party(ARBITER, "10000")
N, K = 60, 3
CUTS = {"one_host": {G: (0, 2), BANK: (2, 5)}, "two_hosts": {G: (0, 1), BANK: (1, 4), SHOP: (4, 5)}}


def data(n=N, seed=0):
    rng = np.random.default_rng(seed)
    middles = np.random.default_rng(1).normal(size=(K, 5)) * 2
    return middles[np.arange(n) % K] + rng.normal(size=(n, 5))


def frame(x, label=None, prefix="r", names="x"):
    return Frame(
        pa.array([f"{prefix}{i}" for i in range(x.shape[0])]),
        x,
        FrameSchema(header=[f"{names}{i}" for i in range(x.shape[1])], sid_name="uid"),
        label=label,
    )


def params(**given):
    base = {"k": K, "tol": 0, "random_stat": 5}
    return parse(HeteroKmeans.Params, {**base, **given}, "HeteroKmeans#hetero_kmeans_0")


def played(p, inputs, cuts):
    """(outputs, report) of every party and the transcript. inputs(party) -> Inputs."""

    def party(me):
        def play(ctx):
            ctx.name = "hetero_kmeans_0"
            return run_component(HeteroKmeans(p), ctx, inputs(me)), ctx.report

        return play

    return run({me: party(me) for me in (*cuts, JUDGE)}, Ctx)


def given(kinds, cuts, models=None, pack=lambda x: x):
    """inputs() of whole matrices by kind, each party its columns, the guest labels."""

    def inputs(me):
        named = {}
        for kind, x in kinds.items():
            low, high = cuts.get(me, (0, 0))
            label = np.arange(len(x)) % 2 if me == G else None
            rows = [NamedData("i_0", "data", frame(pack(x[:, low:high]), label))]
            named[kind] = [] if me == JUDGE else rows
        return Inputs(named, model=models[me] if models else None)

    return inputs


def trained(p=None, split="one_host", x=None, **more):
    x = data() if x is None else x
    return played(p or params(), given({"train_data": x}, CUTS[split], **more), CUTS[split])


def starts(transcript):
    return next(s.value for s in transcript if s.message == Wire.start.name)


def twin(x, start, **more):
    return KMeans(len(start), init=x[start], n_init=1, algorithm="lloyd", tol=0, **more).fit(x)


def centroids(results, cuts):
    return np.column_stack([results[me][0].model.centroids for me in cuts])


@pytest.mark.parametrize("pack", [lambda x: x, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("split", CUTS)
def test_clusters_are_those_of_pooled_rows_whoever_has_which_columns(split, pack):
    x = data()
    results, transcript = trained(split=split, pack=pack)
    pooled = twin(x, starts(transcript))
    np.testing.assert_allclose(centroids(results, CUTS[split]), pooled.cluster_centers_, atol=1e-9)
    for me in CUTS[split]:
        outputs, report = results[me]
        assert outputs.data[0].columns["predicted_label"].to_pylist() == pooled.labels_.tolist()
        assert outputs.data[1] is None
        assert outputs.model.param.converged is report.told["is_converged"] is True
    rows = results[JUDGE][0].data[1].columns
    np.testing.assert_allclose(sum(rows["distance"].to_numpy()), pooled.inertia_, rtol=1e-9)


def test_columns_far_from_zero_and_of_any_size_lose_no_digits():
    x = data() * [1e-4, 1.0, 1e-5, 1.0, 1e6] + [1e7, 0.0, 1.0, -1e3, 5e7]
    results, transcript = trained(x=x)
    pooled = twin(x, starts(transcript))
    assert results[G][0].data[0].columns["predicted_label"].to_pylist() == pooled.labels_.tolist()
    np.testing.assert_allclose(
        centroids(results, CUTS["one_host"]), pooled.cluster_centers_, rtol=1e-12
    )


def test_the_starting_rows_follow_from_the_seed_and_are_in_order():
    picks = [
        starts(trained(params(max_iter=1, random_stat=seed))[1]).tolist() for seed in (5, 5, 6)
    ]
    assert picks[0] == picks[1] != picks[2]
    assert all(pick == sorted(set(pick)) for pick in picks)
    fresh = [starts(trained(params(max_iter=1, random_stat=None))[1]).tolist() for _ in range(3)]
    assert len(set(map(tuple, fresh))) > 1


def test_the_arbiter_tells_the_davies_bouldin_index_of_every_iteration():
    results, transcript = trained(params(max_iter=4))
    x, start = data(), starts(transcript)
    kind, points, meta = results[JUDGE][1].metrics["train", "DBI"]
    assert (kind, meta) == ("DBI", {"unit_name": "iters", "curve_name": "DBI"})
    done = int(results[G][0].model.param.max_interation)
    assert [at for at, _ in points] == list(range(done + 1))
    for at, value in points[:-1]:
        middles = x[start]
        for _ in range(at):
            middles = _means(x, middles)
        assert value == pytest.approx(davies_bouldin_score(x, _nearest(x, middles)))


def _nearest(x, middles):
    return ((x[:, None] - middles) ** 2).sum(axis=2).argmin(axis=1)


def _means(x, middles):
    assigned = _nearest(x, middles)
    return np.array([x[assigned == i].mean(axis=0) for i in range(len(middles))])


def test_training_goes_on_while_any_hosts_centroids_move():
    """FATE looks at the guest and the first host only, whose columns are at rest from the start."""
    x = data()
    x[:, :4] = 0.0
    results, transcript = trained(split="two_hosts", x=x)
    assert int(results[G][0].model.param.max_interation) > 1
    pooled = twin(x, starts(transcript))
    np.testing.assert_allclose(
        centroids(results, CUTS["two_hosts"]), pooled.cluster_centers_, atol=1e-9
    )


def test_training_ends_at_max_iter_and_at_tol():
    results, _ = trained(params(max_iter=1))
    assert (results[G][0].model.param.max_interation, results[G][1].told) == (
        "1",
        {"is_converged": False, "iterations": 1},
    )
    results, _ = trained(params(tol=1e9))
    assert results[BANK][1].told == {"is_converged": True, "iterations": 1}


def test_an_empty_cluster_stays_where_it_started():
    x = data()
    start = starts(trained()[1])
    x[start[1]] = x[start[0]]
    results, _ = trained(params(max_iter=1), x=x)
    found = centroids(results, CUTS["one_host"])
    np.testing.assert_allclose(found[1], x[start[1]], atol=1e-12)
    assert np.abs(found[0] - x[start[0]]).max() > 0.01


@pytest.mark.parametrize("split", CUTS)
def test_new_rows_go_to_the_nearest_centroid_of_the_model(split):
    results, _ = trained(split=split)
    models = {me: _restored(outputs.model) for me, (outputs, _) in results.items()}
    new = data(7, seed=9)
    said, _ = played(params(k=2), given({"test_data": new}, CUTS[split], models), CUTS[split])
    nearest = _nearest(new, centroids(results, CUTS[split])).tolist()
    for me in CUTS[split]:
        table = said[me][0].data[0].columns
        assert table["predicted_label"].to_pylist() == nearest
        assert set(table["type"].to_pylist()) == {"predict"}
    clusters, rows = said[JUDGE][0].data
    assert rows.columns["predicted_cluster_index"].to_pylist() == nearest
    assert clusters.n_rows == K


def _restored(model):
    return msgspec.json.decode(msgspec.json.encode(model), type=KmeansModel)


def test_one_new_row_is_enough_to_predict():
    results, _ = trained()
    models = {me: outputs.model for me, (outputs, _) in results.items()}
    said, _ = played(params(), given({"data": data(1)}, CUTS["one_host"], models), CUTS["one_host"])
    assert said[G][0].data[0].n_rows == 1


def test_rows_to_validate_are_clustered_beside_those_to_train():
    new = data(7, seed=9)
    kinds = {"train_data": data(), "validate_data": new}
    results, _ = played(params(), given(kinds, CUTS["one_host"]), CUTS["one_host"])
    table = results[G][0].data[0].columns
    assert table["type"].to_pylist() == ["train"] * N + ["validate"] * 7
    nearest = _nearest(new, centroids(results, CUTS["one_host"])).tolist()
    assert table["predicted_label"].to_pylist()[N:] == nearest
    clusters, rows = results[JUDGE][0].data
    assert clusters.columns["type"].to_pylist() == ["train"] * K + ["validate"] * K
    assert rows.n_rows == N + 7


# Shapes that FATE shows, and Evaluation of them.


def test_models_and_tables_have_the_shapes_that_fate_shows():
    results, _ = trained()
    guest, arbiter = (msgspec.to_builtins(results[me][0].model) for me in (G, JUDGE))
    assert guest["meta"] == arbiter["meta"] == {"k": "3", "tol": 0.0, "maxIter": "300"}
    detail = guest["param"].pop("clusterDetail")
    assert [c["cluster"][0] for c in detail] == [0.0, 1.0, 2.0]
    assert sum(c["cluster"][2] for c in detail) == pytest.approx(1.0)
    assert [len(c["centroid"]) for c in guest["param"].pop("centroidDetail")] == [2] * K
    iterations = guest["param"].pop("maxInteration")
    assert iterations.isdigit()
    assert guest["param"] == {"countOfClusters": "3", "converged": True, "header": ["x0", "x1"]}
    assert arbiter["param"] == {
        "centroidDetail": [], "clusterDetail": [], "converged": False, "countOfClusters": "0",
        "header": [], "maxInteration": "0",
    }  # fmt: skip
    tables = [layout.from_arrow(layout.to_arrow(t)) for t in results[JUDGE][0].data]
    own, host = (layout.from_arrow(layout.to_arrow(results[me][0].data[0])) for me in (G, BANK))
    assert shown.header(own) == ["uid", "label", "predicted_label", "type"]
    assert shown.rows(host)[0][1] is None
    assert {t.content for t in (own, host, *tables)} == {"cluster_result"}
    assert shown.header(tables[0]) == [
        "cluster_index", "cluster_sample_count", "cluster_inner_dist", "cluster_radius",
        "inter_cluster_dist", "type",
    ]  # fmt: skip
    row = shown.rows(tables[0])[1]
    assert (row[0], len(row[4]), row[5]) == (1, K - 1, "train")
    assert shown.header(tables[1]) == ["id", "predicted_cluster_index", "distance", "type"]
    assert shown.rows(tables[1])[1][0] == "1"


def test_evaluation_takes_what_comes_out_at_every_party():
    results, transcript = trained()
    told = {}
    for me in (G, BANK, JUDGE):
        ctx = Ctx(me, [me], None)
        tables = [t for t in results[me][0].data if t is not None]
        named = [NamedData("kmeans_0", f"data_{i}", t) for i, t in enumerate(tables)]
        p = parse(EvaluateParam, {"eval_type": "clustering"}, "Evaluation#evaluation_0")
        run_component(Evaluation(p), ctx, Inputs({"data": named}))
        told[me] = ctx.report.told.get("kmeans_0", {}).get("train", {})
    assert set(told[G]) == {
        "adjusted_rand_score", "fowlkes_mallows_score", "jaccard_similarity_score"
    }  # fmt: skip
    assert told[BANK] == {}
    pooled = twin(data(), starts(transcript))
    index = davies_bouldin_score(data(), pooled.labels_)
    assert told[JUDGE]["davies_bouldin_index"] == pytest.approx(index)


# What leaves a party.


@pytest.fixture(scope="module")
def two_hosts():
    return trained(params(max_iter=3), "two_hosts")


def test_parties_exchange_exactly_the_declared_messages(two_hosts, golden):
    _, transcript = two_hosts
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden("hetero_kmeans_two_hosts", sorted(map(list, lines)))


def sent(transcript, party):
    return [s.value for s in transcript if s.message == Wire.distances.name and s.src == party]


def changes(first, second):
    """What two messages differ by, as the receiver would read it."""
    return rings.decode(rings.sub(second, first, 128), distance_sum.FRACTION_BITS, 128)


def test_two_rounds_of_one_party_tell_nothing_of_its_distances(two_hosts):
    """With pads that stay the same from round to round, as FATE's, the difference of two rounds is
    the party's own change of distances, to the last digit."""
    _, transcript = two_hosts
    x, (low, high) = data(), CUTS["two_hosts"][BANK]
    start = starts(transcript)
    moved = _means(x, x[start])
    own = [
        ((x[:, None, low:high] - c[:, low:high]) ** 2).sum(axis=2).ravel()
        for c in (x[start], moved)
    ]
    change = own[1] - own[0]
    key = {SHOP: bytes(32)}
    fates = [distance_sum.hidden(Pads(BANK, key), d) for d in own]  # the same pads each time
    np.testing.assert_allclose(changes(*fates), change, atol=1e-12)
    first, second = (m[K * (K - 1) // 2 :] for m in sent(transcript, BANK)[:2])
    read = changes(first, second)
    assert np.abs(read).min() > 2**40  # of 2^67, where the change is below 2^7
    assert abs(np.corrcoef(read, change)[0, 1]) < 0.4


def test_what_a_party_sends_looks_uniform_and_only_the_sum_can_be_read(two_hosts):
    _, transcript = two_hosts
    every = np.concatenate([m.ravel() for p in (G, BANK, SHOP) for m in sent(transcript, p)])
    bits = np.unpackbits(every.view(np.uint8))
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(len(bits))
    assert len(np.unique(every)) == len(every)
    x = data()
    total = rings.add(sent(transcript, G)[0], sent(transcript, BANK)[0], 128)
    total = rings.add(total, sent(transcript, SHOP)[0], 128)
    pooled = ((x[:, None] - x[starts(transcript)]) ** 2).sum(axis=2).ravel()
    read = rings.decode(total, distance_sum.FRACTION_BITS, 128)[K * (K - 1) // 2 :]
    np.testing.assert_allclose(read, pooled, atol=1e-12)


def test_every_array_has_pads_of_its_own():
    pads = Pads(G, {BANK: bytes(32), SHOP: bytes([1] * 32)})
    nothing = [distance_sum.hidden(pads, np.zeros(4)) for _ in range(3)]
    assert len(np.unique(np.concatenate(nothing))) == 3 * 4 * 2
    assert (rings.sub(nothing[0], rings.zeros((4,), 128), 128) != 0).all()
    assert masking.pad(bytes(32), (4, 2), 0).tolist() != masking.pad(bytes(32), (4, 2), 1).tolist()


# What cannot be clustered.


def refused(error, said, *, split="one_host", p=None, inputs=None, x=None):
    cuts = CUTS[split]
    with pytest.raises(error, match=said):
        played(
            p or params(), inputs or given({"train_data": data() if x is None else x}, cuts), cuts
        )


def test_more_clusters_than_rows_are_refused():
    refused(BadData, "60 rows cannot make k = 61", p=params(k=61))


def test_rows_that_are_all_alike_are_refused():
    refused(BadData, "all rows fell into one cluster", x=np.ones((9, 5)))


@pytest.mark.parametrize("column", [0, 4], ids=["guest", "host"])
def test_missing_values_are_refused(column):
    x = data()
    x[3, column] = np.nan
    refused(BadData, r"columns with missing values: 1 \(x[02]\); fill", x=x)


def test_text_columns_are_refused():
    def inputs(me):
        one = given({"train_data": data()}, CUTS["one_host"])(me)
        if me != BANK:
            return one
        rows = one.one("train_data")
        texts = pa.table({"x0": pa.array(["a"] * N)})
        with_text = Frame(**{**vars(rows), "texts": texts})
        return Inputs({"train_data": [NamedData("i_0", "data", with_text)]})

    refused(BadData, "text features", inputs=inputs)


@pytest.mark.parametrize("kind", ["train_data", "data"])
def test_a_host_with_other_rows_is_told_to_intersect(kind):
    def inputs(me):
        x = data()[:40] if me == BANK else data()
        return given({kind: x}, CUTS["one_host"])(me)

    refused(BadData, "hold different rows.*Intersection", inputs=inputs)


def test_starting_rows_that_a_host_does_not_have_are_refused():
    def guest(ctx):
        ctx.remote(Wire.start, np.array([0, 1, N]))

    def host(ctx):
        inputs = given({"train_data": data()}, CUTS["one_host"])(BANK)
        HeteroKmeans(params()).fit_host(ctx, inputs)

    with pytest.raises(ProtocolViolation, match="no rows of a table of 60"):
        run({G: guest, BANK: host}, Ctx)


def test_test_data_needs_a_model_and_training_takes_none():
    cuts = CUTS["one_host"]
    refused(BadModel, "test_data needs a model", inputs=given({"test_data": data()}, cuts))
    models = {me: outputs.model for me, (outputs, _) in trained()[0].items()}
    refused(BadModel, "not from a model", inputs=given({"train_data": data()}, cuts, models))


def test_distances_beyond_the_ring_are_refused():
    pads = Pads(G, {BANK: bytes(32)})
    assert distance_sum.hidden(pads, np.array([2.0**65])).shape == (1, 2)
    for too_much in (2.0**66, np.nan, np.inf):
        with pytest.raises(BadData, match="scale the features"):
            distance_sum.hidden(pads, np.array([too_much]))


@pytest.mark.parametrize("shape", [(3, 2), (4, 3), (8,), ()])
def test_arrays_of_unlike_lengths_are_refused(shape):
    def sends(value):
        return lambda ctx: ctx.remote(Wire.distances, value)

    with pytest.raises(ProtocolViolation, match="in place of"):
        run(
            {
                G: sends(np.zeros((4, 2), np.uint64)),
                BANK: sends(np.zeros(shape, np.uint64)),
                JUDGE: lambda ctx: distance_sum.opened(ctx, Wire.distances),
            },
            Ctx,
        )


@pytest.mark.parametrize(
    "given_", [{"k": 1}, {"k": 101}, {"max_iter": 0}, {"tol": -1}, {"random_stat": -1}]
)
def test_impossible_parameters_are_refused_with_their_names(given_):
    with pytest.raises(BadParameters, match=min(given_)):
        params(**given_)
