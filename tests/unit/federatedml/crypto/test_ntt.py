"""Transforms against exact arithmetic on big integers, and against Microsoft SEAL's."""

import gmpy2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml.crypto import ntt

seal = pytest.importorskip("tenseal.sealapi")


def prime_below(bits, degree):
    p = (1 << bits) + 1 - 2 * degree
    while not gmpy2.is_prime(p):
        p -= 2 * degree
    return p


def product(x, y, p):
    """x y modulo x^N + 1 and p, by one product of integers that hold a coefficient per 16 bytes."""
    n = len(x)

    def whole(v):
        return int.from_bytes(b"".join(int(c).to_bytes(16, "little") for c in v), "little")

    raw = (whole(x) * whole(y)).to_bytes(32 * n, "little")
    c = [int.from_bytes(raw[16 * i : 16 * i + 16], "little") for i in range(2 * n)]
    return [(c[i] - c[i + n]) % p for i in range(n)]


def centred(x, p):
    return np.array([int(c) - p if 2 * int(c) > p else int(c) for c in x], dtype=np.float64)


def transformed(x, p):
    found = centred(x, p).reshape(1, 1, -1)
    ntt.values(found, ntt.tables((p,), len(x)))
    return found


def extreme(rng, p, n):
    """Coefficients of which many are as large as they get."""
    x = rng.integers(0, p, n)
    x[rng.random(n) < 0.4] = p // 2
    x[rng.random(n) < 0.3] = p // 2 + 1
    return x


@pytest.mark.parametrize("bits", [20, 35, 50])
@pytest.mark.parametrize("degree", [1024, 2048, 4096, 8192])
def test_the_product_of_values_is_the_product_modulo_x_to_the_n_plus_1(degree, bits):
    p = prime_below(bits, degree)
    rng = np.random.default_rng(bits * degree)
    for x, y in [
        (rng.integers(0, p, degree), rng.integers(0, p, degree)),
        (extreme(rng, p, degree), extreme(rng, p, degree)),
        (np.full(degree, p // 2), np.full(degree, p // 2 + 1)),
    ]:
        a, b = transformed(x, p), transformed(y, p)
        pairs = zip(a.ravel(), b.ravel(), strict=True)
        c = centred([int(s) * int(t) % p for s, t in pairs], p).reshape(1, 1, -1)
        ntt.coefficients(c, ntt.tables((p,), degree))
        assert [int(s) % p for s in c.ravel()] == product(x, y, p)


@pytest.mark.parametrize("degree", [1024, 8192])
def test_coefficients_undo_values_and_both_are_within_half_a_prime(degree):
    p = prime_below(50, degree)
    x = extreme(np.random.default_rng(1), p, degree)
    found = transformed(x, p)
    assert np.abs(found).max() <= p // 2 + 1
    ntt.coefficients(found, ntt.tables((p,), degree))
    np.testing.assert_array_equal(found.ravel(), centred(x, p))


P = prime_below(50, 8192)
factors = st.one_of(st.integers(-4 * P, 4 * P), st.sampled_from([4 * P, -4 * P, 4 * P - 1, 0]))
halves = st.one_of(st.integers(-(P // 2), P // 2), st.sampled_from([P // 2, -(P // 2)]))


@settings(deadline=None)
@given(a=factors, b=halves)
def test_a_product_is_exact_up_to_four_primes_and_small(a, b):
    found = int(ntt.times(float(a), float(b), float(P), 1 / P))
    assert found % P == a * b % P
    assert abs(found) <= P * (0.5 + abs(a * b) / P / 2**52) + 1


@settings(deadline=None)
@given(a=st.integers(-8 * P, 8 * P))
def test_a_reduced_residue_is_the_smallest(a):
    found = int(ntt.reduced(float(a), float(P), 1 / P))
    assert found % P == a % P
    assert abs(found) <= P // 2 + 1


def test_values_are_those_that_seal_computes():
    """Both evaluate at all roots of x^N + 1, in an order of their own: the same for each
    polynomial."""
    degree = 8192
    p = prime_below(50, degree)
    context = seal_context(degree, [p, prime_below(49, degree)])
    rng = np.random.default_rng(3)
    polynomials = [rng.integers(0, 2**30, degree) for _ in range(2)]
    theirs = [seal_values(context, x) for x in polynomials]
    ours = [[int(v) % p for v in transformed(x, p).ravel()] for x in polynomials]
    assert sorted(zip(*ours, strict=True)) == sorted(zip(*theirs, strict=True))


def seal_context(degree, primes):
    params = seal.EncryptionParameters(seal.SCHEME_TYPE.BFV)
    params.set_poly_modulus_degree(degree)
    params.set_coeff_modulus([seal.Modulus(p) for p in primes])
    params.set_plain_modulus(1 << 32)
    return seal.SEALContext(params, True, seal.SEC_LEVEL_TYPE.TC128)


def seal_values(context, x):
    """The values modulo the first prime."""
    n = len(x)
    plain = seal.Plaintext(" + ".join(f"{int(x[i]):X}x^{i}" for i in range(n - 1, -1, -1)))
    seal.Evaluator(context).transform_to_ntt_inplace(plain, context.first_parms_id())
    return [plain[i] for i in range(n)]


@pytest.mark.parametrize(("p", "degree"), [(2**51 + 1, 1024), (998244353, 1000), (1009, 1024)])
def test_what_has_no_transform_is_refused(p, degree):
    with pytest.raises(ValueError, match="no transform"):
        ntt.tables((p,), degree)
