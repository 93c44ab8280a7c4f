"""Kernels that run a user's row functions: the slow, general path under the table's verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np

from eggroll.blocks import Block, Rows, concatenated, row_values
from eggroll.keys import decode, encode

Pair = tuple[Any, Any]


@dataclass(frozen=True)
class Step:
    """A recorded ``map_values`` or ``filter``."""

    verb: str
    function: Callable[..., Any]


def block_of(rows: Iterable[Pair]) -> Block:
    """A block of Python objects, in the order given (not sorted)."""
    pairs = list(rows)
    return Block([encode(key) for key, _ in pairs], [value for _, value in pairs])


def run_steps(steps: tuple[Step, ...], partition: int, blocks: list[Block]) -> list[Block]:
    """All recorded steps over each row, in one pass."""
    return [_stepped(steps, partition, block) for block in blocks]


def _stepped(steps: tuple[Step, ...], partition: int, block: Block) -> Block:
    keys, values = [], []
    for number, (key, value) in enumerate(block.pairs_encoded()):
        try:
            kept, result = _row(steps, key, value)
        except Exception as error:
            _tell_where(error, steps[0].verb, partition, number)
            raise
        if kept:
            keys.append(key)
            values.append(result)
    return Block(keys, values)


def _row(steps: tuple[Step, ...], key: bytes, value: Any) -> tuple[bool, Any]:
    for step in steps:
        if step.verb == "filter":
            if not step.function(decode(key), value):
                return False, None
        else:
            value = step.function(value)
    return True, value


def _tell_where(error: BaseException, verb: str, partition: int, row: int) -> None:
    """Say which row failed, by number: its key may be personal data."""
    if hasattr(error, "add_note"):
        error.add_note(f"in {verb}, partition {partition}, row {row}")


def pairs_of(blocks: list[Block]) -> Iterator[Pair]:
    """The (key, value) rows of a partition, in its order."""
    for block in blocks:
        yield from block.pairs()


def map_rows(function: Callable[..., Pair], _partition: int, blocks: list[Block]) -> list[Block]:
    """Each row to one row; the keys may change."""
    return [block_of(function(k, v) for k, v in pairs_of(blocks))]


def flat_map_rows(
    function: Callable[..., Iterable[Pair]], _partition: int, blocks: list[Block]
) -> list[Block]:
    """Each row to any number of rows."""
    return [block_of(row for k, v in pairs_of(blocks) for row in function(k, v))]


def map_partition(
    function: Callable[[Iterator[Pair]], Iterable[Pair]], _partition: int, blocks: list[Block]
) -> list[Block]:
    """All rows of a partition to any number of rows."""
    return [block_of(function(pairs_of(blocks)))]


def map_partition_with_index(
    function: Callable[[int, Iterator[Pair]], Iterable[Pair]], partition: int, blocks: list[Block]
) -> list[Block]:
    """As ``map_partition``; the function is also given the partition's number from 0."""
    return [block_of(function(partition, pairs_of(blocks)))]


def apply_partition(
    function: Callable[[Iterator[Pair]], Any], _partition: int, blocks: list[Block]
) -> list[Block]:
    """One row: the partition's greatest key and the function's result; none of an empty one."""
    if not blocks:
        return []
    return [Block([blocks[-1].keys[-1]], [function(pairs_of(blocks))])]


def map_reduce(
    mapper: Callable[[Iterator[Pair]], Iterable[Pair]],
    reducer: Callable[[Any, Any], Any],
    _partition: int,
    blocks: list[Block],
) -> list[Block]:
    """The combiner of map_reduce_partitions: what one partition gives, merged by key."""
    if not blocks:
        return []
    return [block_of(merged(mapper(pairs_of(blocks)), reducer))]


def merged(rows: Iterable[Pair], reducer: Callable[[Any, Any], Any]) -> list[Pair]:
    """Values of one key folded in the order they come."""
    found: dict[bytes, Any] = {}
    for key, value in rows:
        encoded = encode(key)
        found[encoded] = reducer(found[encoded], value) if encoded in found else value
    return [(decode(key), value) for key, value in found.items()]


def reduce_partition(
    function: Callable[[Any, Any], Any], _partition: int, blocks: list[Block]
) -> Any:
    """The values of a partition folded in order. Raises TypeError if it is empty."""
    return reduce(function, (value for block in blocks for value in row_values(block.values)))


def pick_rows(wanted: list[Rows], partition: int, blocks: list[Block]) -> list[Block]:
    """These rows of each partition."""
    return [concatenated(blocks).take(wanted[partition])] if blocks else []


def join_rows(
    combine: Callable[[Any, Any], Any],
    _partition: int,
    left: Block,
    right: Block,
    left_rows: Rows,
    right_rows: Rows,
) -> list[Block]:
    """Rows of both sides combined; a right row of -1 is there as None (a left join)."""
    mine, theirs = list(row_values(left.values)), list(row_values(right.values))
    values = [
        combine(mine[i], theirs[j] if j >= 0 else None)
        for i, j in zip(left_rows, right_rows, strict=True)
    ]
    return [Block([left.keys[i] for i in left_rows], values)]


def union_rows(
    combine: Callable[[Any, Any], Any] | None,
    _partition: int,
    left: Block,
    right: Block,
    left_rows: Rows,
    right_rows: Rows,
) -> list[Block]:
    """Rows of either side; -1 says that a side lacks the row. What both have is combined."""
    mine, theirs = list(row_values(left.values)), list(row_values(right.values))
    keys, values = [], []
    for i, j in zip(left_rows, right_rows, strict=True):
        keys.append(left.keys[i] if i >= 0 else right.keys[j])
        both = i >= 0 and j >= 0 and combine is not None
        values.append(combine(mine[i], theirs[j]) if both else mine[i] if i >= 0 else theirs[j])  # type: ignore[misc]
    return [Block(keys, values)]


def left_rows(
    _partition: int, left: Block, _right: Block, rows: Rows, _theirs: Rows
) -> list[Block]:
    """The rows of the left side that were picked."""
    return [left.take(np.asarray(rows))]
