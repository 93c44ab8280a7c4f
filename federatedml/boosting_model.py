"""The model of boosted trees as FATE shows it, and flat trees to and from it.

Field names are those of FATE's BoostingTreeModelMeta and BoostingTreeModelParam. A party's copy
of a vertical tree holds the questions of its own nodes alone; leaf weights are the guest's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

from federatedml.boosting_params import BoostingParams
from federatedml.component import Model
from federatedml.lr_model import Label
from federatedml.maths.glm import Floats
from federatedml.maths.trees import LEAF, Tree

NOT_MINE = -1
"""The feature of a node that another party asks."""


class CriterionMeta(msgspec.Struct, kw_only=True, rename="camel"):
    criterion_method: str = "xgboost"
    criterion_param: list[float] = []


class TreeMeta(msgspec.Struct, kw_only=True, rename="camel"):
    criterion_meta: CriterionMeta = msgspec.field(default_factory=CriterionMeta)
    max_depth: int = 3
    min_sample_split: int = 2
    min_impurity_split: float = 1e-3
    min_leaf_node: int = 1
    use_missing: bool = False
    zero_as_missing: bool = False


class QuantileMeta(msgspec.Struct, kw_only=True, rename="camel"):
    quantile_method: str = ""
    bin_num: int = 32


class ObjectiveMeta(msgspec.Struct, kw_only=True, rename="camel"):
    objective: str = ""
    param: list[float] = []


class BoostingMeta(msgspec.Struct, kw_only=True, rename="camel"):
    tree_meta: TreeMeta = msgspec.field(default_factory=TreeMeta)
    learning_rate: float = 0.3
    num_trees: int = 5
    quantile_meta: QuantileMeta = msgspec.field(default_factory=QuantileMeta)
    objective_meta: ObjectiveMeta = msgspec.field(default_factory=ObjectiveMeta)
    task_type: str = ""
    n_iter_no_change: bool = False
    tol: float = 0.0
    use_missing: bool = False
    zero_as_missing: bool = False
    work_mode: str = ""
    module: str = ""
    boosting_strategy: str = "std"


class Node(msgspec.Struct, kw_only=True, rename="camel"):
    """sitename: who asks, "guest:9999". fid, bid: the question, where it is this party's."""

    id: int
    sitename: str = ""
    fid: int = NOT_MINE
    bid: float = -1.0
    weight: float = 0.0
    is_leaf: bool = False
    left_nodeid: int = -1
    right_nodeid: int = -1
    missing_dir: int = 1
    mo_weight: list[float] = []


class TreeParamOut(msgspec.Struct, kw_only=True, rename="camel"):
    """split_maskdict: node -> threshold; missing_dir_maskdict: node -> 1 right, -1 left;
    leaf_count: leaf -> training rows."""

    tree: list[Node] = []
    split_maskdict: dict[int, float] = {}
    missing_dir_maskdict: dict[int, int] = {}
    leaf_count: dict[int, int] = {}


class Importance(msgspec.Struct, kw_only=True, rename="camel"):
    """importance: splits or gain, as configured; importance2: the other one's."""

    sitename: str
    fid: int
    importance: float
    fullname: str
    importance2: float = 0.0
    main: str = "split"


class BoostingParam(msgspec.Struct, kw_only=True, rename="camel"):
    """labels: ours: the classes where they are other than whole numbers."""

    tree_num: int = 0
    trees: list[TreeParamOut] = []
    init_score: list[float] = []
    losses: list[float] = []
    tree_dim: int = 1
    num_classes: int = 0
    classes: list[str] = []
    labels: list[Label] | UnsetType = UNSET
    feature_importances: list[Importance] = []
    feature_name_fid_mapping: dict[int, str] = {}
    best_iteration: int = -1
    tree_plan: list[str] = []
    model_name: str = "hetero_sbt"
    anonymous_name_mapping: dict[str, str] = {}


class BoostingModel(Model, kw_only=True):
    """meta and param together; subclasses name FATE's two buffers."""

    meta: BoostingMeta
    param: BoostingParam


def classes_shown(classes: Sequence[Label]) -> dict[str, Any]:
    """The fields of a model's param that tell its classes."""
    whole = all(isinstance(c, int) for c in classes)
    return {"classes": [str(c) for c in classes], "labels": UNSET if whole else list(classes)}


def labels_of(param: BoostingParam) -> list[Label]:
    """The classes in the order of the model's probabilities; none for a regression."""
    return [int(c) for c in param.classes] if param.labels is UNSET else list(param.labels)


@dataclass(frozen=True)
class SharedTree:
    """One party's copy of a vertical tree. sites (m,): who asks at each node; "" at leaves.

    In ``tree`` the questions of other parties are blank: feature NOT_MINE at an inner node.
    inner (m,): whether the node has children (LEAF and NOT_MINE are the same number).
    """

    tree: Tree
    sites: list[str]

    @property
    def inner(self) -> NDArray[np.bool_]:
        return np.asarray(self.tree.left != LEAF)


def meta_of(params: BoostingParams, module: str, *, strategy: str = "std") -> BoostingMeta:
    """How the model was trained, as the guest knows it."""
    given, (l2, l1) = params.tree_param, params.tree_param.penalties
    return BoostingMeta(
        tree_meta=TreeMeta(
            criterion_meta=CriterionMeta(criterion_param=[l2, l1]),
            max_depth=given.max_depth,
            min_sample_split=given.min_sample_split,
            min_impurity_split=float(given.min_impurity_split),
            min_leaf_node=given.min_leaf_node,
            use_missing=params.misses,
            zero_as_missing=params.zero_is_missing,
        ),
        learning_rate=params.learning_rate,
        num_trees=params.num_trees,
        quantile_meta=QuantileMeta(bin_num=params.bin_num),
        objective_meta=ObjectiveMeta(
            objective=params.objective_param.objective or "",
            param=[float(p) for p in params.objective_param.params or []],
        ),
        task_type=params.task_type,
        n_iter_no_change=params.n_iter_no_change,
        tol=float(params.tol),
        use_missing=params.misses,
        zero_as_missing=params.zero_is_missing,
        module=module,
        boosting_strategy=strategy,
    )


def nodes_of(shared: SharedTree) -> list[Node]:
    """The nodes as the model file has them, but for what a question compares with."""
    tree, inner = shared.tree, shared.inner
    several = tree.weight.shape[1] > 1
    return [
        Node(
            id=i,
            sitename=shared.sites[i],
            fid=int(tree.feature[i]),
            weight=0.0 if several else float(tree.weight[i, 0]),
            mo_weight=tree.weight[i].tolist() if several else [],
            is_leaf=not inner[i],
            left_nodeid=int(tree.left[i]),
            right_nodeid=int(tree.right[i]),
            missing_dir=-1 if tree.missing_left[i] else 1,
        )
        for i in range(len(tree))
    ]


def shown(shared: SharedTree, counts: NDArray[np.int64] | None) -> TreeParamOut:
    """A party's copy as the model file has it. counts: (m,) rows of nodes, where known."""
    tree, inner, nodes = shared.tree, shared.inner, nodes_of(shared)
    mine = np.flatnonzero(tree.feature >= 0).tolist()
    leaves = np.flatnonzero(~inner).tolist()
    return TreeParamOut(
        tree=nodes,
        split_maskdict={i: float(tree.threshold[i]) for i in mine},
        missing_dir_maskdict={i: nodes[i].missing_dir for i in mine},
        leaf_count={} if counts is None else {i: int(counts[i]) for i in leaves},
    )


def read(stored: TreeParamOut) -> SharedTree:
    """The flat form back. Bin numbers are not stored: ``cut`` is zero everywhere."""
    nodes = stored.tree
    weight = [n.mo_weight or [n.weight] for n in nodes]
    tree = Tree(
        feature=np.array([n.fid for n in nodes], dtype=np.int32),
        threshold=np.array([stored.split_maskdict.get(n.id, 0.0) for n in nodes]),
        cut=np.zeros(len(nodes), dtype=np.int32),
        left=np.array([n.left_nodeid for n in nodes], dtype=np.int32),
        right=np.array([n.right_nodeid for n in nodes], dtype=np.int32),
        missing_left=np.array([n.missing_dir == -1 for n in nodes], dtype=bool),
        weight=np.array(weight, dtype=np.float64),
        count=np.array([stored.leaf_count.get(n.id, 0) for n in nodes], dtype=np.int64),
    )
    return SharedTree(tree, [n.sitename for n in nodes])


def importances(
    trees: Sequence[SharedTree],
    gains: Sequence[Floats],
    names: Mapping[tuple[str, int], str],
    kind: str,
) -> list[Importance]:
    """How often, and with what gain, each feature splits; the most important first.

    gains: (m,) of every node of each tree. names: (site, feature) -> shown name.
    """
    found: dict[tuple[str, int], list[float]] = {}
    for shared, gain in zip(trees, gains, strict=True):
        for i in np.flatnonzero(shared.inner & (shared.tree.feature >= 0)).tolist():
            entry = found.setdefault((shared.sites[i], int(shared.tree.feature[i])), [0.0, 0.0])
            entry[0] += 1.0
            entry[1] += float(gain[i])
    listed = [
        Importance(
            sitename=site,
            fid=feature,
            importance=gain if kind == "gain" else splits,
            importance2=splits if kind == "gain" else gain,
            fullname=names[site, feature],
            main=kind,
        )
        for (site, feature), (splits, gain) in found.items()
    ]
    return sorted(listed, key=lambda one: (-one.importance, one.fullname))
