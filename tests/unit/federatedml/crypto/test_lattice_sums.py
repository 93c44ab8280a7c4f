"""Encrypted sums left of candidates are those in the clear; nothing else of the columns returns.

Statistical tests have a significance of 1e-9: they fail by chance once in a billion runs.
"""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from federatedml.crypto import lattice, lattice_indicators, lattice_pack, lattice_sums
from federatedml.crypto import lattice_wire as wire
from federatedml.crypto.errors import BadCiphertext, ForeignKey, PlaintextOutOfRange
from federatedml.crypto.lattice_indicators import Indicators, place
from federatedml.crypto.lattice_sums import opened, sealed, shape, sums
from federatedml.crypto.ntt import tables, values
from federatedml.maths.candidates import Candidates
from federation import codec
from tests.unit.federatedml.crypto.lattice_phase import divided, noise, product_phases, whole

CHANCE = 1e-9
BITS = (22, 40)
SECRETS = {bits: lattice.keygen(shape(1, 1, bits)[0]) for bits in BITS}
word_sizes = pytest.mark.parametrize("bits", BITS)


def table(rng, n, m, n_bins=32, k=7, dtype=np.uint8):
    """Random codes (k, n), missing ones among them, and m candidates."""
    codes = rng.integers(0, n_bins + 1, (k, n)).astype(dtype)
    of = Candidates(
        rng.integers(0, k, m).astype(np.int32),
        rng.integers(0, n_bins, m).astype(np.int32),
        rng.random(m) < 0.5,
    )
    return codes, of


def in_the_clear(codes, n_bins, of, words):
    """(m,) sums over the rows that go left."""
    chosen = codes[of.feature]
    left = (chosen <= of.cut[:, None]) | ((chosen == n_bins) & of.missing_left[:, None])
    return left @ words


def random_words(rng, n, bits=40):
    """(n,) with sums within 2^(bits - 1) - 1; every other node has no row here."""
    most = (2 ** (bits - 1) - 1) // n
    return rng.integers(-most, most + 1, n) * (rng.random(n) < 0.5)


def summed(secret, codes, n_bins, of, words, cores=1):
    """Through every step, over the wire."""
    params, cut = shape(codes.shape[1], len(of), secret.params.word_bits)
    vectors = [carried(sealed(secret, w, cut, cores)) for w in words]
    found = sums(secret.public, vectors, Indicators(params, cut, codes, n_bins, of), cores=cores)
    return [opened(secret, carried(product), cores) for product in found]


def carried(ciphertext):
    return codec.decode(codec.encode(ciphertext))


@word_sizes
@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(1, 400),
    m=st.integers(1, 90),
    wide=st.booleans(),
    vectors=st.integers(1, 3),
    cores=st.integers(1, 2),
    seed=st.integers(0),
)
def test_sums_are_those_in_the_clear(bits, n, m, wide, vectors, cores, seed):
    rng = np.random.default_rng(seed)
    n_bins = 700 if wide else int(rng.integers(1, 256))
    codes, of = table(rng, n, m, n_bins, dtype=np.uint16 if wide else np.uint8)
    words = [random_words(rng, n, bits) for _ in range(vectors)]
    found = summed(SECRETS[bits], codes, n_bins, of, words, cores)
    for one, w in zip(found, words, strict=True):
        np.testing.assert_array_equal(one, in_the_clear(codes, n_bins, of, w))


@pytest.mark.parametrize(
    ("n", "m"), [(41 * 4096 + 1, 2), (20_011, 31), (150, 2_000), (1, 1), (4096, 1), (4097, 33)]
)
def test_many_blocks_of_rows_and_of_candidates_are_exact(n, m):
    rng = np.random.default_rng(n)
    codes, of = table(rng, n, m)
    w = random_words(rng, n)
    (found,) = summed(SECRETS[40], codes, 32, of, [w], 2)
    np.testing.assert_array_equal(found, in_the_clear(codes, 32, of, w))


def test_the_tested_shapes_have_more_panels_and_groups_than_one():
    _, cut = shape(41 * 4096 + 1, 2)
    assert cut.vector_blocks > 2 * lattice_indicators.PANEL
    _, cut = shape(150, 2_000)
    assert cut.result_blocks > lattice_indicators.MIN_GROUPS


@pytest.mark.slow
def test_sums_over_a_million_rows_are_exact():
    rng = np.random.default_rng(3)
    codes, of = table(rng, 1_000_003, 12)
    words = [random_words(rng, 1_000_003) for _ in range(2)]
    found = summed(SECRETS[40], codes, 32, of, words, 2)
    for one, w in zip(found, words, strict=True):
        np.testing.assert_array_equal(one, in_the_clear(codes, 32, of, w))


@word_sizes
@pytest.mark.parametrize("sign", [1, -1])
def test_sums_at_the_edge_of_the_budget_are_exact(bits, sign):
    rng, n, most = np.random.default_rng(4), 100, 2 ** (bits - 1) - 1
    codes, of = table(rng, n, 40, 5)
    codes[:3] = 0  # all rows go left
    spread = np.full(n, sign * (most // n))
    spread[0] += sign * (most % n)
    single = np.zeros(n, dtype=np.int64)
    single[-1] = sign * most
    for w in (spread, single):
        (found,) = summed(SECRETS[bits], codes, 5, of, [w])
        assert found[of.feature < 3].tolist() == [sign * most] * int((of.feature < 3).sum())
        np.testing.assert_array_equal(found, in_the_clear(codes, 5, of, w))


def test_a_node_without_rows_has_sums_of_zero():
    codes, of = table(np.random.default_rng(5), 50, 20)
    found = summed(SECRETS[40], codes, 32, of, [np.zeros(50, dtype=np.int64)] * 2)
    assert not np.concatenate(found).any()


def case(n=300, m=70, vectors=2, seed=6, budget=1 << 30):
    """Sealed words, and the columns they meet."""
    rng, secret = np.random.default_rng(seed), SECRETS[40]
    codes, of = table(rng, n, m)
    params, cut = shape(n, m)
    words = [random_words(rng, n) for _ in range(vectors)]
    wanted = [in_the_clear(codes, 32, of, w).tolist() for w in words]
    columns = Indicators(params, cut, codes, 32, of, budget=budget)
    return [sealed(secret, w, cut) for w in words], columns, wanted


def read(vectors, columns, cores=1):
    secret = SECRETS[40]
    found = sums(secret.public, vectors, columns, cores=cores)
    return [opened(secret, product).tolist() for product in found]


def test_kept_transforms_and_threads_change_nothing():
    one_group = 8 * 2 * 4096 * shape(300, 70)[1].vector_blocks
    for budget in (0, one_group, 1 << 30):
        vectors, columns, wanted = case(budget=budget)
        for cores in (1, 3, 2):
            assert read(vectors, columns, cores) == wanted


def test_transforms_are_computed_once_if_the_budget_has_room(monkeypatch):
    made = []
    transform = lattice_indicators._transform

    def spied(*args):
        made.append(args)
        transform(*args)

    monkeypatch.setattr(lattice_indicators, "_transform", spied)
    counts = []
    for budget in (0, 1 << 30):
        vectors, columns, wanted = case(budget=budget)
        for _ in range(2):
            made.clear()
            assert read(vectors, columns) == wanted
            counts.append(len(made))
    assert counts[0] == counts[1] == counts[2] > counts[3] == 0


def test_reordered_candidates_have_their_sums_in_the_new_order():
    vectors, columns, wanted = case()
    assert read(vectors, columns) == wanted
    _, of = table(np.random.default_rng(6), 300, 70)
    order = np.random.default_rng(7).permutation(70)
    columns.reorder(of.take(order))
    for _ in range(2):
        assert read(vectors, columns) == [np.array(w)[order].tolist() for w in wanted]


def test_fewer_or_more_vectors_than_before_share_the_memory():
    vectors, columns, wanted = case(vectors=5)
    for several in (slice(2, 4), slice(5), slice(1), slice(3, 5)):
        assert read(vectors[several], columns, 2) == wanted[several]


def test_vectors_beyond_what_memory_may_hold_go_in_batches(monkeypatch):
    vectors, columns, wanted = case(vectors=5)
    blocks = columns.tile.vector_blocks
    monkeypatch.setattr(lattice_sums, "BATCH_BYTES", 2 * 2 * 8 * 2 * 4096 * blocks)
    assert read(vectors, columns) == wanted
    assert read([], columns) == []


# What returns


def test_two_results_of_the_same_inputs_differ_everywhere():
    """A coincidence of two residues is a chance of 2^-50 each."""
    vectors, columns, _ = case()
    one, two, three = (sums(SECRETS[40].public, vectors, columns)[0] for _ in range(3))
    for a, b in ((one, two), (two, three)):
        assert not (a.c0 == b.c0).any()
        assert not (a.c1 == b.c1).any()


def test_only_the_sums_coefficients_of_c0_leave():
    vectors, columns, _ = case()
    for product in sums(SECRETS[40].public, vectors, columns):
        assert product.c0.shape == (1, 70)
        assert product.c1.shape == (columns.tile.result_blocks, 1, 4096)


def test_every_result_of_every_vector_is_refreshed_by_itself(monkeypatch):
    drawn, refresh = [], lattice_pack.refresh

    def spied(total, r, errors, *rest):
        drawn.append((r.copy(), *errors.copy()))
        refresh(total, r, errors, *rest)

    monkeypatch.setattr(lattice_pack, "refresh", spied)
    vectors, columns, _ = case(vectors=3)
    sums(SECRETS[40].public, vectors, columns)
    assert len(drawn) == 3 * columns.tile.result_blocks
    polynomials = np.concatenate([np.array(d) for d in drawn])
    assert len(np.unique(polynomials, axis=0)) == 3 * len(drawn)


def test_the_owner_cannot_divide_its_random_half_out_of_a_result():
    """Without the refresh, c1 is a times the candidates' columns, and a is the owner's own."""
    secret = SECRETS[40]
    vectors, columns, _ = case(n=60, m=3, vectors=1)
    cut, (vector,) = columns.tile, vectors
    assert cut.vector_blocks == 1
    codes, of = table(np.random.default_rng(6), 60, 3)
    chosen = codes[of.feature]
    left = (chosen <= of.cut[:, None]) | ((chosen == 32) & of.missing_left[:, None])
    wanted = left[: cut.output_block].astype(float).ravel()
    placed = columns.panels(2)
    place(vector.values[0], 0, 0, placed)
    place(vector.seeded[0], 0, 1, placed)
    total = columns.products(0, placed, columns.room(2))
    prime, a = secret.params.primes[0], vector.seeded[0, 0]
    assert divided(total[0, 1, 0], a, prime)[: wanted.size].tolist() == wanted.tolist()
    (product,) = sums(secret.public, vectors, columns)
    kept = product.c1[:1].copy()
    values(kept, tables(secret.params.kept, 4096))
    dropped = math.prod(secret.params.dropped)
    guess = divided([int(c) * dropped for c in kept[0, 0]], a, prime)
    assert np.median(np.abs(guess)) > prime / 8
    assert abs(stats.pearsonr(guess[: wanted.size], wanted).statistic) < 0.6


def returned_errors(left, n, m, runs):
    """What the owner can see in results besides the sums, in units of the flooding."""
    secret, p = SECRETS[40], SECRETS[40].params
    codes = np.ones((1, n), dtype=np.uint8)
    codes[0, :left] = 0
    of = Candidates(*(np.zeros(m, dtype=t) for t in (np.int32, np.int32, np.bool_)))
    params, cut = shape(n, m)
    columns, found, q = Indicators(params, cut, codes, 2, of), [], math.prod(p.kept)
    for _ in range(runs):
        w = random_words(np.random.default_rng(8), n)
        (product,) = sums(secret.public, [sealed(secret, w, cut)], columns)
        assert opened(secret, product).tolist() == [w[:left].sum()] * m
        found += noise(product_phases(secret, product), whole(secret.open(product)), q, 40)
    return np.array(found, dtype=float) / (2.0**p.flood_bits * q / p.modulus)


def test_errors_of_results_are_of_one_distribution_however_many_rows_go_left():
    """Uniform flooding, and the switching's rounding that does not know of the columns."""
    p = SECRETS[40].params
    seen = [returned_errors(left, 3_000, 1_500, 2) for left in (0, 1, 3_000)]
    switching = 11 * math.sqrt(p.degree / 12) * p.modulus
    switching /= math.prod(p.kept) * 2.0**p.flood_bits
    for errors in seen:
        assert 0.98 < np.abs(errors).max() <= 1 + switching + 2.0**-30
        assert abs(errors.mean()) < 6 / math.sqrt(3 * len(errors))
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert stats.ks_2samp(seen[one], seen[other]).pvalue > CHANCE


def test_the_bound_of_what_flooding_hides_does_not_depend_on_the_columns():
    """All columns of one result together, each of ones only: the largest error there is."""
    for n, m in ((1, 1), (30_000, 310), (2_000_000, 20_000), (4_000, 20_000)):
        for bits in BITS:
            params, cut = shape(n, m, bits)
            assert params.degree == 4096
            together = math.sqrt(cut.output_block * n)
            assert together <= params.norm_bound
            assert params.flood_bits - math.log2(params.error_bound) == 40


# Refusals


def test_vectors_and_products_of_another_key_are_refused():
    vectors, columns, _ = case()
    stranger = lattice.keygen(SECRETS[40].params)
    with pytest.raises(ForeignKey):
        sums(stranger.public, vectors, columns)
    (product, _) = sums(SECRETS[40].public, vectors, columns)
    with pytest.raises(ForeignKey):
        opened(stranger, product)


def test_what_does_not_fit_the_columns_is_refused():
    vectors, columns, _ = case()
    public = SECRETS[40].public
    with pytest.raises(ValueError, match="cut alike"):
        sums(public, [*vectors, *case(n=301)[0]], columns)
    with pytest.raises(ValueError, match="cut alike"):
        sums(public, case(m=71)[0], columns)
    with pytest.raises(ValueError, match="different lattice parameters"):
        sums(SECRETS[22].public, vectors, columns)
    other = lattice.SealedVector(
        SECRETS[22].params, vectors[0].tile, vectors[0].key, vectors[0].seed, vectors[0].values
    )
    with pytest.raises(ValueError, match="different lattice parameters"):
        sums(public, [other], columns)
    short = lattice.SealedVector(
        vectors[0].params, vectors[0].tile, vectors[0].key, vectors[0].seed, vectors[0].values[:-1]
    )
    with pytest.raises(BadCiphertext, match="blocks"):
        sums(public, [short], columns)
    one = sums(public, vectors, columns)[0]
    twisted = lattice.SealedProduct(SECRETS[22].params, one.tile, one.key, one.c0, one.c1)
    with pytest.raises(BadCiphertext, match="not the key's"):
        opened(SECRETS[40], twisted)


def test_a_ciphertext_that_was_tampered_with_is_refused():
    vectors, columns, _ = case()
    for whole_one in (vectors[0], sums(SECRETS[40].public, vectors, columns)[0]):
        raw = codec.encode(whole_one)
        assert isinstance(codec.decode(raw), wire.SealedVector | wire.SealedProduct)
        for at in (len(raw) // 3, len(raw) - 3):
            spoilt = bytearray(raw)
            spoilt[at] ^= 4
            with pytest.raises((BadCiphertext, codec.Malformed)):
                codec.decode(bytes(spoilt))


@word_sizes
def test_words_whose_sums_would_wrap_are_refused(bits):
    _, cut = shape(2, 1, bits)
    most = 2 ** (bits - 1)
    for w in ([most, 0], [most // 2, most // 2], [-most, 0], [most - 1, 1], [2**62, 2**62]):
        with pytest.raises(PlaintextOutOfRange, match="the sum of a statistic"):
            sealed(SECRETS[bits], np.array(w), cut)
    sealed(SECRETS[bits], np.array([most - 1, -most + 1]), cut)
    for wrong in (np.zeros(2), np.zeros(3, dtype=np.int64), np.zeros((2, 1), dtype=np.int64)):
        with pytest.raises(ValueError, match="expected"):
            sealed(SECRETS[bits], wrong, cut)


@pytest.mark.parametrize(
    ("sizes", "problem"),
    [((1, 1, 21), "22 to 40"), ((1, 1, 41), "22 to 40"), ((0, 1), "rows"), ((1, 0), "candidates")],
)
def test_shapes_that_no_sums_have_are_refused(sizes, problem):
    with pytest.raises(ValueError, match=problem):
        shape(*sizes)


def test_codes_and_candidates_that_do_not_fit_are_refused():
    codes, of = table(np.random.default_rng(9), 20, 4)
    params, cut = shape(20, 4)

    def refused(match, codes=codes, n_bins=32, of=of):
        with pytest.raises(ValueError, match=match):
            Indicators(params, cut, codes, n_bins, of)

    refused("expected codes of 20 rows and 4 candidates", codes=codes[:, 1:])
    refused("expected codes of 20 rows and 4 candidates", of=of.take(np.arange(3)))
    refused("uint8 or uint16", codes=codes.astype(np.int32))
    refused("uint8 or uint16", n_bins=256)
    ones = np.ones(4, dtype=np.int32)
    refused("feature is not from 0 to 6", of=Candidates(7 * ones, ones, of.missing_left))
    refused("feature is not", of=Candidates(-ones, ones, of.missing_left))
    refused("cut is not from 0 to 31", of=Candidates(ones, 32 * ones, of.missing_left))
    refused("cut is not", of=Candidates(ones, -ones, of.missing_left))
