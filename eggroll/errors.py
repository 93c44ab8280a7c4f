"""What can go wrong with tables.

EggrollError
├── TableNotFound       no stored table under this namespace and name
├── TableExists         the name is taken and the caller did not ask to replace it
├── BadInput            a file that is no table: says line and column
└── StorageFull         the disk refused; nothing half-written is left
"""

from __future__ import annotations


class EggrollError(Exception):
    """Root of this package's errors."""


class TableNotFound(EggrollError, LookupError):
    def __init__(self, namespace: str, name: str) -> None:
        super().__init__(f"no table {namespace}.{name}; see `flow data upload-history`")


class TableExists(EggrollError, ValueError):
    def __init__(self, namespace: str, name: str) -> None:
        super().__init__(f"table {namespace}.{name} exists; pass --drop to replace it")


class BadInput(EggrollError, ValueError):
    """A file cannot be read as a table. Says where, never what the row holds."""


class StorageFull(EggrollError, OSError):
    def __init__(self, where: object) -> None:
        super().__init__(f"no space left on the disk of {where}; nothing was stored")
