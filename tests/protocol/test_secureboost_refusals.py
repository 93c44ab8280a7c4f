"""What a guest and a host of a vertical boosting do not take from one another."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from federatedml.component import Ctx
from federatedml.components import hetero_secureboost
from federatedml.components.hetero_secureboost import Usage
from federatedml.crypto import lattice, lattice_sums, paillier
from federatedml.errors import BadParameters
from federatedml.maths.candidates import candidates
from federatedml.maths.quantiles import binned, cut_points
from federatedml.params import parse
from federatedml.params_shared import EncryptParam
from federatedml.protocols import split_sums, tree_growth
from federatedml.protocols.split_sums import CountedRows, NodesAsked
from federatedml.protocols.tree_growth import NodesToDivide, TreeShape
from federatedml.protocols.tree_growth_host import Limits, grow_at_host
from federatedml.runner import run as run_component
from federation.errors import ProtocolViolation
from federation.transport.inproc import run
from tests.protocol.boosting_parties import (
    BANK,
    FAST,
    ONE_HOST,
    G,
    given,
    params,
    played,
    table,
)  # fmt: skip

N = 64
X = np.random.default_rng(0).normal(size=(N, 2))
CUTS = cut_points(X, 8)
CODES = binned(X, CUTS)
M = len(candidates(CODES, CUTS, use_missing=False))
LIMITS = Limits(levels=2, min_split=4, min_leaf=2)

PARAMS, CUT = lattice_sums.shape(N, M)
SECRET = lattice.keygen(PARAMS)
SEALED = lattice_sums.sealed(SECRET, np.ones(N, dtype=np.int64), CUT)


def host_told(*messages, encrypt=None, value_bits=None, most_words=3, limits=LIMITS):
    """A real host, and a guest that sends these messages and nothing else."""
    param = parse(EncryptParam, encrypt or {}, "test")

    def guest(ctx):
        for message, value in messages:
            ctx.remote(message, value)

    def host(ctx):
        sums = split_sums.opened_at_host(ctx, param, N, most_words, value_bits, 2)
        columns = tree_growth.Columns(CODES, CUTS, np.arange(2))
        return grow_at_host(ctx, columns, sums, limits, use_missing=False)

    return run({G: guest, BANK: host}, Ctx)[0][BANK]


KEY = (split_sums.Wire.lattice_key, SECRET.public)
PART = (tree_growth.Wire.takes_part, True)


def vectors(count):
    return (split_sums.Wire.masked_words, [SEALED] * count)


def divide(*nodes, ties=None):
    """nodes: (number, rows)."""
    rows = [np.array(list(part), dtype=np.uint32) for _, part in nodes]
    return (
        tree_growth.Wire.to_divide,
        NodesToDivide(
            np.array([number for number, _ in nodes], dtype=np.int32),
            np.arange(len(nodes)) if ties is None else np.array(ties),
            np.ones(len(nodes), dtype=np.int64),
            np.concatenate([np.empty(0, dtype=np.uint32), *rows]),
            np.array([len(part) for part in rows], dtype=np.int64),
        ),
    )


def shape(left, right, asks, sites=("host:10000",)):
    arrays = [np.array(part, dtype=np.int32) for part in (left, right, asks)]
    return (tree_growth.Wire.shape, TreeShape(*arrays, list(sites)))


def divide_by_any(node):
    """All candidates tie, so the host takes its first: the lowest cut of its first column."""
    number, rows = node
    return (
        tree_growth.Wire.to_divide,
        NodesToDivide(
            np.array([number], dtype=np.int32),
            np.arange(M),
            np.array([M]),
            np.array(rows, dtype=np.uint32),
            np.array([len(rows)]),
        ),
    )


WHOLE, NOTHING = (0, range(N)), divide()


def refused(*messages, match, **options):
    with pytest.raises(ProtocolViolation, match=match) as error:
        host_told(KEY, PART, *messages, **options)
    return str(error.value)


def test_a_guest_that_asks_what_the_host_allows_is_answered():
    end = (split_sums.Wire.masked_words, [])
    tree, took_part = host_told(
        KEY, PART, vectors(2), divide(WHOLE), vectors(2), NOTHING, end,
        shape([1, -1, -1], [2, -1, -1], [0, -1, -1]),
    )  # fmt: skip
    assert took_part
    assert tree.sites == ["host:10000", "", ""]


def test_no_more_levels_than_the_hosts_own_depth():
    level = (vectors(2), NOTHING)
    refused(*level, *level, vectors(2), match="2 vectors .* allow 0:")


def test_no_more_nodes_than_a_level_has():
    refused(vectors(4), match="4 vectors .* allow 3:")
    # The first question says how many statistics a row has: later ones cannot have more.
    refused(vectors(2), NOTHING, vectors(3), match="3 vectors .* allow 2:")
    refused(vectors(2), divide((0, range(30)), (1, range(30, N))), match="2 nodes at level 0")


def test_no_node_and_no_side_of_fewer_rows_than_the_host_asks_for():
    refused(vectors(2), divide((0, [3, 4, 5])), match="min_sample_split of this party, 4")
    one_is_low = np.argsort(X[:, 0])[[0, -1, -2, -3]]
    assert (CODES[0][one_is_low] == 0).tolist() == [True, False, False, False]
    refused(
        vectors(2),
        divide_by_any((0, one_is_low)),
        match="min_leaf_node of this party, 2",
    )


HUGE = 1 << 62


def damaged(**changes):
    message, value = divide(WHOLE)
    return message, msgspec.structs.replace(value, **changes)


@pytest.mark.parametrize(
    "question",
    [
        divide((0, [*range(8), 8, 8])),  # a row twice
        divide((0, [0, 1, 2, N])),  # a row that is not there
        divide((1 << 20, range(N))),
        divide((-1, range(N))),
        divide(WHOLE, ties=[M]),
        divide(WHOLE, ties=[-1]),
        damaged(tied=np.array([0])),
        damaged(tied=np.array([-1])),
        damaged(n_rows=np.array([N - 1])),
        damaged(n_rows=np.array([[N]])),
        damaged(node=np.zeros((1, 1), dtype=np.int32)),
        damaged(node=np.empty(0, dtype=np.int32)),
        damaged(rows=np.zeros((N, 1), dtype=np.uint32)),
        # Sizes whose sum wraps around to the right one.
        damaged(
            node=np.arange(5, dtype=np.int32),
            tied=np.array([HUGE, HUGE, HUGE, HUGE, 1]),
            n_rows=np.array([HUGE, HUGE, HUGE, HUGE, N]),
        ),
    ],
)
def test_questions_that_do_not_add_up_are_refused(question):
    words = refused(vectors(2), question, match="that there are not, or one twice")
    assert not any(part.isdigit() for part in words.replace("10000", "").replace("9999", ""))


def test_a_node_is_divided_once():
    refused(vectors(2), divide(WHOLE), vectors(2), divide(WHOLE), match="or one twice")


def test_arrays_of_another_type_are_refused_on_arrival():
    refused(vectors(2), damaged(rows=np.arange(N)), match="NodesToDivide.rows: int64")
    refused(vectors(2), damaged(tied=None), match="NodesToDivide.tied: NoneType")


@pytest.mark.parametrize(
    "wrong",
    [
        shape([1, -1], [2, -1], [0, -1]),
        shape([1, -1, -1], [2, -1, -1], [-1, -1, -1]),  # its own node is not there
        shape([1, -1, -1], [1, -1, -1], [0, -1, -1]),
        shape([1, -1, -1], [2, -1, -1], [0, 0, -1]),
        shape([0, -1, -1], [2, -1, -1], [0, -1, -1]),  # a node that is its own child
        shape([1, -1, 4, 2, -1], [5, -1, 3, 2, -1], [0, -1, 0, 0, -1]),
        shape([1, -1, -1], [2, -1, -1], [[0], [-1], [-1]]),
        shape([], [], []),
    ],
)
def test_a_tree_that_is_none_is_refused(wrong):
    end = (split_sums.Wire.masked_words, [])
    refused(
        vectors(2), divide(WHOLE), end, wrong, match="no tree with the nodes|one entry for each"
    )


# Keys and ciphertexts.


def test_ciphertexts_of_a_key_that_was_swapped_in_the_middle_are_refused():
    other = lattice_sums.sealed(lattice.keygen(PARAMS), np.ones(N, dtype=np.int64), CUT)
    swapped = (split_sums.Wire.masked_words, [SEALED, other])
    refused(swapped, match="another key")


def test_vectors_that_are_cut_for_other_rows_or_candidates_are_refused():
    for n, m in ((N + 1, M), (N, M + 1)):
        _, cut = lattice_sums.shape(n, m)
        if (n, m) != (N, M):
            vector = lattice_sums.sealed(SECRET, np.ones(n, dtype=np.int64), cut)
            refused((split_sums.Wire.masked_words, [vector]), match="cut alike")


def test_a_host_with_gradient_bits_insists_on_sums_with_little_room():
    with pytest.raises(ProtocolViolation, match="sums of 40 bits; gradient_bits leaves 22"):
        host_told(KEY, PART, value_bits=8)


FULL = paillier.keygen(512)
INTEGER_KEY = (split_sums.Wire.integer_key, FULL[0])


def counted(count=N, **changes):
    sealed = split_sums.packed_sums.encrypted(FULL[0], np.ones((count, 2), dtype=np.int64))
    found = CountedRows(np.arange(count), sealed, 2)
    return (split_sums.Wire.counted_rows, msgspec.structs.replace(found, **changes))


def question(node, n_nodes):
    return (split_sums.Wire.nodes_asked, NodesAsked(np.array(node, dtype=np.uint16), n_nodes))


@pytest.mark.parametrize(
    ("messages", "match"),
    [
        ([counted(at=np.arange(1, N + 1))], "rows that this party does not have"),
        ([counted(at=np.zeros(N, dtype=np.int64))], "a row more than once"),
        ([counted(at=np.arange(N - 1))], "more or fewer than rows"),
        ([counted(n_words=4)], "4 statistics of a row; 3 at most"),
        ([counted(n_words=0)], "0 statistics"),
        ([counted(n_words=1)], "do not hold 1 statistics"),
        ([counted(words=[])], "do not hold 2 statistics"),
        ([counted(), question([1] * N, 2)], "allows 1 of 64"),
        ([counted(), question([1] * N, 1 << 40)], "tree_param allows 1 of"),
        ([counted(), question([2] * N, 1)], "tree_param allows 1 of"),
        ([counted(), question([1] * (N - 1), 1)], "tree_param allows 1 of"),
        ([counted(), question([1] * N, -1)], "tree_param allows 1 of"),
    ],
)
def test_questions_under_paillier_that_may_not_be_asked_are_refused(messages, match):
    with pytest.raises(ProtocolViolation, match=match):
        host_told(INTEGER_KEY, PART, *messages, encrypt=FAST)


HALF = [1] * 30 + [0] * 34


@pytest.mark.parametrize(
    "questions",
    [
        [[1] * (N - 1) + [0]],  # not the whole at the root
        [[1] * N, [1] + [0] * (N - 1)],  # one row: its side at every candidate
        [[1] * N, [1] * (N - 1) + [0]],  # the same, as a difference
        [[1] * N, [0] * N],
        [[1] * N, HALF, [1] * 29 + [0] * 35],
        [[1] * N, HALF, [1] * 20 + [0] * 20 + [1] * 24],  # of two nodes
        [[1] * N, HALF, [1] * 10 + [2] * 10 + [0] * 44],  # two parts of one
        [[1] * N, HALF, [1] * 10 + [0] * 25 + [1] * 29],
    ],
)
def test_nodes_that_are_not_those_of_a_tree_of_enough_rows_are_refused(questions):
    told = [counted()]
    for node in questions:
        told += [question(node, max(1, *node)), NOTHING]
    with pytest.raises(ProtocolViolation, match="no parts of those before, or of fewer rows than"):
        host_told(INTEGER_KEY, PART, *told[:-1], encrypt=FAST, limits=Limits(3, 4, 2))


def test_nodes_of_a_tree_are_answered():
    told = [counted()]
    for node in ([1] * N, HALF, [1] * 10 + [0] * 40 + [2] * 14):
        told += [question(node, max(node)), NOTHING]
    told += [question([], 0), shape([-1], [-1], [-1])]
    _, took_part = host_told(INTEGER_KEY, PART, *told, encrypt=FAST, limits=Limits(3, 4, 2))
    assert took_part


# Whole trainings whose parties do not agree on what may be asked.


def both(guest, host):
    """Each party with parameters of its own."""
    x, score = table()
    y = (score > 0).astype(np.int64)
    own = {G: params(**guest), BANK: params(**host)}
    inputs = given(x, y, ONE_HOST)

    def party(me):
        def play(ctx):
            ctx.name = "boost_0"
            boost = hetero_secureboost.HeteroSecureBoost(own[me])
            return run_component(boost, ctx, inputs(me))

        return play

    return run({me: party(me) for me in ONE_HOST}, Ctx)


@pytest.mark.parametrize(
    ("guest", "host", "match"),
    [
        ({"tree_param": {"max_depth": 5}}, {"tree_param": {"max_depth": 2}}, "tree_param"),
        ({}, {"tree_param": {"min_leaf_node": 60}}, "min_leaf_node of this party, 60"),
        ({}, {"tree_param": {"min_sample_split": 200}}, "min_sample_split of this party, 200"),
        ({}, {"complete_secure": 1}, "complete_secure keep its columns out"),
        ({}, {"boosting_strategy": "mix"}, "keep its columns out"),
    ],
)
@pytest.mark.parametrize("encrypt", [{}, FAST], ids=["lattice", "paillier"])
def test_a_guest_with_laxer_parameters_is_refused_by_the_host(guest, host, match, encrypt):
    with pytest.raises(ProtocolViolation, match=match):
        both({"encrypt_param": encrypt, **guest}, {"encrypt_param": encrypt, **host})


def test_a_guest_without_the_hosts_gradient_bits_is_refused():
    with pytest.raises(ProtocolViolation, match="gradient_bits leaves 22"):
        both({}, {"gradient_bits": 8})
    # What both have holds; a host without takes any.
    both({"gradient_bits": 8}, {"gradient_bits": 8})
    both({"gradient_bits": 8}, {})


def test_parties_with_different_schemes_are_told_before_they_wait():
    with pytest.raises(BadParameters, match=r'encryption is "Paillier" here and "Lattice"'):
        both({}, {"encrypt_param": FAST})


# What a guest does not take from a host.


def host_says(message, change, **given_params):
    """A training in which what the host says in one message is changed."""
    x, score = table()
    y = (score > 0).astype(np.int64)

    def changed(self, sent, value, *, to=None, of=Ctx.remote):
        value = change(value) if sent is message and self.me == BANK else value
        of(self, sent, value, to=to)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ctx, "remote", changed)
        return played(params(**given_params), given(x, y, ONE_HOST), ONE_HOST)


def first_flipped(bits):
    found = bits.copy()
    found[0] ^= 0x80
    return found


@pytest.mark.parametrize(
    ("message", "change", "match"),
    [
        (split_sums.Wire.n_candidates, lambda _: -1, "-1 candidates"),
        (split_sums.Wire.n_candidates, lambda _: 1 << 40, "candidates"),
        (split_sums.Wire.n_candidates, lambda m: m + 1, "cut alike"),
        (split_sums.Wire.sealed_sums, lambda s: s[:-1], "1 vectors"),
        (split_sums.Wire.sealed_sums, lambda s: [replace(s[0], key=bytes(16)), s[1]], "key"),
        (tree_growth.Wire.goes_left, lambda b: b[:-1], "no answer"),
        (tree_growth.Wire.goes_left, first_flipped, "do not have the sums"),
        (tree_growth.Wire.goes_left, np.zeros_like, "do not have the sums"),
    ],
)
def test_wrong_answers_of_a_host_are_refused(message, change, match):
    with pytest.raises(ProtocolViolation, match=match):
        host_says(message, change)


@pytest.mark.parametrize(
    "change",
    [
        lambda u: Usage(u.column + 10**9, u.n_splits, u.asked),
        lambda u: Usage(u.column - 5, u.n_splits, u.asked),
        lambda u: Usage(u.column, u.n_splits + 1, u.asked),
        lambda u: Usage(u.column[:-1], u.n_splits, u.asked),
        lambda u: Usage(u.column, u.n_splits, u.asked[:-1]),
    ],
)
def test_a_hosts_count_of_its_columns_is_checked(change):
    tree = {"max_depth": 3, "feature_importance_type": "gain"}
    with pytest.raises(ProtocolViolation, match="no count of columns for the"):
        host_says(hetero_secureboost.Wire.usage, change, tree_param=tree)
