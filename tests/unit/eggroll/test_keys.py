"""Keys as bytes: reversible, order-preserving, equal everywhere."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eggroll.keys import BadKey, decode, encode, encode_texts
from eggroll.partition import jump, partitions

scalars = st.one_of(
    st.text(), st.integers(), st.floats(allow_nan=False), st.binary(), st.booleans(), st.none()
)


@given(st.one_of(scalars, st.tuples(scalars, st.tuples(scalars, scalars))))
def test_a_key_comes_back(key):
    assert decode(encode(key)) == key


@given(st.lists(st.integers()))
def test_integers_sort_by_value(numbers):
    assert sorted(numbers) == [decode(k) for k in sorted(map(encode, numbers))]


@given(st.lists(st.floats(allow_nan=False)))
def test_floats_sort_by_value(numbers):
    assert sorted(numbers) == [decode(k) for k in sorted(map(encode, numbers))]


@given(st.lists(st.tuples(st.binary(max_size=3), st.integers(-300, 300))))
def test_tuples_sort_item_by_item(tuples):
    assert sorted(tuples) == [decode(k) for k in sorted(map(encode, tuples))]


@given(st.lists(st.text()))
def test_a_column_of_texts_is_encoded_as_each_alone(texts):
    assert encode_texts(pa.array(texts, pa.string())).to_pylist() == [encode(t) for t in texts]


def test_a_list_is_no_key():
    with pytest.raises(BadKey, match="use str, int"):
        encode([1])


@pytest.mark.parametrize(
    ("seed", "buckets", "expected"),
    [(1, 1, 0), (42, 57, 43), (0xDEAD10CC, 1, 0), (0xDEAD10CC, 666, 361), (256, 1024, 520)],
)
def test_the_jump_hash_gives_the_values_other_implementations_test_for(seed, buckets, expected):
    assert jump(np.array([seed], np.uint64), buckets).tolist() == [expected]


@given(st.lists(st.text(), unique=True), st.integers(1, 20))
def test_one_partition_more_moves_rows_only_into_it(texts, n):
    keys = [encode(t) for t in texts]
    before, after = partitions(keys, n), partitions(keys, n + 1)
    assert all(a in (b, n) for a, b in zip(after, before, strict=True))
