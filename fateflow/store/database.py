"""The connection to the site's database: one engine, short sessions, serialised writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from fateflow.store.orm import Base


def now_ms() -> int:
    return int(time.time() * 1000)


class Database:
    """``read()`` for queries, ``write()`` for a transaction; both are context managers.

    SQLite runs in WAL mode, so reads never wait; writers take a lock of this process, which is
    the only one that writes.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._writing = threading.RLock()

    def create(self) -> None:
        """Make missing tables (fresh database); later schemas come by migration."""
        Base.metadata.create_all(self.engine)

    @contextmanager
    def read(self) -> Iterator[Session]:
        with Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """Commits at the end, rolls back on an exception."""
        with (
            self._writing,
            Session(self.engine, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session


def _engine(url: str) -> Engine:
    engine = create_engine(
        url,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
    )
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

    return engine
