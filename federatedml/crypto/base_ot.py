"""A few oblivious transfers of keys: the sender has two for each, the receiver learns the one it
chose, and the sender not which.

    sender      a;           A = a G
    receiver    b_i;         B_i = b_i G + c_i A                      key  H(i, A, B_i, b_i A)
    sender                   keys  H(i, A, B_i, a B_i),  H(i, A, B_i, a (B_i - A))

Against parties who follow the protocol; computational Diffie-Hellman in ristretto255, and a hash
that is as good as random. A hundred of them start millions of transfers (``ot_extension``).

Source: Chou and Orlandi 2015, section 3, with the transcript hashed into the keys.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import ristretto
from federatedml.crypto.ristretto import Bytes2D

Choices = NDArray[np.bool_]


class Sender:
    """Makes ``hello`` (1, 32) for the receiver, and from its answer both keys of every transfer."""

    def __init__(self) -> None:
        self._secret = ristretto.random_scalar()
        self.hello = ristretto.from_scalars([self._secret])

    def keys(self, answer: Bytes2D) -> NDArray[np.uint8]:
        """(n, 2, 32): the keys for choices 0 and 1.

        answer: (n, 32), from the receiver. Raises InvalidElement.
        """
        chosen = ristretto.multiply(answer, self._secret)
        other = ristretto.subtract(
            chosen, np.repeat(ristretto.multiply(self.hello, self._secret), len(answer), axis=0)
        )
        pairs = [_keys(self.hello, answer, points) for points in (chosen, other)]
        return np.stack(pairs, axis=1)


def chosen_keys(hello: Bytes2D, choices: Choices) -> tuple[Bytes2D, Bytes2D]:
    """The receiver's answer (n, 32), and the key (n, 32) of each choice.

    hello: (1, 32), from the sender. Raises InvalidElement if it is not an element.
    Cost: about 100 microseconds a transfer.
    """
    scalars = [ristretto.random_scalar() for _ in choices]
    blinds = ristretto.from_scalars(scalars)
    shifted = ristretto.add(blinds, np.repeat(hello, len(choices), axis=0))
    answer = np.where(choices[:, None], shifted, blinds)
    points = np.concatenate([ristretto.multiply(hello, scalar) for scalar in scalars])
    return answer, _keys(hello, answer, points)


def _keys(hello: Bytes2D, answer: Bytes2D, points: Bytes2D) -> Any:
    keys = [
        hashlib.sha256(
            b"distaff base ot" + i.to_bytes(4, "little") + hello.tobytes() + row.tobytes()
        ).digest()
        for i, row in enumerate(np.concatenate([answer, points], axis=1))
    ]
    return np.frombuffer(b"".join(keys), dtype=np.uint8).reshape(-1, 32)
