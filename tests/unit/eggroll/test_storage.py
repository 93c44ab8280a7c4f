"""Stored tables: all of one or nothing, any name, no copy."""

import errno

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eggroll.errors import StorageFull, TableExists, TableNotFound
from eggroll.storage import Storage, TableMeta

SCHEMA = pa.schema([("id", pa.string()), ("x", pa.float64())])


def batch(*rows):
    ids, x = zip(*rows, strict=True)
    return pa.RecordBatch.from_arrays([pa.array(ids), pa.array(x)], schema=SCHEMA)


@pytest.fixture
def storage(tmp_path):
    return Storage(tmp_path)


def write(storage, *batches, name="t", **options):
    return storage.write(TableMeta(namespace="n", name=name), SCHEMA, batches, **options)


def files(storage):
    return [p for p in storage.root.rglob("*") if p.is_file()]


def test_rows_come_back_in_batches_with_their_count(storage):
    write(storage, batch(("a", 1.0), ("b", 2.0)), batch(("c", 3.0)))
    opened = storage.open("n", "t")
    assert opened.count == 3
    assert [b.num_rows for b in opened.batches()] == [2, 1]
    assert opened.arrow().column("x").to_pylist() == [1.0, 2.0, 3.0]


@given(name=st.text(min_size=1), namespace=st.text(min_size=1))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_name_and_no_name_leaves_the_root(storage, name, namespace):
    stored = storage.write(
        TableMeta(namespace=namespace, name=name), SCHEMA, [batch(("a", 1.0))], replace=True
    )
    assert stored.folder.resolve().is_relative_to(storage.root.resolve())
    assert storage.open(namespace, name).meta.name == name


def test_an_existing_table_stays_unless_it_is_to_be_replaced(storage):
    write(storage, batch(("a", 1.0)))
    with pytest.raises(TableExists, match="--drop"):
        write(storage, batch(("b", 2.0)))
    write(storage, batch(("b", 2.0)), replace=True)
    assert storage.open("n", "t").arrow().column("id").to_pylist() == ["b"]


def test_a_fault_while_writing_leaves_nothing_and_keeps_the_older_table(storage):
    write(storage, batch(("a", 1.0)))
    before = files(storage)

    def broken():
        yield batch(("b", 2.0))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        storage.write(TableMeta(namespace="n", name="t"), SCHEMA, broken(), replace=True)
    assert files(storage) == before
    assert storage.open("n", "t").count == 1


def test_a_full_disk_is_told_as_such(storage):
    def full():
        raise OSError(errno.ENOSPC, "No space left on device")
        yield

    with pytest.raises(StorageFull, match="nothing was stored"):
        storage.write(TableMeta(namespace="n", name="t"), SCHEMA, full())
    assert files(storage) == []


def test_a_link_is_a_table_of_its_own_over_the_same_bytes(storage):
    first = write(storage, batch(("a", 1.0)))
    linked = storage.link(first, "other", "name")
    data = [table.folder / "data.arrow" for table in (first, linked)]
    assert data[0].stat().st_ino == data[1].stat().st_ino
    assert storage.delete("n", "t")
    assert storage.open("other", "name").count == 1


def test_what_is_not_there_is_named(storage):
    with pytest.raises(TableNotFound, match=r"n\.nowhere"):
        storage.open("n", "nowhere")
    assert storage.delete("n", "nowhere") is False
