"""The arbiter makes a Paillier or OU key; the others get its public half."""

from __future__ import annotations

import logging

from msgspec import UNSET

from federatedml.crypto import ou, paillier, strength
from federatedml.crypto.bigcipher import SecretKey
from federatedml.crypto.wire import PublicKey
from federatedml.params_shared import EncryptParam
from federation import Context, Message
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

_MAKERS = {ou.SCHEME: ou.keygen, paillier.SCHEME: paillier.keygen}


def arbiter_makes(ctx: Context, message: Message[PublicKey], param: EncryptParam) -> SecretKey:
    """A fresh key, its public half sent. Reveals to receivers: nothing."""
    public, secret = _MAKERS[scheme(param)](param.key_length)
    tell(public)
    ctx.remote(message, public)
    return secret


def received(ctx: Context, message: Message[PublicKey], param: EncryptParam) -> PublicKey:
    """The arbiter's key. Raises ProtocolViolation for one that is shorter than this party asks
    for, or of another scheme."""
    key, wanted, problem = ctx.get(message), scheme(param), ""
    if key.scheme != wanted:
        problem = f"a key of {key.scheme}; encrypt_param asks for {wanted}"
    elif key.key_bits < param.key_length:
        problem = f"a key of {key.key_bits} bits; encrypt_param asks for {param.key_length}"
    if problem and ctx.arbiter is not None:
        raise ProtocolViolation(ctx.arbiter, message.name, problem)
    tell(key)
    return key


def scheme(param: EncryptParam) -> str:
    """OU where it is asked for; Paillier in place of everything else, which is logged."""
    if param.method not in (*_MAKERS, UNSET):
        LOG.warning("encrypt_param.method %s: Paillier is used in its place", param.method)
    return param.scheme if param.scheme in _MAKERS else paillier.SCHEME


def tell(key: PublicKey) -> None:
    """Log what the job's owner should know of the key."""
    LOG.info("encryption: %s", key.describe())
    strength.warn_if_weak(key.level, key.describe())
