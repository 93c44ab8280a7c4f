"""Encrypted products are exact, whatever the shapes; what is out of range or foreign is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from federatedml.crypto import lattice, lattice_matrix, sampling
from federatedml.crypto.errors import BadCiphertext, ForeignKey, PlaintextOutOfRange
from federatedml.crypto.ntt import tables
from tests.unit.federatedml.crypto.lattice_phase import expected, opened, whole, words

NORMS = {23: 12.0, 40: 12.0, 64: 34.0, 128: 34.0}
SECRETS = {
    bits: lattice.keygen(lattice.parameters(bits, norm_bits=norm)) for bits, norm in NORMS.items()
}
word_sizes = pytest.mark.parametrize("bits", list(SECRETS))


def product_of(bits, matrices, vectors, cores=1):
    """The opened sum of products, through every step."""
    secret = SECRETS[bits]
    cut = lattice.tile(secret.params, *matrices[0].shape, NORMS[bits])
    pairs = [
        (secret.encrypt(u, cut, cores=cores), lattice.prepare(secret.params, cut, x, cores=cores))
        for x, u in zip(matrices, vectors, strict=True)
    ]
    product, mask = secret.public.multiply(pairs, cores=cores)
    return opened(secret, product, mask)


@word_sizes
@settings(max_examples=12, deadline=None)
@given(n=st.integers(1, 300), k=st.integers(1, 60), pairs=st.integers(1, 3), seed=st.integers(0))
def test_products_are_exact(bits, n, k, pairs, seed):
    rng, params = np.random.default_rng(seed), SECRETS[bits].params
    most = int(2 ** (NORMS[bits] - 7))
    matrices = [rng.integers(-most, most + 1, (n, k)) // int(n**0.5 + 1) for _ in range(pairs)]
    vectors = [words(params, n) for _ in range(pairs)]
    want = expected(params, *zip(matrices, vectors, strict=True))
    assert product_of(bits, matrices, vectors) == want


@pytest.mark.parametrize(
    ("bits", "n", "k"),
    [
        (64, 20_000, 3),
        (64, 8_193, 1),
        (128, 3, 5_000),
        (128, 17_000, 2),
        (40, 9_000, 70),
        (64, 9, 999),
    ],
)
def test_long_vectors_and_many_outputs_are_exact(bits, n, k):
    rng, params = np.random.default_rng(n + k), SECRETS[bits].params
    x, u = rng.integers(-20, 21, (n, k)), words(params, n)
    assert product_of(bits, [x], [u], cores=2) == expected(params, (x, u))


def test_a_million_rows_are_exact():
    """So many blocks that their sum would leave the range of a double if it were never reduced."""
    rng, params = np.random.default_rng(4), SECRETS[64].params
    x, u = rng.integers(-1000, 1001, (1_000_000, 1)), words(params, 1_000_000)
    want = int((x.ravel().astype(np.uint64) * u).sum())
    assert product_of(64, [x], [u], cores=2) == [want]


@word_sizes
def test_shares_wrap_around_and_sum_to_the_product(bits):
    """Two uniform shares of a vector, each encrypted: what the protocols do."""
    params = SECRETS[bits].params
    size, rng = 1 << bits, np.random.default_rng(5)
    x, one = rng.integers(-9, 10, (40, 6)), words(params, 40)
    plain = [int(v) for v in rng.integers(0, 1000, 40)]
    rest = [(p - s) % size for p, s in zip(plain, whole(one), strict=True)]
    other = as_words(rest, params)
    halves = zip(product_of(bits, [x], [one]), product_of(bits, [x], [other]), strict=True)
    want = [int(v) % size for v in x.T @ np.array(plain)]
    assert [(a + b) % size for a, b in halves] == want


def as_words(numbers, params):
    low = np.array([v & (2**64 - 1) for v in numbers], dtype=np.uint64)
    if params.words == 1:
        return low
    return np.stack([low, np.array([v >> 64 for v in numbers], dtype=np.uint64)], axis=1)


@pytest.mark.parametrize("bits", [64, 128])
@pytest.mark.parametrize("number", [0, 1, -1])
def test_numbers_at_the_edges_and_the_largest_entries(bits, number):
    params = SECRETS[bits].params
    u = as_words([number % (1 << bits)] * 2, params)
    for x in (
        np.array([[2.0**33], [-(2.0**33)]]),
        np.array([[2.0**34 - 2], [1]]),
        np.zeros((2, 1)),
    ):
        assert product_of(bits, [x], [u]) == expected(params, (x, u))


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x,
        lambda x: x.astype(np.int32),
        lambda x: x.astype(np.float64),
        lambda x: np.asfortranarray(x, dtype=np.float64),
        lambda x: x[::-1][::-1],
        sparse.csr_matrix,
        lambda x: sparse.csr_array(x.astype(np.float64)),
    ],
)
def test_a_matrix_may_have_any_form(form):
    x = np.random.default_rng(2).integers(-3, 4, (50, 21))
    u = words(SECRETS[64].params, 50)
    assert product_of(64, [form(x)], [u]) == expected(SECRETS[64].params, (x, u))


@pytest.mark.parametrize(("n", "k"), [(20_000, 3), (2, 3_000)])
def test_stored_transforms_and_threads_change_nothing(n, k):
    secret = SECRETS[64]
    cut = lattice.tile(secret.params, n, k)
    rng = np.random.default_rng(8)
    x, u = rng.integers(-50, 51, (n, k)), words(secret.params, n)
    sealed = secret.encrypt(u, cut)
    one_block = cut.vector_blocks * 3 * 8192 * 8
    for budget in (0, one_block, 1 << 30):
        ready = lattice.prepare(secret.params, cut, x, budget=budget)
        for cores in (1, 3, 1, 2):
            product, mask = secret.public.multiply([(sealed, ready)], cores=cores)
            assert opened(secret, product, mask) == expected(secret.params, (x, u))


def test_transforms_are_stored_from_the_second_product_on_within_the_budget():
    secret = SECRETS[64]
    cut = lattice.tile(secret.params, 3, 3_000)
    x = np.ones((3, 3_000))
    sealed = secret.encrypt(words(secret.params, 3), cut)
    ready = lattice.prepare(secret.params, cut, x, budget=2 * 3 * 8192 * 8)
    secret.public.multiply([(sealed, ready)])
    assert cut.result_blocks > 2
    assert ready._stored.shape == (2, cut.vector_blocks, 3, 8192)
    ready._stored.fill(np.nan)
    secret.public.multiply([(sealed, ready)])
    assert np.isfinite(ready._stored).all()


def test_threads_that_store_parts_of_one_result_at_once_store_all_of_it(monkeypatch):
    """While one thread finds memory for what it stores, the other runs to its end."""
    secret = SECRETS[64]
    cut = lattice.tile(secret.params, 20_000, 1)
    x, u = np.random.default_rng(9).integers(-50, 51, (20_000, 1)), words(secret.params, 20_000)
    sealed = secret.encrypt(u, cut)
    ready = lattice.prepare(secret.params, cut, x)
    secret.public.multiply([(sealed, ready)])
    parts = [(1, cut.vector_blocks), (0, 1)]

    def store():
        total = np.zeros((2, 3, 8192))
        ready.accumulate(0, parts.pop(), sealed.values, sealed.seeded, total)

    def empty(shape, plain=np.empty):
        if parts:
            store()
        return plain(shape, dtype=np.float64)

    with monkeypatch.context() as patch:
        patch.setattr(lattice_matrix.np, "empty", empty)
        while parts:
            store()
    product, mask = secret.public.multiply([(sealed, ready)])
    assert opened(secret, product, mask) == expected(secret.params, (x, u))


def test_two_encryptions_of_one_vector_differ_everywhere():
    """A coincidence of two residues is a chance of 2^-50 each."""
    secret = SECRETS[64]
    cut = lattice.tile(secret.params, 100, 2)
    u = words(secret.params, 100)
    one, two = secret.encrypt(u, cut), secret.encrypt(u, cut)
    assert one.seed != two.seed
    assert not (one.values == two.values).any()
    assert not (one.seeded == two.seeded).any()


def test_two_products_of_one_pair_differ_everywhere():
    secret = SECRETS[64]
    cut = lattice.tile(secret.params, 30, 900)
    pair = (
        secret.encrypt(words(secret.params, 30), cut),
        lattice.prepare(secret.params, cut, np.ones((30, 900))),
    )
    (one, mask), (two, other) = (secret.public.multiply([pair]) for _ in range(2))
    assert not (one.c0 == two.c0).any()
    assert not (one.c1 == two.c1).any()
    assert not (mask == other).any()


def test_masks_are_uniform_words():
    """Each bit of 3,000 masks is one half of the time set: within 8 standard deviations."""
    secret = SECRETS[64]
    cut = lattice.tile(secret.params, 1, 3_000)
    sealed = secret.encrypt(words(secret.params, 1), cut)
    ready = lattice.prepare(secret.params, cut, np.zeros((1, 3_000)))
    _, mask = secret.public.multiply([(sealed, ready)])
    share = np.unpackbits(mask.view(np.uint8)).reshape(3_000, 64).mean(axis=0)
    assert np.abs(share - 0.5).max() < 8 * 0.5 / 3_000**0.5


def test_warming_makes_all_tables_that_a_key_needs_and_draws_nothing(monkeypatch):
    tables.cache_clear()
    lattice._constants.cache_clear()
    with monkeypatch.context() as patch:
        patch.delattr(sampling, "secret_stream")
        patch.delattr(lattice.secrets, "token_bytes")
        lattice.warm()
    made = tables.cache_info().misses, lattice._constants.cache_info().misses
    for bits in (64, 128):
        secret = lattice.keygen(lattice.parameters(bits))
        secret.open(secret.public.multiply([a_pair(secret)])[0])
    assert (tables.cache_info().misses, lattice._constants.cache_info().misses) == made


# Refusals


def a_pair(secret=SECRETS[64], n=5, k=2, norm_bits=34.0):
    cut = lattice.tile(secret.params, n, k, norm_bits)
    ready = lattice.prepare(secret.params, cut, np.ones((n, k)))
    return secret.encrypt(words(secret.params, n), cut), ready


def test_a_vector_or_product_of_another_key_is_refused():
    stranger = lattice.keygen(SECRETS[64].params)
    with pytest.raises(ForeignKey):
        stranger.public.multiply([a_pair()])
    product, _ = SECRETS[64].public.multiply([a_pair()])
    with pytest.raises(ForeignKey):
        stranger.open(product)


def test_pairs_that_do_not_fit_each_other_are_refused():
    sealed, ready = a_pair()
    public = SECRETS[64].public
    with pytest.raises(ValueError, match="at least"):
        public.multiply([])
    with pytest.raises(ValueError, match="cut alike"):
        public.multiply([(sealed, a_pair(n=6)[1])])
    with pytest.raises(ValueError, match="cut alike"):
        public.multiply([(sealed, ready), a_pair(k=3)])
    with pytest.raises(ValueError, match="different lattice parameters"):
        public.multiply([(sealed, a_pair(SECRETS[40], norm_bits=12.0)[1])])


def test_a_product_under_other_parameters_is_refused():
    secret = SECRETS[64]
    product, _ = secret.public.multiply([a_pair()])
    twisted = lattice.SealedProduct(
        SECRETS[128].params, product.tile, product.key, product.c0, product.c1
    )
    with pytest.raises(BadCiphertext, match="not the key's"):
        secret.open(twisted)


def test_columns_beyond_the_norm_are_refused_each_and_together():
    secret = SECRETS[64]
    cut = lattice.tile(secret.params, 4, 2)
    within = np.array([[2.0**33 - 1, 0]] * 4)
    ready = lattice.prepare(secret.params, cut, within)
    sealed = secret.encrypt(words(secret.params, 4), cut)
    secret.public.multiply([(sealed, ready)])
    with pytest.raises(PlaintextOutOfRange, match="norm of a feature"):
        secret.public.multiply([(sealed, ready), (sealed, ready)])
    with pytest.raises(PlaintextOutOfRange, match="needs 35 bits and 34 are there"):
        lattice.prepare(secret.params, cut, 2 * within)
    with pytest.raises(PlaintextOutOfRange, match="needs 48 bits and 47 are there"):
        lattice.prepare(secret.params, cut, np.full((4, 2), 2.0**47 + 1))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 0.5, 2.0**40 + 0.5])
def test_entries_that_are_not_whole_numbers_are_refused(wrong):
    params = SECRETS[64].params
    matrix = np.ones((3, 2))
    matrix[1, 1] = wrong
    with pytest.raises(ValueError, match="not whole, or not finite") as refusal:
        lattice.prepare(params, lattice.tile(params, 3, 2), matrix)
    assert "0.5" not in str(refusal.value)


def test_matrices_of_another_shape_or_type_are_refused():
    params = SECRETS[64].params
    cut = lattice.tile(params, 3, 2)
    with pytest.raises(ValueError, match=r"expected a matrix \(3, 2\), got \(2, 3\)"):
        lattice.prepare(params, cut, np.ones((2, 3)))
    with pytest.raises(ValueError, match="expected whole numbers as float64, int64 or int32"):
        lattice.prepare(params, cut, np.ones((3, 2), dtype=np.float32))


def test_vectors_of_another_shape_or_type_are_refused():
    secret = SECRETS[64]
    cut = lattice.tile(secret.params, 3, 2)
    for wrong in (np.ones(4, dtype=np.uint64), np.ones(3), np.ones((3, 2), dtype=np.uint64)):
        with pytest.raises(ValueError, match=r"expected uint64 \(3,\)"):
            secret.encrypt(wrong, cut)
    small = SECRETS[40]
    with pytest.raises(PlaintextOutOfRange, match="needs 64 bits and 40 are there"):
        small.encrypt(np.array([1 << 40], dtype=np.uint64), lattice.tile(small.params, 1, 1, 12.0))


def test_keys_and_ciphertexts_do_not_print_their_numbers():
    sealed, ready = a_pair()
    product, _ = SECRETS[64].public.multiply([(sealed, ready)])
    for shown in (SECRETS[64], SECRETS[64].public, sealed, product):
        assert "array" not in repr(shown)
