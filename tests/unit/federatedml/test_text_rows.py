"""Texts as rows of bytes of one width, and records that tokens lock."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federatedml.crypto import hashing, keyed_records
from federatedml.data import text_rows
from federatedml.data.text_rows import NotTextRows, TextTooLong

TABLE = st.lists(st.tuples(st.text(max_size=9), st.text(max_size=3)), min_size=1, max_size=20)


@given(rows=TABLE, start=st.integers(0, 3))
def test_columns_of_text_come_back(rows, start):
    columns = [pa.array([row[i] for row in rows], pa.string()).slice(start) for i in range(2)]
    of = text_rows.widths(columns)
    made = text_rows.packed(columns, of)
    assert made.shape == (len(columns[0]), text_rows.row_width(of))
    assert [c.to_pylist() for c in text_rows.unpacked(made, of)] == [c.to_pylist() for c in columns]


def test_no_rows_and_empty_texts_are_columns_too():
    for column in (pa.array([], pa.string()), pa.array(["", ""])):
        of = text_rows.widths([column])
        (found,) = text_rows.unpacked(text_rows.packed([column], of), of)
        assert found.to_pylist() == column.to_pylist()


def test_bytes_that_are_no_texts_are_refused():
    of, good = [2], text_rows.packed([pa.array(["ab", "c"])], [2])
    for place, byte in ((0, 3), (4, 0xFF)):
        bad = good.copy()
        bad[0, place] = byte
        with pytest.raises(NotTextRows):
            text_rows.unpacked(bad, of)
    with pytest.raises(NotTextRows, match="7 bytes a row"):
        text_rows.unpacked(np.zeros((1, 7), np.uint8), of)


def test_rows_that_are_too_long_are_refused():
    with pytest.raises(TextTooLong, match="bytes a row"):
        text_rows.widths([pa.array(["x" * 40_000]), pa.array(["y" * 40_000])])


def test_a_record_opens_under_its_token_alone():
    rng = np.random.default_rng(1)
    tokens = rng.integers(0, 256, (3, 32)).astype(np.uint8)
    records = np.tile(rng.integers(0, 256, (1, 40)).astype(np.uint8), (3, 1))
    rows = keyed_records.locked(tokens, records)
    assert rows.shape == (3, hashing.LABEL + 40)
    np.testing.assert_array_equal(rows[:, : hashing.LABEL], keyed_records.labels(tokens))
    np.testing.assert_array_equal(keyed_records.unlocked(tokens, rows), records)
    assert (keyed_records.unlocked(tokens[::-1], rows)[[0, 2]] != records[[0, 2]]).any(axis=1).all()
    assert len(np.unique(rows[:, hashing.LABEL :], axis=0)) == 3  # equal records look different
