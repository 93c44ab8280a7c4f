"""What a failing worker says: enough to act on, and nothing of the data."""

import numpy as np
import pytest

from fateflow.worker import main
from federatedml.errors import BadData
from federation.errors import Unreachable


def raised(function):
    try:
        function()
    except Exception as error:  # noqa: BLE001 (any error is the subject here)
        return error
    raise AssertionError("nothing was raised")


def test_errors_written_for_people_are_told_in_full():
    assert main._one_line(BadData("column x0: expected numbers")) == "column x0: expected numbers"
    assert "tried a, b" in main._one_line(Unreachable("9999", "a, b"))


@pytest.mark.parametrize(
    "fault",
    [
        lambda: float("secret-label-7"),
        lambda: np.array(["secret-label-7"]).astype(float),
        lambda: {}["secret-label-7"],
        lambda: int("secret-label-7", 10),
    ],
)
def test_an_unexpected_error_never_quotes_a_value(fault):
    error = raised(fault)
    assert "secret" in str(error)
    for told in (main._one_line(error), main._frames(error)):
        assert "secret" not in told.replace(
            '"secret-label-7"', ""
        )  # the code line itself may stand
    assert "ERROR.log" in main._one_line(error)
    assert type(error).__name__ in main._one_line(error)


def test_errors_about_code_and_files_are_told_with_their_text():
    error = raised(lambda: open("/nowhere/at/all").close())  # noqa: PTH123 (its text names the place)
    assert "/nowhere/at/all" in main._one_line(error)
