"""What a component's page is made of: typed blocks, built in Python and drawn by the browser.

Everything that arrives from fateflow may come from another party. A plain ``str`` in a label is
such data and is shown as it is; what the board itself says is a ``Text``, which the browser looks
up in the reader's language. Numbers stay numbers; the browser formats them. A value that is not a
finite number is ``None`` with a flag that says why.

``python -m fateboard.typescript`` writes these structs and those of ``shapes`` as TypeScript.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import msgspec

Level = Literal["info", "warn", "error"]
Format = Literal["text", "number", "integer", "percent", "bar", "yes_no", "time", "duration"]
Cell = str | int | float | bool | None


class Text(msgspec.Struct, frozen=True):
    """A message of the board: its code in ``static/messages/*.json``, and what goes into it, which
    may be a message itself."""

    code: str
    args: dict[str, str | int | float | Text] = {}


Label = str | Text
Shown = Cell | Text
"""What a cell of a table shows; a Text stands as words of the reader's language."""


def msg(code: str, **args: str | float | Text) -> Text:
    """A message by its code, which is a literal wherever this is called: tests look for it."""
    return Text(code, dict(args))


class Notice(msgspec.Struct, frozen=True, kw_only=True):
    """A sentence above the blocks: why something is missing, what to do."""

    level: Level
    text: Text


class Item(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    label: Label
    value: Shown
    format: Format = "text"
    help: Label = ""


class Column(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """bar: draw the number as a bar behind it. frozen: stays while others scroll."""

    id: str
    label: Label
    format: Format = "text"
    sortable: bool = True
    frozen: bool = False
    help: Label = ""


class Range(msgspec.Struct, frozen=True, kw_only=True):
    """A slider that keeps the rows whose number in ``column`` lies within it."""

    column: str
    min: float
    max: float
    step: float


class Flag(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a cell is empty or marked. party: whose value it is, where it is another party's."""

    row: int
    column: int
    flag: Literal["nan", "infinite", "minus_infinite", "other_party", "removed", "best", "differs"]
    party: str = ""


class KeyValues(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="kv", tag_field="kind"
):
    id: str
    items: list[Item]
    title: Label = ""
    help: Label = ""
    export_name: str = ""


class Table(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="table", tag_field="kind"
):
    """facets: columns to filter by value. footer: rows that stay last (totals).
    page_size: 0 shows all rows, drawn as they scroll into sight."""

    id: str
    columns: list[Column]
    rows: list[list[Shown]]
    title: Label = ""
    help: Label = ""
    page_size: int = 20
    facets: list[str] = []
    ranges: list[Range] = []
    footer: list[list[Shown]] = []
    flags: list[Flag] = []
    export_name: str = ""


class ByAxis(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="by_axis", tag_field="kind"
):
    """A table of which some columns depend on a slider.

    cells: {column id: for each row a value per position of the axis}.
    """

    id: str
    axis: Label
    positions: list[float]
    selected: int
    columns: list[Column]
    rows: list[list[Shown]]
    cells: dict[str, list[list[Cell]]]
    title: Label = ""
    help: Label = ""
    export_name: str = ""


class ConfusionModel(msgspec.Struct, frozen=True, kw_only=True):
    """Counts by threshold, each as long as ``thresholds``."""

    label: Label
    dataset: Label
    tp: list[float | None]
    tn: list[float | None]
    fp: list[float | None]
    fn: list[float | None]
    f1: list[float | None]


class Confusion(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="confusion", tag_field="kind"
):
    id: str
    thresholds: list[float]
    selected: int
    models: list[ConfusionModel]
    title: Label = ""
    help: Label = ""
    export_name: str = ""


class Axis(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    label: Label
    integer: bool = False
    percent: bool = False


class Series(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One curve. group: curves of one group share a colour and are switched together (K-S), which
    ``group_label`` names. party: whose it is, where it is not this page's party."""

    id: str
    label: Label
    points: list[tuple[float, float | None]]
    group: str = ""
    group_label: Label = ""
    party: str = ""
    thresholds: list[float | None] = []
    area: bool = False


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A dashed vertical line."""

    x: float
    label: Label
    series: str = ""


class Curve(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="curve", tag_field="kind"
):
    """live: metrics whose new points are appended while a job runs, each the id of its series:
    "namespace/name", of a sibling on this site "role:party/namespace/name"."""

    id: str
    x: Axis
    y: Axis
    series: list[Series]
    marks: list[Mark] = []
    diagonal: bool = False
    live: list[str] = []
    title: Label = ""
    help: Label = ""
    export_name: str = ""


class ComboSeries(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """axis: index into the block's axes. stack: bars of one name stand on each other."""

    label: Label
    type: Literal["bar", "line"]
    values: list[float | None]
    axis: int = 0
    stack: str = ""


class Combo(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="combo", tag_field="kind"
):
    id: str
    categories: list[str]
    axes: list[Axis]
    series: list[ComboSeries]
    x: Label = ""
    title: Label = ""
    help: Label = ""
    export_name: str = ""


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    label: str
    party: str = ""


class HeatMap(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="heatmap", tag_field="kind"
):
    """values: rows x columns of little-endian float32, row by row, base64; NaN is unknown."""

    id: str
    rows: list[Entry]
    columns: list[Entry]
    values: str
    low: float = -1.0
    high: float = 1.0
    title: Label = ""
    help: Label = ""
    export_name: str = ""


class TreeEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """index: of the tree in the model, for ``GET .../tree/{index}``. owner: party of a tree that
    is another's whole."""

    index: int
    round: int
    size: int
    depth: int
    label: str = ""
    owner: str = ""


class Forest(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="forest", tag_field="kind"
):
    """labels: of a tree per class. parties: all that own splits, ours first."""

    id: str
    trees: list[TreeEntry]
    labels: list[str] = []
    parties: list[str] = []
    title: Label = ""
    help: Label = ""


class TreeNode(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """owner: "guest:9999", "" where nobody is named. feature, condition: of our own split.
    weights: of a leaf. children: of a box that stands for another party's splits, of which only
    the leaves are known here; it has neither left nor right."""

    id: int
    owner: str
    left: int = -1
    right: int = -1
    leaf: bool = False
    mine: bool = False
    feature: str = ""
    condition: str = ""
    weights: list[float | None] = []
    count: int | None = None
    text: Label = ""
    children: list[int] = []


class Tree(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One tree, its root first."""

    index: int
    nodes: list[TreeNode]
    notices: list[Notice] = []


class Choice(msgspec.Struct, kw_only=True, omit_defaults=True, tag="choice", tag_field="kind"):
    """A select and what it leads to. Built with ``of``, which is called only for the option that
    is shown; the browser asks for others by the view's ``path``."""

    id: str
    label: Label
    options: list[Option]
    selected: str = ""
    blocks: list[Block] = []
    title: Label = ""


class Option(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    id: str
    label: Label
    group: str = ""


class Tab(msgspec.Struct, kw_only=True, omit_defaults=True):
    id: str
    label: Label
    blocks: list[Block]


class Tabs(msgspec.Struct, kw_only=True, omit_defaults=True, tag="tabs", tag_field="kind"):
    id: str
    items: list[Tab]
    title: Label = ""


class Paragraph(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="text", tag_field="kind"
):
    id: str
    text: Label
    level: Level = "info"
    title: Label = ""


class Raw(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag="json", tag_field="kind"
):
    """Whatever has no better picture, folded."""

    id: str
    content: str
    title: Label = ""


Block = (
    KeyValues
    | Table
    | ByAxis
    | Confusion
    | Curve
    | Combo
    | HeatMap
    | Forest
    | Choice
    | Tabs
    | Paragraph
    | Raw
)


class View(msgspec.Struct, kw_only=True):
    """The page of one component of one party."""

    component: str
    module: str
    role: str
    party_id: str
    blocks: list[Block]
    notices: list[Notice] = []


Path = dict[str, str]
"""Which option each choice of a view shows: {choice id: option id}."""


class EveryOption(dict[str, str]):
    """A path by which choices show all their options, as tabs: what a report holds.

    left: so many options may still be built, over all choices. left_out: some were not.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.left, self.left_out = limit, False

    def take(self, options: list[Option]) -> list[Option]:
        taken = options[: self.left]
        self.left -= len(taken)
        self.left_out |= len(taken) < len(options)
        return taken


def choice(
    id: str,
    label: Label,
    options: list[Option],
    of: Callable[[str], list[Block]],
    path: Path,
    *,
    selected: str = "",
    title: Label = "",
) -> Choice | Tabs:
    """A choice showing what ``path`` says, else ``selected``, else its first option."""
    if isinstance(path, EveryOption):
        taken = path.take(options)
        items = [Tab(id=o.id, label=o.label, blocks=of(o.id)) for o in taken]
        return Tabs(id=id, items=items, title=label)
    known = [option.id for option in options]
    shown = path.get(id, selected)
    if shown not in known:
        shown = known[0] if known else ""
    blocks = of(shown) if shown else []
    return Choice(id=id, label=label, options=options, selected=shown, blocks=blocks, title=title)
