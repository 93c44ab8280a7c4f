"""Triples multiply what is shared, once, whatever their kind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml.crypto import bit_planes, rings, triples
from federatedml.crypto.triples import Stream, Triple, TripleSpent

SEEDS = b"g" * 32, b"h" * 32
sizes = st.integers(0, 5)


def dealt(kind, dims, bits):
    """Both parties' shares of a triple, as a dealer's seeds and correction make them."""
    correction = triples.dealt(kind, dims, bits, *(Stream(seed) for seed in SEEDS))
    first = triples.from_seed(kind, dims, bits, Stream(SEEDS[0]), None)
    second = triples.from_seed(kind, dims, bits, Stream(SEEDS[1]), correction)
    return first.spend(), second.spend()


@given(st.sampled_from(["matrix", "product"]), sizes, sizes, sizes, st.sampled_from([64, 128]))
@settings(deadline=None)
def test_shared_factors_multiply_by_opened_differences(kind, n, k, c, bits):
    dims = (n, k, c) if kind == "matrix" else (n, 0, 0)
    shapes = ((n, k), (k, c)) if kind == "matrix" else ((n,), (n,))
    x, y = (rings.random(shape, bits) for shape in shapes)
    shares = dealt(kind, dims, bits)
    e, f = (
        rings.sub(v, rings.add(shares[0][i], shares[1][i], bits), bits)
        for i, v in enumerate((x, y))
    )
    parts = [triples.multiplied(kind, shares[p], e, f, p, bits) for p in (0, 1)]
    multiply = rings.matmul if kind == "matrix" else rings.mul
    np.testing.assert_array_equal(rings.add(*parts, bits), multiply(x, y, bits))


@given(sizes, sizes, sizes)
@settings(deadline=None)
def test_shared_bits_multiply_by_opened_differences(v, m, w):
    x, y = bit_planes.random((m, w)), bit_planes.random((v, m, w))
    shares = dealt("bits", (v, m, w), 128)
    e, f = x ^ shares[0][0] ^ shares[1][0], y ^ shares[0][1] ^ shares[1][1]
    one, other = (triples.multiplied("bits", shares[p], e, f, p, 128) for p in (0, 1))
    np.testing.assert_array_equal(one ^ other, x & y)


@pytest.mark.parametrize("bits", [64, 128])
@pytest.mark.parametrize("n", [0, 1, 64, 100])
def test_a_flag_is_the_same_bit_in_both_kinds_of_shares(n, bits):
    (plane, _, words), (other_plane, _, other_words) = dealt("flags", (n, 0, 0), bits)
    flags = bit_planes.unpacked(plane ^ other_plane, n)
    total = rings.decode(rings.add(words, other_words, bits), 0, bits)
    np.testing.assert_array_equal(total, flags.astype(float))


def test_a_stream_never_repeats_itself():
    stream = Stream(SEEDS[0])
    words = np.concatenate([stream.words((50,)), stream.words((10, 5)).ravel()])
    assert len(set(words.tolist())) == 100


def test_a_spent_triple_is_refused_and_no_triple_shows_its_shares():
    triple = Triple("product", (np.ones(1, np.uint64),) * 3)
    assert repr(triple) == "Triple(product, unused)"
    triple.spend()
    with pytest.raises(TripleSpent, match="a product triple was used before"):
        triple.spend()


@pytest.mark.parametrize(
    "request_",
    [
        ("cube", (1, 1, 1), 64),
        ("product", (-1, 0, 0), 64),
        ("product", (1, 0, 0), 32),
        ("matrix", (1 << 20, 1 << 20, 1), 64),
        ("bits", (1 << 62, 1 << 62, 1 << 62), 64),
    ],
)
def test_a_request_without_sense_is_refused(request_):
    with pytest.raises(ValueError, match=r"no such triple|more words"):
        triples.checked(*request_)


def test_a_sensible_request_is_taken_as_it_is():
    assert triples.checked("bits", (2, 3, 4), 128) == ("bits", (2, 3, 4), 128)
