"""Samples and splits equal scikit-learn's, and classes keep their shares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split
from sklearn.utils import resample

from federatedml.maths import sampling
from federatedml.maths.sampling import TEST, TRAIN, VALIDATE, Seeded
from federatedml.protocols.batches import Draws

CHANCES = {"seed": Seeded, "key": lambda seed: Draws(bytes([seed % 256]) * 32)}


def anew(seed):
    return lambda n: Seeded(seed).permutation(n)


@pytest.fixture(params=sorted(CHANCES))
def chance(request):
    return CHANCES[request.param]


@settings(deadline=None, max_examples=60)
@given(n=st.integers(1, 200), fraction=st.floats(0.01, 1), seed=st.integers(0, 2**32 - 1))
def test_samples_are_those_of_scikit_learn(n, fraction, seed):
    k = sampling.part_of(fraction, n)
    down = resample(np.arange(n), replace=False, n_samples=k, random_state=seed)
    np.testing.assert_array_equal(sampling.downsampled(n, fraction, Seeded(seed)), np.sort(down))
    up = resample(np.arange(n), n_samples=sampling.part_of(3 * fraction, n), random_state=seed)
    np.testing.assert_array_equal(sampling.upsampled(n, 3 * fraction, Seeded(seed)), up)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), n=st.integers(3, 200), seed=st.integers(0, 2**32 - 1))
def test_a_split_is_scikit_learns_done_twice(data, n, seed):
    train = data.draw(st.integers(1, n - 2))
    validate = data.draw(st.integers(1, n - train - 1))
    test = n - train - validate
    parts = sampling.split(n, (train, validate, test), anew(seed))
    first, rest = train_test_split(
        np.arange(n), train_size=train, test_size=n - train, random_state=seed
    )
    second, third = train_test_split(rest, train_size=validate, test_size=test, random_state=seed)
    for part, rows in ((TRAIN, first), (VALIDATE, second), (TEST, third)):
        np.testing.assert_array_equal(np.flatnonzero(parts == part), np.sort(rows))


@settings(deadline=None, max_examples=60)
@given(
    codes=st.lists(st.integers(0, 4), min_size=10, max_size=200),
    cut=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    seed=st.integers(0, 1000),
)
def test_every_class_has_its_share_of_every_part(codes, cut, seed):
    codes, n = np.array(codes), len(codes)
    train, both = sorted(int(c * n) for c in cut)
    sizes = (train, both - train, n - both)
    parts = sampling.split_by_class(codes, 5, sizes, anew(seed))
    for part, size in zip((TRAIN, VALIDATE, TEST), sizes, strict=True):
        counts = np.bincount(codes[parts == part], minlength=5)
        assert counts.sum() == size
        exact = np.bincount(codes, minlength=5) * size / n
        assert np.abs(counts - exact).max() < (1 if part == TRAIN else 2)


@settings(deadline=None, max_examples=40)
@given(counts=st.lists(st.integers(4, 50), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_class_counts_are_those_of_scikit_learns_stratified_split(counts, seed):
    codes = np.repeat(np.arange(len(counts)), counts)
    n = len(codes)
    parts = sampling.split_by_class(codes, len(counts), (n // 2, n - n // 2, 0), anew(seed))
    train, _ = train_test_split(codes, train_size=n // 2, stratify=codes, random_state=seed)
    ours, theirs = (np.bincount(c, minlength=len(counts)) for c in (codes[parts == TRAIN], train))
    odd = sum(c % 2 for c in counts)  # halves are equal remainders: who gets them is chance there
    assert np.abs(ours - theirs).sum() <= odd
    assert ours.sum() == theirs.sum()


def test_rows_of_a_class_are_as_likely_as_each_other_to_be_in_a_part(chance):
    codes = np.arange(40) % 2
    times = np.zeros(40)
    for seed in range(400):
        parts = sampling.split_by_class(codes, 2, (20, 20, 0), chance(seed % 256).permutation)
        times += parts == TRAIN
        if seed >= 255:
            break
    assert abs(times.mean() - 128) < 1e-9
    assert times.min() > 90
    assert times.max() < 166


@settings(deadline=None, max_examples=40)
@given(
    codes=st.lists(st.integers(0, 2), min_size=6, max_size=100),
    fractions=st.tuples(*[st.floats(0.05, 1)] * 3),
    seed=st.integers(0, 255),
    kind=st.sampled_from(sorted(CHANCES)),
)
def test_samples_by_class_have_their_own_fraction_of_each(codes, fractions, seed, kind):
    codes, chance = np.array(codes), CHANCES[kind]
    counts = np.bincount(codes, minlength=3)
    wanted = [sampling.part_of(f, int(c)) for f, c in zip(fractions, counts, strict=True)]
    rows = sampling.downsampled_by_class(codes, fractions, chance(seed))
    assert (np.diff(rows) > 0).all()
    assert np.bincount(codes[rows], minlength=3).tolist() == wanted
    rows = sampling.upsampled_by_class(codes, [3 * f for f in fractions], chance(seed))
    wanted = [sampling.part_of(3 * f, int(c)) for f, c in zip(fractions, counts, strict=True)]
    assert np.bincount(codes[rows], minlength=3).tolist() == wanted


def test_a_fraction_is_rounded_down_to_one_row_at_least_and_not_by_binary_noise():
    assert [sampling.part_of(f, 100) for f in (0.29, 0.295, 0.001, 1.0)] == [29, 29, 1, 100]
    assert sampling.part_of(0.5, 0) == 0


def test_weights_repeat_rows_rounded_up_and_drop_those_of_no_weight():
    rows = sampling.repeated(np.array([0.0, 1e-9, 0.2, 1.0, 2.5]))
    assert rows.tolist() == [2, 3, 4, 4, 4]


def test_shares_of_no_rows_are_none():
    assert sampling.shares(np.zeros(3, dtype=np.int64), 0).tolist() == [0, 0, 0]
    assert sampling.shares(np.array([5, 5, 5]), 7).tolist() == [3, 2, 2]
