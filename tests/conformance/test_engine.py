"""What every table engine must do. A new engine joins by a line in ``ENGINES``.

Each verb is held against a plain dictionary, for any rows and any number of partitions, and
results must not depend on where the work runs.
"""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from eggroll import embedded
from eggroll.blocks import Block, Ciphers
from eggroll.embedded import Embedded
from eggroll.errors import BadInput
from eggroll.keys import decode, encode
from eggroll.session import Session
from eggroll.table import EmptyTable

ENGINES = {
    "embedded, inline": lambda folder: Embedded(folder, workers=0),
    "embedded, pool": lambda folder: Embedded(folder, workers=2),
}

property_test = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
keys = st.one_of(st.text(max_size=4), st.integers(), st.binary(max_size=3), st.booleans())
rows = st.dictionaries(st.text(max_size=3), st.integers(-9, 9), max_size=12)
partitions = st.integers(1, 5)


@pytest.fixture(scope="module", params=ENGINES)
def session(request, tmp_path_factory):
    patch = pytest.MonkeyPatch()
    if "pool" in request.param:  # a few rows are enough to leave the driver
        patch.setattr(embedded, "INLINE_ROWS", 8)
        patch.setattr(embedded, "PARK_BYTES", 64)
    with Session(engine=ENGINES[request.param](tmp_path_factory.mktemp("engine"))) as opened:
        yield opened
        assert opened.engine.stats()["pooled"] or "pool" not in request.param
    patch.undo()


def table(session, data, p=2):
    return session.parallelize(data.items(), p)


@given(st.lists(keys, max_size=12), partitions)
@property_test
def test_keys_come_back_and_order_is_that_of_encoded_keys(session, given_keys, p):
    made = session.parallelize([(k, None) for k in given_keys], p)
    found = [k for k, _ in made.collect()]
    assert {encode(k) for k in found} == {encode(k) for k in given_keys}
    for i in range(p):
        block = made.blocks(i)
        assert block.keys == sorted(block.keys)


@given(rows, partitions)
@property_test
def test_map_values_and_filter_keep_keys_and_run_as_one_pass(session, a, p):
    seen = table(session, a, p).map_values(lambda v: v + 1).filter(lambda _, v: v % 2 == 0)
    assert dict(seen.map_values(str).collect()) == {
        k: str(v + 1) for k, v in a.items() if (v + 1) % 2 == 0
    }


@given(rows, rows, partitions, partitions)
@property_test
def test_two_tables_meet_as_dictionaries_do(session, a, b, n, m):
    left, right = table(session, a, n), table(session, b, m)
    joined = dict(left.join(right, lambda x, y: (x, y)).collect())
    assert joined == {k: (a[k], b[k]) for k in a.keys() & b.keys()}
    assert dict(left.union(right).collect()) == {**b, **a}
    assert dict(left.union(right, lambda x, y: x - y).collect()) == {
        k: a[k] - b[k] if k in a and k in b else a.get(k, b.get(k)) for k in a.keys() | b.keys()
    }
    assert dict(left.subtract_by_key(right).collect()) == {k: a[k] for k in a.keys() - b.keys()}
    assert dict(left.left_join(right, lambda x, y: (x, y)).collect()) == {
        k: (v, b.get(k)) for k, v in a.items()
    }


@given(rows, partitions)
@property_test
def test_rows_move_to_the_partition_of_their_new_key(session, a, p):
    moved = table(session, a, p).map(lambda k, v: (v, k))
    assert set(dict(moved.collect())) == set(a.values())
    again = moved.join(session.parallelize([(v, 0) for v in set(a.values())], 3), lambda x, _: x)
    assert again.count() == len(set(a.values()))


@given(rows, partitions)
@property_test
def test_reduce_count_and_flat_map(session, a, p):
    made = table(session, a, p)
    assert made.count() == len(a)
    assert made.reduce(lambda x, y: x + y) == (sum(a.values()) if a else None)
    doubled = made.flat_map(lambda k, v: [(k + "1", v), (k + "2", v)])
    assert dict(doubled.collect()) == {k + n: v for k, v in a.items() for n in "12"}


@given(rows, partitions)
@property_test
def test_partitions_as_a_whole(session, a, p):
    made = table(session, a, p)
    sums = made.apply_partitions(lambda it: sum(v for _, v in it))
    assert sum(v for _, v in sums.collect()) == sum(a.values())
    assert sums.count() <= p
    assert sorted(row for _, part in made.glom().collect() for row in part) == sorted(a.items())
    counted = made.map_reduce_partitions(lambda it: [(v % 3, 1) for _, v in it], lambda x, y: x + y)
    assert dict(counted.collect()) == {
        r: sum(v % 3 == r for v in a.values()) for r in {v % 3 for v in a.values()}
    }
    numbered = made.map_partitions_with_index(lambda i, it: [((i, k), v) for k, v in it])
    assert {k: v for (_, k), v in numbered.collect()} == a
    assert {i for (i, _), _ in numbered.collect()} <= set(range(p))


@given(rows, partitions, partitions)
@property_test
def test_a_table_that_kept_its_places_under_new_keys_still_joins(session, a, n, m):
    kept = table(session, a, n).map_partitions(
        lambda it: [(k + "x", v) for k, v in it],
        use_previous_behavior=False,
        preserves_partitioning=True,
    )
    other = session.parallelize([(k + "x", 1) for k in a], m)
    assert kept.join(other, lambda v, _: v).count() == len(a)


def test_empty_tables_answer_every_verb(session):
    empty = session.parallelize([], 3)
    assert empty.count() == 0
    assert list(empty.collect()) == []
    assert empty.take(5) == []
    assert empty.reduce(max) is None
    assert empty.map(lambda k, v: (k, v)).count() == 0
    assert empty.apply_partitions(list).count() == 0
    assert empty.map_reduce_partitions(lambda it: it, max).count() == 0
    assert empty.union(empty).count() == empty.join(empty, max).count() == 0
    assert empty.sample(num=0).count() == 0
    with pytest.raises(EmptyTable):
        empty.first()


def test_wrong_arguments_are_refused(session):
    made = session.parallelize([(1, 1)])
    for wrong in (
        lambda: made.take(0),
        made.sample,
        lambda: made.sample(num=2),
        lambda: session.parallelize([(object(), 1)]),
    ):
        with pytest.raises((ValueError, TypeError)):
            wrong()


def test_of_equal_keys_the_last_wins_or_it_is_an_error(session, caplog):
    made = session.parallelize([("a", 1), ("b", 2), ("a", 3)])
    assert dict(made.collect()) == {"a": 3, "b": 2}
    assert "1 rows repeat the key" in caplog.text
    with pytest.raises(BadInput):
        session.engine.put([Block([encode(1), encode(1)], [1, 2])], 2, "error")


def test_numbers_are_one_key_whatever_their_type_and_texts_are_another(session):
    made = session.parallelize([(1, "int"), (np.int64(1), "numpy"), ("1", "text")])
    assert dict(made.collect()) == {1: "numpy", "1": "text"}


def test_a_key_of_ten_thousand_letters_is_a_key(session):
    assert session.parallelize([("k" * 10_000, 1)]).first() == ("k" * 10_000, 1)


def test_an_error_of_a_row_function_keeps_its_type_and_says_where(session):
    made = session.parallelize([(i, i) for i in range(20)], 2).map_values(lambda v: 1 // (v - 7))
    with pytest.raises(ZeroDivisionError):
        made.count()


def test_samples_are_exact_and_uniform(session):
    made = session.parallelize([(i, i) for i in range(20)], 3)
    times = np.zeros(20)
    for seed in range(200):
        drawn = [k for k, _ in made.sample(num=5, seed=seed).collect()]
        assert len(drawn) == 5
        times[drawn] += 1
    expected = 200 * 5 / 20
    chi_square = float(((times - expected) ** 2 / expected).sum())
    assert chi_square < 43.8  # 19 degrees of freedom, one in a thousand
    assert list(made.sample(fraction=0.5, seed=1).collect()) == list(
        made.sample(fraction=0.5, seed=1).collect()
    )


def test_float_sums_are_the_same_bit_for_bit_on_every_run(session):
    values = np.random.default_rng(3).normal(size=50)
    made = session.parallelize(enumerate(values), 4)
    assert len({made.reduce(lambda x, y: x + y) for _ in range(3)}) == 1


@pytest.mark.parametrize(
    "values",
    [
        np.arange(60.0).reshape(20, 3),
        np.arange(20),
        sparse.random(20, 5, 0.4, "csr", rng=np.random.default_rng(1)),
        pa.RecordBatch.from_pydict({"x": list(range(20)), "y": [str(i) for i in range(20)]}),
        Ciphers("paillier", "k1", np.arange(80, dtype=np.uint8).reshape(20, 4)),
    ],
    ids=["dense", "vector", "csr", "arrow", "cipher"],
)
def test_blocks_of_every_kind_survive_being_spread_and_parked(session, values):
    engine = session.engine
    handle = engine.put([Block([encode(i) for i in range(20)], values)], 3, "error")
    handle = engine.map_blocks(handle, _same, keeps_keys=True)
    found = {}
    for p in range(3):
        for block in engine.get(handle, p):
            assert block.kind == Block([], values).kind
            found.update((decode(k), _plain(v)) for k, v in block.pairs_encoded())
    expected = Block([encode(i) for i in range(20)], values)
    assert found == {decode(k): _plain(v) for k, v in expected.pairs_encoded()}


def _same(_partition, blocks):
    return blocks


def _plain(value):
    if isinstance(value, sparse.csr_matrix):
        return tuple(value.toarray().reshape(-1).tolist())
    return tuple(value.tolist()) if isinstance(value, np.ndarray) and value.ndim else value


def test_a_broadcast_value_is_there_where_kernels_run(session):
    digest = session.engine.broadcast({"weight": 3})

    def scaled(value):
        return value * embedded.fetch(digest)["weight"]

    made = session.parallelize([(i, i) for i in range(20)]).map_values(scaled)
    assert dict(made.collect()) == {i: 3 * i for i in range(20)}


def test_a_closed_engine_leaves_no_file(tmp_path):
    engine = Embedded(tmp_path, workers=0)
    engine.put([Block([encode(i) for i in range(300_000)], np.zeros((300_000, 1)))], 2)
    assert list(engine.folder.iterdir())
    engine.close()
    assert list(tmp_path.iterdir()) == []
