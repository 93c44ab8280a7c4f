"""Write a new revision for what ``fateflow.store.orm`` has and the migrations have not."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from alembic import command

from fateflow.store.database import Database, migrations


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{Path(folder) / 'scratch.db'}")
        database.create()
        with database.engine.connect() as connection:
            command.revision(migrations(connection), " ".join(sys.argv[1:]), autogenerate=True)
        database.engine.dispose()


if __name__ == "__main__":
    main()
