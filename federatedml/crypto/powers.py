"""Powers of one base, many times: a table makes each cost one product per window of the exponent.

Not constant in time where the table outgrows the caches: entries are read by secret digits, on
the machine of the party whose digits they are.
Source: Brickell, Gordon, McCurley, Wilson 1992 ("Fast exponentiation with precomputation").
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import gmpy2
from gmpy2 import mpz


@dataclass(frozen=True)
class PowerTable:
    """Row k, entry b: base^((b + low) * 2^(window k)) mod modulus, for each digit b + low."""

    rows: list[list[mpz]] = field(repr=False)
    modulus: mpz
    window: int

    def random(self) -> mpz:
        """base^a for a secret a, uniform in ``window`` bits for each row."""
        total, mask = mpz(1), (1 << self.window) - 1
        exponent = secrets.randbits(self.window * len(self.rows))
        for row in self.rows:
            total = total * row[exponent & mask] % self.modulus
            exponent >>= self.window
        return total

    def signed(self, exponent: int, bits: int) -> mpz:
        """base^exponent for |exponent| < 2^bits, from a table with digits of either sign.

        Cost: the same number of products for every exponent of so many bits.
        """
        count, mask, half = -(-(bits + 2) // self.window), (1 << self.window) - 1, self.window - 1
        # Adding half a window to every digit makes them all positive; the rows take it off.
        rest = exponent + (((1 << self.window * count) - 1) // mask << half)
        total = mpz(1)
        for row in self.rows[:count]:
            total = total * row[rest & mask] % self.modulus
            rest >>= self.window
        return total


def table(base: mpz, modulus: mpz, bits: int, *, window: int, signed: bool = False) -> PowerTable:
    """For exponents of so many bits; signed: digits from -2^(window-1), else from 0.

    Cost: 2^window products a row, bits / window rows.
    """
    size, rows = 1 << window, []
    for _ in range(-(-(bits + 2 * signed) // window)):
        first = gmpy2.powmod(base, -(size // 2), modulus) if signed else mpz(1)
        row = [first]
        for _ in range(size - 1):
            row.append(row[-1] * base % modulus)
        rows.append(row)
        base = gmpy2.powmod(base, size, modulus)
    return PowerTable(rows, modulus, window)
