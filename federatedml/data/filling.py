"""Missing values and outliers of parsed features: what counts as one, and what replaces it.

Both work alike: values to look for, a method, and per column the replacement and the share found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federatedml.errors import BadData
from federatedml.maths.imputation import Floats, Mask, Method, filled, ratios, replacements

DEFAULT_SHOWN = ["", "none", "null", "na", "None", "nan"]
"""What FATE shows as missing values where none are declared."""


@dataclass(frozen=True)
class Sought:
    """Declared values, as numbers to compare with and as texts that are no number."""

    numbers: tuple[float, ...]
    words: tuple[str, ...]
    shown: list[str]

    @classmethod
    def of(cls, values: Sequence[Any] | None) -> Sought:
        if values is None:
            return cls((), (), list(DEFAULT_SHOWN))
        numbers, words = [], []
        for value in values:
            try:
                numbers.append(float(value))
            except (TypeError, ValueError):
                words.append(str(value))
        return cls(
            tuple(n for n in numbers if not math.isnan(n)), tuple(words), [*map(str, values)]
        )

    def found(self, x: Floats) -> Mask:
        """(n, k) where x equals one of the numbers."""
        mask = np.zeros(x.shape, np.bool_)
        for number in self.numbers:
            mask |= x == number
        return mask


@dataclass(frozen=True)
class Replaced:
    """Per column: the replacement as text, as FATE keeps it, and the share of entries replaced."""

    values: dict[str, str]
    ratio: dict[str, float]


def fitted(
    x: Floats, mask: Mask, header: list[str], method: Method | None, designated: Any
) -> tuple[Floats, Replaced]:
    """x with its masked entries replaced, and what by. Raises BadData for a designated value that
    is no number, or as many as there are not columns."""
    hidden = mask | np.isnan(x)
    try:
        values = replacements(x, hidden, method, designated if method == "designated" else 0.0)
    except (TypeError, ValueError) as error:
        raise BadData(f"the designated replacement does not fit the features: {error}") from None
    replaced = Replaced(
        dict(zip(header, map(_text, values.tolist()), strict=True)),
        dict(zip(header, ratios(mask).tolist(), strict=True)),
    )
    return filled(x, mask, values), replaced


def applied(x: Floats, mask: Mask, header: list[str], kept: dict[str, str]) -> Floats:
    """x with its masked entries replaced by what was fitted before."""
    values: NDArray[np.float64] = np.array([float(kept.get(name, "0")) for name in header])
    return filled(x, mask, values) if len(values) else x


def _text(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
