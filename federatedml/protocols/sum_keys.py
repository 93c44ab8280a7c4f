"""Keys of sums over encrypted words: what the guest makes of its parameters, what a host accepts.

For ``split_sums`` and ``label_sums``, whose schemes, besides the lattice, are Paillier and
Okamoto-Uchiyama.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import UNSET

from federatedml.component import Ctx
from federatedml.crypto import ou, packed_sums, paillier
from federatedml.crypto.bigcipher import PublicKey, SecretKey
from federatedml.crypto.errors import CryptoError, KeyTooShort
from federatedml.errors import BadParameters
from federatedml.params_shared import EncryptParam
from federation import Message, Party
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)


@contextmanager
def blaming(peer: Party, message: str) -> Iterator[None]:
    """What cryptography refuses in here came from the peer. Raises ProtocolViolation."""
    try:
        yield
    except (CryptoError, ValueError) as error:
        raise ProtocolViolation(peer, message, str(error)) from error


def drawn(ctx: Ctx, param: EncryptParam, n_words: int) -> SecretKey:
    """A fresh key of the parameters' scheme; of Paillier where they name one that cannot add.

    n_words: that a row has. Raises BadParameters for a key that is too short for one of them.
    """
    if param.method not in ("Paillier", "OU", UNSET):
        LOG.warning("encrypt_param.method %s: Paillier is used in its place", param.method)
    public, secret = (ou.keygen if param.scheme == "OU" else paillier.keygen)(param.key_length)
    try:
        packed_sums.groups(public, n_words)
    except KeyTooShort as error:
        raise BadParameters(f"{ctx.name}: {error}") from None
    return secret


def received(ctx: Ctx, message: Message[PublicKey], param: EncryptParam) -> PublicKey:
    """The guest's key. Raises ProtocolViolation for one weaker than this party asks for."""
    key = ctx.get(message)
    wanted = "OU" if param.scheme == "OU" else "Paillier"
    if key.scheme != wanted or key.key_bits < param.key_length:
        raise ProtocolViolation(
            ctx.guest,
            message.name,
            f"a key of {key.scheme} with {key.key_bits} bits; encrypt_param asks here for {wanted} "
            f"with {param.key_length}: give it in component_parameters.common",
        )
    return key
