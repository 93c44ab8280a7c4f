"""Oblivious functions of ids: one side holds the key, the other the ids, and neither sees both.

An ``Evaluator`` can compute tokens of its own ids and evaluate blinded ones; an ``Asker`` blinds
its ids, and turns what comes back into the same tokens. Equal ids have equal tokens; without the
key nobody can compute a token, so they may be handed out and kept.

    RSA    token = hash(H(id)^d || digest)       blinded by r^e
    group  token = k H(id)                       blinded by a fresh r, undone by 1/r
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from federatedml.crypto import hashing
from federatedml.crypto.commutative import Group, Secret
from federatedml.crypto.hashing import LABEL, Bytes2D
from federatedml.crypto.rsa_blind import PublicKey, SecretKey


class Evaluator(Protocol):
    """The side that holds the key."""

    @property
    def width(self) -> int:
        """Bytes of a blinded id."""

    @property
    def token_width(self) -> int:
        """Bytes of a token."""

    def tokens(self, texts: pa.Array) -> Bytes2D:
        """(n, token_width), of the key holder's own ids."""

    def evaluate(self, rows: Bytes2D) -> Bytes2D:
        """(n, width) from the asker's (n, width). Raises InvalidElement."""


class Asker(Protocol):
    """The side that holds the ids."""

    @property
    def width(self) -> int:
        """Bytes of a blinded id."""

    @property
    def token_width(self) -> int:
        """Bytes of a token."""

    def blind(self, texts: pa.Array) -> tuple[Bytes2D, Bytes2D]:
        """Blinded ids (n, width), and the secrets (n, m) with which to unblind them."""

    def finish(self, evaluated: Bytes2D, secrets: Bytes2D, texts: pa.Array) -> Bytes2D:
        """Tokens (n, token_width). Raises InvalidElement."""


@dataclass(frozen=True)
class RsaEvaluator:
    key: SecretKey

    @property
    def width(self) -> int:
        return self.key.public.width

    @property
    def token_width(self) -> int:
        return hashing.digest_size(self.key.public.hashes.final)

    def tokens(self, texts: pa.Array) -> Bytes2D:
        return self.key.tokens(self.key.public.seeds(texts))

    def evaluate(self, rows: Bytes2D) -> Bytes2D:
        return self.key.sign(rows)


@dataclass(frozen=True)
class RsaAsker:
    key: PublicKey

    @property
    def width(self) -> int:
        return self.key.width

    @property
    def token_width(self) -> int:
        return hashing.digest_size(self.key.hashes.final)

    def blind(self, texts: pa.Array) -> tuple[Bytes2D, Bytes2D]:
        return self.key.blind(self.key.seeds(texts))

    def finish(self, evaluated: Bytes2D, secrets: Bytes2D, texts: pa.Array) -> Bytes2D:
        return self.key.finish(evaluated, secrets, self.key.seeds(texts))


@dataclass(frozen=True)
class GroupEvaluator:
    group: Group
    key: Secret
    token_width: int = LABEL

    @property
    def width(self) -> int:
        return self.group.width

    def tokens(self, texts: pa.Array) -> Bytes2D:
        return hashing.shortened(self.group.apply(self.group.embed(texts), self.key))

    def evaluate(self, rows: Bytes2D) -> Bytes2D:
        return self.group.apply(rows, self.key)


class GroupAsker:
    """Blinds with a scalar that lives as long as this object: one run, one peer."""

    token_width = LABEL

    def __init__(self, group: Group) -> None:
        self.group, self.width = group, group.width
        self._blinding = group.secret()
        self._unblinding = group.inverse(self._blinding)

    def blind(self, texts: pa.Array) -> tuple[Bytes2D, Bytes2D]:
        nothing = np.empty((len(texts), 0), dtype=np.uint8)
        return self.group.apply(self.group.embed(texts), self._blinding), nothing

    def finish(self, evaluated: Bytes2D, secrets: Bytes2D, texts: pa.Array) -> Bytes2D:  # noqa: ARG002 (an Asker)
        return hashing.shortened(self.group.apply(evaluated, self._unblinding))
