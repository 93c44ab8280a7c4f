"""What can go wrong with ciphertexts. Messages carry sizes, never values: those are secrets.

CryptoError
├── PlaintextOutOfRange   a number does not fit its declared range, or a sum the key
├── DecryptedOutOfRange   a plaintext is beyond what its vector states
├── ForeignKey            a ciphertext of another key
└── BadCiphertext         bytes that are not a vector of ciphertexts
"""

from __future__ import annotations


class CryptoError(Exception):
    """Root of this package's errors."""


class PlaintextOutOfRange(CryptoError, ValueError):
    def __init__(self, what: str, bits: int, allowed: int) -> None:
        super().__init__(
            f"{what} needs {bits} bits and {allowed} are there: use a longer key, "
            "scale the features, or lower floating_point_precision"
        )


class DecryptedOutOfRange(CryptoError, ValueError):
    """How far beyond is not said: of an OU plaintext it would tell of the secret p."""

    def __init__(self) -> None:
        super().__init__(
            "a decrypted number is beyond the range that its vector states: it was not made by "
            "this protocol, and is not given out"
        )


class ForeignKey(CryptoError, ValueError):
    def __init__(self) -> None:
        super().__init__("the ciphertexts were made under another key")


class BadCiphertext(CryptoError, ValueError):
    def __init__(self, problem: str) -> None:
        super().__init__(f"not a vector of ciphertexts: {problem}")
