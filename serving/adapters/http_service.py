"""Features from an HTTP service: a POST of the ids as JSON for each row, several at once.

Both reply shapes of FATE-Serving's adapters are taken: ``{"code": 0, "data": {"code": 200, "data":
{features}}}`` and ``{"code": 200, "data": {features}}``; with ``bare`` the body is the features.
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from serving.adapters import AdapterFault, Fetched, missing
from serving.codes import Code


class HttpService:
    """url: where ids are posted. timeout_s: of one call. bare: the status tells success and the
    body is the features. headers: sent along, such as a token."""

    def __init__(
        self,
        url: str,
        timeout_s: float = 2.0,
        bare: bool = False,
        headers: dict[str, str] | None = None,
        connections: int = 20,
    ) -> None:
        if not url.startswith(("http://", "https://")):
            raise AdapterFault("adapter_options.url must start with http:// or https://")
        self.url, self.bare = url, bare
        self._client = httpx.AsyncClient(
            timeout=timeout_s,
            headers=headers,
            limits=httpx.Limits(max_connections=connections),
        )

    async def fetch(self, ids: list[dict[str, Any]], columns: list[str]) -> list[Fetched]:
        del columns
        return list(await asyncio.gather(*(self._one(given) for given in ids)))

    async def close(self) -> None:
        await self._client.aclose()

    async def _one(self, given: dict[str, Any]) -> Fetched:
        try:
            reply = await self._client.post(self.url, json=given)
            body = reply.json()
        except httpx.TimeoutException:
            return Fetched(code=int(Code.FEATURE), message="the feature service did not answer")
        except (httpx.HTTPError, ValueError):
            return Fetched(code=int(Code.ADAPTER), message="the feature service cannot be used")
        if reply.status_code == 404:
            return missing("the feature service")
        if reply.status_code != 200 or not isinstance(body, dict):
            told = f"the feature service answered HTTP {reply.status_code}"
            return Fetched(code=int(Code.ADAPTER), message=told)
        return Fetched(features=body) if self.bare else _unwrapped(body)


def _unwrapped(body: dict[str, Any]) -> Fetched:
    """One or two envelopes of code and data off."""
    found: Any = body
    for _ in range(2):
        code = found.get("code", 0)
        if code == 404:
            return missing("the feature service")
        if code not in (0, 200):
            told = f"the feature service answered code {str(code)[:20]}"
            return Fetched(code=int(Code.ADAPTER), message=told)
        inner = found.get("data")
        if not isinstance(inner, dict):
            return missing("the feature service")
        found = inner
        if "data" not in found:
            break
    return Fetched(features=found) if found else missing("the feature service")
