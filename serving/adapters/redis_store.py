"""Features from Redis: a hash per id, all ids of a request in one pipeline."""

from __future__ import annotations

from typing import Any

from serving.adapters import AdapterFault, Fetched, missing


class RedisStore:
    """url: ``redis://...``. prefix: of the keys. key: the name under which guests send the id.

    Needs the package ``redis``.
    """

    def __init__(self, url: str, key: str, prefix: str = "") -> None:
        try:
            import redis.asyncio as client
        except ImportError:
            raise AdapterFault("adapter redis needs `pip install redis`") from None
        self.key, self.prefix = key, prefix
        self._client = client.from_url(url, decode_responses=True)

    async def fetch(self, ids: list[dict[str, Any]], columns: list[str]) -> list[Fetched]:
        del columns
        pipeline = self._client.pipeline(transaction=False)
        for given in ids:
            pipeline.hgetall(f"{self.prefix}{given.get(self.key)}")
        rows = await pipeline.execute()
        return [Fetched(features=row) if row else missing("Redis") for row in rows]

    async def close(self) -> None:
        await self._client.aclose()
