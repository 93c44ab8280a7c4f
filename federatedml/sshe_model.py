"""Weights that are shared between guest and host, as a model's JSON keeps them.

FATE keeps the host's weights as ciphertexts under the guest's key in the host's model, and that
key in the guest's. Here each of the two models has one share of them, in the same fields: the
modulus of the shares in place of the key's, a share in place of a ciphertext, and its fraction
bits, negative, as exponent (of 2). Either model alone tells nothing of these weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from federatedml.crypto.rings import Words
from federatedml.crypto.shared_descent import BITS, FRACTION_BITS
from federatedml.errors import BadModel
from federatedml.lr_model import SingleModel
from federation import Role

INTERCEPT = "(intercept)"

Begun = Literal["", "host", "all"]
"""What of a model is shared: nothing, the host's weights, or (a checkpoint) those of both."""


def own_names(header: Sequence[str], *, has_intercept: bool) -> list[str]:
    """How this party's columns are called where their weights are shared."""
    return [*header, INTERCEPT] if has_intercept else list(header)


def peer_names(peer: Role, n: int) -> list[str]:
    """The peer's columns, whose names this party does not know."""
    return [f"{peer.value}[{i}]" for i in range(n)]


def texts(names: Sequence[str], shares: Words) -> dict[str, Any]:
    """Shares (k,) under their columns' names."""
    return {
        name: {
            "publicKey": {"n": str(1 << BITS)},
            "cipherText": str(low | high << 64),
            "exponent": str(-FRACTION_BITS),
            "isObfuscator": False,
        }
        for name, (low, high) in zip(names, shares.tolist(), strict=True)
    }


def shares(part: SingleModel, names: Sequence[str], component: str) -> Words:
    """(k,) the shares back. Raises BadModel if there are none of these columns, or not such."""
    try:
        kept = [part.encrypted_weight[name] for name in names]
        values = [int(one["cipherText"]) for one in kept]
        sound = all(
            one["exponent"] == str(-FRACTION_BITS)
            and one["publicKey"]["n"] == str(1 << BITS)
            and 0 <= value < 1 << BITS
            for one, value in zip(kept, values, strict=True)
        )
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise BadModel(
            f"{component}: the model has no shares of these {len(names)} columns' weights; use "
            "the two models that one training gave guest and host"
        )
    low = (1 << 64) - 1
    return np.array([[v & low, v >> 64] for v in values], dtype=np.uint64).reshape(-1, 2)


def begun(part: SingleModel | None, own: Sequence[str], peer: Role) -> Begun:
    """What of the model that a warm start goes on from is shared."""
    if part is None or not part.encrypted_weight:
        return ""
    names = part.encrypted_weight
    return "all" if own[0] in names and peer_names(peer, 1)[0] in names else "host"


def n_shared(part: SingleModel, peer: Role) -> int:
    """Of how many of the peer's columns the model has a share."""
    prefix = peer_names(peer, 1)[0].partition("[")[0] + "["
    return sum(name.startswith(prefix) for name in part.encrypted_weight)
