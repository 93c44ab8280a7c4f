"""Splits: the same rows at guest and hosts, sizes of every kind, labels that hosts cannot undo."""

from itertools import chain

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.model_selection import train_test_split

from federatedml import agreement, data_split
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.hetero_data_split import HeteroDataSplit, Wire
from federatedml.components.homo_data_split import HomoDataSplit
from federatedml.data import layout
from federatedml.data.frame import Frame, FrameSchema, RawSchema, RawTable
from federatedml.errors import BadData, BadParameters
from federatedml.maths import sampling
from federatedml.maths.sampling import Seeded
from federatedml.params import parse
from federatedml.runner import run as run_component
from federation import GUEST, HOST, Party, codec
from federation.errors import ProtocolViolation
from federation.transport.inproc import run

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
N = 100


def frame(n=N, label=None, k=2, pack=np.asarray, prefix="r"):
    x = np.arange(n * k, dtype=float).reshape(n, k)
    ids = pa.array([f"{prefix}{i:04d}" for i in range(n)])
    schema = FrameSchema(header=[f"x{i}" for i in range(k)])
    return Frame(ids, pack(x), schema, label=label, match_ids=pa.array([f"m{i}" for i in range(n)]))


def params(**given):
    return parse(HeteroDataSplit.Params, given, "HeteroDataSplit#split_0")


def played(kind, tables, **given):
    """{party: (outputs, report)} and the transcript."""

    def party(data):
        def play(ctx):
            ctx.name = "split_0"
            inputs = Inputs({"data": [NamedData("i_0", "data", data)]})
            return run_component(kind(params(**given)), ctx, inputs), ctx.report

        return play

    return run({me: party(data) for me, data in tables.items()}, Ctx)


def split(label=None, hosts=(BANK,), n=N, **given):
    tables = {G: frame(n, label), **{h: frame(n, k=3, pack=sparse.csr_matrix) for h in hosts}}
    return played(HeteroDataSplit, tables, **given)


def ids(outputs):
    return [data.ids.to_pylist() for data in outputs.data]


def labels(n=N):
    return (np.arange(n) % 5 == 0).astype(np.int64)


@pytest.mark.parametrize("hosts", [(BANK,), (BANK, SHOP)], ids=["one_host", "two_hosts"])
@pytest.mark.parametrize("stratified", [False, True])
def test_hosts_hold_the_guests_rows_in_the_guests_order(hosts, stratified):
    results, _ = split(labels(), hosts, stratified=stratified, test_size=0.3, validate_size=0.2)
    mine, _ = results[G]
    assert [len(part) for part in ids(mine)] == [50, 20, 30]
    assert sorted(chain(*ids(mine))) == frame().ids.to_pylist()
    for host in hosts:
        theirs, _ = results[host]
        assert ids(theirs) == ids(mine)
        assert sparse.issparse(theirs.data[0].x)
        assert theirs.data[2].x.toarray()[:, 0].tolist() == [3 * int(i[1:]) for i in ids(mine)[2]]


def test_without_strata_the_rows_are_those_of_scikit_learn():
    given = {"test_size": 0.25, "validate_size": 0.25, "random_state": 7}
    results, _ = split(**given)
    train, rest = train_test_split(
        frame().ids.to_pylist(), train_size=50, test_size=50, random_state=7
    )
    validate, test = train_test_split(rest, train_size=25, test_size=25, random_state=7)
    assert ids(results[G][0]) == [sorted(train), sorted(validate), sorted(test)]


@pytest.mark.parametrize("kind", [HeteroDataSplit, HomoDataSplit])
@pytest.mark.parametrize("stratified", [False, True])
def test_a_seed_repeats_a_split_and_no_seed_does_not(kind, stratified):
    def parts(**given):
        tables = {G: frame(label=labels()), BANK: frame(label=labels())}
        results, _ = played(kind, tables, stratified=stratified, test_size=0.5, **given)
        return ids(results[G][0])

    assert parts(random_state=3) == parts(random_state=3) != parts(random_state=4)
    assert parts() != parts()


def test_the_order_of_rows_does_not_change_where_a_row_goes():
    shuffled = frame(label=labels()).take(np.random.default_rng(0).permutation(N))
    for given in ({}, {"stratified": True}, {"shuffle": False}):
        both = [
            played(HomoDataSplit, {G: data}, random_state=1, test_size=0.3, **given)[0][G][0]
            for data in (frame(label=labels()), shuffled)
        ]
        assert [set(part) for part in ids(both[0])] == [set(part) for part in ids(both[1])]


def test_unshuffled_rows_are_cut_in_the_order_of_their_ids():
    results, _ = split(n=10, shuffle=False, train_size=5, validate_size=3)
    assert [len(p) for p in ids(results[G][0])] == [5, 3, 2]
    assert list(chain(*ids(results[G][0]))) == frame(10).ids.to_pylist()


def test_a_label_keeps_its_share_and_the_board_is_told():
    results, _ = split(labels(), stratified=True, validate_size=0.2)
    outputs, report = results[G]
    assert [data.label.mean() for data in outputs.data[:2]] == [0.2, 0.2]
    kind, points, said = report.metrics["train", "data_split"]
    assert (kind, points) == ("DATA_SPLIT", [("data_split", 0)])
    assert said == report.told == {
        "data_split_count_info": {"train": 80, "validate": 20, "test": 0, "original": 100},
        "data_split_ratio_info": {"train": 0.8, "validate": 0.2, "test": 0.0},
        "stratified": True,
        "data_split_label_info": {
            "original": {"0": 80, "1": 20},
            "train": {"0": 64, "1": 16},
            "validate": {"0": 16, "1": 4},
            "test": {"0": 0, "1": 0},
            "label_names": [0, 1],
            "continuous_label": False,
        },
    }  # fmt: skip
    _, report = results[BANK]
    assert "data_split_label_info" not in report.told
    assert report.told["data_split_count_info"]["train"] == 80


def test_a_continuous_label_is_stratified_by_intervals_with_their_upper_bound():
    y = np.linspace(0, 1, N)
    results, _ = split(y, stratified=True, split_points=[0.5, 0.2, 0.5], test_size=0.5)
    _, report = results[G]
    info = report.told["data_split_label_info"]
    layers = np.searchsorted([0.2, 0.5], y, side="left")
    assert info["original"] == {str(i): int((layers == i).sum()) for i in range(3)}
    assert info["test"] == {"0": 10, "1": 15, "2": 25}
    assert (info["split_points"], info["continuous_label"]) == ([0.2, 0.5], True)


def test_text_labels_are_strata_too():
    y = pa.array(["bad" if i % 4 else "good" for i in range(N)])
    results, _ = split(y, stratified=True, test_size=0.5)
    assert results[G][1].told["data_split_label_info"]["test"] == {"bad": 37, "good": 13}


SIZES = [
    ({}, (8, 2, 0)),
    ({"train_size": 0.7}, (7, 3, 0)),
    ({"test_size": 0.3}, (7, 0, 3)),
    ({"validate_size": 0.3}, (7, 3, 0)),
    ({"validate_size": 3, "test_size": 2}, (5, 3, 2)),
    ({"train_size": 6, "test_size": 4}, (6, 0, 4)),
    ({"train_size": 0.0, "test_size": 1.0}, (0, 0, 10)),
    ({"train_size": 0.29, "validate_size": 0.41, "test_size": 0.3}, (2, 4, 4)),
    ({"train_size": 1.0}, (10, 0, 0)),
    ({"test_size": 0, "validate_size": 0}, (10, 0, 0)),
    ({"train_size": 4, "validate_size": 0}, (4, 0, 6)),
]


@pytest.mark.parametrize(("given", "wanted"), SIZES)
def test_sizes_that_are_left_out_take_the_rest(given, wanted):
    assert data_split.sizes(params(**given), 10, "split_0") == wanted
    results, _ = split(n=10, **given)
    assert tuple(len(part) for part in ids(results[BANK][0])) == wanted


def test_parts_without_rows_are_tables_that_can_be_stored():
    results, _ = split(labels(), test_size=0.0, validate_size=0.0, train_size=1.0)
    for me in (G, BANK):
        for part in results[me][0].data:
            again = layout.from_arrow(layout.to_arrow(part).combine_chunks())
            assert (again.n_rows, again.n_features) == (part.n_rows, part.n_features)
            assert again.schema == part.schema


def test_a_table_as_uploaded_is_split_like_instances():
    def raw(n):
        key = pa.array([f"r{i:03d}" for i in range(n)])
        return RawTable(key, pa.table({"x0": key}), RawSchema(header="x0"))

    results, _ = played(HeteroDataSplit, {G: raw(9), BANK: raw(9)}, test_size=3, shuffle=False)
    assert results[BANK][0].data[2].key.to_pylist() == ["r006", "r007", "r008"]
    with pytest.raises(BadData, match="no label"):
        played(HomoDataSplit, {G: raw(9)}, stratified=True)


def test_parties_exchange_exactly_the_declared_messages(golden):
    _, transcript = split(labels(), (BANK, SHOP), stratified=True)
    golden("hetero_data_split_two_hosts", lines_of(transcript))


def lines_of(transcript):
    return [
        [s.message, str(s.src), str(s.dst), codec.describe(s.value), s.envelope.kind]
        for s in transcript
    ]


def test_a_host_that_knows_the_seed_does_not_know_how_strata_were_drawn():
    """With the seed and the classes' sizes alone a host would know each class's parts in order."""
    results, transcript = split(labels(), stratified=True, random_state=5, test_size=0.5)
    other = frame(label=labels())
    other.x[0, 0] += 1e-9
    results_of_another_guest, _ = played(
        HeteroDataSplit, {G: other, BANK: frame()}, stratified=True, random_state=5, test_size=0.5
    )
    assert ids(results[G][0]) != ids(results_of_another_guest[G][0])
    assert [(s.message, s.src.role) for s in transcript] == [
        ("agreement.rows", GUEST),
        (Wire.parts.name, GUEST),
    ]


def read_labels(parts, order):
    """A host's attack on a stratified split of which it knows the order that rows were drawn in:
    once one label has all its rows to train on, only the other gets any."""
    trained = parts[order] == 0
    first, last = np.flatnonzero(~trained)[0], np.flatnonzero(trained)[-1] + 1
    return order[first:last], trained[first:last].astype(np.int64)


def test_labels_do_not_follow_from_the_seed_and_the_parts():
    n = 4000
    y = np.random.default_rng(1).integers(0, 2, n)
    known = Seeded(5).permutation(n)

    def told(parts):
        rows, guess = read_labels(parts, known)
        agree = np.mean(guess == y[rows])
        return max(agree, 1 - agree)

    drawn_by_the_seed = sampling.split_by_class(y, 2, (2000, 2000, 0), lambda _: known)
    assert told(drawn_by_the_seed) == 1.0
    _, transcript = split(y, n=n, stratified=True, random_state=5, test_size=0.5)
    ours = next(s.value for s in transcript if s.message == Wire.parts.name)
    assert told(ours) < 0.6


def test_hosts_with_other_rows_are_told_to_intersect():
    for theirs in (frame(N - 1), frame(prefix="s")):
        with pytest.raises(BadData, match="output of Intersection"):
            played(HeteroDataSplit, {G: frame(), BANK: theirs})


@pytest.mark.parametrize("parts", [np.zeros(3), np.full(N, 3), np.zeros((N, 1))])
def test_parts_that_are_none_are_refused(parts):
    def guest(ctx):

        agreement.compare_ids(ctx, [frame().ids])
        ctx.remote(Wire.parts, parts.astype(np.uint8))

    def host(ctx):
        ctx.name = "split_0"
        inputs = Inputs({"data": [NamedData("i_0", "data", frame())]})
        return run_component(HeteroDataSplit(params()), ctx, inputs)

    with pytest.raises(ProtocolViolation, match="no parts of 100 rows"):
        run({G: guest, BANK: host}, Ctx)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"test_size": 1.5}, "sum up to 1.5"),
        ({"test_size": 0.7, "train_size": 0.7}, "sum up to 1.4"),
        ({"test_size": 0.2, "train_size": 0.2, "validate_size": 0.2}, "not to 1.0"),
        ({"test_size": 0.2, "train_size": 5}, "not both"),
        ({"test_size": -0.1}, "test_size"),
        ({"test_size": -1}, "test_size"),
        ({"stratified": True, "shuffle": False}, "stratified needs shuffle"),
        ({"split_points": [float("nan")]}, "split_points must be finite"),
        ({"random_state": -1}, "random_state"),
    ],
)
def test_impossible_parameters_are_refused_when_the_job_is_submitted(given, said):
    with pytest.raises(BadParameters, match=said):
        params(**given)


@pytest.mark.parametrize("kind", [HeteroDataSplit, HomoDataSplit])
def test_counts_that_are_not_the_rows_are_refused(kind):
    tables = {G: frame(10), BANK: frame(10)}
    for given in ({"test_size": 11}, {"test_size": 3, "train_size": 3, "validate_size": 3}):
        with pytest.raises(BadData, match=r"sum up to .*10 rows"):
            played(kind, tables, **given)


def test_strata_without_labels_are_refused():
    with pytest.raises(BadData, match="no label"):
        split(stratified=True)
    y = np.where(np.arange(N) % 2, np.nan, 1.0)
    with pytest.raises(BadData, match="50 rows have no label"):
        split(y, stratified=True)
    with pytest.raises(BadData, match="100 different labels in 100 rows are no classes"):
        split(np.linspace(0, 1, N), stratified=True)
    with pytest.raises(BadData, match="no label"):
        split(stratified=True, split_points=[1])
    y[0] = np.nan
    with pytest.raises(BadData, match="rows have no label"):
        split(y, stratified=True, split_points=[1])
    with pytest.raises(BadData, match="labels must be numbers"):
        split(pa.array(["a"] * N), stratified=True, split_points=[1])
