"""Where a host's features come from: ids in, a row of features each out.

An adapter is built from the option ``adapter`` of the serving: one of the names below, one of
FATE-Serving's class names, or ``package.module:Class`` of a class with ``Adapter``'s methods.
``adapter_options`` go to it as keywords.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Protocol

import msgspec

from serving.codes import Code

GROUP = "serving.adapters"
"""Entry points of this group are adapters by their names."""


class Fetched(msgspec.Struct):
    """Features of one id. code: 0, 113 (no such id), 102 (late), 116 (the adapter failed)."""

    features: dict[str, Any] = {}
    code: int = 0
    message: str = ""


class Adapter(Protocol):
    """Looks rows up. May be shared by all requests of a process."""

    async def fetch(self, ids: list[dict[str, Any]], columns: list[str]) -> list[Fetched]:
        """One answer for each of ``ids`` (what guests sent), in their order. columns: features
        that the model needs; others may come along."""

    async def close(self) -> None: ...


class AdapterFault(ValueError):
    """The options of an adapter cannot be used: which, and what is allowed."""


BUILT_IN = {
    "csv": "serving.adapters.csv_file:CsvFile",
    "sql": "serving.adapters.sql:Sql",
    "http": "serving.adapters.http_service:HttpService",
    "redis": "serving.adapters.redis_store:RedisStore",
    "request": "serving.adapters.request:Request",
    "mock": "serving.adapters.mock:Mock",
}
FATE_NAMES = {
    "MockAdapter": "mock",
    "MockBatchAdapter": "mock",
    "TestFileAdapter": "csv",
    "TestFilePick": "csv",
    "HttpAdapter": "http",
    "HttpAdapterByHeader": "http",
    "MysqlAdapter": "sql",
}


def build(name: str, options: Mapping[str, Any], *, demo: bool) -> Adapter:
    """Raises AdapterFault naming the option that is wrong."""
    short = FATE_NAMES.get(name.rpartition(".")[2], name)
    if short == "mock" and not demo:
        raise AdapterFault(
            "adapter: mock features are allowed with the option demo alone; name csv, sql, http, "
            "redis, request or a class of your own"
        )
    target = BUILT_IN.get(short) or _entry_point(short)
    if target is None and ":" in short:
        target = short
    if target is None:
        known = sorted(BUILT_IN.keys() | {found.name for found in _entry_points()})
        raise AdapterFault(
            f"adapter: unknown {name!r}; one of {', '.join(known)}, or package.module:Class"
        )
    module, _, attribute = target.partition(":")
    try:
        made = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise AdapterFault(f"adapter: {target} cannot be loaded: {error}") from None
    try:
        adapter: Adapter = made(**options)
    except TypeError as error:
        raise AdapterFault(f"adapter_options: {error}") from None
    return adapter


async def fetched(
    adapter: Adapter | None, ids: list[dict[str, Any]], columns: list[str], limit_s: float
) -> list[Fetched]:
    """What an adapter finds; its failures as codes of every row."""
    if adapter is None:
        told = (
            "no feature adapter is configured at this host: set adapter and adapter_options in "
            "serving.json"
        )
        return [Fetched(code=int(Code.ADAPTER), message=told)] * len(ids)
    try:
        found = await asyncio.wait_for(adapter.fetch(ids, columns), limit_s)
    except (TimeoutError, asyncio.TimeoutError):
        late = Fetched(code=int(Code.FEATURE), message="the features did not come in time")
        return [late] * len(ids)
    except Exception as error:  # noqa: BLE001 (foreign code: any failure is an answer)
        # The text of a foreign error may hold an id or a password; its kind does not.
        told = f"the feature adapter failed: {type(error).__name__}"
        return [Fetched(code=int(Code.ADAPTER), message=told)] * len(ids)
    if (
        not isinstance(found, list)
        or len(found) != len(ids)
        or not all(isinstance(row, Fetched) and isinstance(row.features, dict) for row in found)
    ):
        told = "the feature adapter did not answer a row for each id"
        return [Fetched(code=int(Code.ADAPTER), message=told)] * len(ids)
    return found


def missing(where: str) -> Fetched:
    return Fetched(code=int(Code.NO_FEATURES), message=f"no features of this id in {where}")


def _entry_points() -> Any:
    return entry_points(group=GROUP)


def _entry_point(name: str) -> str | None:
    return next((found.value for found in _entry_points() if found.name == name), None)
