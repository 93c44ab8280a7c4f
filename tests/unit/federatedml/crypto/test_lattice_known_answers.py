"""Every machine computes the same lattice ciphertext from the same randomness.

The digests were made by this code on an x86-64 machine with AVX2 vectors; the same inputs give the
same bytes whatever vectors, fused operations or threads a machine has. What the bytes mean is the
other tests' matter.
"""

import hashlib

import numpy as np
import pytest

from federatedml.crypto import lattice, lattice_pack, lattice_wire, sampling
from federatedml.crypto.ntt import tables, values

KEY = bytes(range(32))
DIGESTS = {
    40: "62588f175bb3406d3c4239dde4bc82f5",
    64: "5faf93ddf6c574becc2e5b4c114bb8b4",
    128: "c9b842db7237086af3865bdca5f8132e",
}
PRIMES = {
    40: [1125899906826241, 1125899906629633],
    64: [1125899906826241, 1125899906629633, 1125899905744897],
    128: [140737488273409, 70368743669761, 70368743587841, 137438822401, 137438773249],
}


@pytest.mark.parametrize("bits", list(PRIMES))
def test_an_encryption_from_fixed_streams_has_the_known_digest(bits):
    params = lattice.parameters(bits, norm_bits=12.0)
    assert list(params.primes) == PRIMES[bits]
    n, table = params.degree, tables(params.primes, params.degree)
    secret = np.empty((1, len(params.primes), n))
    secret[0] = sampling.ternary(sampling.Stream(KEY, b"s"), n)
    values(secret, table)
    numbers = sampling.Stream(KEY, b"m").words(100 * params.words).reshape(100, params.words)
    if bits < 64:
        numbers = numbers >> np.uint64(64 - bits)
    public, noise = sampling.uniform(KEY, 0, params.primes, n), sampling.Stream(KEY, b"e").words(n)
    consts, out = lattice._constants(params), np.empty((len(params.primes), n))
    lattice_pack.seal(numbers, noise, consts.q, consts.pieces[0], public, secret[0], table, out)
    body = lattice_wire._packed(out, params.primes)
    assert hashlib.blake2b(body, digest_size=16).hexdigest() == DIGESTS[bits]
