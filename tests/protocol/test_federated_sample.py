"""FederatedSample: hosts hold the guest's rows; every mode and method; what is refused."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.utils import resample

from federatedml import agreement
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.federated_sample import FederatedSample, Sample, Wire
from federatedml.data.frame import Frame, FrameSchema, RawSchema, RawTable
from federatedml.errors import BadData, BadParameters
from federatedml.params import parse
from federatedml.runner import run as run_component
from federation import GUEST, HOST, Party, codec
from federation.errors import ProtocolViolation
from federation.transport.inproc import run

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
N = 60
LABELS = np.arange(N) % 3


def frame(n=N, label=None, k=2, pack=np.asarray, **more):
    x = np.arange(n * k, dtype=float).reshape(n, k)
    ids = pa.array([f"r{i:03d}" for i in range(n)])
    schema = FrameSchema(header=[f"x{i}" for i in range(k)], weight_name="weight")
    match = pa.array([f"m{i}" for i in range(n)])
    return Frame(ids, pack(x), schema, label=label, match_ids=match, **more)


def params(**given):
    return parse(FederatedSample.Params, given, "FederatedSample#sample_0")


def played(tables, at_host=None, **given):
    def party(me, data):
        def play(ctx):
            ctx.name = "sample_0"
            inputs = Inputs({"data": [NamedData("i_0", "data", data)]})
            mine = at_host if at_host is not None and me != G else given
            return run_component(FederatedSample(params(**mine)), ctx, inputs), ctx.report

        return play

    return run({me: party(me, data) for me, data in tables.items()}, Ctx)


def sampled(hosts=(BANK,), guest=None, **given):
    tables = {G: guest or frame(label=LABELS)}
    tables |= {host: frame(k=3, pack=sparse.csr_matrix) for host in hosts}
    return played(tables, **given)


def rows_of(outputs):
    """Which rows of the whole table a sample holds, by what its match ids say."""
    return [int(m[1:]) for m in outputs.data[0].match_ids.to_pylist()]


MODES = {
    "random": {"fractions": 0.4},
    "stratified": {"mode": "stratified", "fractions": [[0, 0.2], [1, 0.5], [2, 1.0]]},
}


@pytest.mark.parametrize("hosts", [(BANK,), (BANK, SHOP)], ids=["one_host", "two_hosts"])
@pytest.mark.parametrize("method", ["downsample", "upsample"])
@pytest.mark.parametrize("mode", MODES)
def test_hosts_hold_the_guests_rows_under_the_guests_ids(hosts, method, mode):
    results, _ = sampled(hosts, method=method, **MODES[mode])
    mine = results[G][0]
    for host in hosts:
        theirs = results[host][0]
        assert theirs.data[0].ids.equals(mine.data[0].ids)
        assert rows_of(theirs) == rows_of(mine)
        assert theirs.data[0].x.toarray()[:, 0].tolist() == [3.0 * i for i in rows_of(mine)]
    if method == "downsample":
        assert rows_of(mine) == sorted(set(rows_of(mine)))
        assert mine.data[0].ids.to_pylist() == [f"r{i:03d}" for i in rows_of(mine)]
    else:
        assert mine.data[0].ids.to_pylist() == [str(i) for i in range(mine.data[0].n_rows)]


def test_a_random_sample_is_scikit_learns_and_counted():
    results, _ = sampled(fractions=0.4, random_state=3)
    down = resample(np.arange(N), replace=False, n_samples=24, random_state=3)
    assert rows_of(results[G][0]) == sorted(down)
    results, _ = sampled(method="upsample", fractions=2.5, random_state=3)
    assert rows_of(results[G][0]) == resample(np.arange(N), n_samples=150, random_state=3).tolist()
    for me in (G, BANK):
        _, report = results[me]
        assert report.metrics == {("sample_count", "random"): ("SAMPLE_TEXT", [("count", 150)], {})}
        assert report.told == {"sample_count": 150}


def test_without_fractions_a_tenth_is_drawn():
    assert len(rows_of(sampled()[0][G][0])) == 6
    results, _ = sampled(mode="stratified")
    assert results[G][1].told["sample_count"] == {"0": 2, "1": 2, "2": 2}


def test_a_stratified_sample_counts_every_label_at_the_guest_alone():
    results, _ = sampled(**MODES["stratified"])
    _, report = results[G]
    assert report.metrics == {
        ("sample_count", "stratified"): ("SAMPLE_TABLE", [(0, 4), (1, 10), (2, 20)], {}),
        ("original_count", "stratified"): ("SAMPLE_TABLE", [(0, 20), (1, 20), (2, 20)], {}),
    }
    assert report.told["sample_count"] == {"0": 4, "1": 10, "2": 20}
    assert results[BANK][1].told == {"sample_count": 34}
    drawn = results[G][0].data[0].label
    assert np.bincount(drawn).tolist() == [4, 10, 20]


def test_weights_repeat_rows_and_are_used_up():
    weight = np.where(np.arange(N) < 4, [0.0, 0.5, 1.0, 2.5] * 15, 0.0)
    results, _ = sampled(guest=frame(weight=weight), mode="exact_by_weight")
    mine, theirs = results[G][0], results[BANK][0]
    assert rows_of(mine) == rows_of(theirs) == [1, 2, 3, 3, 3]
    assert mine.data[0].ids.to_pylist() == ["0", "1", "2", "3", "4"]
    assert mine.data[0].weight is None
    assert mine.data[0].schema.weight_name is None
    assert ("sample_count", "exact_by_weight") in results[G][1].metrics


def test_a_host_follows_the_guest_however_it_is_configured_itself():
    tables = {G: frame(label=LABELS), BANK: frame()}
    results, _ = played(tables, at_host={"fractions": 0.9}, method="upsample", fractions=1.5)
    assert results[BANK][0].data[0].ids.equals(results[G][0].data[0].ids)


@pytest.mark.parametrize("mode", MODES)
def test_parties_of_a_horizontal_task_draw_for_themselves_and_send_nothing(mode):
    tables = {G: frame(label=LABELS), BANK: frame(30, label=LABELS[:30])}
    results, transcript = played(tables, task_type="homo", random_state=1, **MODES[mode])
    assert transcript == []
    assert results[BANK][0].data[0].n_rows < results[G][0].data[0].n_rows
    again, _ = played(tables, task_type="homo", random_state=1, **MODES[mode])
    assert rows_of(again[BANK][0]) == rows_of(results[BANK][0])


def test_a_seed_repeats_a_sample_of_the_same_data_and_only_of_it():
    given = {"random_state": 4, **MODES["stratified"]}
    first, again = (rows_of(sampled(**given)[0][G][0]) for _ in range(2))
    other = frame(label=LABELS)
    other.x[5, 1] = -1.0
    assert first == again != rows_of(sampled(guest=other, **given)[0][G][0])
    assert rows_of(sampled(fractions=0.5)[0][G][0]) != rows_of(sampled(fractions=0.5)[0][G][0])


def test_parties_exchange_exactly_the_declared_messages(golden):
    _, transcript = sampled((BANK, SHOP), fractions=0.5)
    lines = [
        [s.message, str(s.src), str(s.dst), codec.describe(s.value), s.envelope.kind]
        for s in transcript
    ]
    golden("federated_sample_two_hosts", lines)


def test_a_table_as_uploaded_can_be_sampled_at_random_but_not_by_label():
    key = pa.array([str(i) for i in range(10)])
    raw = RawTable(key, pa.table({"x0": key}), RawSchema(header="x0"))
    results, _ = played({G: raw, BANK: raw}, fractions=0.3)
    assert results[G][0].data[0].key.equals(results[BANK][0].data[0].key)
    for given in ({"mode": "stratified"}, {"mode": "exact_by_weight"}):
        with pytest.raises(BadData, match="takes"):
            played({G: raw}, task_type="homo", **given)


@pytest.mark.parametrize(
    "told",
    [
        Sample(np.array([0, N]), True),
        Sample(np.array([-1]), True),
        Sample(np.array([3, 3]), False),
        Sample(np.array([], dtype=np.int64), True),
        Sample(np.array([[1]]), True),
        Sample(np.array([1], dtype=np.int32), True),
    ],
    ids=["beyond", "negative", "twice", "none", "matrix", "type"],
)
def test_rows_that_are_none_are_refused(told):
    def guest(ctx):
        agreement.compare_ids(ctx, [frame().ids])
        ctx.remote(Wire.sample, told)

    def host(ctx):
        ctx.name = "sample_0"
        inputs = Inputs({"data": [NamedData("i_0", "data", frame())]})
        return run_component(FederatedSample(params()), ctx, inputs)

    with pytest.raises(ProtocolViolation, match=r"federated_sample\.sample"):
        run({G: guest, BANK: host}, Ctx)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fractions": 0}, "above 0 and at most 1"),
        ({"fractions": 1.01}, "above 0 and at most 1"),
        ({"fractions": -1, "method": "upsample"}, "above 0 to upsample"),
        ({"fractions": float("inf"), "method": "upsample"}, "finite"),
        ({"fractions": [[0, 0.5]]}, "mode random must be one number"),
        ({"fractions": 0.5, "mode": "stratified"}, "must be a list of"),
        ({"fractions": [[0, 0.5], [1, 2]], "mode": "stratified"}, "fractions.1. *: must"),
        ({"fractions": [[0]], "mode": "stratified"}, "fractions.0. must be"),
        ({"fractions": [[0, "x"]], "mode": "stratified"}, "fractions.0. must be"),
        ({"fractions": [[0, 0.5], ["0", 0.5]], "mode": "stratified"}, "twice"),
        ({"mode": "all"}, "allowed: random, stratified, exact_by_weight"),
        ({"task_type": "local"}, "allowed: hetero, homo"),
    ],
)
def test_impossible_parameters_are_refused_when_the_job_is_submitted(given, said):
    with pytest.raises(BadParameters, match=said):
        params(**given)


@pytest.mark.parametrize(
    ("guest", "given", "said"),
    [
        (frame(), {"mode": "stratified"}, "has no label"),
        (
            frame(label=LABELS),
            {"mode": "stratified", "fractions": [[0, 0.5], [1, 0.5]]},
            "nothing of 1 of the 3 labels",
        ),
        (
            frame(label=LABELS),
            {"mode": "stratified", "fractions": [[0, 0.5], [1, 0.5], [7, 0.1], [2, 1]]},
            r"fractions\[2\] names a label that the data has not",
        ),
        (frame(), {"mode": "exact_by_weight"}, "weights, of SampleWeight"),
        (frame(weight=np.zeros(N)), {"mode": "exact_by_weight"}, "no row is left"),
        (frame(weight=-np.ones(N)), {"mode": "exact_by_weight"}, "0 and above"),
        (frame(0), {}, "no rows"),
    ],
)
def test_data_that_does_not_fit_is_refused(guest, given, said):
    with pytest.raises(BadData, match=f"sample_0: .*{said}"):
        played({G: guest}, task_type="homo", **given)


def test_hosts_with_other_rows_are_told_to_intersect():
    with pytest.raises(BadData, match="output of Intersection"):
        played({G: frame(), BANK: frame(N - 1)})


@pytest.mark.parametrize("largest", [1e13, 1e308])
def test_a_sample_that_no_memory_holds_is_not_drawn(largest):
    heavy = frame(label=LABELS, weight=np.full(N, largest))
    wishes = [
        {"method": "upsample", "fractions": largest},
        {"method": "upsample", "mode": "stratified", "fractions": [[0, 1], [1, 1], [2, largest]]},
        {"mode": "exact_by_weight"},
    ]
    for wish in wishes:
        with pytest.raises(BadData, match=f"more than {2**30} rows; give smaller"):
            sampled(guest=heavy, **wish)
