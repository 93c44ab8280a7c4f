"""The arbiter makes a Paillier key; the others get its public half."""

from __future__ import annotations

import logging

from federatedml.crypto import paillier
from federatedml.crypto.wire import PublicKey
from federatedml.params_shared import EncryptParam
from federation import Context, Message
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

SAFE_KEY_BITS = 2048
"""112 bits of security; 1024 bits are about 80, deprecated since 2010 (NIST SP 800-131A)."""


def arbiter_makes(
    ctx: Context, message: Message[PublicKey], param: EncryptParam
) -> paillier.SecretKey:
    """A fresh key, its public half sent. Reveals to receivers: nothing."""
    warn_if_short(param)
    public, secret = paillier.keygen(param.key_length)
    ctx.remote(message, public)
    return secret


def received(ctx: Context, message: Message[PublicKey], param: EncryptParam) -> PublicKey:
    """The arbiter's key. Raises ProtocolViolation for one shorter than this party asks for."""
    warn_if_short(param)
    key = ctx.get(message)
    if key.key_bits < param.key_length and ctx.arbiter is not None:
        problem = f"a key of {key.key_bits} bits; encrypt_param asks for {param.key_length}"
        raise ProtocolViolation(ctx.arbiter, message.name, problem)
    return key


def warn_if_short(param: EncryptParam) -> None:
    """Log what the job's owner should know of the key."""
    if param.key_length < SAFE_KEY_BITS:
        LOG.warning(
            "key_length %d is below %d bits and no longer considered safe; raise it in "
            "encrypt_param",
            param.key_length,
            SAFE_KEY_BITS,
        )
    if param.method != "Paillier":
        LOG.warning("encrypt_param.method %s: Paillier is used in its place", param.method)
