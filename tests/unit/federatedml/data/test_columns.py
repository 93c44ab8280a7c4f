"""Columns by index and by name: united, in table order, and what is not there is named."""

import pytest

from federatedml.data.columns import chosen, index_of
from federatedml.data.frame import FrameSchema
from federatedml.errors import BadData, BadParameters

TABLE = FrameSchema(header=["age", "income", "debt"])


@pytest.mark.parametrize(
    ("indexes", "names", "expected"),
    [
        (-1, None, [0, 1, 2]),
        (-1, ["age"], [0, 1, 2]),
        (None, None, []),
        ([], [], []),
        ([2, 0, 2], None, [0, 2]),
        (None, ["debt", "age"], [0, 2]),
        ([1], ["age", "income"], [0, 1]),
    ],
)
def test_indexes_and_names_are_united_in_the_order_of_the_table(indexes, names, expected):
    assert chosen(TABLE, indexes, names, "scale_0") == expected


def test_a_table_without_columns_has_none_to_choose():
    assert chosen(FrameSchema(), -1, None, "scale_0") == []


@pytest.mark.parametrize(
    ("indexes", "names", "said"),
    [
        ([3], None, "scale_0: there is no column 3; the table has columns 0 to 2"),
        ([-1], None, "scale_0: there is no column -1; the table has columns 0 to 2"),
        (2, None, "scale_0: column index 2; give a list, or -1 for all"),
        (
            None,
            ["incme"],
            "scale_0: there is no column 'incme' among the 3 of this party's table; its log says "
            "which there are",
        ),
    ],
)
def test_what_the_table_does_not_have_is_refused_by_name(indexes, names, said):
    with pytest.raises(BadParameters) as refusal:
        chosen(TABLE, indexes, names, "scale_0")
    assert str(refusal.value) == said


def test_an_ambiguous_name_is_refused_but_its_columns_can_be_chosen_by_index():
    twice = FrameSchema(header=["a", "b", "a"])
    with pytest.raises(BadData, match="2 columns are named 'a'"):
        index_of("a", twice.header, "scale_0")
    assert chosen(twice, [0, 2], None, "scale_0") == [0, 2]


@pytest.mark.parametrize(
    ("name", "hint"), [("incme", "did you mean 'income'?"), ("q", "there are: age, income, debt")]
)
def test_only_the_partys_own_log_names_the_columns_that_there_are(caplog, name, hint):
    with pytest.raises(BadParameters) as refusal:
        chosen(TABLE, None, [name], "scale_0")
    assert hint in caplog.text
    assert "income" not in str(refusal.value)


def test_of_many_columns_the_log_names_the_first_ones_only(caplog):
    wide = FrameSchema(header=[f"x{i}" for i in range(40)])
    with pytest.raises(BadParameters):
        chosen(wide, None, ["nothing"], "scale_0")
    assert "x9, ... (40)" in caplog.text
