"""Science that fateflow asks for without importing it: run in a fork of the zygote."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from eggroll.storage import Storage
from fateflow.store import log_find
from federatedml import catalog as components
from federatedml import kept_rows, model_export
from federatedml.data import stored
from federatedml.errors import ComponentError
from federatedml.params import parse, shown


def catalog() -> dict[str, dict[str, Any]]:
    """Every component: roles, code paths, parameter schema."""
    return components.description()


def validate(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Check parameters: for each {where, module, parameters} either {"parameters": all of them
    with defaults} or {"error": one line}."""
    return [_validated(**item) for item in items]


def _validated(where: str, module: str, parameters: dict[str, Any]) -> dict[str, Any]:
    try:
        params = components.find(module).Params
        return {"parameters": shown(parse(params, parameters, where))}
    except ComponentError as error:
        return {"error": str(error)}


def export_csv(
    tables: str,
    namespace: str,
    name: str,
    path: str,
    limit: int = -1,
    delimiter: str = ",",
    head: bool = True,
) -> int:
    """Write a stored table as CSV on this machine; the number of rows written."""
    table = Storage(Path(tables)).open(namespace, name)
    return stored.export_csv(table, Path(path), limit=limit, delimiter=delimiter, head=head)


def preview(tables: str, namespace: str, name: str, limit: int = 100) -> dict[str, Any]:
    """The first rows of a stored table as clients see them."""
    table = Storage(Path(tables)).open(namespace, name)
    return {**stored.preview(table, limit), "total": table.count}


def drop_table(tables: str, namespace: str, name: str) -> bool:
    """Remove a stored table; whether there was one."""
    return Storage(Path(tables)).delete(namespace, name)


def link_table(
    tables: str, source_namespace: str, source_name: str, namespace: str, name: str
) -> dict[str, Any]:
    """Give a stored table a second name: its {count, partitions, schema, preview}."""
    storage = Storage(Path(tables))
    table = storage.link(storage.open(source_namespace, source_name), namespace, name)
    meta = table.meta
    return {
        "count": meta.count,
        "partitions": meta.partitions,
        "schema": meta.schema,
        "preview": stored.preview(table, 100),
    }


def convert_model(
    models: list[tuple[str, str, str]], framework: str | None, folder: str
) -> dict[str, Any]:
    """Write a horizontal model for other libraries: {"converted": [...]} as
    ``model_export.convert`` says, or {"error": one line}."""
    try:
        return {"converted": model_export.convert(models, framework, folder)}
    except ComponentError as error:
        return {"error": str(error)}


def merge_model(
    guest: str, hosts: dict[str, str], model_type: str, output_format: str, options: dict[str, Any]
) -> dict[str, Any]:
    """A vertical model as one: {"text": ...} as ``model_export.merge`` says, or {"error": ...}."""
    try:
        text = model_export.merge(guest, hosts, model_type, output_format, options)
    except ComponentError as error:
        return {"error": str(error)}
    return {"text": text}


def keep_rows(
    tables: str,
    raw: list[tuple[str, str]],
    trained_on: tuple[str, str],
    predicted: tuple[str, str] | None,
    component: str,
    version: str,
    path: str,
) -> dict[str, Any]:
    """Write rows of a training for a serving's self-test: {"rows": how many} or {"error": why
    none can be kept}. See ``federatedml.kept_rows.collect``."""
    try:
        found = kept_rows.collect(Path(tables), raw, trained_on, predicted, component, version)
    except (kept_rows.NothingToKeep, ComponentError) as error:
        return {"error": str(error)}
    target = Path(path)
    target.write_bytes(msgspec.json.encode(found))
    target.chmod(0o600)
    return {"rows": len(found.values)}


def search_log(
    path: str, start: int, end: int, text: str, level: str, inside: bool
) -> dict[str, Any]:
    """``log_find.scan`` by a regular expression of Arrow's (RE2), whose time grows with the log
    alone, whatever the expression is: as a dict, or {"error": one line}."""

    def match(lines: Sequence[str]) -> list[int]:
        found = pc.match_substring_regex(pa.array(lines, pa.string()), text)
        return pc.indices_nonzero(found).to_pylist()  # type: ignore[no-any-return]

    wanted = log_find.Wanted(text, regex=True, level=level)
    try:
        match([""])
    except pa.ArrowInvalid as error:
        why = str(error).removeprefix("Invalid regular expression: ")
        return {"error": f"not a regular expression (RE2): {why}"}
    return dataclasses.asdict(log_find.scan(Path(path), start, end, wanted, inside, match))


CALLS: dict[str, Callable[..., Any]] = {
    "catalog": catalog,
    "validate": validate,
    "export_csv": export_csv,
    "preview": preview,
    "drop_table": drop_table,
    "link_table": link_table,
    "convert_model": convert_model,
    "merge_model": merge_model,
    "keep_rows": keep_rows,
    "search_log": search_log,
}
