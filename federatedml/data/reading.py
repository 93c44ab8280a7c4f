"""Raw tables to parsed ones: which column is what, and its numbers.

``read`` serves all formats; the component decides what becomes of missing values and outliers.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from federatedml.data import parsing, tokens
from federatedml.data.formats import WHOLE_TYPES, Format
from federatedml.data.frame import Matrix, RawTable
from federatedml.errors import BadData

DEFAULT_SID = "sid"
DEFAULT_LABEL = "label"
DEFAULT_MATCH_ID = "match_id"

_TEXT = "str"
_NAMED_IN_ERRORS = 3
"""Errors are read at every party: they name columns of the configuration at most, and few. What
a party calls others is in its own log."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Wishes:
    """What a reader of a raw table asks for beyond the format.

    header: the features wanted, in order, as a fitted model knows them; None: all there are.
    A missing label is an error only where header is None. match_id_name: of several match id
    columns, by name (dense) or else by ``match_id_index``. missing: texts that mean missing.
    outliers: texts (not numbers) that mean outlier. threads: how many columns at once.
    """

    header: list[str] | None = None
    match_id_name: str = ""
    match_id_index: int = 0
    missing: tuple[str, ...] = ()
    outliers: tuple[str, ...] = ()
    threads: int = 1


@dataclass(frozen=True)
class Parsed:
    """x: (n, k), missing is nan; a text feature's column is nan and its texts are in ``texts``.

    label: (n,) texts still. outlying: (n, k), where a text stood that means outlier; or None.
    """

    header: list[str]
    x: Matrix
    texts: pa.Table | None = None
    label: parsing.Texts = None
    label_name: str | None = None
    match_ids: pa.Array | None = None
    match_id_name: str | None = None
    outlying: NDArray[np.bool_] | None = None


def read(raw: RawTable, form: Format, wishes: Wishes) -> Parsed:
    """Raises BadData naming the column and the row that do not fit the format."""
    if form.input_format == "dense":
        return _dense(raw, form, wishes)
    return _named_fields(raw, form, wishes)


def _dense(raw: RawTable, form: Format, wishes: Wishes) -> Parsed:
    columns = _columns(raw, form)
    taken: set[str] = set()
    label_name = _label_name(columns, form, wanted=wishes.header is None)
    if label_name is not None:
        taken.add(label_name)
    match_names = _match_id_names(columns, form, wishes)
    taken |= set(match_names)
    header = [name for name in columns if name not in taken]
    if wishes.header is not None:
        if lacking := [name for name in wishes.header if name not in columns]:
            LOG.error("the table lacks: %s", _few(lacking))
            raise BadData(
                f"the table lacks {len(lacking)} columns that the model was fitted on; this "
                "party's log says which"
            )
        header = wishes.header
    match_id = _picked(match_names, wishes) if match_names else None
    x, outlying, texts = _features(
        raw.n_rows, {name: columns[name] for name in header}, form, wishes
    )
    return Parsed(
        header=header,
        x=x,
        texts=texts,
        label=columns[label_name] if label_name is not None else None,
        label_name=label_name,
        match_ids=parsing.one(columns[match_id]) if match_id else None,
        match_id_name=match_id,
        outlying=outlying,
    )


def _columns(raw: RawTable, form: Format) -> dict[str, parsing.Texts]:
    """Text columns by name. Raises BadData for names that are not one each."""
    names = raw.schema.header.split(raw.schema.delimiter) if raw.schema.header else []
    again = (
        len(names) == 1 and form.delimiter != raw.schema.delimiter and form.delimiter in names[0]
    )
    if again:
        names = names[0].split(form.delimiter)
    if len(set(names)) < len(names):
        raise BadData("several columns of the table share a name; upload it with one name each")
    if not raw.schema.wide and not again:
        return dict(zip(names, raw.columns.columns, strict=True))
    found = tokens.tokens(raw, form.delimiter)
    counts = np.bincount(found.rows, minlength=raw.n_rows)
    width = len(names) if again else int(counts[0]) if raw.n_rows else 0
    wrong = np.flatnonzero(counts != width)
    if len(wrong):
        raise BadData(
            f"row {int(wrong[0]) + 1} has {int(counts[wrong[0]])} fields after its id, {width} "
            "expected; if rows are sparse or tags, set input_format"
        )
    names = names if len(names) == width else [f"x{i}" for i in range(width)]
    start = np.arange(raw.n_rows, dtype=np.int64) * width
    return {name: found.flat.take(pa.array(start + i)) for i, name in enumerate(names)}


def _label_name(columns: Mapping[str, object], form: Format, *, wanted: bool) -> str | None:
    """The label's column; by its case, or else whatever its case."""
    if not form.with_label:
        return None
    found = _whatever_case(form.label_name, columns)
    if found is None and wanted:
        raise BadData(
            f"no label column {form.label_name!r} among the table's {len(columns)} columns; set "
            "label_name to one of them (see `flow table info`), or with_label to false"
        )
    return found


def _match_id_names(columns: Mapping[str, object], form: Format, wishes: Wishes) -> list[str]:
    if not form.with_match_id:
        return []
    if not columns:
        raise BadData("with_match_id, but the table has no column to be the match id")
    names = form.id_list or (
        [wishes.match_id_name] if wishes.match_id_name else [next(iter(columns))]
    )
    found = [_whatever_case(name, columns) for name in names]
    if None in found:
        absent = [name for name, at in zip(names, found, strict=True) if at is None]
        raise BadData(
            f"no match id column {_few(absent)} among the table's {len(columns)} columns; see "
            "`flow table info` for their names"
        )
    return [name for name in found if name is not None]


def _picked(names: list[str], wishes: Wishes) -> str:
    if wishes.match_id_name:
        found = _whatever_case(wishes.match_id_name, dict.fromkeys(names))
        if found is None:
            raise BadData(f"match_id_name {wishes.match_id_name!r} is none of {_few(names)}")
        return found
    if not 0 <= wishes.match_id_index < len(names):
        raise BadData(f"match_id_index {wishes.match_id_index}: there are {len(names)} match ids")
    return names[wishes.match_id_index]


def _features(
    n: int, columns: Mapping[str, parsing.Texts], form: Format, wishes: Wishes
) -> tuple[Matrix, NDArray[np.bool_] | None, pa.Table | None]:
    kinds = {name: _kind(name, columns, form) for name in columns}
    x = np.full((n, len(columns)), np.nan)
    outlying = np.zeros(x.shape, np.bool_) if wishes.outliers else None
    words = {*parsing.MISSING_WORDS, *wishes.missing, *wishes.outliers}

    def fill(at: int, name: str) -> None:
        texts = columns[name]
        if kinds[name] == _TEXT:
            return
        shown, kind = f"feature x{at}", kinds[name]
        try:
            values = parsing.numbers(texts, shown, words)
            x[:, at] = parsing.whole(values, shown, kind) if kind in WHOLE_TYPES else values
        except BadData:
            LOG.error("feature x%d is column %r", at, name)
            raise
        if outlying is not None:
            known = pc.is_in(texts, value_set=pa.array(wishes.outliers, texts.type))
            outlying[:, at] = parsing.one(known).to_numpy(zero_copy_only=False)

    with ThreadPoolExecutor(max(wishes.threads, 1)) as pool:
        for _ in pool.map(fill, range(len(columns)), columns):
            pass
    texts = {name: columns[name] for name in columns if kinds[name] == _TEXT}
    return x, outlying, pa.table(texts) if texts else None


def _kind(name: str, columns: Mapping[str, object], form: Format) -> str:
    """The type of a column: its own, by its case or else whatever its case, or the table's."""
    apart = form.exclusive_data_type or {}
    if name in apart:
        return apart[name]
    of = next((own for own in apart if own not in columns and own.lower() == name.lower()), None)
    return apart[of] if of is not None else form.data_type


def _named_fields(raw: RawTable, form: Format, wishes: Wishes) -> Parsed:
    found = tokens.tokens(raw, form.delimiter)
    ids = form.n_match_ids
    if ids and not 0 <= wishes.match_id_index < ids:
        raise BadData(f"match_id_index {wishes.match_id_index}: there are {ids} match ids")
    is_tag = form.input_format == "tag"
    delimiter = form.tag_value_delimiter if form.tag_with_value else None
    label = found.at(ids, "label") if form.with_label else None
    # At prediction rows may come without labels: then a field stands where the label would.
    within = delimiter if is_tag else ":"
    if label is not None and wishes.header is not None and within:
        label = None if tokens.have_delimiter(label, within) else label
    fields = found.after(ids + (label is not None))
    if is_tag:
        x, header = tokens.tagged(fields, delimiter, wishes.header)
    else:
        x = tokens.svmlight(fields, len(wishes.header) if wishes.header is not None else None)
        header = [f"x{i}" for i in range(x.shape[1])]
    several = f"{DEFAULT_MATCH_ID}{wishes.match_id_index}" if ids > 1 else DEFAULT_MATCH_ID
    return Parsed(
        header=wishes.header if wishes.header is not None else header,
        x=x,
        label=_small(label) if label is not None else None,
        label_name=DEFAULT_LABEL if label is not None else None,
        match_ids=_small(found.at(wishes.match_id_index, "match id")) if ids else None,
        match_id_name=several if ids else None,
    )


def absent_as_missing(x: sparse.csr_matrix) -> NDArray[np.float64]:
    """(n, k) with nan wherever the row names no such field."""
    found = np.full(x.shape, np.nan)
    found[np.repeat(np.arange(x.shape[0]), np.diff(x.indptr)), x.indices] = x.data
    return found


def _small(texts: pa.Array) -> pa.Array:
    return texts.cast(pa.string())


def _whatever_case(name: str, among: Mapping[str, object]) -> str | None:
    if name in among:
        return name
    found = [other for other in among if other.lower() == name.lower()]
    return found[0] if len(found) == 1 else None


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _NAMED_IN_ERRORS} more" if len(listed) > _NAMED_IN_ERRORS else ""
    return ", ".join(listed[:_NAMED_IN_ERRORS]) + more
