"""The database of a site for tests: brought to its last revision once in a process, then copied."""

import tempfile
from functools import cache
from pathlib import Path

from fateflow.settings import Settings
from fateflow.store.database import Database


def database(settings: Settings) -> Database:
    """The one in the settings' home; made there, unless it is there already."""
    path = Path(settings.home) / "fateflow.db"
    if not path.exists():
        path.write_bytes(_made())
    return Database(settings.database)


@cache
def _made() -> bytes:
    with tempfile.TemporaryDirectory() as home:
        made = Database(Settings(home=home).database)
        made.create()
        made.engine.dispose()
        return (Path(home) / "fateflow.db").read_bytes()
