"""What a wrong parameter is told: its path, what is allowed, the nearest known name."""

from typing import Literal

import pytest

from federatedml.errors import BadParameters
from federatedml.params import Params, parse


class Inner(Params):
    method: Literal["Paillier", "none"] | None = None


class Outer(Params):
    penalty: Literal["L1", "L2"] = "L2"
    alpha: float = 0.1
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"penalty": "L7"}, "`$.penalty`: invalid enum value 'L7'; allowed: L1, L2"),
        ({"inner": {"method": "x"}}, "`$.inner.method`: invalid enum value 'x'; allowed: Paillier"),
        ({"alpha": "big"}, "`$.alpha`: expected `float`, got `str`"),
        ({"alhpa": 1}, "[['alhpa']]` at `$`; did you mean `alpha`?"),
        ({"inner": {"zzz": 1}}, "[['zzz']]` at `$.inner`; known: method"),
    ],
)
def test_a_wrong_parameter_is_told_its_path_and_what_is_allowed(given, told):
    with pytest.raises(BadParameters) as raised:
        parse(Outer, given, "Some#some_0")
    assert told in str(raised.value)


def test_the_case_of_enumerated_words_does_not_matter():
    assert parse(Outer, {"penalty": "l1"}, "Some#some_0").penalty == "L1"
