"""Boosted trees as the text of a LightGBM model: ``lightgbm.Booster(model_str=text)``.

The booster's raw scores are ours. LightGBM takes a value closer to zero than 1e-35 for zero; apart
from that rows go the same way, also at thresholds and where values are missing: every question
says where missing values go (missing type NaN), with zero_as_missing also where zeros go (type
Zero). Left to LightGBM's default (type None) a missing value would be taken for zero.

Source: the text format of LightGBM 4 (``GBDT::SaveModelToString``, ``Tree::ToString``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from federatedml.maths.trees import LEAF, Tree
from federatedml.tree_ensemble import Addend, Ensemble, addends

DEFAULT_LEFT = 2
"""Bit of a node's decision type: missing values go left. Bit 1 would be a categorical split."""

MISSING_ZERO, MISSING_NAN = 1 << 2, 2 << 2

REGRESSIONS = {
    "lse": "regression",
    "lae": "regression_l1",
    "huber": "huber",
    "fair": "fair",
    "log_cosh": "regression",
    "tweedie": "tweedie",
}
"""LightGBM's objectives by FATE's; they matter for what comes after the raw score alone."""

_UNFIT = re.compile(r'[\s,:"\[\]{}\x00-\x1f\x7f]')


def model_text(ensemble: Ensemble) -> str:
    """The whole model. Gains and counts are those known, else zero; numbers are written so that
    they come back bit by bit. Raises ValueError as ``addends`` does, or for an unknown objective.
    """
    parts = addends(ensemble)
    names = feature_names(ensemble.names)
    texts = [
        f"Tree={i}\n{_tree(part, ensemble.learning_rate, missing_type(ensemble))}\n\n"
        for i, part in enumerate(parts)
    ]
    head = [
        "tree",
        "version=v4",
        f"num_class={ensemble.n_outputs}",
        f"num_tree_per_iteration={ensemble.n_outputs}",
        "label_index=0",
        f"max_feature_idx={len(names) - 1}",
        f"objective={objective(ensemble)}",
        f"feature_names={' '.join(names)}",
        f"feature_infos={' '.join(_ranges(parts, len(names)))}",
        f"tree_sizes={_listed(len(text.encode()) for text in texts)}",
        "",
        "",
    ]
    tail = ["end of trees", "", *_importances(parts, names), "parameters:", "end of parameters", ""]
    return "\n".join(head) + "".join(texts) + "\n".join([*tail, "pandas_categorical:null", ""])


def objective(ensemble: Ensemble) -> str:
    """LightGBM's objective: it turns the raw score into what FATE predicts. Raises ValueError."""
    if ensemble.objective == "cross_entropy":
        several = ensemble.n_outputs
        return f"multiclass num_class:{several}" if several > 1 else "binary sigmoid:1"
    try:
        return REGRESSIONS[ensemble.objective]
    except KeyError:
        raise ValueError(
            f"objective {ensemble.objective!r} is none of cross_entropy, {', '.join(REGRESSIONS)}"
        ) from None


def missing_type(ensemble: Ensemble) -> int:
    """The bits of every question that say what is missing."""
    return MISSING_ZERO if ensemble.zero_as_missing else MISSING_NAN


def feature_names(names: Sequence[str]) -> list[str]:
    """Names as LightGBM takes them: what it forbids in a name is ``_``, and doubles get a number.

    >>> feature_names(["a b", "a_b", "c"])
    ['a_b', 'a_b_1', 'c']
    """
    found: dict[str, None] = {}
    for name in names:
        fit = _UNFIT.sub("_", name) or "_"
        new, i = fit, 0
        while new in found:
            i += 1
            new = f"{fit}_{i}"
        found[new] = None
    return list(found)


def _tree(part: Addend, learning_rate: float, missing: int) -> str:
    """One tree. A single leaf has no questions; LightGBM reads nothing but its value."""
    tree = part.tree
    inner, leaves = np.flatnonzero(tree.left != LEAF), np.flatnonzero(tree.left == LEAF)
    place = np.empty(len(tree), dtype=np.int64)
    place[inner], place[leaves] = np.arange(len(inner)), -1 - np.arange(len(leaves))
    counts = _counts(tree)
    lines = {
        "num_leaves": len(leaves),
        "num_cat": 0,
        "split_feature": _listed(tree.feature[inner].tolist()),
        "split_gain": _listed(part.gain[inner].tolist()),
        "threshold": _listed(tree.threshold[inner].tolist()),
        "decision_type": _listed((missing + DEFAULT_LEFT * tree.missing_left[inner]).tolist()),
        "left_child": _listed(place[tree.left[inner]].tolist()),
        "right_child": _listed(place[tree.right[inner]].tolist()),
        "leaf_value": _listed(part.value[leaves].tolist()),
        "leaf_weight": _listed([0] * len(leaves)),
        "leaf_count": _listed(counts[leaves].tolist()),
        "internal_value": _listed([0] * len(inner)),
        "internal_weight": _listed([0] * len(inner)),
        "internal_count": _listed(counts[inner].tolist()),
        "is_linear": 0,
        "shrinkage": learning_rate,
    }
    return "".join(f"{name}={value}\n" for name, value in lines.items())


def _counts(tree: Tree) -> NDArray[np.int64]:
    """(m,) rows of every node; a stored tree knows those of its leaves. Children come last."""
    counts = np.where(tree.left == LEAF, tree.count, 0)
    for node in np.flatnonzero(tree.left != LEAF)[::-1].tolist():
        counts[node] = counts[tree.left[node]] + counts[tree.right[node]]
    return counts


def _ranges(parts: Sequence[Addend], n_features: int) -> list[str]:
    """What is known of each feature's range: from its lowest to its highest threshold."""
    low, high = np.full(n_features, np.inf), np.full(n_features, -np.inf)
    for part in parts:
        inner = part.tree.left != LEAF
        np.minimum.at(low, part.tree.feature[inner], part.tree.threshold[inner])
        np.maximum.at(high, part.tree.feature[inner], part.tree.threshold[inner])
    return [
        f"[{a}:{b}]" if a <= b else "none" for a, b in zip(low.tolist(), high.tolist(), strict=True)
    ]


def _importances(parts: Sequence[Addend], names: Sequence[str]) -> list[str]:
    """How often each feature splits, the most frequent first."""
    splits = np.zeros(len(names), dtype=np.int64)
    for part in parts:
        np.add.at(splits, part.tree.feature[part.tree.left != LEAF], 1)
    order = np.argsort(-splits, kind="stable").tolist()
    listed = [f"{names[i]}={splits[i]}" for i in order if splits[i]]
    return ["feature_importances:", *listed, ""]


def _listed(values: Iterable[float]) -> str:
    """Numbers between spaces; Python's shortest text of a float is read back as the same one."""
    return " ".join(str(value) for value in values)
