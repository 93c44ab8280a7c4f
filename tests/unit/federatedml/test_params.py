"""What a wrong parameter is told: its path, what is allowed, the nearest known name."""

from typing import Annotated, Literal

import msgspec
import pytest

from federatedml.errors import BadParameters
from federatedml.params import Fraction, NonNegativeInt, Params, PositiveInt, parse
from federatedml.params_shared import NonNegative

PositiveNumber = Annotated[int, msgspec.Meta(gt=0)] | Annotated[float, msgspec.Meta(gt=0)]


class Inner(Params):
    method: Literal["Paillier", "none"] | None = None


class Outer(Params):
    penalty: Literal["L1", "L2"] = "L2"
    alpha: float = 0.1
    inner: Inner = Inner()
    words: list[Literal["early", "late"]] | None = None
    share: NonNegative = 1
    points: PositiveNumber = 1
    part: Fraction | None = None
    rounds: PositiveInt | list[NonNegativeInt] = 1


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"penalty": "L7"}, "`$.penalty`: invalid enum value 'L7'; allowed: L1, L2"),
        ({"inner": {"method": "x"}}, "`$.inner.method`: invalid enum value 'x'; allowed: Paillier"),
        ({"alpha": "big"}, "`$.alpha`: expected `float`, got `str`"),
        ({"alhpa": 1}, "[['alhpa']]` at `$`; did you mean `alpha`?"),
        ({"words": ["late", "x"]}, "`$.words[1]`: invalid enum value 'x'; allowed: early, late"),
        ({"share": -1}, "`$.share`: expected a number >= 0"),
        ({"points": 0}, "`$.points`: expected a number > 0"),
        ({"points": -0.5}, "`$.points`: expected a number > 0"),
        ({"part": 2}, "`$.part`: expected a number <= 1"),
        ({"rounds": 0}, "`$.rounds`: expected `int` >= 1"),
        ({"rounds": [-1]}, "`$.rounds[0]`: expected `int` >= 0"),
        ({"inner": {"zzz": 1}}, "[['zzz']]` at `$.inner`; known: method"),
    ],
)
def test_a_wrong_parameter_is_told_its_path_and_what_is_allowed(given, told):
    with pytest.raises(BadParameters) as raised:
        parse(Outer, given, "Some#some_0")
    assert told in str(raised.value)


def test_the_case_of_enumerated_words_does_not_matter():
    assert parse(Outer, {"penalty": "l1"}, "Some#some_0").penalty == "L1"
