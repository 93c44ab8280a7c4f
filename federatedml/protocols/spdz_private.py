"""Products of one party's matrix with shared vectors, by encryption instead of triples.

    X v = X v_own + X v_peer    X whole numbers of its owner, v_own the owner's share of v; the
                                other party sends its own encrypted, and gets X v_peer + mask back

The result is shared, and nobody sees X, v or X v. Messages and keys are those of sshe_products.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federatedml.crypto import lattice, rings
from federatedml.crypto.errors import PlaintextOutOfRange
from federatedml.crypto.lattice_matrix import MAX_ENTRY_BITS
from federatedml.crypto.rings import Floats, Integers
from federatedml.protocols import sshe_products
from federatedml.protocols.spdz import Session, Shared
from federatedml.protocols.spdz_lattice import narrow, wide
from federation import Role

MATRIX_BITS = 20
"""Fraction bits of a matrix of one party: with them the L2 norm of any row may be 2^12."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """A matrix (rows, k) of one party, as both of them hold it for products of either kind."""

    owner: Role
    rows: int
    fraction_bits: int
    contents: tuple[Integers, lattice.Ready] | None
    """Whole numbers, and what encrypted products take; None at the other party."""


def prepared(
    session: Session, owner: Role, x: Floats | None, rows: int, fraction_bits: int = MATRIX_BITS
) -> Matrix:
    """A matrix (rows, k) of one party for ``product``; it serves any number of vectors.

    x: None at the other party, which learns rows.
    Raises PlaintextOutOfRange for what is not finite or beyond 2^47 units, and BadData for a row
    whose L2 norm is beyond what ``sshe_products.norm_bits`` allows, 2^32 units at least.
    """
    link = session.link
    if session.ctx.role != owner:
        return Matrix(owner, rows, fraction_bits, None)
    if x is None or len(x) != rows:
        raise ValueError(f"the owner of a matrix of {rows} rows gave another or nothing")
    scaled = np.rint(np.ldexp(x, fraction_bits))
    if not (np.abs(scaled) < 2.0**MAX_ENTRY_BITS).all():
        raise PlaintextOutOfRange("an entry of the matrix", MAX_ENTRY_BITS + 1, MAX_ENTRY_BITS)
    entries = np.ascontiguousarray(scaled.astype(np.int64))
    columns = np.ascontiguousarray(entries.T)
    ready = sshe_products.columns(link, columns, session.ctx.name, sshe_products.BUDGET)
    return Matrix(owner, rows, fraction_bits, (entries, ready))


def product(session: Session, matrix: Matrix, v: Shared) -> Shared:
    """matrix @ v, (rows,) or (rows, c), for shared v (k,) or (k, c), with as many fraction bits.

    v: ``Session.known`` where the other party has it all, as for the products of both parties'
    columns that correlations are made of.
    Reveals the shape of v, nothing else. Cost: an encrypted vector each way for each column.
    """
    flat, rows = v.reshape(v.shape[0], -1), matrix.rows
    columns = [wide(flat.words[:, j], v.word_bits) for j in range(flat.shape[1])]
    if matrix.contents is not None:
        entries, ready = matrix.contents
        own = rings.matmul_plain(entries, flat.words, v.word_bits, session.ctx.cores)
        found = [sshe_products.answered(session.ctx, session.link, ready)[0] for _ in columns]
        words = rings.add(own, narrow(found, rows, v.word_bits), v.word_bits)
    else:
        for column in columns:
            sshe_products.offer(session.ctx, session.link, column, rows)
        k = v.shape[0]
        found = [sshe_products.opened(session.ctx, session.link, k, rows) for _ in columns]
        words = narrow(found, rows, v.word_bits)
    longer = session.shared(words, v.fraction_bits + matrix.fraction_bits)
    return longer.truncated(v.fraction_bits).reshape(rows, *v.shape[1:])
