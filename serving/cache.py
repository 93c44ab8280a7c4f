"""What was looked up, kept for a while: least recently used first out, one lookup for equal keys at
once.

A lookup belongs to nobody: whoever waits for it may give up without the others losing it.

Off unless the operator says otherwise: a host's features may change at any time.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

import msgspec

from serving.adapters import Adapter, Fetched, fetched
from serving.codes import Code

LONGEST_KEY = 4096
"""Bytes of ids and columns; what is longer is not kept."""

MISSING_S = 1.0
"""How long an id without features is remembered at most."""

Value = TypeVar("Value")


class Lookups(msgspec.Struct):
    """Counted since the start."""

    hits: int = 0
    misses: int = 0


class Kept(Generic[Value]):
    """entries: at most. A value's age is looked at when it is asked for."""

    def __init__(self, entries: int, lookups: Lookups) -> None:
        self._entries, self._lookups = entries, lookups
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()
        self._under_way: dict[Hashable, asyncio.Future[Value]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def find(self, key: Hashable, lasting: Callable[[Value], float]) -> Value | None:
        """None of what is not here, or for longer than the seconds that ``lasting`` gives it."""
        found = self._values.get(key)
        if found is None or time.monotonic() - found[0] > lasting(found[1]):
            return None
        self._values.move_to_end(key)
        return found[1]

    def put(self, key: Hashable, value: Value) -> None:
        self._values[key] = (time.monotonic(), value)
        self._values.move_to_end(key)
        while len(self._values) > self._entries:
            self._values.popitem(last=False)

    async def through(
        self,
        keys: Sequence[Hashable],
        look_up: Callable[[list[int]], Awaitable[Sequence[Value]]],
        lasting: Callable[[Value], float],
    ) -> list[Value]:
        """A value for each key. look_up: the values at those positions of ``keys``; those that last
        are kept. Raises what it raises."""
        waiting = [self.find(key, lasting) or self._under_way.get(key) for key in keys]
        new = {keys[i]: i for i, found in enumerate(waiting) if found is None}
        self._lookups.hits += len(keys) - len(new)
        self._lookups.misses += len(new)
        if new:
            self._begin(new, look_up, lasting)
        found = [
            self._under_way[key] if known is None else known
            for key, known in zip(keys, waiting, strict=True)
        ]
        return [
            await asyncio.shield(one) if isinstance(one, asyncio.Future) else one for one in found
        ]

    def _begin(
        self,
        new: dict[Hashable, int],
        look_up: Callable[[list[int]], Awaitable[Sequence[Value]]],
        lasting: Callable[[Value], float],
    ) -> None:
        loop = asyncio.get_running_loop()
        futures = {key: loop.create_future() for key in new}
        self._under_way.update(futures)

        async def looked_up() -> None:
            try:
                values = await look_up(list(new.values()))
            except BaseException as error:  # whoever waits must hear of it
                for key, future in futures.items():
                    del self._under_way[key]
                    if not future.done():
                        future.set_exception(error)
                        future.exception()  # nobody may be left to look at it
                if not isinstance(error, Exception):
                    raise
                return
            for (key, future), value in zip(futures.items(), values, strict=True):
                del self._under_way[key]
                if lasting(value) > 0:
                    self.put(key, value)
                if not future.done():
                    future.set_result(value)

        task = asyncio.ensure_future(looked_up())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class FeatureCache:
    """An adapter before another. entries: 0 keeps nothing. limit_ms: of a lookup."""

    def __init__(self, adapter: Adapter, entries: int, kept_ms: int, limit_ms: int) -> None:
        self._adapter, self._is_on, self._kept_s = adapter, entries > 0, kept_ms / 1000
        self._limit_s = limit_ms / 1000
        self.lookups = Lookups()
        self._rows: Kept[Fetched] = Kept(entries, self.lookups)

    async def fetch(self, ids: list[dict[str, Any]], columns: list[str]) -> list[Fetched]:
        """See ``adapters.Adapter``."""
        if not self._is_on:
            return await self._adapter.fetch(ids, columns)
        keys = [msgspec.json.encode([given, columns], order="sorted") for given in ids]
        if any(len(key) > LONGEST_KEY for key in keys):
            return await self._adapter.fetch(ids, columns)

        async def look_up(positions: list[int]) -> list[Fetched]:
            new = [ids[i] for i in positions]
            return await fetched(self._adapter, new, columns, self._limit_s)

        return await self._rows.through(keys, look_up, self._lasting)

    async def close(self) -> None:
        await self._adapter.close()

    def _lasting(self, row: Fetched) -> float:
        """A failure may be over at once."""
        if row.code == Code.NO_FEATURES:
            return min(self._kept_s, MISSING_S)
        return 0.0 if row.code else self._kept_s
