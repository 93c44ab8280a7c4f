"""Arithmetic beyond one word, at every carry, against Python's integers."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from federatedml.crypto import lattice_pack as pack

FULL = (1 << 64) - 1
# A third of FULL times 3 is FULL: what is carried into it goes on.
edges = st.sampled_from([0, 1, 2, 1 << 63, FULL // 3, FULL - 1, FULL])
words = st.one_of(edges, st.integers(0, FULL))
residues = st.one_of(st.sampled_from([0, 1, 3, (1 << 50) - 1]), st.integers(0, (1 << 50) - 1))


def array(*numbers):
    return np.array(numbers, dtype=np.uint64)


def whole(parts):
    return sum(int(part) << 64 * i for i, part in enumerate(parts))


@settings(deadline=None, max_examples=500)
@given(v=residues, fraction=st.tuples(words, words, words), total=st.tuples(words, words, words))
@example(v=3, fraction=(FULL, FULL // 3, 0), total=(0, 0, 0))
@example(v=1, fraction=(1, FULL, 0), total=(FULL, 0, 0))
@example(v=1, fraction=(0, 1, 0), total=(0, FULL, 0))
def test_sums_of_fractions_carry(v, fraction, total):
    wide, narrow = array(*total), array(*total)
    pack._add_fraction(wide, np.uint64(v), array(*fraction), True)
    assert whole(wide) == (whole(total) + v * whole(fraction)) % (1 << 192)
    pack._add_fraction(narrow, np.uint64(v), array(*fraction), False)
    assert whole(narrow[:2]) == (whole(total[:2]) + v * whole(fraction[:2])) % (1 << 128)


@settings(deadline=None, max_examples=200)
@given(m=st.tuples(words, words), q=st.tuples(words, words), word_bits=st.integers(22, 64))
def test_remainders_are_products_modulo_2_to_the_k(m, q, word_bits):
    wide = pack._remainder(array(*m), array(*q, 128))
    assert whole(wide) == whole(m) * whole(q) % (1 << 128)
    small = m[0] % (1 << word_bits)
    narrow = pack._remainder(array(small), array(*q, word_bits))
    assert whole(narrow) == small * whole(q) % (1 << word_bits)


@settings(deadline=None, max_examples=100)
@given(m=st.tuples(words, words))
def test_pieces_are_the_number(m):
    wide, narrow = np.empty(4), np.empty(2)
    pack._pieces(np.uint64(m[0]), np.uint64(m[1]), wide)
    pack._pieces(np.uint64(m[0]), np.uint64(0), narrow)
    assert sum(int(piece) << 32 * i for i, piece in enumerate(wide)) == whole(m)
    assert sum(int(piece) << 32 * i for i, piece in enumerate(narrow)) == m[0]
