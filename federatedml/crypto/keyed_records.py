"""Records that whoever has the token of one can find and read, and nobody else.

    row = label(token) || record xor pad(token)

Tokens are values of an oblivious function (``oblivious``), of which nobody without the key knows
anything; both hashes are SHAKE-256 as a random oracle. A token must lock one record only.

Shapes: n records of w bytes; LABEL bytes of a label.
Source: Freedman, Ishai, Pinkas and Reingold 2005, Keyword search and oblivious pseudorandom
functions, section 4; Ogata and Kurosawa 2004, Oblivious keyword search.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import hashing
from federatedml.crypto.hashing import LABEL

Bytes2D = NDArray[np.uint8]


def labels(tokens: Bytes2D) -> Bytes2D:
    """(n, LABEL) by which the records are found."""
    return hashing.stretched(tokens, LABEL, b"distaff keyed record: label")


def locked(tokens: Bytes2D, records: Bytes2D) -> Bytes2D:
    """(n, LABEL + w). tokens: (n, t), each once.

    Reveals to who has no token: n and w. Cost: two hashes a record.
    """
    return np.concatenate([labels(tokens), records ^ _pads(tokens, records.shape[1])], axis=1)


def unlocked(tokens: Bytes2D, rows: Bytes2D) -> Bytes2D:
    """(n, w) the records. rows: those whose labels are the tokens', in the same order."""
    body = rows[:, LABEL:]
    return np.asarray(body ^ _pads(tokens, body.shape[1]))


def _pads(tokens: Bytes2D, width: int) -> Bytes2D:
    return hashing.stretched(tokens, width, b"distaff keyed record: pad")
