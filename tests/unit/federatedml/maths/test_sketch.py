"""Sketches of ranks: exact while they have room, then within their error, however they merged."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml.maths import sketch

SHARES = [0.0, 0.01, 0.25, 0.5, 0.75, 0.95, 1.0]


def values(seed, n):
    """Skewed, with ties, with zeros, of both signs."""
    rng = np.random.default_rng(seed)
    kinds = [rng.lognormal(sigma=2, size=n), rng.integers(-3, 4, n), rng.normal(size=n)]
    return np.choose(rng.integers(0, 3, n), kinds).astype(float)


def made(part, room):
    """As of a sparse column: its zeros are only counted."""
    stored = np.sort(part[part != 0.0])
    return sketch.of(stored, len(part) - len(stored), room)


def united(parts, order, room):
    """Of all parts, merged pair by pair in an order of their own."""
    sketches = [made(part, room) for part in parts]
    while len(sketches) > 1:
        a = sketches.pop(next(order) % len(sketches))
        b = sketches.pop(next(order) % len(sketches))
        sketches.append(sketch.merged(a, b))
    return sketches[0]


def numbers(seed):
    rng = np.random.default_rng(seed)
    while True:
        yield int(rng.integers(1 << 30))


def rank_errors(x, found, ranks):
    """How far each rank is from the ranks that the value found for it has among x."""
    ascending = np.sort(x)
    least = np.searchsorted(ascending, found, side="left")
    most = np.searchsorted(ascending, found, side="right") - 1
    return np.maximum(np.maximum(least - ranks, ranks - most), 0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 30), st.sampled_from([0.5, 0.1, 0.03]))
def test_any_parts_in_any_order_give_ranks_within_the_error(seed, n_parts, error):
    order = numbers(seed)
    parts = [values(seed + i, next(order) % 900) for i in range(n_parts)]
    x = np.concatenate([*parts, values(seed, 20_000), [0.0]])
    whole = united([*parts, x[-20_001:]], order, sketch.room(error))
    ranks = np.arange(0, len(x), 97)
    assert whole.n == len(x)
    assert whole.slack <= error * len(x)
    found = sketch.at_ranks(whole, ranks.tolist())
    assert rank_errors(x, found, ranks).max() <= whole.slack
    assert np.isin(found, x).all()
    counts = sketch.up_to(whole, found)
    true = np.searchsorted(np.sort(x), found, side="right")
    assert np.abs(counts - true).max() <= whole.slack


def test_a_sketch_that_is_too_small_would_be_wrong_by_more_than_its_error():
    """Lest the test above hold of anything: with a hundredth of the room, ranks are further off."""
    error = 0.001
    x = np.random.default_rng(1).normal(size=60_000)
    ranks = np.arange(0, len(x), 97)
    off = {}
    for room in (sketch.room(error), sketch.room(error) // 400):
        whole = united(np.array_split(x, 50), numbers(2), room)
        off[room] = rank_errors(x, sketch.at_ranks(whole, ranks.tolist()), ranks).max() / len(x)
    assert off[sketch.room(error)] <= error < off[sketch.room(error) // 400]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 400), st.lists(st.integers(0, 100), min_size=1))
def test_while_there_is_room_quantiles_are_those_of_the_inverted_distribution(seed, n, percents):
    x = values(seed, n)
    whole = united(np.array_split(x, 1 + n // 50), numbers(seed), sketch.room(0.01))
    shares = [percent / 100 for percent in percents]
    twin = [np.sort(x)[max(-(-percent * n // 100) - 1, 0)] for percent in percents]
    assert sketch.quantiles(whole, shares).tolist() == twin


def test_without_error_nothing_is_ever_thrown_away():
    x = values(3, 5000)
    whole = united(np.array_split(x, 9), numbers(3), sketch.room(0))
    assert whole.slack == 0
    assert sketch.at_ranks(whole, list(range(len(x)))).tolist() == np.sort(x).tolist()


def test_memory_grows_with_the_logarithm_of_the_rows():
    room = sketch.room(0.1)
    whole = united(
        np.array_split(np.random.default_rng(4).normal(size=200_000), 40), numbers(4), room
    )
    assert sum(map(len, whole.levels)) <= room * (1 + np.log2(200_000 / room) + 1)


def test_no_values_have_no_quantiles_and_zeros_alone_are_zeros():
    none = sketch.of(np.empty(0), 0, 10)
    assert np.isnan(sketch.quantiles(none, [0.5])).all()
    zeros = sketch.merged(none, sketch.of(np.empty(0), 7, 10))
    assert sketch.quantiles(zeros, SHARES).tolist() == [0.0] * len(SHARES)


def test_ranks_that_are_not_there_and_rooms_that_differ_are_refused():
    three = sketch.of(np.array([1.0, 2.0, 3.0]), 0, 10)
    with pytest.raises(ValueError, match="ranks of 3 values are 0 to 2"):
        sketch.at_ranks(three, [3])
    with pytest.raises(ValueError, match="room for 10 and 20"):
        sketch.merged(three, sketch.of(np.empty(0), 0, 20))
