"""Pages of components: whatever comes in, something can be drawn, and a page says what is wrong."""

from __future__ import annotations

import importlib.metadata
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fateboard import views
from fateboard.blocks import (
    Choice,
    Curve,
    EveryOption,
    KeyValues,
    Notice,
    Paragraph,
    Raw,
    Table,
    View,
    msg,
)

BOARD = Path(views.__file__).parents[1]
MODULES = (
    "Evaluation", "HeteroLR", "HomoLR", "HeteroLinR", "HeteroPoisson", "HeteroSSHELR",
    "HeteroSSHELinR", "LocalBaseline", "HeteroSecureBoost", "HomoSecureBoost",
    "HeteroFastSecureBoost", "HeteroNN", "HomoNN", "FTL", "HeteroKmeans", "Scorecard",
    "PositiveUnlabeled", "ModelLoader", "CacheLoader", "SecureAddExample", "Nobody's",
)  # fmt: skip
KINDS = (
    "LOSS", "init_iter", "EVALUATION_SUMMARY", "ROC_EVALUATION", "KS_EVALUATION",
    "LIFT_EVALUATION", "GAIN_EVALUATION", "ACCURACY_EVALUATION", "PRECISION_BINARY_EVALUATION",
    "RECALL_BINARY_EVALUATION", "PRECISION_MULTI_EVALUATION", "RECALL_MULTI_EVALUATION",
    "CONFUSION_MAT", "F1_SCORE", "QUANTILE_PR", "PSI", "ovr", "CLUSTERING_EVALUATION_SUMMARY",
    "CONTINGENCY_MATRIX", "DISTANCE_MEASURE", "DBI", "STEPWISE", "PU_MODEL", "cache_info",
    "UNKNOWN", "",
)  # fmt: skip
WORDS = (
    "trees", "tree", "id", "leftNodeid", "rightNodeid", "sitename", "isLeaf", "weight", "moWeight",
    "treeDim", "treePlan", "featureImportances", "importance", "oneVsRestResult", "needOneVsRest",
    "completedModels", "header", "clusterDetail", "cluster", "centroidDetail", "centroid", "Best",
    "thresholds", "tp", "p_scores", "intervals", "psi_scores", "cluster_index", "radius",
    "result_table", "true_labels", "predicted_labels", "host_mask", "host_features_anonym",
    "nn_define", "lossHistory", "splitMaskdict", "leafCount", "missingDirMaskdict", "pair_type",
)  # fmt: skip


def page(module: str, role: str = "guest", **given: Any) -> View:
    context = views.read(component="c_0", module=module, role=role, party_id="1", **given)
    return views.build(context, {})


def test_an_unknown_component_shows_its_metrics_and_their_meta():
    metrics = {
        "train": {
            "speed": {"data": [[0, 1.5], [1, "2.5"]], "meta": {"metric_type": "SPEED"}},
            "names": {"data": [["a", "b"]], "meta": {"metric_type": "X", "unit": "s", "more": [1]}},
            "nothing": {"data": [], "meta": {"metric_type": "X", "name": "nothing"}},
        },
        "odd": 7,
    }
    got = {block.id: block for block in page("MyOwn", metrics=metrics).blocks}
    curve, table, meta = got["train/speed"], got["train/names"], got["train/names.meta"]
    assert isinstance(curve, Curve)
    assert curve.series[0].points == [(0.0, 1.5), (1.0, 2.5)]
    assert curve.live == ["train/speed"]
    assert isinstance(table, Table)
    assert table.rows == [["a", "b"]]
    assert isinstance(meta, KeyValues)
    assert [(item.label, item.value) for item in meta.items] == [("unit", "s")]
    assert isinstance(got["train/names.json"], Raw)
    assert isinstance(got["train/nothing"], Paragraph)
    assert isinstance(got["odd/.meta"], KeyValues)


@pytest.mark.parametrize(
    ("module", "role", "status", "code"),
    [
        ("HeteroLR", "guest", "success", "view.model_missing"),
        ("HeteroLR", "arbiter", "success", "view.arbiter_has_no_output"),
        ("Evaluation", "host", "success", "view.host_has_no_labels"),
        ("PositiveUnlabeled", "host", "success", "view.host_has_no_labels"),
        ("Scorecard", "guest", "success", "view.nothing"),
        ("HeteroLR", "guest", "waiting", "view.not_ended"),
        ("Evaluation", "guest", "running", "view.not_ended"),
        ("HeteroLR", "guest", "failed", "view.ended_early"),
        ("HeteroLR", "guest", "canceled", "view.ended_early"),
    ],
)
def test_an_empty_page_says_why(module, role, status, code):
    view = page(module, role, status=status)
    assert view.blocks == []
    assert [notice.text.code for notice in view.notices] == [code]


def test_a_model_in_its_modules_own_spelling_is_found():
    assert next(b.id for b in page("heterolr", model={"iters": 1}).blocks) == "model"


class Point:
    """An entry point whose builder is not installed."""

    def __init__(self, builder: Any) -> None:
        self.name, self.builder = "MyOwn", builder

    def load(self) -> Any:
        if self.builder is None:
            raise ModuleNotFoundError("no such module: secret/path")
        return self.builder


@pytest.fixture
def plugin(monkeypatch):
    def install(builder: Any) -> None:
        def found(group: str) -> list[Point]:
            return [Point(builder)] if group == "fateboard.views" else []

        monkeypatch.setattr(importlib.metadata, "entry_points", found)
        views._plugins.cache_clear()

    yield install
    views._plugins.cache_clear()


METRICS = {"train": {"speed": {"data": [[0, 1], [1, 2]], "meta": {"metric_type": "SPEED"}}}}


def test_a_package_brings_the_page_of_its_module(plugin):
    plugin(lambda context, path: [Paragraph(id="mine", text=context.model["word"])])
    view = page("MyOwn", model={"word": "hello"}, metrics=METRICS)
    assert view.blocks[0] == Paragraph(id="mine", text="hello")
    assert [block.id for block in view.blocks] == ["mine", "train/speed"]
    assert views.needs("MyOwn") == {"model", "summary", "data"}


def test_the_example_of_the_docs_is_a_page(plugin):
    example = (BOARD.parent / "docs/howto/board-plugin.md").read_text("utf8")
    names: dict[str, Any] = {}
    exec(example.split("```python\n")[1].split("```")[0], names)
    plugin(names["my_model"])
    model = {"rounds": "2", "lossHistory": [0.7, "0.5"], "weights": {"a": {"x": 1}, "b": {"y": 2}}}
    context = views.read(component="c", module="MyOwn", role="guest", party_id="1", model=model)
    view = views.build(context, {"class": "b"})
    assert view.notices == []
    facts, curve, picked = view.blocks
    assert isinstance(facts, KeyValues)
    assert facts.items[0].value == 2
    assert isinstance(curve, Curve)
    assert curve.series[0].points == [(0, 0.7), (1, 0.5)]
    assert isinstance(picked, Choice)
    (weights,) = picked.blocks
    assert isinstance(weights, Table)
    assert weights.rows == [["y", 2]]


@pytest.mark.parametrize(
    ("builder", "reason"),
    [
        (None, "ModuleNotFoundError"),
        (lambda context, path: 1 / 0, "ZeroDivisionError"),
        (lambda context, path: [object()], "TypeError"),
        (lambda context, path: [Paragraph(id="p", text="\ud800")], "UnicodeEncodeError"),
    ],
)
def test_a_builder_that_fails_costs_only_its_own_blocks(plugin, builder, reason):
    plugin(builder)
    view = page("MyOwn", metrics=METRICS)
    text = msg("view.metric_failed", reason=reason)
    assert view.notices == [Notice(level="error", text=text)]
    raw, curve = view.blocks
    assert isinstance(raw, Raw)
    assert "SPEED" in raw.content
    assert isinstance(curve, Curve)
    msgspec.json.encode(view)


NUMBERS = st.one_of(
    st.integers(-3, 300), st.integers(), st.floats(), st.sampled_from(["NaN", "-Infinity", "12"])
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=6), st.just("<img src=x>")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=4), inner, max_size=6),
    ),
    max_leaves=25,
)
METRIC = st.fixed_dictionaries(
    {
        "data": st.lists(st.lists(NUMBERS | st.text(max_size=4), min_size=2, max_size=2)) | JSON,
        "meta": st.builds(
            lambda kind, more: {**more, "metric_type": kind},
            st.sampled_from(KINDS),
            st.dictionaries(
                st.sampled_from(WORDS), st.lists(NUMBERS, max_size=5) | JSON, max_size=5
            ),
        ),
    }
)
METRIC_NAMES = st.sampled_from(
    ["loss", "a", "a_roc", "a_ks_fpr", "a_ks_tpr", "iteration_0", "iteration_7", "a.iteration_2"]
)


@settings(max_examples=120, deadline=None)
@given(
    module=st.sampled_from(MODULES),
    role=st.sampled_from(["guest", "host", "arbiter", "?"]),
    metrics=st.dictionaries(
        st.sampled_from(["train", "validate"]),
        st.dictionaries(METRIC_NAMES, METRIC | JSON, max_size=4),
    )
    | JSON,
    model=JSON,
    other=JSON,
    status=st.sampled_from(["success", "running", "failed"]),
)
def test_any_json_makes_a_page_that_can_be_sent(module, role, metrics, model, other, status):
    context = views.read(
        component="c_0",
        module=module,
        role=role,
        party_id="1",
        metrics=metrics,
        model=model,
        model_meta=other,
        parameters={"ComponentParam": other},
        summary=other,
        output=other,
        output_meta=model,
        siblings=[("arbiter", "2", metrics)],
        status=status,
    )
    for path in ({}, EveryOption(limit=50)):
        view = views.build(context, path)
        assert not [n for n in view.notices if n.text.code == "view.metric_failed"]
        msgspec.json.decode(msgspec.json.encode(view), type=View)
    for index in (-1, 0, 1):
        tree = views.tree(context, index)
        assert not [n for n in tree.notices if n.text.code == "view.tree_failed"]
        msgspec.json.encode(tree)


def test_every_message_of_the_views_is_there_in_both_languages_with_the_same_gaps():
    used: set[str] = set()
    for file in (BOARD / "views").glob("*.py"):
        used |= set(re.findall(r'\bmsg\(\s*"([^"]+)"', file.read_text("utf8")))
    mine, data = (
        json.loads((BOARD / "static" / "messages" / f"{area}.json").read_text("utf8"))
        for area in ("views_models", "views_data")
    )
    assert set(mine) <= used, "of no use"
    of_the_shell = {code for code in used if code.startswith("status.")}
    assert used - of_the_shell <= set(mine) | set(data), "without a text"
    assert not set(mine) & set(data), "said twice"
    for code, texts in mine.items():
        gaps = [sorted(re.findall(r"\{(\w+)\}", texts[lang])) for lang in ("en", "zh-CN")]
        assert gaps[0] == gaps[1], code


def test_choices_go_where_the_path_says_and_nowhere_else():
    model = {
        "needOneVsRest": True,
        "oneVsRestResult": {"completedModels": [{}, {}], "oneVsRestClasses": ["a", "b"]},
    }
    context = views.read(component="c", module="HeteroLR", role="guest", party_id="1", model=model)
    for asked, shown in (("1", "1"), ("99", "0"), ("<b>", "0")):
        picked = views.build(context, {"class": asked}).blocks[0]
        assert isinstance(picked, Choice)
        assert picked.selected == shown
