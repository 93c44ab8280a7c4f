"""FATE 1.x shows the differences of what it multiplies; the same attack learns nothing here.

In FATE's arrangement a party encrypts the random factor a of a triple entry by entry with one
blinding factor for all of them, and opens x + a. Whoever has the public key divides two of the
ciphertexts, gets the difference of two entries of a, and with it that of two entries of x.
"""

import gmpy2
import numpy as np
import pytest

from federatedml.component import Ctx
from federatedml.crypto import paillier
from federatedml.crypto.triples import Triple
from federatedml.protocols import spdz, spdz_compare, spdz_triples
from federation import ARBITER, GUEST, HOST, Party
from federation.transport import inproc

GUEST_, HOST_, JUDGE = Party(GUEST, "9999"), Party(HOST, "10000"), Party(ARBITER, "11000")
SCALE = 2.0**20


@pytest.fixture(scope="module")
def group():
    return paillier.keygen(512)[0].group


def mask_differences(group, ciphertexts):
    """The attack: a_i - a_0 without the key, or None where the ciphertexts do not show it."""
    n, found = int(group.n), []
    for c in ciphertexts:
        ratio = c * gmpy2.invert(ciphertexts[0], group.modulus) % group.modulus
        if (ratio - 1) % n:
            return None
        found.append(int((ratio - 1) // n + n // 2) % n - n // 2)
    return found


def test_one_blinding_factor_for_all_entries_gives_the_numbers_away(group):
    rng = np.random.default_rng(2)
    x = rng.normal(size=20)
    x -= x.mean()  # standardised, as HeteroPearson's columns are
    a = rng.integers(1, 2**32, size=20).tolist()
    opened = np.array([round(v * SCALE) + m for v, m in zip(x, a, strict=True)])
    blind = group.zero()
    seen = mask_differences(group, [group.bare(m, 40) * blind % group.modulus for m in a])
    recovered = (opened - opened[0] - np.array(seen)) / SCALE
    np.testing.assert_allclose(recovered - recovered.mean(), x, atol=1 / SCALE)


def test_a_blinding_factor_for_each_entry_does_not(group):
    fresh = [group.bare(m, 40) * group.zero() % group.modulus for m in range(20)]
    assert mask_differences(group, fresh) is None


class Watched:
    """A source of triples that keeps what it made."""

    def __init__(self, source):
        self.source, self.made = source, []

    def make(self, kind, dims):
        shares = self.source.make(kind, dims).spend()
        self.made.append((kind, shares))
        return Triple(kind, shares)

    def close(self):
        self.source.close()


def shown(arrays, secret):
    """Whether neighbours in any array differ as neighbours of the secret do, by minus or xor."""
    words = secret.reshape(-1)
    wanted = {int(v) for v in words[2:] - words[:-2]} | {int(v) for v in words[1:] ^ words[:-1]}
    wanted |= {int(v) for v in words[1:] - words[:-1]} | {int(v) for v in words[2:] ^ words[:-2]}
    for array in arrays:
        flat = array.reshape(-1)
        for step in {1, 2, array.shape[-1]} - {len(flat)}:
            near, far = flat[:-step], flat[step:]
            if wanted & set((far - near).tolist() + (near - far).tolist() + (far ^ near).tolist()):
                return True
    return False


@pytest.mark.parametrize("dealer", [True, False], ids=["dealer", "alone"])
def test_no_message_differs_as_the_masks_of_a_triple_do(dealer):
    """A match by chance has a probability below 2^-40."""
    x = np.arange(30.0)

    def run(ctx):
        with spdz.Session(ctx, dealer=ctx.arbiter) as s:
            s._source = watched = Watched(s.source)
            a = s.share(GUEST, x if s.party == 0 else None, x.shape)
            s.multiply(a, a)
            s.dot(a, a)
            spdz_compare.numbers(s, spdz_compare.less_than_zero(s, a))
            return watched.made

    parties = {GUEST_: run, HOST_: run} | ({JUDGE: spdz_triples.deal} if dealer else {})
    results, transcript = inproc.run(parties, Ctx)
    sent = [
        s.value
        for s in transcript
        if s.src == GUEST_ and s.dst == HOST_ and getattr(s.value, "dtype", None) == np.uint64
    ]
    assert len(sent) >= 12
    for kind, (a, b, c) in results[GUEST_]:
        if kind in {"product", "matrix"}:
            assert shown([a + np.uint64(77)], a), "one pad for all would be found"
            assert not any(shown(sent, secret) for secret in (a, b, c))
