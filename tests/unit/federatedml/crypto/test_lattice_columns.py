"""Inner products of encrypted columns with plain ones are exact, and nothing else returns.

Statistical tests have a significance of 1e-9: they fail by chance once in a billion runs.
"""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from federatedml.crypto import lattice, lattice_columns, lattice_wire, ntt, rings
from federatedml.crypto.errors import BadCiphertext, ForeignKey, PlaintextOutOfRange
from federatedml.crypto.lattice_columns import Layout, Sums, laid_out, opened, sealed
from federation import codec
from tests.unit.federatedml.crypto.lattice_phase import divided

CHANCE = 1e-9
SECRET = lattice.keygen(laid_out(10, 2, 2).params)


def whole(words):
    """Words (.., 2) as Python's integers."""
    return words[..., 0].astype(object) + words[..., 1].astype(object) * (1 << 64)


def carried(value):
    return codec.decode(codec.encode(value))


def summed(layout, words, columns, cores=1, secret=SECRET):
    """(sums, their products over the wire, masks) of all parts; columns: (plain, rows)."""
    sums = Sums(carried(secret.public), layout, len(columns), cores=cores)
    for part in layout.parts:
        vectors = [
            carried(sealed(secret, words[part.start : part.stop, g.start : g.stop], layout))
            for g in layout.groups
        ]
        sums.add(vectors, np.ascontiguousarray(columns[:, part.start : part.stop]))
    products, masks = sums.returned()
    return [carried(product) for product in products], masks


def products(layout, words, columns, cores=1):
    """(sealed, plain) inner products modulo 2^128, unmasked."""
    returned, masks = summed(layout, words, columns, cores)
    found = np.concatenate(
        [
            opened(SECRET, product, layout, len(columns), len(group), cores)
            for product, group in zip(returned, layout.groups, strict=True)
        ]
    )
    return whole(rings.sub(found, masks, 128))


def entries(rng, rows, plain, bits=20):
    return rng.integers(-(2**bits), 2**bits + 1, (plain, rows)).astype(np.float64)


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 90), st.integers(1, 7), st.integers(1, 11)),
    group=st.integers(1, 4),
    inner=st.integers(1, 40),
    cores=st.sampled_from([1, 2]),
    seed=st.integers(0, 2**32),
)
def test_products_are_exact_however_they_are_cut(sizes, group, inner, cores, seed):
    rows, k_sealed, k_plain = sizes
    layout = replace(laid_out(*sizes), group=min(group, k_sealed), inner=min(inner, rows))
    words = rings.random((rows, k_sealed), 128)
    columns = entries(np.random.default_rng(seed), rows, k_plain)
    wanted = whole(words).T @ columns.T.astype(np.int64).astype(object) % (1 << 128)
    assert (products(layout, words, columns, cores) == wanted).all()


def test_products_are_exact_at_the_largest_norm_and_over_several_parts(monkeypatch):
    monkeypatch.setattr(lattice_columns, "SEALED_BYTES", 1)
    rows = 600
    layout = replace(laid_out(rows, 3, 2), group=2, inner=30)
    assert [len(part) for part in layout.parts] == [240, 240, 120]
    words = rings.random((rows, 3), 128)
    columns = np.zeros((2, rows))
    columns[0, 599], columns[1] = -(2.0**36), np.floor(2.0**36 / math.sqrt(rows))
    wanted = whole(words).T @ columns.T.astype(np.int64).astype(object) % (1 << 128)
    assert (products(layout, words, columns) == wanted).all()


@settings(max_examples=60, deadline=None)
@given(rows=st.integers(1, 3_000_000), k_sealed=st.integers(1, 400), k_plain=st.integers(1, 400))
def test_every_layout_covers_all_and_fits_a_ciphertext(rows, k_sealed, k_plain):
    layout = laid_out(rows, k_sealed, k_plain)
    assert layout.group * layout.inner <= layout.params.degree
    for cuts, size in ((layout.parts, rows), (layout.groups, k_sealed), (layout.strips, k_plain)):
        assert [cuts[0].start, cuts[-1].stop] == [0, size]
        assert all(a.stop == b.start for a, b in pairwise(cuts))
    in_memory = layout.blocks(len(layout.parts[0])) * len(layout.groups) * 2
    assert in_memory * 8 * len(layout.params.primes) * layout.params.degree <= max(
        lattice_columns.SEALED_BYTES, 8 * len(layout.groups) * 2 * (5 << 16)
    )


def test_one_column_in_a_result_is_within_what_flooding_hides():
    params = SECRET.params
    assert min(params.norm_bound, *params.primes) >= 2.0**lattice_columns.NORM_BITS
    assert laid_out(10, 1, 1).vector_tile(10).inner_block <= params.degree


@pytest.mark.parametrize("sizes", [(0, 1, 1), (1, 0, 1), (1, 1, 0)])
def test_nothing_to_multiply_is_refused(sizes):
    with pytest.raises(ValueError, match="rows and columns"):
        laid_out(*sizes)


# What is refused.


LAYOUT = replace(laid_out(20, 3, 2), group=2)
WORDS = rings.random((20, 3), 128)
COLUMNS = np.ones((2, 20))


def vectors(secret=SECRET, layout=LAYOUT):
    return [sealed(secret, WORDS[:, g.start : g.stop], layout) for g in layout.groups]


def test_a_column_that_is_too_long_is_refused_with_all_parts_of_it():
    sums, half = Sums(SECRET.public, LAYOUT, 2), COLUMNS * 2.0**35 / math.sqrt(20)
    for _ in range(3):
        sums.add(vectors(), half)
    sums.returned()
    sums = Sums(SECRET.public, LAYOUT, 2)
    for _ in range(7):
        sums.add(vectors(), half)
    with pytest.raises(PlaintextOutOfRange):
        sums.returned()


def test_vectors_of_another_key_or_cut_are_refused():
    other = lattice.keygen(SECRET.params)
    with pytest.raises(ForeignKey):
        Sums(SECRET.public, LAYOUT, 2).add(vectors(other), COLUMNS)
    with pytest.raises(BadCiphertext):
        Sums(SECRET.public, LAYOUT, 2).add(vectors(layout=replace(LAYOUT, inner=9)), COLUMNS)


def test_products_of_another_key_shape_or_lattice_are_refused():
    (product, _), _ = summed(LAYOUT, WORDS, COLUMNS)
    with pytest.raises(ForeignKey):
        opened(lattice.keygen(SECRET.params), product, LAYOUT, 2, 2)
    with pytest.raises(BadCiphertext, match="shape"):
        opened(SECRET, product, LAYOUT, 3, 2)
    with pytest.raises(BadCiphertext, match="shape"):
        opened(SECRET, replace(product, c1=product.c1[:1]), LAYOUT, 2, 2)
    with pytest.raises(BadCiphertext, match="parameters"):
        opened(SECRET, replace(product, params=lattice.parameters(64)), LAYOUT, 2, 2)


def fields():
    (product, _), _ = summed(LAYOUT, WORDS, COLUMNS)
    return lattice_wire._products_fields(product)


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_changed_byte_is_refused(data):
    parts = fields()
    which = data.draw(st.sampled_from([i for i, f in enumerate(parts) if isinstance(f, bytes)]))
    bad = bytearray(parts[which])
    bad[data.draw(st.integers(0, len(bad) - 1))] ^= data.draw(st.integers(1, 255))
    parts[which] = bytes(bad)
    with pytest.raises(BadCiphertext, match="check sum"):
        lattice_wire._build_products(parts)


@pytest.mark.parametrize(
    ("at", "other", "problem"),
    [
        (0, [4096, 40], "check sum"),
        (1, [2, 5], "check sum"),
        (1, [0, 4], "impossible"),
        (1, [2, 1 << 40], "impossible"),
        (1, ["2", 4], "impossible"),
        (1, [2], "2 numbers belong"),
        (2, bytes(16), "check sum"),
        (4, "text", "not bytes"),
    ],
)
def test_a_changed_field_is_refused(at, other, problem):
    parts = fields()
    parts[at] = other
    with pytest.raises(BadCiphertext, match=problem):
        lattice_wire._build_products(parts)


def test_a_shape_that_its_bytes_do_not_fill_is_refused_before_memory_is_taken():
    parts = fields()
    parts[1] = [1 << 31, 1 << 31]
    head = lattice_wire._products_head(SECRET.params, parts[1])
    parts[3] = lattice_wire._check(head, parts[2], *parts[4:])
    with pytest.raises(BadCiphertext, match="length"):
        lattice_wire._build_products(parts)


# What the owner of the key sees.


def test_masked_products_are_uniform_and_new_each_time():
    layout = laid_out(4, 8, 60)
    seen = []
    for _ in range(2):
        returned, _ = summed(layout, rings.zeros((4, 8), 128), np.ones((60, 4)))
        pairs = zip(returned, layout.groups, strict=True)
        seen.append(np.concatenate([opened(SECRET, p, layout, 60, len(g)) for p, g in pairs]))
    words = np.concatenate([part.ravel() for part in seen])
    set_bits = np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1).mean(axis=0)
    assert np.abs(set_bits - 0.5).max() < 7 * 0.5 / np.sqrt(len(words))
    assert not set(seen[0].ravel().tolist()) & set(seen[1].ravel().tolist())


def test_the_owner_cannot_divide_its_random_half_out_of_what_returns():
    """It knows a, and c1 of a product that is not refreshed is b a: the column is read. After the
    refresh nothing is left of it."""
    layout = Layout(SECRET.params, 500, 1, 1, 1, 500)
    column = entries(np.random.default_rng(4), 500, 1, bits=9)
    sums, vector = (
        Sums(SECRET.public, layout, 1),
        sealed(SECRET, rings.random((500, 1), 128), layout),
    )
    sums.add([vector], column)
    prime, a = SECRET.params.primes[0], vector.seeded_block(0)[0]
    before = sums._total[0, 1, 0].copy()
    assert divided(before, a, prime)[:500].tolist() == column[0].tolist()
    (product,), _ = sums.returned()
    kept = np.ascontiguousarray(product.c1)
    ntt.values(kept, np.ascontiguousarray(ntt.tables(SECRET.params.primes, 8192)[: kept.shape[1]]))
    guess = divided(kept[0, 0], a, prime)[:500]
    assert np.median(np.abs(guess)) > prime / 8
    assert stats.pearsonr(guess, column[0]).pvalue > CHANCE
    assert product.c0.shape == (len(SECRET.params.kept), 1)
