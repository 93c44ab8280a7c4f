"""Reading logs while they grow: every line once, under one number, whatever happens to the file."""

import os
import time
from pathlib import Path

import pytest

from fateflow.errors import ArgumentError
from fateflow.store import log_find, logs
from fateflow.store.line_index import BLOCK, LONGEST_LINE, LineIndex, LineIndexes
from fateflow.store.log_find import Scanned, Wanted
from fateflow.worker.calls import search_log


def elsewhere(path, start, end, wanted, inside):
    """As fateflow asks a worker."""
    found = search_log(str(path), start, end, wanted.text, wanted.level, inside)
    if "error" in found:
        raise ArgumentError(found["error"])
    return Scanned(**found)


def find(path, wanted, start, direction):
    return log_find.find(path, wanted, start, direction, elsewhere)


@pytest.fixture
def log(tmp_path):
    return tmp_path / "INFO.log"


def numbers(lines):
    return [number for number, _ in lines]


def add(log, *lines):
    with log.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def settle(log):
    long_ago = time.time() - 60
    os.utime(log, (long_ago, long_ago))


def test_lines_keep_their_numbers_over_blocks_of_any_fill(log):
    lines = [f"{n} " + "x" * (n * 7919 % 3000) for n in range(700)]
    add(log, *lines)
    assert log.stat().st_size > 8 * BLOCK
    index = LineIndex(log)
    assert index.refresh() == 700
    for begin in (1, 2, 99, 350, 699, 700):
        assert index.read(begin, begin + 2) == [
            (n, lines[n - 1]) for n in range(begin, min(begin + 3, 701))
        ]
    assert index.read(701, 900) == []


def test_a_block_that_ends_with_a_line_does_not_shift_the_next(log):
    log.write_bytes((b"a" * (BLOCK - 1) + b"\n") * 3 + b"last\n")
    index = LineIndex(log)
    assert index.refresh() == 4
    assert index.read(4, 4) == [(4, "last")]
    assert len(index.read(2, 2)[0][1]) == LONGEST_LINE


def test_following_a_log_gives_every_line_once_in_order(log):
    index, seen = LineIndex(log), []
    for burst in range(60):
        add(log, *(f"line {burst} {n}" + "y" * (burst * 37) for n in range(burst)))
        total = index.refresh()
        seen += index.read(len(seen) + 1, total)
    assert numbers(seen) == list(range(1, len(seen) + 1))
    assert [text for _, text in seen] == log.read_text().splitlines()


def test_an_unfinished_line_counts_when_its_writer_is_done_or_gone(log):
    log.write_text("one\nhalf")
    index = LineIndex(log)
    assert index.refresh() == 1
    settle(log)
    assert index.read(1, 9) == [(1, "one"), (2, "half")]
    with log.open("a") as file:
        file.write(" whole\n")
    assert index.read(1, 9) == [(1, "one"), (2, "half whole")]


@pytest.mark.parametrize(
    "change",
    [
        lambda log: log.write_text("new\n"),  # cut short, then written
        lambda log: log.write_text("other\n" * 500),  # written anew, longer than before
        lambda log: (log.rename(f"{log}.1"), log.write_text("old\n" * 101)),  # rotated
        lambda log: log.unlink(),
    ],
)
def test_a_log_that_is_another_is_noticed(log, change):
    add(log, *["old"] * 100)
    index = LineIndex(log)
    index.refresh()
    generation = index.generation
    assert find(log, Wanted("old"), 0, "next").count == 100
    change(log)
    expected = log.read_text().splitlines() if log.exists() else []
    assert [text for _, text in index.read(1, 1000)] == expected
    assert index.generation != generation
    assert find(log, Wanted("old"), 0, "next").count == expected.count("old")


def test_negative_numbers_count_from_the_end(log):
    add(log, "a", "b", "c")
    assert logs.cut(log, -2) == [(2, "b"), (3, "c")]
    assert logs.cut(log, -9, 1) == [(1, "a")]
    assert logs.cut(log.with_name("none"), -5) == []


def test_the_memory_of_an_index_and_their_number_are_bounded(log, tmp_path):
    log.write_bytes(b"x\n" * (BLOCK * 4))
    index = LineIndex(log)
    assert index.refresh() == BLOCK * 4
    assert len(index._ends) == 8
    indexes = LineIndexes(kept=2)
    first = indexes.of(log)
    assert indexes.of(log) is first
    indexes.of(tmp_path / "b")
    indexes.of(tmp_path / "c")
    assert indexes.of(log) is not first


RECORDS = [
    "[INFO] [t] starts at 10.1.2.3",
    "[ERROR] [t] it broke",
    "Traceback (most recent call last):",
    "  ValueError: bad",
    "[INFO] [t] goes on",
    "[CRITICAL] [t] it BROKE again",
]


def test_matches_are_walked_both_ways_and_counted(log):
    add(log, *RECORDS)
    steps = [
        (find(log, Wanted("broke"), start, way).number, way)
        for start, way in ((0, "next"), (2, "next"), (6, "next"), (0, "previous"), (6, "previous"))
    ]
    assert steps == [(2, "next"), (6, "next"), (0, "next"), (6, "previous"), (2, "previous")]
    assert find(log, Wanted("broke"), 3, "next") == log_find.Found(6, 2, 2)
    assert find(log, Wanted("nowhere"), 0, "next") == log_find.Found(0, 0, 0)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Wanted("", level="ERROR"), [2, 6]),
        (Wanted("valueerror", level="ERROR"), [4]),
        (Wanted("[t]", level="CRITICAL"), [6]),
        (Wanted("goes", level="ERROR"), []),
        (Wanted(r"^\[INFO\].*on$", regex=True), [5]),
        (Wanted(r"(?i)broke", regex=True, level="ERROR"), [2, 6]),
        (Wanted("xxx.xxx"), [1]),
        (Wanted("10.1.2.3"), []),
        (Wanted(r"10\.", regex=True), []),
    ],
)
def test_a_level_a_pattern_and_masked_addresses(log, wanted, found):
    add(log, *RECORDS)
    seen, at = [], 0
    while at := find(log, wanted, at, "next").number:
        seen.append(at)
    assert seen == found


def test_a_search_goes_on_where_the_log_grew(log, monkeypatch):
    monkeypatch.setattr(log_find, "_CHUNK", 64)
    for n in range(50):
        add(log, f"[ERROR] {n}", "  of the error", "[INFO] none", "z" * 200)
        assert find(log, Wanted("", level="ERROR"), 0, "previous").ordinal == n + 1
        assert find(log, Wanted("of the", level="ERROR"), 0, "previous").number == 4 * n + 2
    assert find(log, Wanted("zz"), 0, "next").count == 50


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Wanted(""), "give a text"),
        (Wanted("x", level="LOUD"), "DEBUG"),
        (Wanted("(", regex=True), "not a regular expression"),
        (Wanted("x" * 1001), "1000"),
    ],
)
def test_what_cannot_be_searched_for_is_refused(log, wanted, why):
    with pytest.raises(ArgumentError, match=why):
        find(log, wanted, 0, "next")


@pytest.mark.timeout(60)  # it would go on for ever
def test_a_pattern_that_explodes_elsewhere_ends(log):
    add(log, "a" * 5000 + "!")
    assert find(log, Wanted("(a+)+$", regex=True), 0, "next").count == 0


class Counted:
    """An open file that adds up the bytes that were read of it."""

    def __init__(self, file, told):
        self.file, self.told = file, told

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def read(self, size):
        found = self.file.read(size)
        self.told.append(len(found))
        return found

    def readline(self, size):
        found = self.file.readline(size)
        self.told.append(len(found))
        return found


@pytest.fixture
def bytes_read(monkeypatch):
    """bytes_read(work): what it returned, and the bytes of files that it read."""
    told, opened = [], Path.open
    monkeypatch.setattr(Path, "open", lambda path, *a, **k: Counted(opened(path, *a, **k), told))

    def of(work):
        told.clear()
        return work(), sum(told)

    return of


def test_a_long_log_is_read_once_to_open_it_a_block_to_jump_and_once_to_search(log, bytes_read):
    text = "[INFO] [2026-11-22 06:37:03,604] [202611220637035799540] - [acts._run] [line:1]: number"
    log.write_bytes(b"".join(f"{text} {n}\n".encode() for n in range(100_000)))
    length = log.stat().st_size
    lines, cost = bytes_read(lambda: logs.size(log))
    assert lines == 100_000
    assert length <= cost < length + BLOCK
    [(_, line)], cost = bytes_read(lambda: logs.cut(log, 50_001, 50_001))
    assert line.endswith("number 50000")
    assert 0 < cost <= 2 * BLOCK
    found, cost = bytes_read(lambda: find(log, Wanted("number 7777"), 0, "next"))
    assert found == log_find.Found(7778, 1, 11)
    assert length <= cost < 1.5 * length  # a chunk is read on to the end of its line
    found, cost = bytes_read(lambda: find(log, Wanted("number 7777"), 7778, "next"))
    assert (found.ordinal, cost) == (2, 0)
