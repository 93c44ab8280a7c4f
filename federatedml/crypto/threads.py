"""Compiled work on several cores, by threads that end with the call: none is there at a fork."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def each(work: Callable[[A], B], items: Iterable[A], cores: int) -> list[B]:
    """work(item) for each item, in order; ``work`` should spend its time without the lock."""
    todo = list(items)
    if min(len(todo), cores) <= 1:
        return [work(item) for item in todo]
    with ThreadPoolExecutor(min(len(todo), cores)) as pool:
        return list(pool.map(work, todo))
