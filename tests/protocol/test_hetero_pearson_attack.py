"""FATE's HeteroPearson lets the host compute the guest's rows; the same attack learns nothing here.

FATE multiplies by Beaver triples. The guest encrypts its random factor a under its own Paillier
key, all entries with one blinding factor, and opens x + a, x its standardised matrix. The host
divides ciphertexts: without a key it has the differences of a, hence those of x, and as a column's
mean is zero, the column. Here the guest's columns are never opened under a mask, and no two of
its ciphertexts share randomness: both halves of the attack are run on the transcript.
"""

import secrets

import gmpy2
import numpy as np
import pytest

from federatedml.crypto import lattice, lattice_columns, ntt, paillier, rings
from federatedml.protocols import cross_products
from federatedml.protocols.cross_products import SEALED_BITS
from federation import GUEST, HOST, Party
from tests.protocol.test_hetero_pearson import frame, play

G, BANK = Party(GUEST, "9999"), Party(HOST, "10000")
N = 40
SCALE = 2.0**20


def guests_matrix():
    rng = np.random.default_rng(4)
    return np.column_stack([rng.normal(size=N), rng.normal(size=N) > 0, np.exp(rng.normal(size=N))])


def standardised(x):
    return (x - x.mean(axis=0)) / x.std(axis=0)


# FATE's arrangement: the control arm, where the attack succeeds.


def fates_messages(x, group):
    """What the host gets of a guest in FATE: Enc(a), of one blinding factor, and x + a."""
    masks = np.array([secrets.randbelow(1 << 32) + 1 for _ in range(x.size)], dtype=object)
    blind = group.zero()
    ciphertexts = [group.bare(int(m), 40) * blind % group.modulus for m in masks]
    return ciphertexts, [round(v * SCALE) + int(m) for v, m in zip(x.ravel(), masks, strict=True)]


def mask_differences(group, ciphertexts):
    """a_i - a_0 from ciphertexts alone, or None where they do not show it."""
    n, found = int(group.n), []
    inverse = gmpy2.invert(ciphertexts[0], group.modulus)
    for c in ciphertexts:
        ratio = c * inverse % group.modulus
        if (ratio - 1) % n:
            return None
        found.append(int((ratio - 1) // n + n // 2) % n - n // 2)
    return found


def recovered(differences, opened, shape):
    """The matrix, of columns with mean zero."""
    relative = [o - opened[0] - d for o, d in zip(opened, differences, strict=True)]
    rows = np.array(relative, dtype=np.float64).reshape(shape) / SCALE
    return rows - rows.mean(axis=0)


@pytest.fixture(scope="module")
def group():
    return paillier.keygen(512)[0].group


def test_fates_host_recovers_the_guests_standardised_matrix(group):
    x = standardised(guests_matrix())
    ciphertexts, opened = fates_messages(x, group)
    found = recovered(mask_differences(group, ciphertexts), opened, x.shape)
    np.testing.assert_allclose(found, x, atol=2 / SCALE)


def test_a_blinding_factor_for_each_entry_would_have_stopped_it(group):
    fresh = [group.bare(m, 40) * group.zero() % group.modulus for m in range(10)]
    assert mask_differences(group, fresh) is None


# Ours: the same attack, in both of its halves.


def plain_difference(one, other):
    """Words by which two ciphertext blocks differ if they share randomness, (N,) signed.

    c0 = q m / 2^128 + e - a s: of equal a and s nothing is left.
    """
    params = lattice.parameters(128)
    rest = (one - other)[None].copy()
    ntt.coefficients(rest, ntt.tables(params.primes, params.degree))
    q = params.modulus
    units = [q // p * pow(q // p, -1, p) for p in params.primes]
    whole = [
        sum(int(v) * u for v, u in zip(column, units, strict=True)) % q for column in rest[0].T
    ]
    return [round(((v + q // 2) % q - q // 2) * (1 << 128) / q) for v in whole]


def looks_like_numbers(differences):
    """Entries of unit length in fixed point are below 2^45; uniform words are not."""
    return max(map(abs, differences)) < 1 << 60


def blocks_of(vectors):
    return [block for vector in vectors for block in vector.values]


def laid(words, inner):
    """Where ``sealed`` puts (rows, columns) words in a ciphertext: signed, by coefficient."""
    found = np.zeros(8192)
    for o, column in enumerate(rings.decode(words, 0, 128).T):
        found[o * inner : o * inner + len(column)] = column[::-1]
    return found


def repeated(monkeypatch):
    """One seed for every encryption, and no errors: FATE's mistake, made with our ciphertexts."""
    monkeypatch.setattr(lattice.secrets, "token_bytes", bytes)


def test_the_attack_would_work_on_ciphertexts_that_share_randomness(monkeypatch):
    layout = lattice_columns.laid_out(N, 2, 2)
    secret = lattice.keygen(layout.params)
    x = standardised(guests_matrix())[:, :2] / np.sqrt(N)
    words = [rings.encode(m, SEALED_BITS, 128) for m in (x, np.zeros_like(x))]
    repeated(monkeypatch)
    one, other = (lattice_columns.sealed(secret, w, layout) for w in words)
    found = plain_difference(one.values[0], other.values[0])
    assert looks_like_numbers(found)
    np.testing.assert_allclose(found, laid(words[0], layout.inner), atol=1)


@pytest.fixture(scope="module")
def transcript():
    x = guests_matrix()
    other = np.random.default_rng(5).normal(size=(N, 4)) + x[:, :1]
    return [play({G: frame(x, G), BANK: frame(other, BANK)})[1] for _ in range(2)]


def from_guest(transcript, message):
    return [s.value for s in transcript if s.src == G and s.message == message.name]


def test_no_two_ciphertexts_of_the_guest_share_randomness(transcript):
    """Not in one run, and not in two runs of the same data."""
    vectors = [v for t in transcript for v in from_guest(t, cross_products.Wire.columns)]
    assert len({v.seed for v in vectors}) == len(vectors) >= 2
    blocks = blocks_of(vectors)
    for block in blocks[1:]:
        assert not looks_like_numbers(plain_difference(blocks[0], block))


def test_no_message_opens_a_row_of_the_guest_under_any_mask(transcript):
    """What leaves it in the clear or as a share has one number for each pair of columns, whatever
    the number of rows; everything else is a ciphertext or a name."""
    for t in transcript:
        kinds = {(s.message, s.envelope.kind) for s in t if s.src == G}
        assert kinds == {
            ("hetero_pearson.chosen", "plain"),
            ("cross_products.key", "plain"),
            ("cross_products.columns", "ciphertext"),
            ("cross_products.opened", "share"),
        }
        (share,) = from_guest(t, cross_products.Wire.opened)
        assert share.shape == (3, 4, 2)


def test_shares_together_are_the_rounded_correlation_and_alone_new_in_every_run(transcript):
    """Together they are no larger than a correlation in units of 2^-40: no longer product is
    opened. They differ between runs by what columns are rounded by lot."""
    sums, alone = [], []
    for t in transcript:
        shares = [s.value for s in t if s.message == cross_products.Wire.opened.name]
        sums.append(rings.decode(rings.add(*shares, 128), 0, 128))
        alone.append({int(v) for v in shares[0][..., 0].ravel()})
    assert np.abs(sums[0]).max() <= 2.0**cross_products.OPENED_BITS
    assert np.abs(sums[0] - sums[1]).max() <= 2.0**-30 * 2.0**cross_products.OPENED_BITS
    assert not alone[0] & alone[1]
