"""Products of random matrices for triples, by encryption: A_0 B_1 + A_1 B_0.

Each party sends the columns of its B encrypted, and multiplies the peer's with the digits of its
A: entries of an encrypted product are small numbers. Exact; words of 64 bits are computed modulo
2^128, of which they are the lower half. Messages and keys are those of sshe_products.
"""

from __future__ import annotations

import numpy as np

from federatedml.component import Ctx
from federatedml.crypto import rings
from federatedml.crypto.rings import WordBits, Words
from federatedml.protocols import sshe_products
from federatedml.protocols.sshe_products import LIMBS, Link


def crossed(ctx: Ctx, link: Link, a: Words, b: Words, word_bits: WordBits) -> Words:
    """A share of a_0 b_1 + a_1 b_0, (n, c), for each party's random a (n, k) and b (k, c)."""
    n, k, c = *a.shape[:2], b.shape[1]
    if n < c:
        turned = crossed(ctx, link, b.swapaxes(0, 1), a.swapaxes(0, 1), word_bits)
        return np.ascontiguousarray(turned.swapaxes(0, 1))
    turned_a = wide(a.swapaxes(0, 1), word_bits)
    digits = sshe_products.digits(link, turned_a, ctx.name, sshe_products.BUDGET if c > 1 else 0)
    for j in range(c):
        sshe_products.offer(ctx, link, wide(b[:, j], word_bits), n * LIMBS)
    sent = [sshe_products.joined(sshe_products.answered(ctx, link, digits)[0]) for _ in range(c)]
    got = [sshe_products.joined(sshe_products.opened(ctx, link, k, n * LIMBS)) for _ in range(c)]
    return rings.add(narrow(sent, n, word_bits), narrow(got, n, word_bits), word_bits)


def wide(words: Words, word_bits: WordBits) -> Words:
    """The same numbers modulo 2^128."""
    if word_bits == 128:
        return np.ascontiguousarray(words)
    return np.stack([words, np.zeros_like(words)], axis=-1)


def narrow(columns: list[Words], rows: int, word_bits: WordBits) -> Words:
    """(rows, c) of columns (rows,) of 128 bits."""
    if not columns:
        return rings.zeros((rows, 0), word_bits)
    whole = np.stack(columns, axis=1)
    return whole if word_bits == 128 else np.ascontiguousarray(whole[..., 0])
