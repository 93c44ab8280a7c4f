"""Walking vertical trees: the leaves of the pooled trees, and nobody is told more than it must."""

from dataclasses import replace

import numpy as np
import pytest

from federatedml.boosting_model import SharedTree
from federatedml.errors import BadModel
from federatedml.protocols import tree_walk
from federatedml.protocols.tree_walk import Wire, answer_at_host, leaves_at_guest
from federation.errors import ProtocolViolation
from federation.transport.inproc import run
from tests.protocol.shared_trees import BANK, MILL, SHOP, G, site, world

HOSTS = {"one host": (BANK,), "two hosts": (BANK, SHOP), "three hosts": (BANK, SHOP, MILL)}


def walked(w, guest=leaves_at_guest, host=answer_at_host, timeout_s=10):
    """(leaves at the guest, transcript)."""

    def side(party):
        function = guest if party == G else host
        return lambda ctx: function(ctx, w.shared[party], w.x[party])

    results, transcript = run({party: side(party) for party in w.x}, timeout_s=timeout_s)
    return results[G], transcript


def questions(transcript):
    return [line for line in transcript if line.message == Wire.question.name and line.value.model]


def told(w, line):
    """{(tree, node): the rows asked about}, of a question's transcript line."""
    q, found, at_bits, at_rows = line.value, {}, 0, 0
    width = (q.n_rows + 7) // 8
    for tree, node, count in zip(q.tree, q.node, q.counts, strict=True):
        if 4 * int(count) >= width:
            flags = np.unpackbits(q.bits[at_bits : at_bits + width], bitorder="little")
            rows, at_bits = np.flatnonzero(flags), at_bits + width
        else:
            rows, at_rows = q.rows[at_rows : at_rows + count], at_rows + int(count)
        found[int(tree), int(node)] = set((q.first + rows.astype(int)).tolist())
    return found


def through(w):
    """{(tree, node): the rows that pass the node}, of the pooled trees."""
    found = {}
    for t, tree in enumerate(w.pooled):
        for row, leaf in enumerate(w.leaves()[:, t].tolist()):
            node = leaf
            while True:
                found.setdefault((t, node), set()).add(row)
                if node == 0:
                    break
                node = int(np.flatnonzero((tree.left == node) | (tree.right == node))[0])
    return found


@pytest.mark.parametrize("hosts", HOSTS.values(), ids=HOSTS)
@pytest.mark.parametrize("seed", range(3))
def test_the_leaves_are_those_of_the_pooled_trees(hosts, seed):
    w = world(hosts, seed=seed)
    leaves, _ = walked(w)
    assert leaves.dtype == np.int32
    assert np.array_equal(leaves, w.leaves())


@pytest.mark.parametrize("n", [0, 1, 7, 8, 9, 1000])
def test_any_number_of_rows_is_walked(n):
    w = world((BANK, SHOP), n=n)
    leaves, _ = walked(w)
    assert leaves.shape == (n, 6)
    assert np.array_equal(leaves, w.leaves())


def test_sparse_rows_are_walked_like_dense_ones():
    w = world((BANK, SHOP))
    leaves, _ = walked(w.as_csr())
    assert np.array_equal(leaves, w.leaves())


def test_sparse_rows_may_come_with_unsorted_entries():
    w = world()
    mixed = w.as_csr().x[BANK]
    for start, stop in zip(mixed.indptr, mixed.indptr[1:], strict=False):
        mixed.indices[start:stop] = mixed.indices[start:stop][::-1]
        mixed.data[start:stop] = mixed.data[start:stop][::-1]
    mixed.has_sorted_indices = mixed.has_canonical_format = False
    leaves, _ = walked(replace(w, x={**w.x, BANK: mixed}))
    assert np.array_equal(leaves, w.leaves())


def test_batches_give_what_one_walk_gives(monkeypatch):
    w = world((BANK, SHOP), n=101)
    monkeypatch.setattr(tree_walk, "POSITIONS", 6 * 20 + 5)
    leaves, transcript = walked(w)
    assert np.array_equal(leaves, w.leaves())
    assert {line.value.first for line in questions(transcript)} == {0, 20, 40, 60, 80, 100}


def test_all_batches_are_asked_about_before_the_first_answer_is_needed(monkeypatch):
    w = world(n=100, depth=3, stop=0.0, owners=lambda d: (BANK, G)[d % 2 : d % 2 + 1])
    monkeypatch.setattr(tree_walk, "POSITIONS", 6 * 20)

    def slow_to_start(ctx, trees, x):
        held = [ctx.get(Wire.question) for _ in range(5)]
        original, ctx.get = ctx.get, lambda m: held.pop(0) if held else original(m)
        return answer_at_host(ctx, trees, x)

    leaves, transcript = walked(w, host=slow_to_start)
    assert np.array_equal(leaves, w.leaves())
    assert len(questions(transcript)) == 2 * 5


@pytest.mark.parametrize("hosts", HOSTS.values(), ids=HOSTS)
def test_a_level_takes_one_round_trip_at_most(hosts):
    w = world(hosts, depth=5, n_trees=10, stop=0.0)
    _, transcript = walked(w)
    for host in hosts:
        asked = [line for line in questions(transcript) if line.dst == host]
        answered = [line for line in transcript if line.src == host]
        assert 1 <= len(asked) <= 5
        assert len(answered) == len(asked)


def test_layered_trees_take_one_round_trip():
    w = world(depth=5, owners=lambda d: (BANK,) if d < 3 else (G,), stop=0.0)
    leaves, transcript = walked(w)
    assert np.array_equal(leaves, w.leaves())
    assert len(questions(transcript)) == 1


def test_trees_of_the_guest_alone_take_none():
    w = world(owners=lambda d: (G,))
    leaves, transcript = walked(w)
    assert np.array_equal(leaves, w.leaves())
    assert [line.value.model for line in transcript] == [b""]


def test_trees_of_one_host_each_take_one_round_trip_and_bother_nobody_else():
    w = world((BANK, SHOP), owners=lambda d: (SHOP,))
    leaves, transcript = walked(w)
    assert np.array_equal(leaves, w.leaves())
    assert [line.dst for line in questions(transcript)] == [SHOP]


@pytest.mark.parametrize("n_trees", [0, 3])
def test_trees_of_one_leaf_ask_nothing(n_trees):
    w = world(depth=0, n_trees=n_trees)
    leaves, transcript = walked(w)
    assert leaves.shape == (200, n_trees)
    assert not leaves.any()
    assert not questions(transcript)


def test_deep_trees_of_one_host_have_more_exits_than_a_byte_tells_apart():
    w = world(n=3000, depth=9, n_trees=2, owners=lambda d: (BANK,), stop=0.0)
    leaves, transcript = walked(w)
    assert np.array_equal(leaves, w.leaves())
    assert [line.value.shape[0] for line in transcript if line.src == BANK] == [9]


def test_several_cores_find_the_same():
    w = world((BANK,), n=20_000, n_trees=4)

    def on_two_cores(function):
        def called(ctx, *args):
            ctx.cores = 2
            return function(ctx, *args)

        return called

    leaves, _ = walked(w, on_two_cores(leaves_at_guest), on_two_cores(answer_at_host))
    assert np.array_equal(leaves, w.leaves())


def test_a_host_is_told_exactly_the_rows_that_come_to_its_own_nodes():
    w = world((BANK, SHOP), n=300, depth=5)
    _, transcript = walked(w)
    passing = through(w)
    for line in questions(transcript):
        mine = site(line.dst)
        for (tree, node), rows in told(w, line).items():
            assert w.shared[G][tree].sites[node] == mine
            assert rows == passing[tree, node]
    forms = [(len(line.value.bits), len(line.value.rows)) for line in questions(transcript)]
    assert all(any(sizes) for sizes in zip(*forms, strict=True)), "both forms must be tried"


def test_an_answer_takes_one_bit_for_a_row_where_no_question_of_the_host_follows():
    w = world(n=64, n_trees=1, depth=1, owners=lambda d: (BANK,))
    _, transcript = walked(w)
    (question,), (answer,) = questions(transcript), [t for t in transcript if t.src == BANK]
    assert question.value.bits.nbytes == 8
    assert answer.value.nbytes == 8


def forged(w, **changes):
    """The guest asks its first question with some fields changed."""

    def guest(ctx, trees, x):
        def remote(message, value, *, to):
            if value.model:
                value = type(value)(
                    **{f: changes.get(f, getattr(value, f)) for f in value.__struct_fields__}
                )
            return sent(message, value, to=to)

        sent, ctx.remote = ctx.remote, remote
        return leaves_at_guest(ctx, trees, x)

    return walked(w, guest=guest)


NONE = np.empty(0, np.uint8)


def words(*values):
    return np.array(values, np.uint32)


BAD_QUESTIONS = {
    "another model": ({"model": b"another"}, "other trees"),
    "rows before the first": ({"first": -1}, "rows that are not among the 8"),
    "rows beyond the last": ({"first": 1}, "rows that are not among the 8"),
    "no number of rows": ({"n_rows": "many"}, "n_rows: .* is not what it holds"),
    "no rows": ({"n_rows": 0}, "rows that are not among the 8"),
    "another dtype": ({"node": np.zeros(1, np.int64)}, "node: .* is not what it holds"),
    "no array": ({"bits": b"a"}, "bits: .* is not what it holds"),
    "a table": ({"bits": np.zeros((1, 1), np.uint8)}, "not the arrays"),
    "lengths": ({"node": words(0, 1)}, "not one tree, node and count each"),
    "nothing": ({"tree": words(), "node": words(), "counts": words(), "bits": NONE}, "a tree that"),
    "no such tree": ({"tree": words(1)}, "a tree that is not among 1"),
    "no such node": ({"node": words(99)}, "a node that is not one of this party's"),
    "the guest's node": ({"node": words(1)}, "a node that is not one of this party's"),
    "a leaf": ({"node": words(3)}, "a node that is not one of this party's"),
    "a node twice": (
        {"tree": words(0, 0), "node": words(0, 0), "counts": words(4, 4)},
        "nodes that do not rise",
    ),
    "no rows of a node": ({"counts": words(0)}, "a node without rows"),
    "more rows than there are": ({"counts": words(9)}, "more rows in a tree than there are"),
    "a bit too few": ({"bits": np.array([0x7F], np.uint8)}, "not as many as it counts"),
    "bytes too many": ({"bits": np.zeros(2, np.uint8)}, "not a bit for every row"),
    "rows and bits": ({"rows": words(1)}, "not as many rows as it counts"),
}


@pytest.mark.parametrize(("changes", "said"), BAD_QUESTIONS.values(), ids=BAD_QUESTIONS)
def test_a_host_refuses_a_question_that_is_not_in_order(changes, said):
    w = world(n=8, n_trees=1, depth=2, owners=lambda d: (BANK, G)[d : d + 1], stop=0.0)
    with pytest.raises(ProtocolViolation, match=f"guest 9999 .*tree_walk.question.*{said}"):
        forged(w, **changes)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((5, 3), "do not rise"),
        ((3, 3), "do not rise"),
        ((3, 400), "do not rise"),
        ((3,), "not as many rows as it counts"),
    ],
)
def test_a_host_refuses_a_list_of_rows_that_is_not_in_order(rows, said):
    w = world(n=400, n_trees=1, depth=1, owners=lambda d: (BANK,))
    few = {"counts": words(2), "rows": words(*rows), "bits": NONE}
    with pytest.raises(ProtocolViolation, match=said):
        forged(w, **few)


def test_a_host_refuses_bits_of_rows_that_it_does_not_have():
    w = world(n=5, n_trees=1, depth=1, owners=lambda d: (BANK,))
    with pytest.raises(ProtocolViolation, match="not as many as it counts"):
        forged(w, bits=np.array([0b11101111], np.uint8), counts=words(5))


def falsified(w, change):
    """The host sends change(its first answer)."""

    def host(ctx, trees, x):
        def remote(message, value):
            return sent(message, change(value))

        sent, ctx.remote = ctx.remote, remote
        return answer_at_host(ctx, trees, x)

    return walked(w, host=host)


def test_the_guest_refuses_an_exit_that_the_node_does_not_have():
    shape = world(n=50, n_trees=1, depth=2, owners=lambda d: (BANK,), stop=1.0)
    for seed in range(50):  # a tree with three exits
        shape = world(n=50, n_trees=1, depth=2, owners=lambda d: (BANK,), stop=0.5, seed=seed)
        if len(shape.pooled[0]) == 5:
            break
    assert len(shape.pooled[0]) == 5
    with pytest.raises(ProtocolViolation, match=r"host 10000 .*tree_walk.exits.*no exit of"):
        falsified(shape, lambda planes: np.full_like(planes, 0xFF))


@pytest.mark.parametrize(
    "change",
    [lambda a: a[:, :-1], lambda a: np.hstack([a, a]), lambda a: np.vstack([a, a]), np.ravel],
    ids=["too few", "too many", "too wide", "flat"],
)
def test_the_guest_refuses_answers_of_another_shape(change):
    w = world(n=50, n_trees=1, depth=1, owners=lambda d: (BANK,))
    with pytest.raises(ProtocolViolation, match=r"host 10000 .*answers"):
        falsified(w, change)


def changed(w, party, tree=0, **fields):
    """The world with a party's copy of one tree changed."""
    shared = list(w.shared[party])
    sites = fields.pop("sites", shared[tree].sites)
    shared[tree] = SharedTree(replace(shared[tree].tree, **fields), sites)
    return replace(w, shared={**w.shared, party: shared})


def test_trees_of_another_shape_are_refused_before_any_answer():
    w = world(n_trees=2, owners=lambda d: (BANK,), stop=0.0)
    swapped = w.shared[BANK][0].tree
    w = changed(w, BANK, left=swapped.right, right=swapped.left)
    with pytest.raises(ProtocolViolation, match="other trees than this party has"):
        walked(w)


BAD_TREES = {
    "a stranger's question": ({"sites": ["host:1", "", ""]}, "tree 0 .*host:1.*takes no part"),
    "a feature too many": ({"feature": np.array([3, -1, -1], np.int32)}, "tree 0: .* 3"),
    "no feature": ({"feature": np.array([-1, -1, -1], np.int32)}, "tree 0: .* 3"),
    "an asking leaf": ({"sites": ["guest:9999", "guest:9999", ""]}, "nobody who asks"),
    "nobody asks": ({"sites": ["", "", ""]}, "nobody who asks"),
    "a circle": ({"left": np.array([0, -1, -1], np.int32)}, "parents first"),
    "children elsewhere": ({"right": np.array([7, -1, -1], np.int32)}, "parents first"),
    "too few sites": ({"sites": ["guest:9999"]}, "one party for each"),
}


@pytest.mark.parametrize(("fields", "said"), BAD_TREES.values(), ids=BAD_TREES)
def test_trees_that_are_not_sound_are_refused(fields, said):
    w = changed(world(n_trees=1, depth=1, owners=lambda d: (G,)), G, **fields)
    with pytest.raises(BadModel, match=said):
        walked(w)


@pytest.mark.slow
def test_a_million_rows_and_a_hundred_trees_are_walked():
    w = world(n=1_000_000, n_trees=100, depth=5, stop=0.0)
    leaves, transcript = walked(w, timeout_s=300)
    assert len(questions(transcript)) <= 5 * 50
    some = np.arange(0, 1_000_000, 1000)
    assert np.array_equal(leaves[some], w.of(some).leaves())
