"""HeteroPearson: correlations of this party's columns with each other and with other parties'."""

from __future__ import annotations

import base64
import sys
from array import array
from typing import Any

import msgspec

from fateboard.blocks import (
    Block,
    Column,
    Entry,
    HeatMap,
    Option,
    Paragraph,
    Path,
    choice,
    msg,
)
from fateboard.views.cells import mapping, names, real, sequence, tabulate, text
from fateboard.views.context import Context, Page

WHOLE = 500
"""So many columns of all parties are drawn as one picture; more piece by piece."""

PIECE = 250
_UNKNOWN = float("nan")


class Side(msgspec.Struct, frozen=True):
    """One party's columns. first: where they start in the columns of ``corr``, for a host."""

    party: str
    names: list[str]
    first: int = 0


class Matrix(msgspec.Struct, frozen=True):
    """sides: guest first. me: which of them is this party. local, corr: as the model has them,
    row by row; corr is the guest's by all hosts' columns."""

    sides: list[Side]
    me: int
    local: list[Any]
    corr: list[Any]
    width: int

    def at(self, a: tuple[int, int], b: tuple[int, int]) -> float:
        """The correlation of two columns, each (side, column of it); nan if it is not known."""
        if a[0] == b[0]:
            if a[0] != self.me or not self.local:
                return _UNKNOWN
            return _read(self.local[a[1] * len(self.sides[self.me].names) + b[1]])
        guest, host = (a, b) if a[0] == 0 else (b, a)
        if guest[0] != 0 or self.me not in (guest[0], host[0]) or not self.corr:
            return _UNKNOWN
        return _read(self.corr[guest[1] * self.width + self.sides[host[0]].first + host[1]])


def _read(value: Any) -> float:
    if type(value) is float:  # nearly all of them, and there are many
        return value
    number = real(value)
    return _UNKNOWN if number is None else number


def pearson(context: Context, path: Path) -> list[Block]:
    if not context.model:
        return []
    blocks: list[Block] = []
    matrix = read(context)
    own = matrix.sides[matrix.me].names
    fits = len(matrix.local) == len(own) ** 2 and len(matrix.corr) in (
        0,
        len(matrix.sides[0].names) * matrix.width,
    )
    if not fits:
        blocks.append(Paragraph(id="broken", text=msg("data.corr_broken"), level="warn"))
        matrix = msgspec.structs.replace(matrix, local=[], corr=[])
    if not own:
        return blocks
    if len(matrix.sides) == 1:
        blocks.append(Paragraph(id="local", text=msg("data.corr_local")))
    return [*blocks, *_maps(matrix, path), *_variables(context, own)]


def read(context: Context) -> Matrix:
    """Both spellings: parties, shapes and names of each (guest first), or of FATE's older models
    the two lists of names alone."""
    model = context.model
    own = names(model.get("names"))
    listed = [names(mapping(entry).get("names")) for entry in sequence(model.get("allNames"))]
    parties = names(model.get("parties"))
    if not listed:
        listed = [own]
    me = _which(context, parties, len(listed), text(model.get("party")))
    if own and len(own) == len(listed[me]):
        listed[me] = own
    sides, first = [], 0
    for i, of in enumerate(listed):
        party = parties[i] if i < len(parties) else ""
        sides.append(Side(party=_shown(party, i), names=of, first=first if i else 0))
        first += len(of) if i else 0
    local, corr = (sequence(model.get(key)) for key in ("localCorr", "corr"))
    return Matrix(sides=sides, me=me, local=local, corr=corr, width=first)


def _which(context: Context, parties: list[str], n: int, party: str) -> int:
    if party and party in parties[:n]:
        return parties.index(party)
    return 1 if context.role == "host" and n > 1 else 0


def _shown(party: str, i: int) -> str:
    """``(guest,9999)`` as ``guest 9999``."""
    inner = party.removeprefix("(").removesuffix(")").split(",")
    role = "guest" if i == 0 else "host"
    return " ".join(part.strip() for part in inner) if party else role


def _variables(context: Context, own: list[str]) -> list[Block]:
    """The table below the picture: anonymous names and variance inflation."""
    anonymous = {
        text(of.get("name")): text(of.get("anonymous"))
        for entry in sequence(context.model.get("anonymousMap"))
        if (of := mapping(entry))
    }
    vif = sequence(context.model.get("localVif"))
    columns = [Column(id="variable", label=msg("data.variable"), frozen=True)]
    if anonymous:
        columns.append(Column(id="anonym", label=msg("data.anonym")))
    if vif:
        said = msg("data.vif_help")
        columns.append(Column(id="vif", label="VIF", format="number", help=said))
    rows: list[list[Any]] = []
    for i, name in enumerate(own):
        row: list[Any] = [name]
        row += [anonymous.get(name)] if anonymous else []
        row += [vif[i] if i < len(vif) else None] if vif else []
        rows.append(row)
    title = msg("data.columns")
    return [tabulate("variables", columns, rows, title=title, export_name="correlation_variables")]


def _maps(matrix: Matrix, path: Path) -> list[Block]:
    order = [matrix.me, *(i for i in range(len(matrix.sides)) if i != matrix.me)]
    places = [(side, j) for side in order for j in range(len(matrix.sides[side].names))]
    if len(places) <= WHOLE:
        return [heat_map(matrix, places, places)]
    own = [place for place in places if place[0] == matrix.me]
    row_pieces, column_pieces = _pieces(matrix, own), _pieces(matrix, places)

    def of_rows(rows: str) -> list[Block]:
        def of_columns(columns: str) -> list[Block]:
            return [heat_map(matrix, row_pieces[rows], column_pieces[columns])]

        options = [Option(id=name, label=name) for name in column_pieces]
        return [choice("columns", msg("data.corr_columns"), options, of_columns, path)]

    options = [Option(id=name, label=name) for name in row_pieces]
    said = msg("data.corr_pieces", n=len(places))
    return [
        Paragraph(id="pieces", text=said),
        choice("rows", msg("data.corr_rows"), options, of_rows, path),
    ]


def _pieces(matrix: Matrix, places: list[tuple[int, int]]) -> dict[str, list[tuple[int, int]]]:
    """Named by party and numbers, from 1."""
    found: dict[str, list[tuple[int, int]]] = {}
    for side, j in places:
        first = j - j % PIECE
        last = min(first + PIECE, len(matrix.sides[side].names))
        name = f"{matrix.sides[side].party}: {first + 1} - {last}"
        found.setdefault(name, []).append((side, j))
    return found


def heat_map(
    matrix: Matrix, rows: list[tuple[int, int]], columns: list[tuple[int, int]]
) -> HeatMap:
    values = array("f", (matrix.at(row, column) for row in rows for column in columns))
    if sys.byteorder == "big":
        values.byteswap()

    def entry(place: tuple[int, int]) -> Entry:
        side = matrix.sides[place[0]]
        return Entry(label=side.names[place[1]], party=side.party)

    return HeatMap(
        id="correlation",
        title=msg("data.correlation"),
        help=msg("data.corr_help"),
        rows=[entry(place) for place in rows],
        columns=[entry(place) for place in columns],
        values=base64.b64encode(values.tobytes()).decode(),
        export_name="correlation",
    )


PAGES: dict[str, Page] = {
    "HeteroPearson": Page(builders=[pearson], metrics=frozenset({"CORRELATION_GRAPH"})),
}
