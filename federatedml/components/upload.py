"""Upload: a text file becomes a stored table of this party.

Parties: local. Maths: none; see ``eggroll.ingest``.
Round: none; nothing leaves a party.
Trusts: nobody. Errors name lines and columns of the file, never what they hold.
Source: FATE 1.x behaviour and what we refuse beyond it: docs/compat/data.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from eggroll.ingest import CsvFile, CsvOptions, open_csv
from eggroll.storage import StoredTable, TableMeta
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import layout
from federatedml.data.anonymous import anonymous_header, anonymous_label
from federatedml.data.formats import Format
from federatedml.data.frame import RawSchema
from federatedml.params import Params
from federation import LOCAL, Party


class UploadParam(Params, frozen=True, kw_only=True):
    """head: 1 if the first line names the columns. schema: names that win over the file's.

    destroy: replace a table of this name. meta: how to read the rows (see ``Format``), heeded if
    ``with_meta``. block_size, storage_engine and storage_address are accepted and not needed.
    """

    file: str
    namespace: str
    name: str
    head: Literal[0, 1] = 1
    id_delimiter: str = ","
    partition: Annotated[int, msgspec.Meta(ge=1, le=1023)] = 10
    storage_engine: str = ""
    storage_address: dict[str, Any] | None = None
    destroy: bool = False
    extend_sid: bool = False
    auto_increasing_sid: bool = False
    block_size: int = 1
    schema: dict[str, Any] = msgspec.field(default_factory=dict)
    with_meta: bool = False
    meta: dict[str, Any] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("file", "namespace", "name"):
            if not getattr(self, name):
                raise ValueError(f"{name} must not be empty")
        if len(self.id_delimiter) != 1:
            raise ValueError("id_delimiter must be one character")
        if self.with_meta:
            try:
                msgspec.convert(self.meta, Format)
            except msgspec.ValidationError as error:
                raise ValueError(f"meta: {error}") from None

    @property
    def format(self) -> Format | None:
        """What the meta says of the rows; None without one."""
        if not self.with_meta:
            return None
        found: Format = msgspec.convert(self.meta, Format)
        return msgspec.structs.replace(found, with_match_id=True) if self.extend_sid else found


@register("Upload")
class Upload(Component[UploadParam]):
    Params = UploadParam
    ROLES = frozenset({LOCAL})

    def fit(self, ctx: Ctx, _inputs: Inputs) -> Outputs:
        """Raises eggroll's BadInput, TableExists or StorageFull; then nothing was stored."""
        params = self.params
        file = open_csv(Path(params.file), _csv_options(params), ctx.report.progress)
        raw = _schema(params, file)
        meta = TableMeta(
            namespace=params.namespace,
            name=params.name,
            kind="raw",
            partitions=params.partition,
            schema=_schema_shown(params, raw, ctx.me),
        )
        arrow = file.schema.with_metadata(layout.raw_metadata(raw))
        stored = ctx.tables.write(meta, arrow, file.batches(), replace=params.destroy)
        _tell(ctx, params, stored)
        return Outputs(data=[stored])


def _csv_options(params: UploadParam) -> CsvOptions:
    given = params.format
    header = params.schema.get("header", "")
    wide = given.is_wide or (False if params.head else None) if given else None
    return CsvOptions(
        head=bool(params.head),
        delimiter=given.delimiter if given else params.id_delimiter,
        wide=wide,
        header=header if isinstance(header, str) else "",
        sid=str(params.schema.get("sid", "")),
        extend_sid=params.extend_sid,
        auto_increasing_sid=params.auto_increasing_sid,
    )


def _schema(params: UploadParam, file: CsvFile) -> RawSchema:
    given = params.format
    return RawSchema(
        header=file.names.header,
        sid=file.names.sid,
        delimiter=file.options.delimiter,
        wide=file.names.wide,
        meta=msgspec.to_builtins(given) if given else {},
    )


def _schema_shown(params: UploadParam, raw: RawSchema, party: Party) -> dict[str, Any]:
    """FATE's words; with a meta of a dense table also the anonymous names of its columns."""
    shown = {**params.schema, **layout.raw_schema_shown(raw)}
    given = params.format
    if not given or raw.wide:
        return shown
    names = raw.header.split(raw.delimiter) if raw.header else []
    if given.with_label:
        shown |= {"label_name": given.label_name, "anonymous_label": anonymous_label(party)}
    apart = {given.label_name} if given.with_label else set()
    if given.with_match_id:
        apart |= set(given.id_list or names[:1])
    n_features = sum(name not in apart for name in names)
    return shown | {"anonymous_header": anonymous_header(party, n_features)}


def _tell(ctx: Ctx, params: UploadParam, stored: StoredTable) -> None:
    options = msgspec.to_builtins(params)
    del options["schema"]
    ctx.report.table_stored(stored, {**options, "origin": "upload"})
    ctx.report.metric(
        "upload",
        "data_access",
        "UPLOAD",
        [("count", stored.count)],
        table_name=params.name,
        namespace=params.namespace,
        partition=params.partition,
    )
