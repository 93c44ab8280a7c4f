"""Errors stay below their bounds by the predicted margin, and a returned product hides its matrix.

Statistical tests have a significance of 1e-9: they fail by chance once in a billion runs.
"""

import math

import numpy as np
import pytest
from scipy import stats

from federatedml.crypto import lattice, lattice_pack, sampling
from federatedml.crypto.lattice_params import ERROR_VARIANCE, TAIL
from federatedml.crypto.ntt import coefficients, tables
from tests.unit.federatedml.crypto.lattice_phase import (
    combined,
    divided,
    expected,
    noise,
    product_phases,
    times_secret,
    vector_phases,
    whole,
    words,
)

CHANCE = 1e-9
NORMS = {40: 12.0, 64: 34.0, 128: 34.0}
SECRETS = {
    bits: lattice.keygen(lattice.parameters(bits, norm_bits=norm)) for bits, norm in NORMS.items()
}
word_sizes = pytest.mark.parametrize("bits", list(NORMS))


def multiplied(secret, sealed, ready):
    """The sum of products, (2, primes, N) values, as it is before anything is added."""
    total = np.zeros((2, len(secret.params.primes), secret.params.degree))
    ready.accumulate(0, (0, sealed.tile.vector_blocks), sealed.values, sealed.seeded, total)
    return total


def phases(secret, total):
    """c0 + c1 s of (2, primes, N) values, as N integers."""
    c0 = total[:1].copy()
    coefficients(c0, tables(secret.params.primes, secret.params.degree))
    return combined(c0[0] + times_secret(secret, total[1]), secret.params.primes)


@word_sizes
def test_the_error_of_an_encryption_is_that_of_its_throws_and_its_rounding(bits):
    secret = SECRETS[bits]
    p = secret.params
    cut = lattice.tile(p, p.degree, 1, NORMS[bits])
    u = words(p, p.degree)
    (found,) = vector_phases(secret, secret.encrypt(u, cut))
    errors = noise(found, whole(u)[::-1], p.modulus, p.word_bits)
    assert max(map(abs, errors)) <= 22
    # The mean of 4,096 deviates by 0.05: rounding down, and not by lot, would make it -0.5.
    assert abs(np.mean(np.array(errors, dtype=float))) < 0.35
    # A rounding by lot adds 1/6 if the numbers are uniform; the variance deviates by 2 %.
    assert abs(np.var(np.array(errors, dtype=float)) / (ERROR_VARIANCE + 1 / 6) - 1) < 0.15


@word_sizes
def test_the_error_of_a_product_is_below_its_bound_by_the_predicted_margin(bits):
    """Columns as large as allowed: errors are Gaussian, of the deviation that the norm gives."""
    secret = SECRETS[bits]
    p, rng = secret.params, np.random.default_rng(bits)
    norm_bits = min(NORMS[bits], 10.0 if p.degree == 4096 else 34.0)
    cut = lattice.tile(p, 16, 256, norm_bits)
    x = int(2.0**norm_bits / 4) * rng.choice([-1, 1], (16, 256))
    ready, u = lattice.prepare(p, cut, x), words(p, 16)
    numbers = expected(p, (x[:, : cut.output_block], u))
    at = np.arange(cut.output_block) * cut.inner_block + cut.inner_block - 1
    errors = []
    for _ in range(8):
        total = multiplied(secret, secret.encrypt(u, cut), ready)
        found = np.array(phases(secret, total), dtype=object)[at]
        errors += noise(found, numbers, p.modulus, p.word_bits)
    predicted = math.sqrt(ERROR_VARIANCE * cut.output_block) * 2.0**norm_bits
    spread = math.sqrt(np.mean(np.array(errors, dtype=float) ** 2))
    assert 0.75 * predicted < spread < 1.25 * predicted
    assert max(map(abs, errors)) < 7 * predicted < p.error_bound * 7 / TAIL


@word_sizes
def test_the_error_of_a_fresh_zero_is_small_beside_the_flooding(bits):
    secret = SECRETS[bits]
    found, _ = refreshed(secret, np.zeros((2, len(secret.params.primes), secret.params.degree)))
    errors = combined(
        found[0] + times_secret(secret, as_values(secret, found[1])), secret.params.primes
    )
    bound = TAIL * math.sqrt(ERROR_VARIANCE * (2 * secret.params.degree + 1))
    assert 5 < max(map(abs, errors)) < bound
    assert bound * 2.0**40 < 2.0**secret.params.flood_bits


def refreshed(secret, total):
    """The coefficients of total + an encryption of zero, and the zero's ternary r."""
    p, stream = secret.params, sampling.secret_stream()
    r = sampling.ternary(stream, p.degree)
    out = np.empty_like(total)
    errors = sampling.errors(stream.words(2 * p.degree)).reshape(2, -1)
    table = tables(p.primes, p.degree)
    lattice_pack.refresh(total.copy(), r, errors, secret.public.values, table, out)
    return out, r


def test_a_refresh_adds_its_errors_to_both_halves():
    secret = SECRETS[64]
    p, stream = secret.params, sampling.Stream(bytes(32), b"test")
    r, none = sampling.ternary(stream, p.degree), np.zeros((2, p.degree))
    errors = sampling.errors(stream.words(2 * p.degree)).reshape(2, -1)
    found = []
    for added in (none, errors):
        out = np.empty((2, len(p.primes), p.degree))
        pack = (r, added, secret.public.values, tables(p.primes, p.degree), out)
        lattice_pack.refresh(np.zeros_like(out), *pack)
        found.append(out)
    for prime in range(len(p.primes)):
        np.testing.assert_array_equal((found[1] - found[0])[:, prime], errors)


def test_what_a_refresh_adds_is_drawn_anew_for_each_result(monkeypatch):
    secret = SECRETS[64]
    cut = lattice.tile(secret.params, 2, 2_000)
    drawn, refresh = [], lattice_pack.refresh

    def spied(total, r, errors, *rest):
        drawn.append((r.copy(), errors.copy()))
        refresh(total, r, errors, *rest)

    monkeypatch.setattr(lattice_pack, "refresh", spied)
    sealed = secret.encrypt(words(secret.params, 2), cut)
    secret.public.multiply([(sealed, lattice.prepare(secret.params, cut, np.ones((2, 2_000))))])
    assert len(drawn) == cut.result_blocks > 1
    for r, errors in drawn:
        assert set(np.unique(r)) == {-1, 0, 1}
        assert abs(np.var(errors) / ERROR_VARIANCE - 1) < 0.1
    polynomials = np.array([[r, *errors] for r, errors in drawn]).reshape(-1, secret.params.degree)
    assert len(np.unique(polynomials, axis=0)) == 3 * cut.result_blocks


def as_values(secret, polynomial):
    from federatedml.crypto.ntt import values

    found = polynomial[None].copy()
    values(found, tables(secret.params.primes, secret.params.degree))
    return found[0]


def returned_errors(secret, sealed, ready):
    """What the owner can see in products besides their numbers: (outputs,), in units of its
    largest size."""
    p = secret.params
    product, _ = secret.public.multiply([(sealed, ready)])
    q = math.prod(p.kept)
    errors = noise(product_phases(secret, product), whole(secret.open(product)), q, p.word_bits)
    return np.array(errors, dtype=float) / (2.0**p.flood_bits * q / p.modulus)


@word_sizes
def test_returned_errors_are_uniform_whatever_the_matrix(bits):
    """Flooding: of the form of a uniform number, between -1 and 1 but for 2^-30 or the
    switching of the smallest set."""
    secret = SECRETS[bits]
    p = secret.params
    cut = lattice.tile(p, 2, 3_000, NORMS[bits])
    sealed = secret.encrypt(words(p, 2), cut)
    largest = np.full((2, 3_000), int(2.0 ** NORMS[bits] / 2))
    seen = [
        returned_errors(secret, sealed, lattice.prepare(p, cut, x))
        for x in (np.zeros_like(largest), largest)
    ]
    switching = TAIL * math.sqrt(p.degree / 12) * p.modulus
    switching /= math.prod(p.kept) * 2.0**p.flood_bits
    for errors in seen:
        assert np.abs(errors).max() <= 1 + switching + 2.0**-30
        assert np.abs(errors).max() > 0.99
        assert abs(errors.mean()) < 6 / math.sqrt(3 * 3_000)
        if switching < 0.01:
            assert stats.kstest(errors, "uniform", args=(-1, 2)).pvalue > CHANCE
    assert stats.ks_2samp(*seen).pvalue > CHANCE


def test_matrices_with_equal_products_look_alike_to_the_owner():
    """Many matrices, of two kinds, whose products with u are the same: the errors of what
    returns, and the residues of c1, come from one distribution."""
    secret = SECRETS[64]
    p, rng = secret.params, np.random.default_rng(6)
    n, k = 64, 128
    cut = lattice.tile(p, n, k)
    sealed = secret.encrypt(np.ones(n, dtype=np.uint64), cut)
    concentrated = np.zeros((n, k))
    concentrated[0] = 2.0**30
    errors, residues = [[], []], [[], []]
    for _ in range(20):
        spread = rng.permuted(np.repeat([2.0**25, 0.0], [32, 32])[:, None].repeat(k, 1), axis=0)
        for i, x in enumerate((concentrated, spread)):
            ready = lattice.prepare(p, cut, x)
            errors[i].append(returned_errors(secret, sealed, ready))
            product, _ = secret.public.multiply([(sealed, ready)])
            residues[i].append(product.c1[:, 0, ::16].ravel() / p.kept[0])
    for seen in (errors, residues):
        one, two = (np.concatenate(parts) for parts in seen)
        assert stats.ks_2samp(one, two).pvalue > CHANCE
    for parts in residues:
        uniform = stats.kstest(np.concatenate(parts), "uniform", args=(-0.5, 1))
        assert uniform.pvalue > CHANCE


def test_the_owner_cannot_divide_its_random_half_out_of_a_product():
    """It knows a, and c1 of a product that is not refreshed is X a: the whole matrix is read.
    After the refresh nothing is left of it."""
    secret = SECRETS[64]
    p, rng = secret.params, np.random.default_rng(9)
    cut = lattice.tile(p, 100, 50)
    x = rng.integers(-1000, 1001, (100, 50))
    sealed = secret.encrypt(words(p, 100), cut)
    total = multiplied(secret, sealed, lattice.prepare(p, cut, x))
    wanted = x.T.ravel()
    prime, a = p.primes[0], sealed.seeded[0, 0]

    def read(c1):
        return divided(c1, a, prime)[: wanted.size]

    assert read(total[1, 0]).tolist() == wanted.tolist()
    after = as_values(secret, refreshed(secret, total)[0][1])[0]
    guess = read(after)
    assert np.median(np.abs(guess)) > prime / 8
    assert abs(stats.pearsonr(guess, wanted).statistic) < 0.1


def test_only_the_outputs_coefficients_of_c0_leave():
    secret = SECRETS[64]
    cut = lattice.tile(secret.params, 100, 50)
    sealed = secret.encrypt(words(secret.params, 100), cut)
    ready = lattice.prepare(secret.params, cut, np.ones((100, 50)))
    product, mask = secret.public.multiply([(sealed, ready)])
    assert product.c0.shape == (len(secret.params.kept), 50)
    assert mask.shape == (50,)
