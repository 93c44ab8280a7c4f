"""Components that change columns, labels and weights."""

from __future__ import annotations

from typing import Any

from fateboard.blocks import (
    Block,
    Column,
    Item,
    KeyValues,
    Option,
    Paragraph,
    Path,
    Text,
    choice,
    msg,
)
from fateboard.views.cells import item, mapping, names, natural, sequence, tabulate, text
from fateboard.views.context import Context, Need, Page

_VARIABLE = Column(id="variable", label=msg("data.variable"), frozen=True)
_RATIO = Column(id="ratio", label=msg("data.missing_ratio"), format="percent")
_DATA: frozenset[Need] = frozenset({"model", "data"})


def data_transform(context: Context, _path: Path) -> list[Block]:
    """What was imputed and replaced, else that nothing was; columns and counts in any case."""
    if not context.model:
        return []
    header = names(context.model.get("header"))
    blocks = [_described(context, header)]
    imputer = _replaced(context, header, "imputer", "missing")
    outlier = _replaced(context, header, "outlier", "outlier")
    blocks += imputer + outlier
    if not imputer and not outlier:
        blocks.append(Paragraph(id="nothing", text=msg("data.nothing_replaced")))
    anonymous = names(context.model.get("anonymousHeader"))
    if header:
        anonymous += [""] * (len(header) - len(anonymous))
        columns = [_VARIABLE, Column(id="anonym", label=msg("data.anonym"))]
        rows = list(zip(header, anonymous, strict=False))
        blocks.append(
            tabulate("header", columns, rows, title=msg("data.columns"), export_name="header")
        )
    return blocks


def _described(context: Context, header: list[str]) -> Block:
    items: list[Item] = []
    if context.data:
        items.append(item(msg("data.rows"), context.data[0].total, "integer"))
    items.append(item(msg("data.n_columns"), len(header), "integer"))
    label = text(context.model.get("labelName"))
    no_label = Item(label=msg("data.label"), value=msg("data.no_label"))
    items.append(item(msg("data.label"), label) if label else no_label)
    if text(context.meta.get("labelType")):
        items.append(item(msg("data.label_type"), text(context.meta["labelType"])))
    if text(context.model.get("sidName")):
        items.append(item(msg("data.match_id"), text(context.model["sidName"])))
    for key, said in _FORMATS.items():
        if text(context.meta.get(key)):
            items.append(item(said, text(context.meta[key])))
    return KeyValues(id="data", items=items, export_name="data_info")


_FORMATS = {
    "inputFormat": msg("data.input_format"),
    "outputFormat": msg("data.output_format"),
    "dataType": msg("data.data_type"),
}


def _replaced(context: Context, header: list[str], part: str, kind: str) -> list[Block]:
    """Shares and replacements of missing values, or of outliers. Models of FATE spell the counts
    ``missingValueRatio`` and ``outlierValueRatio``."""
    meta = mapping(context.meta.get(f"{part}Meta"))
    if meta.get("isImputer" if part == "imputer" else "isOutlier") is not True:
        return []
    told = mapping(context.model.get(f"{part}Param"))
    ratios = mapping(told.get(f"{kind}ValueRatio"))
    values = mapping(told.get(f"{kind}ReplaceValue"))
    columns = [_VARIABLE, _RATIO, Column(id="value", label=msg("data.fill_value"))]
    if part == "outlier":
        columns[1] = Column(id="ratio", label=msg("data.outlier_ratio"), format="percent")
    known = header or sorted({*map(text, ratios), *map(text, values)}, key=natural)
    rows = [[name, ratios.get(name), values.get(name)] for name in known]
    if part == "imputer":
        title, export = msg("data.missing_fill"), "missing_fill_detail"
    else:
        title, export = msg("data.outlier_replace"), "outlier_replace_detail"
    about = KeyValues(id=f"{part}_how", title=title, items=_how(meta, kind))
    return [about, tabulate(part, columns, rows, export_name=export)]


def _how(meta: dict[str, Any], kind: str) -> list[Item]:
    """The strategy of all columns, where there is one, and what counts as missing or outlier."""
    strategy = text(meta.get("strategy"))
    items = [item(msg("data.strategy"), strategy)] if strategy else []
    return [*items, item(msg("data.counted_as"), _listed(meta.get(f"{kind}Value")))]


def _listed(value: Any) -> str:
    """The values that count as missing, one after the other; empty texts can be seen."""
    return ", ".join(text(entry) or '""' for entry in sequence(value))


def imputation(context: Context, _path: Path) -> list[Block]:
    told = mapping(context.model.get("imputerParam"))
    ratios, modes = mapping(told.get("missingValueRatio")), mapping(told.get("colsReplaceMethod"))
    values = mapping(told.get("missingReplaceValue"))
    header = names(context.model.get("header"))
    header = header or sorted({*map(text, ratios), *map(text, modes)}, key=natural)
    if not header:
        return []
    meta = mapping(context.meta.get("imputerMeta"))
    items = _how(meta, "missing")
    columns = [
        _VARIABLE,
        _RATIO,
        Column(id="mode", label=msg("data.impute_mode")),
        Column(id="value", label=msg("data.imputed_value")),
    ]
    rows = [[name, ratios.get(name), _mode(modes.get(name)), values.get(name)] for name in header]
    return [
        KeyValues(id="how", items=items),
        tabulate("imputed", columns, rows, title=msg("data.columns"), export_name="impute_detail"),
    ]


def _mode(value: Any) -> str | None:
    """The model says "None" of a column that nothing was done to."""
    return None if value in (None, "None") else text(value)


def scale(context: Context, _path: Path) -> list[Block]:
    told = [metric.meta.get("method") for metric in context.of_type("SCALE")]
    method = text(next(iter(told), None) or context.meta.get("method"))
    blocks: list[Block] = []
    if method:
        items = [item(msg("data.method"), method)]
        for key, said in (("mode", msg("data.scale_mode")), ("area", msg("data.scale_area"))):
            if text(context.meta.get(key)) not in ("", "null"):
                items.append(item(said, text(context.meta[key])))
        blocks.append(KeyValues(id="how", items=items))
    scaled = mapping(context.model.get("colScaleParam"))
    if not scaled:
        return blocks
    header = [name for name in names(context.model.get("header")) if name in scaled]
    columns = [
        _VARIABLE,
        Column(id="lower", label=msg("data.column_lower"), format="number"),
        Column(id="upper", label=msg("data.column_upper"), format="number"),
        Column(id="mean", label=msg("data.mean"), format="number"),
        Column(id="std", label=msg("data.std"), format="number"),
    ]
    rows = []
    for name in header or sorted(scaled, key=natural):
        of = mapping(scaled[name])
        keys = ("columnLower", "columnUpper", "mean", "std")
        rows.append([text(name), *(of.get(key) for key in keys)])
    title = msg("data.columns")
    return [*blocks, tabulate("scaled", columns, rows, title=title, export_name="scale_detail")]


def one_hot(context: Context, path: Path) -> list[Block]:
    """How many columns each variable became, and which value leads to which."""
    encoded = {text(name): mapping(of) for name, of in mapping(context.model.get("colMap")).items()}
    if not encoded:
        if context.role == "arbiter" or not context.model:
            return []
        return [Paragraph(id="nothing", text=msg("data.nothing_encoded"))]
    known = [name for name in names(context.meta.get("transformColNames")) if name in encoded]
    known += sorted(set(encoded) - set(known), key=natural)
    items = [
        item(msg("data.columns_before"), len(sequence(context.meta.get("header"))), "integer"),
        item(
            msg("data.columns_after"), len(sequence(context.model.get("resultHeader"))), "integer"
        ),
        item(msg("data.columns_encoded"), len(known), "integer"),
    ]

    def shown(name: str) -> list[Block]:
        values = sequence(encoded[name].get("values"))
        new = sequence(encoded[name].get("transformedHeaders"))
        columns = [
            Column(id="value", label=msg("data.value")),
            Column(id="encoded", label=msg("data.encoded_vector")),
        ]
        rows = [
            [text(values[i]) if i < len(values) else None, text(new[i]) if i < len(new) else None]
            for i in range(max(len(values), len(new)))
        ]
        return [tabulate("encoding", columns, rows, export_name="encode_detail")]

    options = [Option(id=name, label=name) for name in known]
    return [
        KeyValues(id="counts", items=items),
        choice("variable", msg("data.variable"), options, shown, path),
    ]


def label_transform(context: Context, _path: Path) -> list[Block]:
    logged = [mapping(m.meta.get("label_encoder")) for m in context.of_type("LABEL_TRANSFORM")]
    encoder = next(filter(None, logged), mapping(context.model.get("labelEncoder")))
    if not encoder:
        return _at_guest(context, msg("data.labels_at_guest"))
    columns = [
        Column(id="old", label=msg("data.original_label")),
        Column(id="new", label=msg("data.transformed_label")),
    ]
    rows = [[text(old), text(encoder[old])] for old in sorted(encoder, key=natural)]
    return [tabulate("labels", columns, rows, export_name="transform_detail")]


def sample_weight(context: Context, _path: Path) -> list[Block]:
    logged = [metric.meta for metric in context.of_type("SAMPLE_WEIGHT")]
    told = logged[0] if logged else {}
    mode = text(told.get("weight_mode") or context.model.get("weightMode"))
    weights = mapping(told.get("class_weight")) or mapping(context.model.get("classWeight"))
    if not mode and not weights:
        return _at_guest(context, msg("data.weights_at_guest"))
    column = text(told.get("sample_weight_name") or context.meta.get("sampleWeightName"))
    items = [item(msg("data.weight_mode"), mode)]
    if column:
        items.append(item(msg("data.weight_column"), column))
    if isinstance(context.meta.get("normalize"), bool):
        items.append(item(msg("data.normalised"), context.meta["normalize"], "yes_no"))
    blocks: list[Block] = [KeyValues(id="how", items=items)]
    if weights:
        columns = [
            Column(id="label", label=msg("data.label")),
            Column(id="weight", label=msg("data.weight"), format="number"),
        ]
        order = [name for name in names(told.get("classes")) if name in weights]
        order += sorted(set(weights) - set(order), key=natural)
        rows = [[text(label), weights[label]] for label in order]
        blocks.append(tabulate("weights", columns, rows, export_name="sample_weight"))
    return blocks


def _at_guest(context: Context, why: Text) -> list[Block]:
    """A host's page of a component that does its work at the guest."""
    return [Paragraph(id="at_guest", text=why)] if context.role == "host" else []


def column_expand(context: Context, _path: Path) -> list[Block]:
    added = names(context.meta.get("appendHeader"))
    if not added:
        return []
    filled = sequence(context.meta.get("fillValue"))
    items = [
        item(msg("data.method"), text(context.meta.get("method"))),
        item(msg("data.columns_added"), len(added), "integer"),
    ]
    columns = [_VARIABLE, Column(id="value", label=msg("data.fill_value"))]
    rows = [[name, text(filled[i]) if i < len(filled) else None] for i, name in enumerate(added)]
    return [
        KeyValues(id="how", items=items),
        tabulate("added", columns, rows, title=msg("data.columns_new"), export_name="added"),
    ]


PAGES: dict[str, Page] = {
    "DataTransform": Page(builders=[data_transform], needs=_DATA),
    "DataIO": Page(builders=[data_transform], needs=_DATA),
    "FeatureImputation": Page(builders=[imputation]),
    "FeatureScale": Page(builders=[scale], metrics=frozenset({"SCALE"})),
    "OneHotEncoder": Page(builders=[one_hot]),
    "HomoOneHotEncoder": Page(builders=[one_hot]),
    "LabelTransform": Page(builders=[label_transform], metrics=frozenset({"LABEL_TRANSFORM"})),
    "SampleWeight": Page(builders=[sample_weight], metrics=frozenset({"SAMPLE_WEIGHT"})),
    "ColumnExpand": Page(builders=[column_expand]),
}
