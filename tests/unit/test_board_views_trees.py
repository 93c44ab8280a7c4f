"""What the board shows of boosted trees: the forest, one tree, importances, names."""

from __future__ import annotations

from typing import Any

import msgspec

from fateboard import views
from fateboard.blocks import (
    Block,
    Column,
    Forest,
    KeyValues,
    Notice,
    Paragraph,
    Table,
    Tabs,
    TreeEntry,
    TreeNode,
    msg,
)

FOR_GUEST = [
    {"id": 0, "sitename": "guest:9999", "fid": 1, "leftNodeid": 1, "rightNodeid": 2},
    {"id": 1, "sitename": "host:10000", "fid": -1, "leftNodeid": 3, "rightNodeid": 4},
    {"id": 2, "sitename": "", "isLeaf": True, "weight": -0.5},
    {"id": 3, "sitename": "guest:9999", "isLeaf": True, "weight": 0.25},
    {"id": 4, "sitename": "guest:9999", "isLeaf": True, "weight": "NaN"},
]
GUEST_TREE = {
    "tree": FOR_GUEST,
    "splitMaskdict": {"0": 0.20666812},
    "missingDirMaskdict": {"0": -1},
    "leafCount": {"2": "30", "3": 5, "4": 1},
}
NAMES = {"0": "x0", "1": "age"}


def context(model: dict[str, Any], role: str = "guest", module: str = "HeteroSecureBoost") -> Any:
    return views.read(
        component="sbt_0",
        module=module,
        role=role,
        party_id={"guest": "9999", "host": "10000"}[role],
        model={"featureNameFidMapping": NAMES, **model},
        model_meta={"meta_data": {"boostingStrategy": "std", "learningRate": 0.3}},
    )


def blocks(model: dict[str, Any], role: str = "guest", module: str = "HeteroSecureBoost") -> Any:
    view = views.build(context(model, role, module), {})
    assert view.notices == []
    msgspec.json.encode(view)
    found: dict[str, Block] = {block.id: block for block in view.blocks}
    return found


def test_a_guest_sees_its_own_split_the_owner_of_others_and_the_leaves():
    tree = views.tree(context({"trees": [GUEST_TREE]}), 0)
    assert tree.notices == []
    assert tree.nodes == [
        TreeNode(
            id=0,
            owner="guest:9999",
            left=1,
            right=2,
            mine=True,
            feature="age",
            condition="≤ 0.206668",
            text=msg("tree.missing_left"),
        ),
        TreeNode(id=1, owner="host:10000", left=3, right=4),
        TreeNode(id=2, owner="", leaf=True, weights=[-0.5], count=30),
        TreeNode(id=3, owner="guest:9999", leaf=True, weights=[0.25], count=5),
        TreeNode(id=4, owner="guest:9999", leaf=True, weights=[None], count=1),
    ]


def test_a_host_sees_neither_the_guests_split_nor_weights():
    stored = {"tree": FOR_GUEST, "splitMaskdict": {"0": 1.0, "1": 3.0}, "leafCount": {}}
    stored["tree"] = [dict(node, fid=0) if node["id"] == 1 else node for node in FOR_GUEST]
    tree = views.tree(context({"trees": [stored]}, "host"), 0)
    assert [(n.mine, n.feature, n.condition, n.weights) for n in tree.nodes[:3]] == [
        (False, "", "", []),
        (True, "x0", "≤ 3", []),
        (False, "", "", []),
    ]


def test_a_homogeneous_tree_is_everyones_and_compares_with_its_bid():
    stored = {
        "tree": [
            {"id": 0, "sitename": "host", "fid": 0, "bid": 1.5, "leftNodeid": 1, "rightNodeid": 2,
             "missingDir": 1},
            {"id": 1, "sitename": "host", "isLeaf": True, "moWeight": [0.5, 0.25]},
            {"id": 2, "sitename": "host", "isLeaf": True, "weight": 0.5},
        ]
    }  # fmt: skip
    model = {"trees": [stored], "modelName": "homo_sbt"}
    root, several, leaf = views.tree(context(model, "host", "HomoSecureBoost"), 0).nodes
    assert (root.owner, root.feature, root.condition) == ("host:10000", "x0", "≤ 1.5")
    assert several.weights == [0.5, 0.25]
    assert leaf.weights == [0.5]


def test_trees_of_another_party_in_a_mix_are_said_to_be_so():
    leaves = [{"id": at, "isLeaf": True, "weight": 0.5, "sitename": "host:10000"} for at in (3, 4)]
    model = {
        "trees": [GUEST_TREE, {"tree": leaves, "leafCount": {"3": 7}}, {"tree": []}],
        "treePlan": ["0_-1", "1_10000", "1-10000"],
    }
    shown = context(model)
    known = views.tree(shown, 1)
    assert known.notices == [Notice(level="info", text=msg("tree.of_other", party="host 10000"))]
    box, first, second = known.nodes
    assert (box.children, box.left, box.right) == ([3, 4], -1, -1)
    assert box.text == msg("tree.several_splits", party="host 10000")
    assert (first.weights, first.count, second.count) == ([0.5], 7, None)
    assert views.tree(shown, 2).notices == known.notices
    forest = blocks(model)["forest"]
    assert isinstance(forest, Forest)
    assert [tree.owner for tree in forest.trees] == ["", "host:10000", "host:10000"]
    of_host = blocks({**model, "trees": [{}, {}, GUEST_TREE]}, "host")["forest"]
    assert [tree.owner for tree in of_host.trees] == ["guest:9999", "", ""]


def test_layered_trees_are_nobodys_alone():
    assert views.tree(context({"trees": [GUEST_TREE], "treePlan": ["3_10000"]}), 0).notices == []


def test_a_tree_that_is_not_there_is_a_notice():
    tree = views.tree(context({"trees": [GUEST_TREE]}), 5)
    text = msg("tree.unknown", tree=5, count=1)
    assert tree.notices == [Notice(level="warn", text=text)]
    none = views.tree(context({"trees": [{"tree": []}]}), 0)
    assert none.notices == [Notice(level="info", text=msg("tree.empty"))]
    assert views.tree(context({}, module="HeteroLR"), 0).notices[0].text == msg(
        "view.no_trees", module="HeteroLR"
    )


def test_loops_and_shared_children_are_cut():
    looped = [
        {"id": 0, "leftNodeid": 1, "rightNodeid": 1},
        {"id": 1, "leftNodeid": 0, "rightNodeid": 7},
        {"id": 1, "leftNodeid": 1, "rightNodeid": 2},
    ]
    nodes = views.tree(context({"trees": [{"tree": looped}]}), 0).nodes
    assert [(node.id, node.left, node.right) for node in nodes] == [(0, 1, -1), (1, -1, -1)]


def test_a_forest_of_classes_has_a_tree_of_each_per_round():
    model = {
        "trees": [GUEST_TREE] * 6,
        "treeDim": 3,
        "classes": ["a", "b", "c"],
        "bestIteration": 1,
    }
    got = blocks(model)
    forest, facts = got["forest"], got["model"]
    assert isinstance(forest, Forest)
    assert forest.labels == ["a", "b", "c"]
    assert forest.parties == ["guest:9999", "host:10000"]
    assert forest.trees[4] == TreeEntry(index=4, round=1, size=5, depth=2, label="b")
    assert isinstance(facts, KeyValues)
    assert [item.value for item in facts.items] == [2, 1, "std", 0.3]


def test_trees_with_a_weight_per_class_are_one_per_round():
    several = {"tree": [{"id": 0, "isLeaf": True, "moWeight": [0.1, 0.2, 0.3]}]}
    forest = blocks({"trees": [several] * 3, "treeDim": 3})["forest"]
    assert [tree.round for tree in forest.trees] == [0, 1, 2]
    assert forest.labels == []


def test_importance_is_by_splits_and_by_gain_and_names_the_party():
    entries = [
        {"fullname": "age", "sitename": "guest_9999", "importance": 2, "importance2": 9.5,
         "main": "split"},
        {"fullname": "host_10000_x5", "sitename": "host:10000", "importance": 4, "importance2": 0},
    ]  # fmt: skip
    tabs = blocks({"trees": [GUEST_TREE], "featureImportances": entries})["importance"]
    assert isinstance(tabs, Tabs)
    assert [item.label for item in tabs.items] == [
        msg("importance.split_applied"),
        msg("importance.gain"),
    ]
    (splits,), (gain,) = (item.blocks for item in tabs.items)
    assert isinstance(splits, Table)
    assert splits.rows == [["host_10000_x5", "host 10000", 4], ["age", "guest 9999", 2]]
    assert splits.facets == ["party"]
    assert splits.columns[2] == Column(id="value", label=msg("importance.value"), format="bar")
    assert splits.help == msg("importance.count", count=2)
    assert isinstance(gain, Table)
    assert gain.rows == [["age", "guest 9999", 9.5], ["host_10000_x5", "host 10000", 0]]


def test_a_host_sees_its_own_importances_and_the_names_that_others_see():
    got = blocks(
        {
            "trees": [GUEST_TREE],
            "featureImportances": [{"fullname": "x5", "sitename": "hostLocal", "importance": 4.0}],
            "anonymousNameMapping": {"host_10000_x10": "x10", "host_10000_x2": "x2"},
        },
        "host",
    )
    tabs, mapping = got["importance"], got["mapping"]
    assert isinstance(tabs, Tabs)
    ((importance,),) = (item.blocks for item in tabs.items)
    assert isinstance(importance, Table)
    assert importance.rows == [["x5", "host 10000", 4.0]]
    assert isinstance(mapping, Table)
    assert mapping.rows == [["x2", "host_10000_x2"], ["x10", "host_10000_x10"]]


def test_a_model_without_trees_says_so():
    assert isinstance(blocks({"trees": [], "treeDim": 1})["forest"], Paragraph)


def test_five_hundred_trees_of_255_nodes_are_listed_at_once():
    nodes = [
        {"id": at, "sitename": "guest:9999", "fid": 0, "isLeaf": at > 126,
         "leftNodeid": 2 * at + 1, "rightNodeid": 2 * at + 2}
        for at in range(255)
    ]  # fmt: skip
    model = {"trees": [{"tree": nodes}] * 500}
    forest = blocks(model)["forest"]
    assert [(tree.size, tree.depth) for tree in forest.trees] == [(255, 7)] * 500
