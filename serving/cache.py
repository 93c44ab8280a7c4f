"""Features kept for a while: least recently used first out, one lookup for equal ids at once.

A lookup belongs to nobody: whoever waits for it may give up without the others losing it.

Off unless the operator says otherwise: a host's features may change at any time.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any

import msgspec

from serving.adapters import Adapter, Fetched, fetched
from serving.codes import Code

LONGEST_KEY = 4096
"""Bytes of ids and columns; what is longer is not kept."""

MISSING_MS = 1000
"""How long an id without features is remembered at most."""


class FeatureCache:
    """An adapter before another. entries: 0 keeps nothing. limit_ms: of a lookup."""

    def __init__(self, adapter: Adapter, entries: int, kept_ms: int, limit_ms: int) -> None:
        self._adapter, self._entries, self._kept_s = adapter, entries, kept_ms / 1000
        self._limit_s = limit_ms / 1000
        self._rows: OrderedDict[bytes, tuple[float, Fetched]] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Future[Fetched]] = {}
        self._lookups: set[asyncio.Task[None]] = set()
        self.hits = self.misses = 0

    async def fetch(self, ids: list[dict[str, Any]], columns: list[str]) -> list[Fetched]:
        """See ``adapters.Adapter``."""
        if not self._entries:
            return await self._adapter.fetch(ids, columns)
        keys = [msgspec.json.encode([given, columns], order="sorted") for given in ids]
        if any(len(key) > LONGEST_KEY for key in keys):
            return await self._adapter.fetch(ids, columns)
        waiting = [self._known(key) or self._under_way.get(key) for key in keys]
        new = {keys[i]: ids[i] for i, found in enumerate(waiting) if found is None}
        self.hits += len(ids) - len(new)
        self.misses += len(new)
        if new:
            self._look_up(new, columns)
        found = [
            self._under_way[key] if known is None else known
            for key, known in zip(keys, waiting, strict=True)
        ]
        return [
            await asyncio.shield(row) if isinstance(row, asyncio.Future) else row for row in found
        ]

    async def close(self) -> None:
        await self._adapter.close()

    def _look_up(self, new: dict[bytes, dict[str, Any]], columns: list[str]) -> None:
        loop = asyncio.get_running_loop()
        futures = {key: loop.create_future() for key in new}
        self._under_way.update(futures)
        task = asyncio.ensure_future(self._looked_up(new, futures, columns))
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    async def _looked_up(
        self,
        new: dict[bytes, dict[str, Any]],
        futures: dict[bytes, asyncio.Future[Fetched]],
        columns: list[str],
    ) -> None:
        rows = await fetched(self._adapter, list(new.values()), columns, self._limit_s)
        now = time.monotonic()
        for (key, future), row in zip(futures.items(), rows, strict=True):
            del self._under_way[key]
            if row.code in (0, Code.NO_FEATURES):  # a failure may be over at once
                kept = self._kept_s if not row.code else min(self._kept_s, MISSING_MS / 1000)
                self._rows[key] = (now + kept, row)
                self._rows.move_to_end(key)
            if not future.done():
                future.set_result(row)
        while len(self._rows) > self._entries:
            self._rows.popitem(last=False)

    def _known(self, key: bytes) -> Fetched | None:
        found = self._rows.get(key)
        if found is None:
            return None
        if found[0] < time.monotonic():
            del self._rows[key]
            return None
        self._rows.move_to_end(key)
        return found[1]
