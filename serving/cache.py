"""Features kept for a while: least recently used first out, one lookup for equal ids at once.

Off unless the operator says otherwise: a host's features may change at any time.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import Any

import msgspec

from serving.adapters import Adapter, Fetched

MISSING_MS = 1000
"""How long an id without features is remembered at most."""


class FeatureCache:
    """An adapter before another. entries: 0 keeps nothing."""

    def __init__(self, adapter: Adapter, entries: int, kept_ms: int) -> None:
        self._adapter, self._entries, self._kept_s = adapter, entries, kept_ms / 1000
        self._rows: OrderedDict[bytes, tuple[float, Fetched]] = OrderedDict()
        self._under_way: dict[bytes, asyncio.Future[Fetched]] = {}
        self.hits = self.misses = 0

    async def fetch(self, ids: list[dict[str, Any]], columns: list[str]) -> list[Fetched]:
        """See ``adapters.Adapter``."""
        if not self._entries:
            return await self._adapter.fetch(ids, columns)
        keys = [msgspec.json.encode([given, columns], order="sorted") for given in ids]
        waiting = [self._known(key) or self._under_way.get(key) for key in keys]
        new = [i for i, found in enumerate(waiting) if found is None]
        self.hits += len(ids) - len(new)
        self.misses += len(new)
        fresh: dict[bytes, Fetched] = {}
        if new:
            fresh = await self._fetch_new([keys[i] for i in new], [ids[i] for i in new], columns)
        found = []
        for key, known in zip(keys, waiting, strict=True):
            row = fresh[key] if known is None else known
            found.append(await row if isinstance(row, asyncio.Future) else row)
        return found

    async def close(self) -> None:
        await self._adapter.close()

    async def _fetch_new(
        self, keys: list[bytes], ids: list[dict[str, Any]], columns: list[str]
    ) -> dict[bytes, Fetched]:
        loop = asyncio.get_running_loop()
        futures = [self._under_way.setdefault(key, loop.create_future()) for key in keys]
        try:
            rows = await self._adapter.fetch(ids, columns)
        except BaseException as error:
            for future in futures:
                if not future.done():
                    future.set_exception(error)
                    future.exception()
            raise
        finally:
            for key in keys:
                self._under_way.pop(key, None)
        now = time.monotonic()
        for key, future, row in zip(keys, futures, rows, strict=True):
            kept = self._kept_s if not row.code else min(self._kept_s, MISSING_MS / 1000)
            self._rows[key] = (now + kept, row)
            self._rows.move_to_end(key)
            if not future.done():
                future.set_result(row)
        while len(self._rows) > self._entries:
            self._rows.popitem(last=False)
        return dict(zip(keys, rows, strict=True))

    def _known(self, key: bytes) -> Fetched | None:
        found = self._rows.get(key)
        if found is None:
            return None
        if found[0] < time.monotonic():
            del self._rows[key]
            return None
        self._rows.move_to_end(key)
        return found[1]
