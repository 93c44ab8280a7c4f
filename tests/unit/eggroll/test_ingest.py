"""Text files become tables row by row as written, or are refused with the line and the reason."""

import errno

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eggroll import ingest
from eggroll.errors import BadInput, StorageFull
from eggroll.ingest import CsvOptions, open_csv
from eggroll.storage import Storage, TableMeta
from eggroll.unique import digests


@pytest.fixture
def written(tmp_path):
    def write(content):
        path = tmp_path / "file.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path, **options):
    file = open_csv(path, CsvOptions(**options))
    return file.names, pa.Table.from_batches(list(file.batches()), file.schema)


def rows(table):
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def test_the_first_column_is_the_id_and_the_header_names_the_rest(written):
    names, table = read(written("id,y,x0\n133,1,0.25\n273,0,-1\n"))
    assert (names.sid, names.header, names.wide) == ("id", "y,x0", False)
    assert table.column_names == ["key", "y", "x0"]
    assert rows(table) == [("133", "1", "0.25"), ("273", "0", "-1")]


def test_the_last_line_may_lack_its_end_and_blank_lines_may_follow(written):
    assert rows(read(written("id,a\n1,2\n3,4"))[1]) == [("1", "2"), ("3", "4")]
    assert rows(read(written("id,a\r\n1,2\r\n3,4 \r\n\r\n\n"))[1]) == [("1", "2"), ("3", "4")]


def test_a_byte_order_mark_is_no_part_of_the_id_name(written):
    assert read(written(b"\xef\xbb\xbfid,a\n1,2\n"))[0].sid == "id"


def test_cells_are_split_without_quoting(written):
    _, table = read(written('id,a,b\n1,"x,y"\n'))
    assert rows(table) == [("1", '"x', 'y"')]


@pytest.mark.parametrize("delimiter", ["|", "\t", "§", " "])
def test_any_one_character_may_delimit(written, delimiter):
    text = delimiter.join(["id", "a", "b"]) + "\n" + delimiter.join(["1", "ü", "2"]) + "\n"
    names, table = read(written(text), delimiter=delimiter)
    assert names.header == f"a{delimiter}b"
    assert rows(table) == [("1", "ü", "2")]


def test_empty_cells_are_empty_texts(written):
    assert rows(read(written("id,a,b\n1,,\n2,x,\n"))[1]) == [("1", "", ""), ("2", "x", "")]


def test_a_table_may_hold_ids_only(written):
    names, table = read(written("id\n1\n2\n"))
    assert names.header == ""
    assert rows(table) == [("1",), ("2",)]


def test_svmlight_is_wide_and_its_first_line_is_taken_as_header_as_fate_does(written):
    names, table = read(written("1,1,0:0.5,3:1\n2,0,1:2\n3,1\n"))
    assert names.wide
    assert (names.sid, names.header) == ("1", "1,0:0.5,3:1")
    assert rows(table) == [("2", "0,1:2"), ("3", "1")]


def test_a_file_without_header_is_wide_and_keeps_every_line(written):
    names, table = read(written("1,a:5,b\n2\n3,c\n"), head=False)
    assert (names.wide, names.sid, names.header) == (True, "", "")
    assert rows(table) == [("1", "a:5,b"), ("2", ""), ("3", "c")]


def test_a_file_without_header_is_columnar_if_the_caller_names_the_columns(written):
    names, table = read(written("1,2,3\n4,5,6\n"), head=False, header="a,b", sid="key")
    assert (names.wide, names.sid) == (False, "key")
    assert rows(table) == [("1", "2", "3"), ("4", "5", "6")]


def test_plain_tags_of_all_lengths_are_wide(written):
    lines = [",".join([str(i), *(f"t{j}" for j in range(i))]) for i in range(1, 9)]
    names, table = read(written("\n".join(lines)))
    assert names.wide
    assert rows(table)[0] == ("2", "t0,t1")


def test_wide_text_with_a_delimiter_of_several_bytes_keeps_it(written):
    _, table = read(written("1§a:1§b:2\n2§c:3\n"), head=False, delimiter="§")
    assert rows(table) == [("1", "a:1§b:2"), ("2", "c:3")]


def test_a_time_of_day_does_not_make_a_table_wide(written):
    names, _ = read(written("id,at\n1,12:30\n2,12:31\n"))
    assert not names.wide


def test_made_ids_leave_the_whole_line_as_columns(written):
    names, table = read(written("id,a\n7,x\n7,y\n"), extend_sid=True, auto_increasing_sid=True)
    assert (names.sid, names.header) == ("extend_sid", "id,a")
    assert rows(table) == [("0", "7", "x"), ("1", "7", "y")]
    _, table = read(written("id,a\n7,x\n7,y\n"), extend_sid=True)
    first, second = table.column("key").to_pylist()
    assert (first[-1], second[-1], first[:-1], len(first)) == ("0", "1", second[:-1], 33)


def test_counted_ids_without_extended_ids_change_nothing(written):
    _, table = read(written("id,a\n7,x\n"), auto_increasing_sid=True)
    assert rows(table) == [("7", "x")]


REFUSED = {
    "a ragged row": ("id,a,b\n1,2,3\n4,secret\n", {}, "line 3 has 2 columns, 3 expected"),
    "a row too long": ("id,a\n1,secret,3\n", {}, "line 2 has 3 columns, 2 expected"),
    "a blank line inside": ("id,a\n1,2\n\n3,4\n", {}, "line 3 has 1 columns, 2 expected"),
    "nothing": ("", {}, "the file is empty"),
    "blank lines only": ("\n\n", {}, "the file is empty"),
    "only a header": ("id,a\n", {}, "holds only a header"),
    "repeated ids": ("id,a\nsecret,1\nb,2\nsecret,3\n", {}, "lines 2, 4 share an id"),
    "repeated wide ids": ("secret,a:1\nb\nsecret\n", {"head": False}, "lines 1, 3 share an id"),
    "an empty id": ("id,a\n1,2\n,secret\n", {}, "line 3 has no id"),
    "an id too long": ("id,a\n" + "s" * 2000 + ",2\n", {}, "line 2: the id has 2000 bytes"),
    "another encoding": (b"id,a\n1,2\n2,\xff\n", {}, "line 3 is not UTF-8"),
    "another encoding in the header": (b"id,\xff\n1,2\n", {}, "line 1 is not UTF-8"),
    "a NUL byte": (b"id,a\n1,\x00\n", {}, "line 2 holds a NUL byte"),
    "names twice": ("id,a,b,a\n1,2,3,4\n", {}, "columns [1, 3] after the id share a name"),
    "a blank header": ("\nid,a\n1,2\n", {}, "line 1 is blank"),
    "a long delimiter": ("id,a\n1,2\n", {"delimiter": "::"}, "must be one character"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_place_and_reason_and_without_any_value(written, tmp_path, case):
    content, options, reason = REFUSED[case]
    tables = Storage(tmp_path / "tables")
    with pytest.raises(BadInput) as refused:  # noqa: PT012 (either may refuse)
        file = open_csv(written(content), CsvOptions(**options))
        tables.write(TableMeta(namespace="n", name="t"), file.schema, file.batches())
    assert reason in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "secret" not in str(refused.value)
    assert not tables.exists("n", "t")
    assert not [p for p in tables.root.rglob("*") if p.is_file()]


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        open_csv(tmp_path / "none.csv", CsvOptions())
    with pytest.raises(BadInput, match="cannot read"):
        open_csv(tmp_path, CsvOptions())


def test_a_line_without_end_is_refused_before_it_is_read_whole(tmp_path):
    path = tmp_path / "long.csv"
    with path.open("wb") as file:
        file.write(b"id,a\n1,2\n3,")
        file.truncate(1 << 30)  # sparse: a gigabyte of NUL bytes that takes no disk
    told = []
    with pytest.raises(BadInput, match="line 3 is longer than 16 MiB"):
        for _ in ingest.blocks(path, told.append):
            pass
    assert told[-1] < 0.03


def test_a_full_disk_leaves_nothing(written, tmp_path, monkeypatch):
    tables = Storage(tmp_path / "tables")
    file = open_csv(written("id,a\n1,2\n"), CsvOptions())

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def batches():
        yield from file.batches()
        full(None)

    with pytest.raises(StorageFull):
        tables.write(TableMeta(namespace="n", name="t"), file.schema, batches())
    assert not [p for p in tables.root.rglob("*") if p.is_file()]


def test_progress_ends_at_one_and_never_falls(written, monkeypatch):
    monkeypatch.setattr(ingest, "BLOCK_BYTES", 16)
    told = []
    file = open_csv(
        written("id,a\n" + "".join(f"{i},2\n" for i in range(50))), CsvOptions(), told.append
    )
    assert sum(len(batch) for batch in file.batches()) == 50
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_line_numbers_hold_across_blocks(written, monkeypatch):
    monkeypatch.setattr(ingest, "BLOCK_BYTES", 16)
    lines = [f"{i},2" for i in range(50)]
    lines[40] = "40"
    path = written("id,a\n" + "\n".join(lines))
    with pytest.raises(BadInput, match="line 42 has 1 columns"):
        read(path)
    lines[40] = "7,2"
    path.write_text("id,a\n" + "\n".join(lines))
    with pytest.raises(BadInput, match="lines 9, 42 share an id"):
        read(path)


cell = st.text(
    st.characters(exclude_characters=",\n\r\x00", exclude_categories=["Cs", "Z", "Cc"]), max_size=4
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(cell, cell), min_size=1, max_size=30, unique_by=lambda row: row[0]),
    st.integers(8, 200),
)
def test_any_rectangle_comes_back_whatever_the_block_size(tmp_path_factory, cells, size):
    path = tmp_path_factory.mktemp("csv") / "f.csv"
    keyed = [(f"k{a}", a, b) for a, b in cells]
    path.write_text("id,a,b\n" + "".join(",".join(row) + "\n" for row in keyed), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ingest, "BLOCK_BYTES", size)
        assert rows(read(path, wide=False)[1]) == keyed


@settings(deadline=None)
@given(st.lists(st.text(max_size=6), max_size=20))
def test_digests_tell_texts_apart(texts):
    found = digests(pa.array(texts, pa.string()))
    assert len(np.unique(found)) == len(set(texts))
