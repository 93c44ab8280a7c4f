"""Decryption of Paillier and OU against numbers that plain integer arithmetic made.

tests/vectors/bigcipher.json holds, for fixed small factors, plaintexts m, randomness r and

    Paillier  c = (1 + n)^m r^n mod n^2,  n = p q
    OU        c = g^m r^n mod n,          n = p^2 q

with m reduced to 0 .. n - 1, or 0 .. p - 1; negative numbers are there as their remainders.
"""

import json
from pathlib import Path

import pytest
from gmpy2 import mpz

from federatedml.crypto import ou, paillier

VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "bigcipher.json").read_text())


def cases(scheme):
    return [pytest.param(key, id=f"{key['p'].bit_length()}_bits") for key in VECTORS[scheme]]


@pytest.mark.parametrize("key", cases("paillier"))
def test_paillier_decrypts_known_ciphertexts(key):
    p, q, texts = key["p"], key["q"], key["texts"]
    n = p * q
    for t in texts:
        assert t["c"] == pow(1 + n, t["m"], n * n) * pow(t["r"], n, n * n) % (n * n)
    owner = paillier.secret_key(mpz(p), mpz(q)).owner
    assert owner.residues([mpz(t["c"]) for t in texts]) == [t["m"] for t in texts]


@pytest.mark.parametrize("key", cases("ou"))
def test_ou_decrypts_known_ciphertexts(key):
    p, q, g, texts = key["p"], key["q"], key["g"], key["texts"]
    n = p * p * q
    for t in texts:
        made = [pow(g, m, n) * pow(t["r"], n, n) % n for m in (t["m"], t["m"] - p)]
        assert t["c"] in made  # g^-1 and g^(p-1) differ, and decrypt alike
    owner = ou.secret_key(mpz(p), mpz(q), mpz(g)).owner
    assert owner.residues([mpz(t["c"]) for t in texts]) == [t["m"] for t in texts]
