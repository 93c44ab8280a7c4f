"""What can go wrong with ciphertexts. Messages carry sizes, never values: those are secrets.

CryptoError
├── KeyTooShort           a key without room for what is to be encrypted
├── PlaintextOutOfRange   a number does not fit its declared range, or a sum the key
├── DecryptedOutOfRange   a plaintext is beyond what its vector states
├── MissingLibrary        a scheme's optional library is not installed
├── Unsupported           an operation that the scheme does not declare
├── ForeignKey            a ciphertext of another key
├── BadCiphertext         bytes that are not a vector of ciphertexts
└── NoSafeParameters      no lattice is both secure and exact for such numbers
"""

from __future__ import annotations


class CryptoError(Exception):
    """Root of this package's errors."""


class KeyTooShort(CryptoError, ValueError):
    def __init__(self, scheme: str, key_bits: int, what: str, least: int) -> None:
        super().__init__(
            f"a {scheme} key of {key_bits} bits has no room for {what}: set key_length in "
            f"encrypt_param to {least} or more"
        )


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


class MissingLibrary(CryptoError, ImportError):
    def __init__(self, scheme: str, extra: str) -> None:
        super().__init__(f"{scheme} needs an optional library: pip install distaff[{extra}]")


class Unsupported(CryptoError, NotImplementedError):
    def __init__(self, scheme: str, operation: str, offered: frozenset[str]) -> None:
        super().__init__(
            f"{scheme} has no {operation}; it has {', '.join(sorted(offered))}: choose another "
            "encrypt_param.method"
        )


class ForeignKey(CryptoError, ValueError):
    def __init__(self) -> None:
        super().__init__("the ciphertexts were made under another key")


class BadCiphertext(CryptoError, ValueError):
    def __init__(self, problem: str) -> None:
        super().__init__(f"not a vector of ciphertexts: {problem}")


class NoSafeParameters(CryptoError, ValueError):
    def __init__(self, word_bits: int, norm_bits: float) -> None:
        super().__init__(
            f"no lattice of 128-bit security is exact for numbers modulo 2^{word_bits} and columns "
            f"of norm 2^{norm_bits:g}: use numbers modulo 2^40, 2^64 or 2^128, scale the features "
            "down, or encode them with fewer fractional bits"
        )
