"""The closed codec: what it takes comes back, whatever else arrives is Malformed."""

import contextlib

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import sparse

from federation import codec
from federation.errors import UndeclaredType

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
        | st.tuples(inner, inner)
    ),
    max_leaves=20,
)


@given(plain)
def test_plain_values_come_back_equal_and_of_the_same_type(value):
    back = codec.decode(codec.encode(value))
    assert back == value
    assert type(back) is type(value)


@pytest.mark.parametrize("dtype", ["?", "i1", "u2", "i4", "u8", "f4", "f8", ">i4"])
@pytest.mark.parametrize("shape", [(0,), (3,), (2, 0), (2, 3, 4), ()])
def test_arrays_come_back(dtype, shape):
    value = np.ones(shape, dtype)
    back = codec.decode(codec.encode(value))
    np.testing.assert_array_equal(back, value)
    assert back.shape == value.shape
    assert back.dtype == value.dtype.newbyteorder("<")


def test_sparse_matrices_and_arrow_batches_come_back():
    matrix = sparse.csr_matrix(np.eye(4) * 2.5)
    assert (codec.decode(codec.encode(matrix)) != matrix).nnz == 0
    batch = pa.record_batch({"id": ["a", "b"], "x": [1.0, None]})
    assert codec.decode(codec.encode(batch)).to_pylist() == batch.to_pylist()


@given(st.binary(max_size=100))
def test_any_bytes_are_a_value_or_malformed(data):
    with contextlib.suppress(codec.Malformed):
        codec.decode(data)


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_changed_byte_is_a_value_or_malformed(place, byte):
    data = bytearray(
        codec.encode([np.arange(5.0), sparse.csr_matrix(np.eye(2)), (1, {"a"}), 2**80])
    )
    data[place % len(data)] = byte
    with contextlib.suppress(codec.Malformed):
        codec.decode(bytes(data))


@pytest.mark.parametrize(
    "value", [object(), {1.5: 1}, np.array([object()]), np.array(["a"]), lambda: None, {"a": {3j}}]
)
def test_other_types_are_refused_at_the_sender_with_the_place(value):
    with pytest.raises(UndeclaredType, match=r"lr\.x"):
        codec.encode(value, "lr.x")


def arrow_payload(table, **options):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as out:
        out.write(table)
    return bytes(sink.getvalue())


def as_arrow(stream):
    return codec.decode(codec._ENCODER.encode(codec._ext(codec._ARROW, stream)))


@pytest.mark.parametrize("form", ["plain", "dictionary"])
def test_a_compressed_table_is_refused_before_it_takes_memory(form):
    column = pa.array(["a" * 5000] * 20)
    table = pa.table({"x": column.dictionary_encode() if form == "dictionary" else column})
    assert as_arrow(arrow_payload(table)).equals(table)
    for how in ("zstd", "lz4"):
        with pytest.raises(codec.Malformed, match="compressed"):
            as_arrow(arrow_payload(table, compression=how))


def test_a_table_that_points_outside_itself_is_malformed():
    offsets = np.array([0, 3, 7], dtype=np.int32)
    stream = arrow_payload(pa.table({"x": ["abc", "defg"]}))
    assert stream.count(offsets.tobytes()) == 1
    offsets[1] = 10**6
    with pytest.raises(codec.Malformed):
        as_arrow(stream.replace(np.array([0, 3, 7], np.int32).tobytes(), offsets.tobytes()))


@pytest.mark.parametrize("mark", [-2, 7, 2**31 - 1])
def test_a_table_in_no_stream_of_arrow_is_malformed(mark):
    stream = arrow_payload(pa.table({"x": ["abc"]}))
    assert stream[:4] == b"\xff" * 4
    for start in (np.array([mark], np.int32).tobytes(), b"\xff" * 4 + np.int32(mark).tobytes()):
        with pytest.raises(codec.Malformed):
            as_arrow(start + stream[len(start) :])


def test_parts_of_another_type_are_malformed():
    parts = [[1, 1], [0, 0], [], []]
    with pytest.raises(codec.Malformed):
        codec.decode(codec._ENCODER.encode(codec._ext(codec._CSR, codec._ENCODER.encode(parts))))


@codec.wire_struct
class Tally(msgspec.Struct, frozen=True):
    rows: NDArray[np.uint32]
    names: list[str]
    count: int


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ((np.zeros(2, dtype=np.uint32), ["a"], 7), None),
        ((np.zeros(2, dtype=np.int64), ["a"], 7), "Tally.rows: int64"),
        (("rows", ["a"], 7), "Tally.rows: str"),
        ((np.zeros(2, dtype=np.uint32), ["a", 3], 7), "Tally.names: list"),
        ((np.zeros(2, dtype=np.uint32), ["a"], None), "Tally.count: NoneType"),
        ((np.zeros(2, dtype=np.uint32), ["a"], True), "Tally.count: bool"),
    ],
)
def test_fields_of_a_struct_have_the_types_that_it_declares(fields, field):
    payload = codec.encode(Tally(*fields))
    if field is None:
        assert codec.decode(payload).names == ["a"]
    else:
        with pytest.raises(codec.Malformed, match=field):
            codec.decode(payload)
