"""Text files into tables: streaming, columnar, in bounded memory.

Lines are split at every delimiter, without quoting, as FATE does. A file whose rows are one text
each (svmlight, tags) is *wide*: an id and one value column. Everything else must be rectangular,
and what is not is refused with line numbers, never with what a line holds.

Cost: about 10 ns a byte; memory of one block (8 MiB) and 16 bytes an id.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eggroll.errors import BadInput
from eggroll.unique import RepeatedIds

BLOCK_BYTES = 8 << 20
MAX_LINE_BYTES = 16 << 20
MAX_ID_BYTES = 1024

_SNIFFED_LINES = 100
_PAIR = re.compile(r"[^:]+:[^:]+")
_NUL = b"\0"


class CsvOptions(msgspec.Struct, frozen=True, kw_only=True):
    """head: the first line names the columns. delimiter: one character.

    wide: True or False where the caller knows; None: found out from the first lines.
    header, sid: names given by the caller; they win over those of the file.
    extend_sid: the whole line is the value and the id is made, see ``auto_increasing_sid``.
    """

    head: bool = True
    delimiter: str = ","
    wide: bool | None = None
    header: str = ""
    sid: str = ""
    extend_sid: bool = False
    auto_increasing_sid: bool = False


@dataclass(frozen=True)
class Names:
    """What a file says of its columns: ``header`` is delimiter-joined and without the id."""

    header: str
    sid: str
    columns: list[str]
    wide: bool


@dataclass
class CsvFile:
    """A text file as a stream of record batches: the key column, then text columns.

    ``names`` is known at once; ``batches()`` may be read once. Errors: BadInput with the line.
    """

    path: Path
    options: CsvOptions
    names: Names
    progress: Callable[[float], None]
    rows: int = 0
    _prefix: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def schema(self) -> pa.Schema:
        return pa.schema([("key", pa.string()), *((n, pa.string()) for n in self.names.columns)])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Blocks of rows in file order. Raises BadInput at the first line that does not fit, at
        the end of a file without rows, and at its end if ids repeat."""
        repeated = RepeatedIds()
        for first_line, block in self._blocks():
            columns = self._columns(block, first_line)
            if not self.options.extend_sid:
                _check_ids(columns[0], first_line)
                repeated.add(columns[0])
            self.rows += len(columns[0])
            yield pa.RecordBatch.from_arrays(columns, schema=self.schema)
        if not self.rows:
            what = "holds only a header" if self.options.head else "is empty"
            raise BadInput(f"the file {what}: there is no row to store")
        repeated.check(lambda: ((n, self._columns(b, n)[0]) for n, b in self._blocks()))

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Whole lines with the number of the first, without the header line."""
        skip = self.options.head
        for first_line, block in blocks(self.path, self.progress):
            if not skip:
                yield first_line, block
                continue
            skip = False
            rest = block[block.index(b"\n") + 1 :]
            if rest:
                yield first_line + 1, rest

    def _columns(self, block: bytes, first_line: int) -> list[pa.Array]:
        delimiter = self.options.delimiter.encode()
        if self.names.wide:
            columns = _key_and_value(block, delimiter, keyed=not self.options.extend_sid)
        else:
            width = len(self.names.columns) + (not self.options.extend_sid)
            columns = _fields(block, delimiter, width, first_line)
        return (
            [self._made_ids(first_line, len(columns[0])), *columns]
            if (self.options.extend_sid)
            else columns
        )

    def _made_ids(self, first_line: int, n: int) -> pa.Array:
        first = first_line - (2 if self.options.head else 1)
        counted = pc.cast(pa.array(np.arange(first, first + n)), pa.string())
        if self.options.auto_increasing_sid:
            return counted
        return pc.binary_join_element_wise(pa.scalar(self._prefix), counted, "")


def open_csv(
    path: Path, options: CsvOptions, progress: Callable[[float], None] = lambda _: None
) -> CsvFile:
    """Look at the first lines of a file and make ready to read it.

    progress: told the fraction of bytes read, 0..1.
    Raises BadInput for no such file, an empty one, and names that cannot be columns.
    """
    if len(options.delimiter) != 1 or options.delimiter in "\n\r\0":
        raise BadInput("the delimiter (id_delimiter) must be one character, not a line break")
    try:
        _, block = next(blocks(path, lambda _: None))
    except StopIteration:
        raise BadInput("the file is empty: nothing to store") from None
    lines = [line.decode().rstrip() for line in block.split(b"\n", _SNIFFED_LINES)[:_SNIFFED_LINES]]
    if options.head and not lines[0]:
        raise BadInput("line 1 is blank; with head 1 it must name the columns")
    return CsvFile(path, options, _names([line for line in lines if line], options), progress)


def blocks(path: Path, progress: Callable[[float], None]) -> Iterator[tuple[int, bytes]]:
    """Blocks of whole lines of UTF-8 text, each ending in a newline, with the number (from 1) of
    the block's first line. Line ends are \\n; blank lines at the end of the file are left out.

    Raises BadInput for a file that cannot be read, a line over MAX_LINE_BYTES (of which no more
    than that is read), NUL bytes and text that is not UTF-8.
    """
    try:
        total = path.stat().st_size
        source = path.open("rb")
    except FileNotFoundError:
        raise BadInput(f"no such file: {path}; give the path of a file on this machine") from None
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    with source:
        rest, line, done = b"", 1, 0
        while chunk := _read(source, path):
            block = chunk.removeprefix(b"\xef\xbb\xbf") if done == 0 else rest + chunk
            done += len(chunk)
            cut = block.rfind(b"\n") + 1
            # Blank lines at the very end stay behind with the rest and are dropped there.
            cut = len(block[:cut].rstrip(b"\r\n")) if cut else 0
            cut = block.find(b"\n", cut) + 1 if cut else 0
            block, rest = block[:cut], block[cut:]
            if len(rest) > MAX_LINE_BYTES:
                number = line + block.count(b"\n")
                raise BadInput(
                    f"line {number} is longer than {MAX_LINE_BYTES >> 20} MiB; is this a text "
                    "file with a line a row?"
                )
            if block:
                yield line, _checked(block, line)
                line += block.count(b"\n")
            progress(done / total if total else 1.0)
        if last := rest.rstrip(b"\r\n"):
            yield line, _checked(last + b"\n", line)


def _read(source: Any, path: Path) -> bytes:
    try:
        return source.read(BLOCK_BYTES)  # type: ignore[no-any-return]
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None


def _checked(block: bytes, first_line: int) -> bytes:
    """The block with bare newlines, proven to be text."""
    nul = block.find(_NUL)
    if nul >= 0:
        line = first_line + block.count(b"\n", 0, nul)
        raise BadInput(f"line {line} holds a NUL byte; the file must be UTF-8 text")
    if not block.isascii():
        try:
            block.decode()
        except UnicodeDecodeError as error:
            line = first_line + block.count(b"\n", 0, error.start)
            raise BadInput(f"line {line} is not UTF-8; convert the file to UTF-8 first") from None
    return block.replace(b"\r\n", b"\n") if b"\r" in block else block


def _names(lines: list[str], options: CsvOptions) -> Names:
    delimiter = options.delimiter
    cells = [line.split(delimiter) for line in lines]
    wide = _is_wide(cells, options) if options.wide is None else options.wide
    header, sid = options.header, options.sid
    if options.head:
        first = 0 if options.extend_sid else 1
        header = header or delimiter.join(cells[0][first:])
        sid = sid or ("extend_sid" if options.extend_sid else cells[0][0])
    elif options.extend_sid:
        sid = sid or "extend_sid"
    if wide:
        return Names(header, sid, ["value"], wide=True)
    names = header.split(delimiter) if header else []
    twice = (
        {name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else {}
    )
    if twice:
        at = [i + 1 for i, name in enumerate(names) if name in twice]
        raise BadInput(f"line 1: columns {at[:6]} after the id share a name; names must differ")
    return Names(header, sid, names, wide=False)


def _is_wide(cells: list[list[str]], options: CsvOptions) -> bool:
    """Whether rows are to be kept as one text: they have no names, or name their own cells.

    A header of ``tag:value`` cells is a data row, which FATE takes for the header. Plain tags
    are told by rows of all lengths: no length is that of half of them.
    """
    if not options.head:
        return not options.header
    first = [cell for cell in cells[0][1:] if cell]
    pairs = sum(bool(_PAIR.fullmatch(cell)) for cell in first)
    if first and pairs * 2 > len(first):
        return True
    widths = [len(row) for row in cells[1:]]
    usual = max((widths.count(width) for width in set(widths)), default=0)
    return len(widths) >= 5 and usual * 2 < len(widths)


def _fields(block: bytes, delimiter: bytes, width: int, first_line: int) -> list[pa.Array]:
    """``width`` text columns of the block. Raises BadInput at the first line of another width."""
    block, ends, is_newline = _separators(block, delimiter)
    last = np.flatnonzero(is_newline)
    widths = np.diff(last, prepend=-1)
    wrong = np.flatnonzero(widths != width)
    if len(wrong):
        others = f" (and {len(wrong) - 1} more lines near it)" if len(wrong) > 1 else ""
        raise BadInput(
            f"line {first_line + int(wrong[0])} has {int(widths[wrong[0]])} columns, {width} "
            f"expected{others}; every line needs the id and one for each name"
        )
    pieces = _pieces(block, ends)
    rows = np.arange(len(last), dtype=np.int64) * (2 * width)
    columns = [pieces.take(pa.array(rows + 2 * i)) for i in range(width)]
    return [*columns[:-1], _right_stripped(columns[-1], block)]


def _key_and_value(block: bytes, delimiter: bytes, *, keyed: bool) -> list[pa.Array]:
    """Of each line the first field, and the rest of it as one text ("" if there is none)."""
    data, ends, is_newline = _separators(block, delimiter)
    last = np.flatnonzero(is_newline)
    lines = ends[last]
    if not keyed:
        whole = _pieces(data, lines).take(pa.array(np.arange(len(lines)) * 2))
        return [_restored(_right_stripped(whole, data), delimiter)]
    first = ends[np.concatenate([[0], last[:-1] + 1])]
    alone = first == lines
    # A line without a delimiter ends its id where it ends; it gets an empty piece as its value.
    bounds = np.stack([first, np.where(alone, lines, first + 1), lines, lines + 1], axis=1)
    pieces = _strings(data, np.concatenate([[0], bounds.reshape(-1)]))
    at = np.arange(len(lines), dtype=np.int64) * 4
    key, value = pieces.take(pa.array(at)), pieces.take(pa.array(at + 2))
    return [_right_stripped(key, data), _restored(_right_stripped(value, data), delimiter)]


def _separators(
    block: bytes, delimiter: bytes
) -> tuple[bytes, NDArray[np.int64], NDArray[np.bool_]]:
    """Positions of delimiters and newlines, and which are newlines.

    A delimiter of several bytes is first made one byte that cannot occur: NUL was refused.
    """
    if len(delimiter) > 1:
        block, delimiter = block.replace(delimiter, _NUL), _NUL
    text = np.frombuffer(block, np.uint8)
    newlines = text == ord("\n")
    at = np.flatnonzero(newlines | (text == delimiter[0]))
    return block, at, newlines[at]


def _pieces(block: bytes, ends: NDArray[np.int64]) -> pa.Array:
    """Fields and separators in turn, as views of the block: [field, separator, field, ...]."""
    bounds = np.empty(2 * len(ends) + 1, np.int64)
    bounds[0], bounds[1::2], bounds[2::2] = 0, ends, ends + 1
    return _strings(block, bounds)


def _strings(block: bytes, bounds: NDArray[np.int64]) -> pa.Array:
    offsets = pa.py_buffer(np.ascontiguousarray(bounds, np.int32))
    return pa.StringArray.from_buffers(len(bounds) - 1, offsets, pa.py_buffer(block))


def _right_stripped(column: pa.Array, block: bytes) -> pa.Array:
    stripped = any(blank in block for blank in (b" \n", b"\t\n", b"\r\n"))
    return pc.utf8_rtrim_whitespace(column) if stripped else column


def _restored(column: pa.Array, delimiter: bytes) -> pa.Array:
    if len(delimiter) == 1:
        return column
    return pc.replace_substring(column, _NUL.decode(), delimiter.decode())


def _check_ids(ids: pa.Array, first_line: int) -> None:
    lengths = pc.binary_length(ids).to_numpy()
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        line = first_line + int(empty[0])
        raise BadInput(f"line {line} has no id: its first column is empty; every row needs one")
    long = np.flatnonzero(lengths > MAX_ID_BYTES)
    if len(long):
        line = first_line + int(long[0])
        raise BadInput(
            f"line {line}: the id has {int(lengths[long[0]])} bytes, at most {MAX_ID_BYTES} are "
            "allowed; is the delimiter right?"
        )
