"""Features from a CSV file, held in memory and read again when the file changes."""

from __future__ import annotations

import asyncio
import csv
import logging
import threading
from pathlib import Path
from typing import Any

from serving.adapters import AdapterFault, Fetched, missing

_log = logging.getLogger(__name__)


class CsvFile:
    """path: a CSV with a header. id: its column of ids, by default the first. key: the name under
    which guests send the id; by default the id column's, or the only thing that they send."""

    def __init__(self, path: str, id: str = "", key: str = "", delimiter: str = ",") -> None:
        self.path = Path(path)
        self.id, self.key, self.delimiter = id, key, delimiter
        self._lock = threading.Lock()
        self._seen = 0
        self._rows: dict[str, dict[str, str]] = {}
        self._load()

    async def fetch(self, ids: list[dict[str, Any]], columns: list[str]) -> list[Fetched]:
        del columns
        if self._changed():
            await asyncio.to_thread(self._load_again)
        rows, found = self._rows, []
        for given in ids:
            row = rows.get(str(self._id_of(given)))
            found.append(missing("the file") if row is None else Fetched(features=row))
        return found

    async def close(self) -> None:
        return None

    def _id_of(self, given: dict[str, Any]) -> Any:
        name = self.key or self.id
        if name in given or self.key or len(given) != 1:
            return given.get(name)
        return next(iter(given.values()))

    def _changed(self) -> bool:
        try:
            return self.path.stat().st_mtime_ns != self._seen
        except OSError:
            return False

    def _load_again(self) -> None:
        """Once for a change, whoever sees it; a file with a fault is not taken."""
        with self._lock:
            if not self._changed():
                return
            try:
                self._load()
            except AdapterFault as fault:
                _log.error("the features in force stay: %s", fault)

    def _load(self) -> None:
        try:
            self._seen = self.path.stat().st_mtime_ns
            with self.path.open(newline="", encoding="utf-8") as file:
                reader = csv.DictReader(file, delimiter=self.delimiter)
                names = list(reader.fieldnames or ())
                if not names:
                    raise AdapterFault(f"adapter_options.path: {self.path} has no header")
                self.id = self.id or names[0]
                if self.id not in names:
                    raise AdapterFault(
                        f"adapter_options.id: {self.path} has no column {self.id!r}; "
                        f"it has {', '.join(names[:10])}"
                    )
                rows = {row.pop(self.id): row for row in reader}
        except OSError as error:
            raise AdapterFault(f"adapter_options.path: {self.path}: {error.strerror}") from None
        except (ValueError, csv.Error) as error:
            if isinstance(error, AdapterFault):
                raise
            # The text of the error may hold a value.
            raise AdapterFault(
                f"adapter_options.path: {self.path} is no CSV in UTF-8: {type(error).__name__}"
            ) from None
        self._rows = rows
