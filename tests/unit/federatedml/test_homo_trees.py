"""What goes into a secure sum of histograms, and what a client refuses to be told."""

import numpy as np
import pytest

from federatedml import homo_trees
from federatedml.homo_trees import BinnedRows, Grown, HomoSplits, HomoTurn, Planner
from federatedml.maths.quantiles import Cuts
from federatedml.maths.splits import Rules
from federatedml.protocols.homo_quantiles import Bins

CUTS = Cuts([np.array([0.0, 1.0, 2.0]), np.array([5.0])], 3)
USED = np.array([[1, 1, 1, 1], [1, 0, 0, 0]], dtype=bool)
BINS = Bins(CUTS, USED)
CODES = np.array([[0, 1, 2, 3, 0, 1], [0, 0, 0, 0, 0, 0]], dtype=np.uint8)
STATS = np.array([[1.0, 1], [-2, 1], [3, 1], [1, 1], [2, 1], [-4, 1]])


def turn(features=((0, 1),), scale=(40, 40)):
    ints = np.array(features, dtype=np.int32), np.array(scale, dtype=np.int32)
    return HomoTurn(False, ints[1], ints[0])


def grown():
    return Grown(BinnedRows(CODES, BINS, 4), [STATS], turn(), 1)


def planner():
    return Planner(BINS, Rules(), 2, turn(), 1)


def test_sums_of_packed_histograms_are_those_of_all_rows():
    packed, total = homo_trees.packing(BINS, turn(), 1, 4), np.uint64(0)
    for part in (slice(0, 2), slice(2, 6)):
        rows = BinnedRows(np.ascontiguousarray(CODES[:, part]), BINS, 4)
        total = total + packed.words(*Grown(rows, [STATS[part]], turn(), 1).histograms())
    sums, counts = packed.unpack([0], total)
    _, exact, n = grown().histograms()
    np.testing.assert_array_equal(sums, exact)
    np.testing.assert_array_equal(counts, n)
    assert len(total) == 5 * 2 + 1


def test_another_number_of_words_is_refused():
    packed = homo_trees.packing(BINS, turn(), 1, 4)
    words = packed.words(*grown().histograms())
    for wrong in (words[:-1], np.append(words, words[:1])):
        with pytest.raises(ValueError, match="numbers for 5 bins"):
            packed.unpack([0], wrong)


@pytest.mark.parametrize("size", [0.0, 1e-300, 1.0, 12345.678, 2.0**52, 1e29])
def test_rounded_derivatives_add_up_exactly(size):
    rng = np.random.default_rng(5)
    g = rng.normal(size=1000)
    g *= size / np.abs(g).sum()
    bits = int(homo_trees.scale_bits(np.array([np.abs(g).sum()]))[0])
    units = np.ldexp(homo_trees.rounded(g, bits), bits)
    assert np.array_equal(units, np.rint(units))
    assert np.abs(units).sum() < 2**53
    assert float(units.sum()) == sum(int(u) for u in units)
    assert np.abs(homo_trees.rounded(g, bits) - g).max(initial=0) <= max(size, 2.0**-48) * 2.0**-51


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        ({}, True),
        ({"features": ((1,),)}, True),
        ({"features": ((1, 0),)}, False),
        ({"features": ((0, 0),)}, False),
        ({"features": ((0, 2),)}, False),
        ({"features": ((-1, 0),)}, False),
        ({"scale": (40,)}, False),
        ({"scale": (40, 2000)}, False),
    ],
)
def test_columns_that_there_are_not_do_not_fit(given, fits):
    assert turn(**given).fits(2) is fits


def test_arrays_of_another_type_are_no_message():
    with pytest.raises(ValueError, match="arrays of int32 with 2 axes expected"):
        HomoTurn(False, np.zeros(2, dtype=np.int32), np.zeros((1, 2)))
    nothing, flags = np.empty(0, dtype=np.int32), np.empty(0, dtype=bool)
    with pytest.raises(ValueError, match="arrays of bool with 1 axes"):
        HomoSplits(nothing, nothing, nothing, flags, np.empty(0), flags, np.empty((0, 1)))


def test_a_client_follows_the_planner_to_the_leaves():
    client, arbiter, is_finished = grown(), planner(), False
    while not is_finished:
        _, sums, counts = client.histograms()
        told = arbiter.take(sums, counts)
        is_finished = client.take(told)
    (tree,) = client.finished()
    assert len(tree) > 1
    assert tree.count[tree.feature < 0].sum() == 6
    for leaf in np.flatnonzero(tree.feature < 0):
        rows = client.at[0] == leaf
        total = STATS[rows].sum(axis=0)
        np.testing.assert_allclose(tree.weight[leaf, 0], -total[0] / (total[1] + 0.1))


def test_where_the_planner_gives_up_the_level_becomes_leaves():
    client, arbiter = grown(), planner()
    _, sums, counts = client.histograms()
    assert not client.take(arbiter.take(sums, counts))
    assert client.take(arbiter.finish())
    (tree,) = client.finished()
    assert len(tree) == 3
    left = client.at[0] == 1
    np.testing.assert_allclose(tree.weight[1, 0], -STATS[left, 0].sum() / (left.sum() + 0.1))


@pytest.mark.parametrize(
    "change",
    [
        {"divided": np.array([True, False])},
        {"feature": np.array([2], dtype=np.int32)},
        {"cut": np.array([3], dtype=np.int32)},
        {"gain": np.empty(0)},
        {"divided": np.array([False])},
        {"weights": np.zeros((3, 2))},
        {"weights": np.zeros((5, 1))},
    ],
)
def test_trees_that_cannot_be_are_refused(change):
    client = grown()
    _, sums, counts = client.histograms()
    told = planner().take(sums, counts)
    fields = {name: getattr(told, name) for name in told.__struct_fields__}
    with pytest.raises(ValueError, match=r"number of nodes|incomplete|about no|weights for"):
        client.take(HomoSplits(**{**fields, **change}))
