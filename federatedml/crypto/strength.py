"""How long breaking a key takes, in bits, and one warning for what is too short."""

from __future__ import annotations

import logging

LOG = logging.getLogger(__name__)

SAFE_BITS = 112
"""The least that is still approved: NIST SP 800-131A rev. 2, table 2 (80 bits until 2010)."""

_LEVELS = ((15360, 256), (7680, 192), (3072, 128), (2048, 112), (1024, 80))
"""Bits of a modulus -> bits of security. Source: NIST SP 800-57 part 1 rev. 5, table 2."""


_EXPONENTS = ((1024, 160), (2048, 224), (3072, 256), (1 << 20, 384))


def of_modulus(key_bits: int) -> int:
    """Bits of security of a modulus that must not be factored; 0 below 1024 bits."""
    return next((level for least, level in _LEVELS if key_bits >= least), 0)


def short_exponent(key_bits: int) -> int:
    """Bits of a random exponent: twice the security of the next larger size in the table."""
    return next(bits for longest, bits in _EXPONENTS if key_bits <= longest)


def said(level: int) -> str:
    """The level as part of a description."""
    return f"{level} bits of security" if level else "less than 80 bits of security"


def warn_if_weak(level: int, description: str) -> None:
    """Log what the job's owner should know of a scheme. description: its ``describe()``."""
    if level < SAFE_BITS:
        LOG.warning(
            "%s: below %d bits and no longer considered safe; raise key_length in encrypt_param",
            description,
            SAFE_BITS,
        )
