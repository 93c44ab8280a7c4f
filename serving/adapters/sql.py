"""Features from a database: one query for all ids of a request."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sqlalchemy as sa

from serving.adapters import AdapterFault, Fetched, missing


class Sql:
    """url: as SQLAlchemy reads it. table: perhaps ``schema.table``. id: the column of ids. key: the
    name under which guests send it, by default the same. columns: which to read, by default those
    that the model needs."""

    def __init__(
        self,
        url: str,
        table: str,
        id: str,
        key: str = "",
        columns: list[str] | None = None,
        pool_size: int = 5,
    ) -> None:
        self.id, self.key, self.columns = id, key or id, columns
        more: dict[str, Any] = {} if url.startswith("sqlite") else {"pool_size": pool_size}
        try:
            self._engine = sa.create_engine(url, pool_pre_ping=True, **more)
            schema, _, name = table.rpartition(".")
            described = sa.Table(
                name, sa.MetaData(), autoload_with=self._engine, schema=schema or None
            )
        except (sa.exc.SQLAlchemyError, ImportError) as error:
            # The text of the error may hold the URL with its password.
            raise AdapterFault(
                f"adapter_options: the table {table!r} cannot be read: {type(error).__name__}; "
                "check url, table and the database's driver"
            ) from None
        if id not in described.c:
            raise AdapterFault(
                f"adapter_options.id: {table} has no column {id!r}; "
                f"it has {', '.join(described.c.keys()[:10])}"
            )
        self._table = described
        # Its own threads: a database that hangs must not hold up the rest of the process.
        self._threads = ThreadPoolExecutor(pool_size, "features")

    async def fetch(self, ids: list[dict[str, Any]], columns: list[str]) -> list[Fetched]:
        keys = [given.get(self.key) for given in ids]
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(self._threads, self._read, keys, columns)
        return [
            Fetched(features=rows[str(key)]) if str(key) in rows else missing("the database")
            for key in keys
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()

    def _read(self, keys: list[Any], columns: list[str]) -> dict[str, dict[str, Any]]:
        wanted = [
            self._table.c[name]
            for name in (self.columns or columns or self._table.c.keys())
            if name in self._table.c and name != self.id
        ]
        id_column = self._table.c[self.id]
        python_type = id_column.type.python_type
        typed = [value for key in keys if (value := _typed(key, python_type)) is not None]
        query = sa.select(id_column, *wanted).where(id_column.in_(typed))
        with self._engine.connect() as connection:
            found = connection.execute(query)
            return {
                str(row[0]): dict(zip((c.name for c in wanted), row[1:], strict=True))
                for row in found
            }


def _typed(key: Any, python_type: type) -> Any:
    """A guest's id as the column has it, None if it cannot be one."""
    if key is None or (isinstance(key, str) and "\0" in key):
        return None  # what no database stores would cost the query of all ids
    try:
        typed = python_type(key)
    except (TypeError, ValueError, OverflowError):
        return None
    return None if isinstance(typed, int) and not -(2**63) <= typed < 2**63 else typed
