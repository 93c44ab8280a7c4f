"""The connection to the site's database: one engine, short sessions, serialised writes."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

MIGRATIONS = Path(__file__).parent / "migrations"


def now_ms() -> int:
    """Milliseconds since 1970, UTC: FATE's unit of time."""
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
        self._changed = threading.Condition()
        self.writes = 0

    def create(self) -> None:
        """Bring the schema to its last revision: a fresh database, or one of an older version."""
        with self.engine.begin() as connection:
            command.upgrade(migrations(connection), "head")

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
        with self._changed:
            self.writes += 1
            self._changed.notify_all()

    def wait_for_write(self, seen: int, timeout_s: float) -> int:
        """Sleep until a transaction was committed after ``writes`` stood at ``seen``, or until
        the time is over; how many there were by then. Long polls wait here, and poll nothing."""
        with self._changed:
            self._changed.wait_for(lambda: self.writes != seen, timeout_s)
            return self.writes


def migrations(connection: Connection) -> Config:
    """Alembic's configuration for our revisions, over this connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _engine(url: str) -> Engine:
    engine = create_engine(
        url,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
        hide_parameters=True,  # errors are logged and told: tokens must not be in them
    )
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _record: Any) -> None:
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

    return engine
