"""Rows that are kept with a deployed model, so that a serving can see whether it scores them as
training did.

Each party keeps its own columns of the same rows, chosen by their ids alone, so that nothing has
to be agreed on; the guest keeps what was predicted too. They stay at the site: exported models do
not hold them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from eggroll.storage import Storage
from federatedml.data import stored
from federatedml.data.frame import Frame, Predictions, RawTable
from federatedml.lr_model import Label

N_KEPT = 200


class KeptRows(msgspec.Struct, frozen=True, kw_only=True):
    """component: the one that scores. ids_digest: of the ids in order, the same at all parties.
    columns, values: this party's raw features, a row each, as texts or numbers. detail, labels: at
    the guest, as training's predict gave them; empty at a host, labels empty for a regression."""

    ids_digest: str
    component: str = ""
    columns: list[str]
    values: list[list[float | int | str | None]]
    detail: list[list[float]] = []
    labels: list[Label] = []

    def rows(self) -> list[dict[str, Any]]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.values]


class NothingToKeep(ValueError):
    """No rows can be kept of this training, and why."""


def chosen(ids: Sequence[str], version: str, n: int = N_KEPT) -> list[int]:
    """Places of the rows to keep: at every party the same ids, if all have the same rows.

    version: of the model, so that other rows are kept with each.
    """

    def rank(i: int) -> bytes:
        return hashlib.sha256(f"{version}/{ids[i]}".encode()).digest()

    return sorted(range(len(ids)), key=rank)[:n]


def kept(
    names: Sequence[str],
    ids: Sequence[str],
    values: Sequence[Sequence[float | int | str | None]],
    detail: Sequence[Sequence[float]] = (),
    labels: Sequence[Label] = (),
) -> KeptRows:
    """The rows that were chosen, as a party keeps them. names: of the plan's columns, or of all of
    the table's. detail, labels: ``Predictions.detail`` and ``result`` of these rows, at the guest;
    labels of a regression are left out."""
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()
    return KeptRows(
        ids_digest=digest,
        columns=list(names),
        values=[list(row) for row in values],
        detail=[list(row) for row in detail],
        labels=list(labels),
    )


def collect(
    tables: Path,
    raw: Sequence[tuple[str, str]],
    trained_on: tuple[str, str],
    predicted: tuple[str, str] | None,
    component: str,
    version: str,
) -> KeptRows:
    """What one party keeps of a training. Tables are (namespace, name): raw: those that were read;
    trained_on: the rows of the component that scores, at every party the same; predicted: its
    output, at the guest.

    Raises NothingToKeep. Cost: reads the ids of all rows, some columns of the chosen.
    """
    storage = Storage(tables)
    instances = stored.load(storage, *trained_on)
    if not isinstance(instances, Frame):
        raise NothingToKeep("the component that scores was not trained on instances")
    all_ids: list[str] = instances.ids.to_pylist()
    ids = [all_ids[i] for i in chosen(all_ids, version)]
    names, values = _raw_rows([stored.load(storage, *table) for table in raw], ids)
    if predicted is None:
        return msgspec.structs.replace(kept(names, ids, values), component=component)
    found = stored.load(storage, *predicted)
    if not isinstance(found, Predictions):
        raise NothingToKeep("the component that scores did not predict")
    at = _places(found.ids, ids)
    labels = [] if found.classes == ["label"] else _listed(found.result, at)
    whole = kept(names, ids, values, found.detail[at].tolist(), labels)
    return msgspec.structs.replace(whole, component=component)


def _raw_rows(read: Sequence[Any], ids: Sequence[str]) -> tuple[list[str], list[list[Any]]]:
    """Column names, and the cells of these ids. One table must have them all."""
    for table in read:
        if not isinstance(table, RawTable) or table.schema.wide:
            continue
        at = pc.index_in(pa.array(ids, table.key.type), table.key)
        if at.null_count:
            continue
        picked = table.columns.take(at)
        columns = [column.to_pylist() for column in picked.columns]
        return list(picked.column_names), [list(row) for row in zip(*columns, strict=True)]
    raise NothingToKeep(
        "no table that was read has all its rows by their ids with a column for each feature"
    )


def _places(ids: pa.Array, wanted: Sequence[str]) -> Any:
    at = pc.index_in(pa.array(wanted, ids.type), ids)
    if at.null_count:
        raise NothingToKeep("the predictions lack rows of the training")
    return at.to_numpy(zero_copy_only=False)


def _listed(result: Any, at: Any) -> list[Label]:
    if isinstance(result, pa.Array):
        return list(result.take(pa.array(at)).to_pylist())
    return list(np.asarray(result)[at].tolist())
