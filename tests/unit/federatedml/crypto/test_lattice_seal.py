"""The same packed products by Microsoft SEAL's BFV, an implementation that shares no line."""

import numpy as np
import pytest

from federatedml.crypto import lattice
from tests.unit.federatedml.crypto.lattice_phase import opened, words

seal = pytest.importorskip("tenseal.sealapi")

DEGREE = 8192
BITS = 40


class Bfv:
    """Products of polynomials modulo x^N + 1 and 2^40 under SEAL's encryption."""

    def __init__(self):
        params = seal.EncryptionParameters(seal.SCHEME_TYPE.BFV)
        params.set_poly_modulus_degree(DEGREE)
        params.set_coeff_modulus(seal.CoeffModulus.BFVDefault(DEGREE, seal.SEC_LEVEL_TYPE.TC128))
        params.set_plain_modulus(1 << BITS)
        self.context = seal.SEALContext(params, True, seal.SEC_LEVEL_TYPE.TC128)
        secret = seal.KeyGenerator(self.context).secret_key()
        self.encryptor = seal.Encryptor(self.context, secret)
        self.decryptor = seal.Decryptor(self.context, secret)
        self.evaluator = seal.Evaluator(self.context)

    def product(self, x, y):
        cipher, found = seal.Ciphertext(), seal.Plaintext()
        self.encryptor.encrypt_symmetric(plaintext(x), cipher)
        self.evaluator.multiply_plain_inplace(cipher, plaintext(y))
        assert self.decryptor.invariant_noise_budget(cipher) > 0
        self.decryptor.decrypt(cipher, found)
        return [found[i] if i < found.coeff_count() else 0 for i in range(DEGREE)]


def plaintext(coefficients):
    terms = [f"{int(c) % (1 << BITS):X}x^{i}" for i, c in enumerate(coefficients) if c]
    return seal.Plaintext(" + ".join(reversed(terms)))


@pytest.mark.parametrize(("n", "k"), [(100, 30), (9_000, 2)])
def test_products_are_those_of_seal(n, k):
    params = lattice.parameters(BITS, norm_bits=20.0)
    assert params.degree == DEGREE
    cut, secret = lattice.tile(params, n, k, 20.0), lattice.keygen(params)
    x, u = np.random.default_rng(n).integers(-100, 101, (n, k)), words(params, n)
    ready = lattice.prepare(params, cut, x)
    product, mask = secret.public.multiply([(secret.encrypt(u, cut), ready)])

    bfv, rows, total = Bfv(), cut.inner_block, [0] * k
    for start in range(0, n, rows):
        vector = np.zeros(rows, dtype=object)
        part = u[start : start + rows]
        vector[rows - len(part) :] = part[::-1].astype(object)
        for first in range(0, k, cut.output_block):
            columns = x[start : start + rows, first : first + cut.output_block]
            tile = np.zeros((columns.shape[1], rows), dtype=object)
            tile[:, : len(columns)] = columns.T
            found = bfv.product(vector, tile.ravel())
            for o in range(columns.shape[1]):
                total[first + o] += found[o * rows + rows - 1]
    assert opened(secret, product, mask) == [v % (1 << BITS) for v in total]
