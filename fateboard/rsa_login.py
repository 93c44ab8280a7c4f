"""The sign-in of FATE-Board's page: the password comes encrypted under a key of a few minutes."""

from __future__ import annotations

import base64
import threading
import time

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

FRESH_S = 300.0
_BITS = 2048


class LoginKeys:
    """A key that is made anew every five minutes. The one before it still opens what was
    encrypted just before the change, which FATE-Board refuses."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: list[rsa.RSAPrivateKey] = []
        self._made_at = 0.0

    def public(self) -> str:
        """The key to encrypt with: X.509, base64."""
        with self._lock:
            if not self._keys or time.monotonic() - self._made_at > FRESH_S:
                made = rsa.generate_private_key(public_exponent=65_537, key_size=_BITS)
                self._keys = [made, *self._keys[:1]]
                self._made_at = time.monotonic()
            key = self._keys[0].public_key()
        shown = key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return base64.b64encode(shown).decode()

    def opened(self, password: str) -> list[str]:
        """What the password may be; nothing for one that was not encrypted for us."""
        with self._lock:
            keys = list(self._keys)
        try:
            sealed = base64.b64decode(password, validate=True)
        except ValueError:
            return []
        return [found for key in keys if (found := _opened(key, sealed)) is not None]


def _opened(key: rsa.RSAPrivateKey, sealed: bytes) -> str | None:
    try:
        return key.decrypt(sealed, padding.PKCS1v15()).decode()
    except (ValueError, UnicodeDecodeError):
        return None
