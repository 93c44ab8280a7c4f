"""What the board shows of data components, from models and metrics as fateflow answers them."""

from __future__ import annotations

import base64
import json
import math
import re
import struct
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fateboard
from fateboard import views
from fateboard.blocks import (
    Block,
    Choice,
    Combo,
    EveryOption,
    Flag,
    HeatMap,
    KeyValues,
    Paragraph,
    Range,
    Table,
    Tabs,
    Text,
    msg,
)
from fateboard.views import cells
from fateboard.views.cells import TOTAL

MODULES = (
    "Reader", "Upload", "Download", "Writer", "DataTransform", "DataIO", "FeatureImputation",
    "FeatureScale", "OneHotEncoder", "HomoOneHotEncoder", "LabelTransform", "SampleWeight",
    "Union", "FederatedSample", "HeteroDataSplit", "HomoDataSplit", "ColumnExpand",
    "DataStatistics", "HeteroPearson", "PSI", "HeteroFeatureBinning", "HomoFeatureBinning",
    "HeteroFeatureSelection", "Intersection", "SecureInformationRetrieval", "FeldmanVerifiableSum",
)  # fmt: skip


def shown(
    module: str,
    model: Any = None,
    meta: Any = None,
    metrics: Any = None,
    *,
    role: str = "guest",
    path: dict[str, str] | None = None,
    **more: Any,
) -> list[Block]:
    """The blocks of a page, which is drawn without a notice of failure."""
    context = views.read(
        component="c_0",
        module=module,
        role=role,
        party_id="9999" if role == "guest" else "10000",
        model=model,
        model_meta={"meta_data": meta, "module_name": module},
        metrics=metrics,
        **more,
    )
    view = views.build(context, path if path is not None else {})
    assert [n for n in view.notices if n.text.code == "view.metric_failed"] == []
    return view.blocks


def metric(kind: str, data: Any = (), **meta: Any) -> dict[str, Any]:
    return {"data": list(data), "meta": {"metric_type": kind, "name": "m", **meta}}


def code(label: Any) -> Any:
    return label.code if isinstance(label, Text) else label


def lines(block: Block) -> dict[Any, Any]:
    assert isinstance(block, KeyValues)
    return {code(item.label): code(item.value) for item in block.items}


def table(blocks: list[Block], id: str) -> Table:
    return next(b for b in blocks if isinstance(b, Table) and b.id == id)


def chosen(blocks: list[Block], id: str) -> Choice:
    return next(b for b in blocks if isinstance(b, Choice) and b.id == id)


def heads(of: Table) -> list[Any]:
    return [code(column.label) for column in of.columns]


# cells


@pytest.mark.parametrize(
    ("value", "format", "want"),
    [
        ("57", "integer", (57, None)),
        ("9223372036854775807", "integer", (9223372036854775807.0, None)),
        ("NaN", "number", (None, "nan")),
        ("-Infinity", "number", (None, "minus_infinite")),
        (math.inf, "number", (None, "infinite")),
        (10**400, "number", (None, "infinite")),
        ("NaN", "text", ("NaN", None)),
        ("57", "text", ("57", None)),
        ("abc", "number", ("abc", None)),
        (True, "yes_no", (True, None)),
        ({"a": 1}, "text", ('{"a": 1}', None)),
        ("\ud800", "text", ("?", None)),
        (None, "number", (None, None)),
    ],
)
def test_a_cell(value: Any, format: Any, want: tuple[Any, Any]) -> None:
    assert cells.cell(value, format) == want


def test_names_sort_by_their_numbers() -> None:
    assert sorted(["x10", "x2", "x", "a3b"], key=cells.natural) == ["a3b", "x", "x2", "x10"]


# inputs


def test_reader() -> None:
    info = {
        "table_name": "t", "namespace": "e", "count": 569, "partitions": 16,
        "storage_engine": "STANDALONE", "anonymous_info": {"x2": "guest_9999_x1"},
        "attribute_info": {}, "table_info": {"x10": "1,2", "x2": "<b>"},
    }  # fmt: skip
    metrics = {"reader_namespace": {"reader_name": metric("data_info", **info)}}
    blocks = shown("Reader", metrics=metrics)
    assert lines(blocks[0]) == {
        "data.namespace": "e",
        "data.table_name": "t",
        "data.rows": 569,
        "data.partitions": 16,
        "data.storage": "STANDALONE",
    }
    of = table(blocks, "columns")
    assert heads(of) == ["data.variable", "data.anonym", "data.samples"]
    assert of.rows == [["x2", "guest_9999_x1", "<b>"], ["x10", "", "1,2"]]


@pytest.mark.parametrize(
    ("module", "kind"), [("Upload", "UPLOAD"), ("Download", "DOWNLOAD"), ("Writer", "WRITER")]
)
def test_data_access(module: str, kind: str) -> None:
    access = metric(kind, [["count", 1000]], table_name="t", namespace="e")
    (block,) = shown(module, metrics={"upload": {"data_access": access}})
    assert lines(block) == {"data.rows": 1000, "data.table_name": "t", "data.namespace": "e"}


def test_writer_of_fate_has_no_meta() -> None:
    (block,) = shown("Writer", metrics={"writer": {"writer": {"data": [["count", 5]], "meta": {}}}})
    assert lines(block) == {"data.rows": 5}


def test_intersection() -> None:
    points = [["input_match_id_count", 8], ["intersect_count", 6], ["intersect_rate", 0.75]]
    of = metric("INTERSECTION", points, intersect_method="rsa", join_method="left_join")
    cache = metric("INTERSECTION", hash_method="sha256")
    blocks = shown(
        "Intersection",
        metrics={"train": {"intersection": of, "intersection_cache_meta": cache}},
    )
    assert lines(blocks[0]) == {
        "data.ids_before": 8,
        "data.ids_common": 6,
        "data.ids_common_share": 0.75,
        "data.intersect_method": "rsa",
        "data.join_method": "data.left_join_name",
    }
    assert isinstance(blocks[0], KeyValues)
    assert [item.format for item in blocks[0].items][:3] == ["integer", "integer", "percent"]
    assert isinstance(blocks[1], Paragraph)
    assert blocks[1].text == Text("data.left_join")
    assert lines(blocks[2]) == {"hash_method": "sha256"}


def test_intersection_of_a_party_that_is_not_told() -> None:
    of = metric("INTERSECTION", [["input_match_id_count", 8]], intersect_method="dh")
    blocks = shown("Intersection", metrics={"train": {"intersection": of}}, role="host")
    assert isinstance(blocks[1], Paragraph)
    assert blocks[1].text == Text("data.intersect_untold")


def test_retrieval() -> None:
    of = metric("INTERSECTION", [["Coverage", 0.5], ["Block number", 64]])
    blocks = shown("SecureInformationRetrieval", metrics={"train": {"sir": of}})
    assert lines(blocks[0]) == {"data.coverage": 0.5, "data.block_number": 64}


def test_verifiable_sum() -> None:
    blocks = shown("FeldmanVerifiableSum", summary={"parties": 3, "rows": 100})
    assert lines(blocks[0]) == {"data.parties": 3, "data.rows": 100}


# transforms

TRANSFORM = {
    "header": ["x0", "x1"],
    "anonymousHeader": ["guest_9999_x0", "guest_9999_x1"],
    "labelName": "y",
    "imputerParam": {"missingReplaceValue": {"x0": "3"}, "missingValueRatio": {"x0": 0.25}},
    "outlierParam": {"outlierReplaceValue": {}, "outlierValueRatio": {}},
}


def test_data_transform_explains_that_nothing_was_replaced() -> None:
    blocks = shown(
        "DataTransform",
        TRANSFORM,
        {"imputerMeta": {"isImputer": False}, "inputFormat": "dense", "labelType": "int"},
        output=[[["1", 0, 2.5, 3.5]]],
        output_meta={"header": [["id", "y", "x0", "x1"]], "names": ["data"], "total": [569]},
    )
    assert lines(blocks[0]) == {
        "data.rows": 569,
        "data.n_columns": 2,
        "data.label": "y",
        "data.label_type": "int",
        "data.input_format": "dense",
    }
    assert isinstance(blocks[1], Paragraph)
    assert blocks[1].text == Text("data.nothing_replaced")
    assert table(blocks, "header").rows == [["x0", "guest_9999_x0"], ["x1", "guest_9999_x1"]]


def test_data_transform_with_imputation() -> None:
    meta = {"imputerMeta": {"isImputer": True, "strategy": "mean", "missingValue": ["", "NA"]}}
    blocks = shown("DataTransform", TRANSFORM, meta)
    assert lines(blocks[1]) == {"data.strategy": "mean", "data.counted_as": '"", NA'}
    of = table(blocks, "imputer")
    assert heads(of) == ["data.variable", "data.missing_ratio", "data.fill_value"]
    assert of.rows == [["x0", 0.25, "3"], ["x1", None, None]]
    assert of.export_name == "missing_fill_detail"
    assert not [b for b in blocks if isinstance(b, Paragraph)]


def test_imputation() -> None:
    model = {
        "header": ["a", "b"],
        "imputerParam": {
            "colsReplaceMethod": {"a": "min", "b": "None"},
            "missingReplaceValue": {"a": "1.0"},
            "missingValueRatio": {"a": 0.5, "b": 0.0},
        },
    }
    blocks = shown("FeatureImputation", model, {"imputerMeta": {"missingValue": ["0"]}})
    assert lines(blocks[0]) == {"data.counted_as": "0"}
    assert table(blocks, "imputed").rows == [["a", 0.5, "min", "1.0"], ["b", 0.0, None, None]]


def test_scale() -> None:
    one = {"columnLower": 0.0, "columnUpper": "Infinity", "mean": 1.5, "std": 2.0}
    blocks = shown(
        "FeatureScale",
        {"header": ["b", "a"], "colScaleParam": {"a": one, "b": one}},
        {"mode": "", "area": "null"},
        {"train": {"scale": metric("SCALE", method="min_max_scale")}},
    )
    assert lines(blocks[0]) == {"data.method": "min_max_scale"}
    of = table(blocks, "scaled")
    assert of.rows == [["b", 0.0, None, 1.5, 2.0], ["a", 0.0, None, 1.5, 2.0]]
    assert of.flags == [Flag(row=i, column=2, flag="infinite") for i in (0, 1)]


@pytest.mark.parametrize("module", ["OneHotEncoder", "HomoOneHotEncoder"])
def test_one_hot(module: str) -> None:
    model = {
        "colMap": {
            "x2": {"values": ["C", "D"], "transformedHeaders": ["x2_C", "x2_D"]},
            "x1": {"values": ["0"], "transformedHeaders": ["x1_0"]},
        },
        "resultHeader": ["x0", "x1_0", "x2_C", "x2_D"],
    }
    meta = {"header": ["x0", "x1", "x2"], "transformColNames": ["x1", "x2"]}
    blocks = shown(module, model, meta, path={"variable": "x2"})
    assert lines(blocks[0]) == {
        "data.columns_before": 3,
        "data.columns_after": 4,
        "data.columns_encoded": 2,
    }
    choice = chosen(blocks, "variable")
    assert [option.id for option in choice.options] == ["x1", "x2"]
    assert choice.selected == "x2"
    assert table(choice.blocks, "encoding").rows == [["C", "x2_C"], ["D", "x2_D"]]


def test_label_transform() -> None:
    logged = {"train": {"label_transform": metric("LABEL_TRANSFORM", label_encoder={"0": 1})}}
    assert table(shown("LabelTransform", metrics=logged), "labels").rows == [["0", "1"]]
    model = {"labelEncoder": {"a": "0", "b": "1"}}
    assert table(shown("LabelTransform", model), "labels").rows == [["a", "0"], ["b", "1"]]
    (block,) = shown("LabelTransform", role="host")
    assert isinstance(block, Paragraph)
    assert block.text == Text("data.labels_at_guest")


def test_sample_weight() -> None:
    told = {"weight_mode": "class weight", "class_weight": {"1": 2.0, "0": 1}, "classes": [0, 1]}
    blocks = shown("SampleWeight", metrics={"train": {"w": metric("SAMPLE_WEIGHT", **told)}})
    assert lines(blocks[0]) == {"data.weight_mode": "class weight"}
    assert table(blocks, "weights").rows == [["0", 1], ["1", 2.0]]


def test_column_expand() -> None:
    meta = {"appendHeader": ["x_0", "x_1"], "fillValue": ["0", "0.2"], "method": "manual"}
    blocks = shown("ColumnExpand", {"header": ["y"]}, meta)
    assert table(blocks, "added").rows == [["x_0", "0"], ["x_1", "0.2"]]


# samples and splits


def test_union_total_stays_last() -> None:
    data = [["Total", 3], ["a.data.0", 1], ["b.data.0", 2]]
    (of,) = shown("Union", metrics={"train": {"union": metric("UNION", data)}})
    assert isinstance(of, Table)
    assert (of.rows, of.footer) == ([["a.data.0", 1], ["b.data.0", 2]], [[TOTAL, 3]])


def test_stratified_sample() -> None:
    metrics = {
        "original_count": {"stratified": metric("SAMPLE_TABLE", [[0, 200], [1, 300]])},
        "sample_count": {"stratified": metric("SAMPLE_TABLE", [[0, 100], [1, 30]])},
    }
    (of,) = shown("FederatedSample", metrics=metrics)
    assert isinstance(of, Table)
    assert of.rows == [["0", 200, 100, 0.5], ["1", 300, 30, 0.1]]
    assert of.footer == [[TOTAL, 500, 130, 0.26]]
    assert of.facets == ["label"]


def test_random_sample() -> None:
    metrics = {"sample_count": {"random": metric("SAMPLE_TEXT", [["count", 512]])}}
    (block,) = shown("FederatedSample", metrics=metrics)
    assert lines(block) == {"data.method": "random", "data.rows_taken": 512}


SPLIT: dict[str, Any] = {
    "data_split_count_info": {"original": 10, "train": 6, "validate": 3, "test": 1},
    "data_split_ratio_info": {"train": 0.6, "validate": 0.3, "test": 0.1},
}


def test_split() -> None:
    of = metric("DATA_SPLIT", [["data_split", 0]], stratified=False, **SPLIT)
    (parts,) = shown("HeteroDataSplit", metrics={"train": {"data_split": of}})
    assert isinstance(parts, Table)
    assert parts.rows == [
        [msg("data.part_train"), 6, 0.6],
        [msg("data.part_validate"), 3, 0.3],
        [msg("data.part_test"), 1, 0.1],
    ]
    assert parts.footer == [[TOTAL, 10, 1.0]]


def test_split_by_label_and_by_interval() -> None:
    counts = {part: {"0": 1, "1": 2, "2": 3} for part in ("original", "train", "validate", "test")}
    by_label = counts | {"label_names": [0, 1, 2], "continuous_label": False}
    of = metric("DATA_SPLIT", stratified=True, data_split_label_info=by_label, **SPLIT)
    layers = shown("HomoDataSplit", metrics={"train": {"data_split": of}})[0]
    assert isinstance(layers, Table)
    assert layers.rows == [["0", 1, 1, 1, 1], ["1", 2, 2, 2, 2], ["2", 3, 3, 3, 3]]
    assert layers.footer == [[TOTAL, 10, 6, 3, 1]]
    by_value = counts | {"split_points": [0.5, 1.5], "continuous_label": True}
    of = metric("DATA_SPLIT", stratified=True, data_split_label_info=by_value, **SPLIT)
    layers = shown("HomoDataSplit", metrics={"train": {"data_split": of}})[0]
    assert isinstance(layers, Table)
    assert [row[0] for row in layers.rows] == ["(-inf, 0.5]", "(0.5, 1.5]", "(1.5, +inf)"]


# statistics and PSI


def test_statistics() -> None:
    results = [
        {"valueName": "mean", "colNames": ["x0", "x1"], "values": [0.5, "NaN"]},
        {"valueName": "missing_count", "colNames": ["x1", "x0"], "values": [7, 0]},
    ]
    (of,) = shown(
        "DataStatistics",
        {"selfValues": {"results": results}},
        {"statistics": ["missing_count", "mean"], "staticColumns": ["x1", "x0"]},
    )
    assert isinstance(of, Table)
    assert heads(of) == ["data.variable", "missing_count", "mean"]
    assert of.rows == [["x1", 7, None], ["x0", 0, 0.5]]
    assert of.flags == [Flag(row=0, column=2, flag="nan")]


PSI = {
    "featurePsi": [
        {
            "featureName": "x0",
            "interval": ["x0<=-1.1", "-1.1<x0<=2", "2<x0", "missing"],
            "expectPerc": [0.1, 0.2, 0.7, 0.0],
            "actualPerc": [0.2, 0.1, 0.7, 0.0],
            "psi": [0.01, 0.02, 0.0, 0.0],
        }
    ],
    "totalScore": {"x0": 0.03},
}


def test_psi() -> None:
    blocks = shown("PSI", PSI)
    assert table(blocks, "psi").rows == [["x0", 0.03]]
    chart, bins = chosen(blocks, "variable").blocks
    assert isinstance(chart, Combo)
    assert isinstance(bins, Table)
    assert chart.categories == ["(-inf, -1.1]", "(-1.1, 2]", "(2, +inf)", "missing"]
    assert [s.values for s in chart.series][2] == [0.01, 0.02, 0.0, 0.0]
    assert bins.rows[1] == ["(-1.1, 2]", 0.2, 0.1, 0.02]
    assert bins.export_name == "psi_detail"


# correlation


def decoded(of: HeatMap) -> list[list[float | None]]:
    raw = base64.b64decode(of.values)
    flat = struct.unpack(f"<{len(raw) // 4}f", raw)
    width = len(of.columns)
    rows = [flat[i * width : (i + 1) * width] for i in range(len(of.rows))]
    return [[None if math.isnan(v) else round(v, 5) for v in row] for row in rows]


PEARSON = {
    "names": ["a", "b"],
    "party": "(guest,9999)",
    "parties": ["(guest,9999)", "(host,1)", "(host,2)"],
    "shapes": [2, 1, 2],
    "allNames": [{"names": ["a", "b"]}, {"names": ["h1"]}, {"names": ["h2", "h3"]}],
    "localCorr": [1.0, 0.5, 0.5, 1.0],
    "corr": [0.1, 0.2, None, 0.4, 0.5, "NaN"],
    "localVif": [1.25, None],
    "anonymousMap": [{"name": "a", "anonymous": "guest_9999_x0"}],
}


def test_correlation_with_several_hosts() -> None:
    blocks = shown("HeteroPearson", PEARSON)
    of = table(blocks, "variables")
    assert heads(of) == ["data.variable", "data.anonym", "VIF"]
    assert of.rows == [["a", "guest_9999_x0", 1.25], ["b", None, None]]
    heat = blocks[0]
    assert isinstance(heat, HeatMap)
    assert [(e.label, e.party) for e in heat.rows] == [
        ("a", "guest 9999"), ("b", "guest 9999"), ("h1", "host 1"), ("h2", "host 2"),
        ("h3", "host 2"),
    ]  # fmt: skip
    assert decoded(heat) == [
        [1.0, 0.5, 0.1, 0.2, None],
        [0.5, 1.0, 0.4, 0.5, None],
        [0.1, 0.4, None, None, None],
        [0.2, 0.5, None, None, None],
        [None, None, None, None, None],
    ]


def test_correlation_at_a_host_is_turned_round() -> None:
    model = {
        "names": ["age"],
        "party": "(host,10000)",
        "parties": ["(guest,9999)", "(host,10000)"],
        "shapes": [2, 1],
        "allNames": [{"names": ["guest_9999_x0", "guest_9999_x1"]}, {"names": ["age"]}],
        "localCorr": [1.0],
        "corr": [0.25, -0.75],
    }
    for spelled in (model, {k: v for k, v in model.items() if not k.startswith("part")}):
        heat = shown("HeteroPearson", spelled, role="host")[0]
        assert isinstance(heat, HeatMap)
        assert [e.label for e in heat.columns] == ["age", "guest_9999_x0", "guest_9999_x1"]
        assert decoded(heat)[0] == [1.0, 0.25, -0.75]
        assert decoded(heat)[2] == [-0.75, None, None]


def test_correlations_that_do_not_fit_their_columns_are_not_shown() -> None:
    blocks = shown("HeteroPearson", PEARSON | {"corr": [0.1]})
    assert isinstance(blocks[0], Paragraph)
    assert blocks[0].text == Text("data.corr_broken")
    heat = blocks[1]
    assert isinstance(heat, HeatMap)
    assert {value for row in decoded(heat) for value in row} == {None}


def test_many_correlations_come_piece_by_piece() -> None:
    n = 600
    names = [f"x{i}" for i in range(n)]
    model = {"names": names, "allNames": [{"names": names}], "localCorr": [0.5] * n * n}
    path = {"rows": "guest: 501 - 600", "columns": "guest: 251 - 500"}
    blocks = shown("HeteroPearson", model, path=path)
    heat = chosen(chosen(blocks, "rows").blocks, "columns").blocks[0]
    assert isinstance(heat, HeatMap)
    assert (heat.rows[0].label, len(heat.rows)) == ("x500", 100)
    assert (heat.columns[0].label, len(heat.columns)) == ("x250", 250)


# binning


def column(n: int, *, points: list[float] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "binNums": str(n),
        "splitPoints": [] if points is None else points,
        "ivArray": [0.5] * n,
        "woeArray": [float(i) for i in range(n)],
        "eventCountArray": [str(10 + i) for i in range(n)],
        "nonEventCountArray": ["5"] * n,
        "eventRateArray": [0.25] * n,
        "nonEventRateArray": [0.2] * n,
        "iv": 0.5 * n,
        "isWoeMonotonic": True,
        "binAnonymous": [f"bin_{i}" for i in range(n)],
        **more,
    }


def result(of: dict[str, Any], role: str = "guest", party: str = "9999") -> dict[str, Any]:
    return {"binningResult": of, "role": role, "partyId": party}


BINNING = {
    "header": ["x0", "x1"],
    "headerAnonymous": ["guest_9999_x0", "guest_9999_x1"],
    "binningResult": result(
        {"x0": column(3, points=[1.0, 2.5, 9.0]), "x1": column(3, points=[1.0, 2.0])}
    ),
    "hostResults": [
        result({"host_1_x0": column(2)}, "host", "1"),
        result({"host_2_x0": column(2)}, "host", "2"),
    ],
}


def test_binning_at_the_guest() -> None:
    party = chosen(shown("HeteroFeatureBinning", BINNING), "party")
    assert [option.label for option in party.options] == ["guest 9999", "host 1", "host 2"]
    summary = table(party.blocks, "summary")
    assert heads(summary) == ["data.variable", "data.bin_count", "IV", "data.monotonic"]
    assert summary.rows == [["x0", 3, 1.5, True], ["x1", 3, 1.5, True]]
    counts, woe, bins = chosen(party.blocks, "variable").blocks
    assert isinstance(counts, Combo)
    assert isinstance(woe, Combo)
    assert isinstance(bins, Table)
    assert counts.categories == ["<= 1", "(1, 2.5]", "> 2.5"]
    assert [s.values for s in counts.series][:2] == [[10, 11, 12], [5, 5, 5]]
    assert counts.series[2].values[0] == pytest.approx(10 / 15)
    assert woe.series[0].values == [0.0, 1.0, 2.0]
    assert [row[0] for row in bins.rows] == ["x0 <= 1", "1 < x0 <= 2.5", "x0 > 2.5"]
    assert bins.rows[0][1:] == [0.5, 0.0, 10, 0.25, 5, 0.2]
    assert bins.ranges == [Range(column="woe", min=0.0, max=2.0, step=0.001)]


def test_binning_names_the_bin_of_missing_values() -> None:
    path = {"variable": "x1"}
    party = chosen(shown("HeteroFeatureBinning", BINNING, path=path), "party")
    bins = table(chosen(party.blocks, "variable").blocks, "bins")
    assert [row[0] for row in bins.rows] == ["x1 <= 1", "x1 > 1", "missing_value"]


def test_bins_of_a_host_have_numbers_only() -> None:
    path = {"party": "1_host 1"}
    party = chosen(shown("HeteroFeatureBinning", BINNING, path=path), "party")
    variable = chosen(party.blocks, "variable")
    assert variable.selected == "host_1_x0"
    assert [row[0] for row in table(variable.blocks, "bins").rows] == ["bin_0", "bin_1"]


def test_binning_at_a_host_has_no_iv() -> None:
    own = {"x0": {"binNums": "2", "splitPoints": [1.0, 2.0], "binAnonymous": ["bin_0", "bin_1"]}}
    model = {
        "header": ["x0"],
        "headerAnonymous": ["host_10000_x0"],
        "binningResult": {"binningResult": own, "partyId": "", "role": ""},
    }
    blocks = shown("HeteroFeatureBinning", model, role="host")
    assert isinstance(blocks[0], Paragraph)
    assert blocks[0].text == Text("data.iv_at_guest")
    summary = table(blocks, "summary")
    assert heads(summary) == ["data.variable", "data.anonym", "data.bin_count"]
    assert summary.rows == [["x0", "host_10000_x0", 2]]
    assert [type(block) for block in chosen(blocks, "variable").blocks] == [Table]


def test_binning_without_statistics_shows_empty_cells() -> None:
    own = {"x0": {"binNums": "3", "splitPoints": [1.0, 2.0]}}
    blocks = shown("HeteroFeatureBinning", {"binningResult": result(own)}, {"skipStatic": True})
    assert isinstance(blocks[0], Paragraph)
    assert blocks[0].text == Text("data.skip_static")
    assert table(blocks, "summary").rows == [["x0", 3, None, None]]
    bins = table(chosen(blocks, "variable").blocks, "bins")
    assert [row[0] for row in bins.rows] == ["x0 <= 1", "x0 > 1", "missing_value"]
    assert bins.rows[0][1:] == [None] * 6


def test_binning_of_several_classes() -> None:
    labels = ["2", "1", "0"]
    several = {
        "labels": labels,
        "results": [result({"x0": column(2, iv=float(i))}) for i in range(3)],
        "hostResults": [
            result({f"host_{party}_x0": column(2, iv=10.0 * party + i)}, "host", str(party))
            for party in (1, 2)
            for i in range(3)
        ],
        "hostPartyIds": ["1", "2"],
    }
    model = BINNING | {"multiClassResult": several}
    path = {"label": "1", "party": "2_host 2"}
    label = chosen(shown("HeteroFeatureBinning", model, path=path), "label")
    assert [option.id for option in label.options] == labels
    party = chosen(label.blocks, "party")
    assert party.selected == "2_host 2"
    assert table(party.blocks, "summary").rows == [["host_2_x0", 2, 21.0, True]]


def test_binning_of_a_later_run() -> None:
    later = {"transformBinningResult": result({"x0": column(2)}), "transformHostResults": []}
    (tabs,) = shown("HeteroFeatureBinning", BINNING | later)
    assert isinstance(tabs, Tabs)
    assert [tab.id for tab in tabs.items] == ["predict", "train"]
    summary = table(tabs.items[0].blocks, "summary")
    assert (summary.rows, summary.export_name) == (
        [["x0", 2, 1.0, True]],
        "predict_feature_summary",
    )


def test_homo_binning_has_bins_only() -> None:
    own = {"x0": {"binNums": "2", "splitPoints": [1.0, 2.0]}}
    blocks = shown("HomoFeatureBinning", {"binningResult": result(own), "header": ["x0"]})
    assert heads(table(blocks, "summary")) == ["data.variable", "data.bin_count"]
    assert [type(block) for block in chosen(blocks, "variable").blocks] == [Table]


# selection

SELECTION = {
    "header": ["x0", "x1", "x2"],
    "finalLeftCols": {"leftCols": {"x1": True}},
    "hostColNames": [
        {"partyId": "1", "colNames": ["h1_a", "h1_b"]},
        {"partyId": "2", "colNames": ["h2_a"]},
    ],
    "colNameToAnonymDict": {"x0": "guest_9999_x0"},
    "results": [
        {
            "filterName": "manually",
            "featureValues": {},
            "leftCols": {"originalCols": ["x0", "x1", "x2"], "leftCols": {"x1": True, "x2": True}},
        },
        {
            "filterName": "IV_filter",
            "featureValues": {"x1": 0.9, "x2": 0.01},
            "leftCols": {"originalCols": ["x1", "x2"], "leftCols": {"x1": True, "x2": False}},
            "hostFeatureValues": [{"featureValues": {"h2_a": 0.02}}],
            "hostLeftCols": [{"originalCols": ["h2_a"], "leftCols": {}}],
        },
    ],
}  # fmt: skip
FILTERS = {"filterMetas": [{}, {"metrics": "iv", "filterType": "threshold", "threshold": 0.1}]}


def test_selection_says_which_filter_removed_what() -> None:
    party = chosen(shown("HeteroFeatureSelection", SELECTION, FILTERS), "party")
    assert [option.label for option in party.options] == ["guest 9999", "host 1", "host 2"]
    assert lines(party.blocks[0]) == {"data.columns_before": 3, "data.columns_kept": 1}
    assert table(party.blocks, "filters").rows == [
        ["manually", 3, 1, 2, None, None, None],
        ["iv_filter", 2, 1, 1, "iv", "threshold", 0.1],
    ]
    chart = next(b for b in party.blocks if isinstance(b, Combo))
    assert [s.values for s in chart.series] == [[2, 1], [1, 1]]
    of = table(party.blocks, "selection")
    assert of.rows == [
        ["x0", False, "manually", None, None],
        ["x1", True, None, None, 0.9],
        ["x2", False, "iv_filter", None, 0.01],
    ]
    assert of.flags == [
        Flag(row=0, column=3, flag="removed"),
        Flag(row=2, column=4, flag="removed"),
    ]
    assert of.facets == ["kept", "removed_by"]


def test_selection_finds_hosts_by_their_columns() -> None:
    """A filter lists only the hosts that it is for."""
    for id, want in (
        ("1_host 1", [["h1_a", True, None, None, None], ["h1_b", True, None, None, None]]),
        ("2_host 2", [["h2_a", False, "iv_filter", None, 0.02]]),
    ):
        blocks = shown("HeteroFeatureSelection", SELECTION, FILTERS, path={"party": id})
        assert table(chosen(blocks, "party").blocks, "selection").rows == want


def test_selection_at_a_host_shows_anonymous_names() -> None:
    model = SELECTION | {"hostColNames": [{"partyId": "10000", "colNames": ["host_10000_x0"]}]}
    of = table(shown("HeteroFeatureSelection", model, FILTERS, role="host"), "selection")
    assert heads(of)[1] == "data.anonym"
    assert of.rows[0][:3] == ["x0", "guest_9999_x0", False]


# all of them

_TEXT = st.text(max_size=8) | st.sampled_from(["NaN", "=1+1", "<b>", "\ud800", "x0", "0"])
_LEAF = st.none() | st.booleans() | st.integers() | st.floats() | _TEXT
_ANY = st.recursive(
    _LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=12,
)
_GOOD = {
    "HeteroFeatureBinning": BINNING,
    "HeteroFeatureSelection": SELECTION,
    "HeteroPearson": PEARSON,
    "PSI": PSI,
    "DataTransform": TRANSFORM,
}
_KEYS = sorted({key for model in _GOOD.values() for key in model})


def spoiled(value: Any, draw: Any) -> Any:
    """The value with some of its members replaced by anything."""
    if draw(st.integers(0, 5)) == 0:
        return draw(_ANY)
    if isinstance(value, dict):
        return {key: spoiled(item, draw) for key, item in value.items()}
    if isinstance(value, list):
        return [spoiled(item, draw) for item in value]
    return value


@settings(max_examples=150, deadline=None)
@given(st.data(), st.sampled_from(MODULES), st.sampled_from(["guest", "host", "arbiter"]))
def test_whatever_comes_is_shown_and_can_be_encoded(data: Any, module: str, role: str) -> None:
    good = _GOOD.get(module) or data.draw(st.dictionaries(st.sampled_from(_KEYS), _ANY, max_size=4))
    kinds = ["INTERSECTION", "DATA_SPLIT", "SAMPLE_TABLE", "UNION", "SAMPLE_WEIGHT", "data_info"]
    meta = {"metric_type": data.draw(st.sampled_from(kinds))}
    meta |= {key: data.draw(_ANY) for key in ("data_split_label_info", "table_info", "classes")}
    context = views.read(
        component="c",
        module=module,
        role=role,
        party_id="1",
        model=spoiled(good, data.draw),
        model_meta={"meta_data": data.draw(_ANY)},
        metrics={"train": {"m": {"data": data.draw(_ANY), "meta": meta}}},
        summary=data.draw(_ANY),
    )
    for path in ({}, EveryOption(50)):
        view = views.build(context, path)
        json.loads(msgspec.json.encode(view))
        assert [n for n in view.notices if n.text.code == "view.metric_failed"] == []


@pytest.mark.parametrize(
    "module", ["HeteroFeatureBinning", "DataStatistics", "HeteroFeatureSelection"]
)
def test_two_thousand_columns_are_fast(module: str) -> None:
    names = [f"x{i}" for i in range(2_000)]
    kept = {"leftCols": dict.fromkeys(names, True), "originalCols": names}
    models: dict[str, Any] = {
        "HeteroFeatureBinning": {
            "header": names,
            "binningResult": result({name: column(10) for name in names}),
        },
        "DataStatistics": {
            "selfValues": {
                "results": [
                    {"valueName": f"s{i}", "colNames": names, "values": [0.5] * 2_000}
                    for i in range(12)
                ]
            }
        },
        "HeteroFeatureSelection": {
            "header": names,
            "finalLeftCols": kept,
            "results": [{"filterName": f"f{i}", "leftCols": kept} for i in range(8)],
        },
    }
    blocks = shown(module, models[module], {})
    encoded = msgspec.json.encode(blocks)
    assert len(encoded) < 2_000_000
    rows = next(b for b in blocks if isinstance(b, Table) and b.id != "filters").rows
    assert len(rows) == 2_000


def test_every_message_is_in_the_catalogue_in_both_languages() -> None:
    folder = Path(fateboard.__file__).parent
    catalogue = json.loads((folder / "static/messages/views_data.json").read_text())
    used = {
        found
        for path in [*(folder / "views").glob("*.py"), folder / "report.py"]
        for found in re.findall(r'"((?:data|report)\.[a-z_]+)"', path.read_text())
    }
    assert used == set(catalogue)
    for texts in catalogue.values():
        assert set(texts) == {"en", "zh-CN"}
        assert len({tuple(sorted(re.findall(r"\{\w+\}", text))) for text in texts.values()}) == 1
