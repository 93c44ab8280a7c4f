"""Download: a stored table becomes a CSV file on this party's machine.

Parties: local. Maths: none.
Round: none; nothing leaves a party.
Trusts: nobody.
Source: FATE 1.x behaviour, docs/compat/data.md.
"""

from __future__ import annotations

import errno
import uuid
from pathlib import Path

from eggroll.errors import BadInput, StorageFull
from eggroll.storage import StoredTable
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import stored
from federatedml.params import Params
from federation import LOCAL


class DownloadParam(Params, frozen=True, kw_only=True):
    """output_path: where the file goes, folders included; a file there is replaced."""

    namespace: str
    name: str
    output_path: str
    delimiter: str = ","

    def __post_init__(self) -> None:
        if not self.output_path:
            raise ValueError("output_path must not be empty")
        if len(self.delimiter) != 1:
            raise ValueError("delimiter must be one character")


@register("Download")
class Download(Component[DownloadParam]):
    Params = DownloadParam
    ROLES = frozenset({LOCAL})

    def fit(self, ctx: Ctx, _inputs: Inputs) -> Outputs:
        """Raises eggroll's TableNotFound, StorageFull, or BadInput for a path it cannot write."""
        params = self.params
        table = ctx.tables.open(params.namespace, params.name)
        count = _written(table, Path(params.output_path), params.delimiter)
        ctx.report.table_read(params.namespace, params.name)
        ctx.report.metric(
            "download",
            "data_access",
            "DOWNLOAD",
            [("count", count)],
            table_name=params.name,
            namespace=params.namespace,
        )
        return Outputs()


def _written(table: StoredTable, path: Path, delimiter: str) -> int:
    """Rows written to ``path``, which is either the whole file or as it was."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        count = stored.export_csv(table, draft, delimiter=delimiter)
        draft.rename(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull(path.parent) from None
        raise BadInput(f"cannot write output_path {path}: {error.strerror}") from None
    return count
