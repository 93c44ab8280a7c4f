"""Stored boosting models as one ensemble of whole trees: one party's own, or a vertical one's parts
put together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from federatedml import boosting_model
from federatedml.boosting_model import BoostingMeta, BoostingModel, BoostingParam, TreeParamOut
from federatedml.errors import BadModel
from federatedml.maths.glm import Floats
from federatedml.maths.trees import LEAF, Tree
from federatedml.merged_names import merged_names
from federatedml.tree_ensemble import Ensemble

Gains = Mapping[int, float]
"""Gain of all splits of a feature together, by the feature's number."""


def whole(model: BoostingModel) -> Ensemble:
    """A model whose party holds every question, as a horizontal one's does. Raises BadModel."""
    trees = [_own(stored) for stored in model.param.trees]
    found = {i.fid: _gain(i) for i in model.param.feature_importances}
    return _ensemble(model.meta, model.param, trees, _names(model), found)


def merged(
    guest: BoostingModel, hosts: Mapping[str, BoostingModel], *, rename: bool | None
) -> Ensemble:
    """A vertical model out of its parts: the guest's features, then each host's.

    hosts: parts by party id. rename: see ``merged_names``.
    Raises BadModel if the parts are not of one training, or one that asks is missing.
    """
    listed = {party: _names(part) for party, part in hosts.items()}
    own = _names(guest)
    n_before = np.cumsum([0, len(own), *(len(names) for names in listed.values())])
    starts = dict(zip(hosts, n_before[1:].tolist(), strict=False))
    for party, part in hosts.items():
        if len(part.param.trees) != len(guest.param.trees):
            raise BadModel(_foreign(party))
    trees = []
    for i, stored in enumerate(guest.param.trees):
        parts = {party: part.param.trees[i] for party, part in hosts.items()}
        trees.append(_joined(stored, parts, starts))
    found = _merged_gains(guest, starts)
    names = merged_names(own, listed, rename=rename)
    return _ensemble(guest.meta, guest.param, trees, names, found)


def _ensemble(
    meta: BoostingMeta,
    param: BoostingParam,
    trees: Sequence[Tree],
    names: Sequence[str],
    gains: Gains,
) -> Ensemble:
    width = trees[0].weight.shape[1] if trees else 1
    n_outputs = width if width > 1 else max(param.tree_dim, 1)
    if len(param.init_score) not in (0, 1, n_outputs):
        raise BadModel(f"the model has {len(param.init_score)} start scores, {n_outputs} expected")
    start = np.broadcast_to(np.array(param.init_score or [0.0]), n_outputs).astype(np.float64)
    is_classes = meta.task_type == "classification"
    return Ensemble(
        trees=trees,
        gains=_per_node(trees, gains, len(names)),
        start=start,
        learning_rate=meta.learning_rate,
        names=names,
        objective="cross_entropy" if is_classes else meta.objective_meta.objective,
        params=meta.objective_meta.param,
        zero_as_missing=meta.zero_as_missing,
        classes=param.classes if is_classes else [],
    )


def _names(model: BoostingModel) -> list[str]:
    """The party's features in the order of their numbers."""
    mapping = model.param.feature_name_fid_mapping
    if sorted(mapping) != list(range(len(mapping))):
        raise BadModel("the model's feature numbers have gaps")
    return [mapping[i] for i in range(len(mapping))]


def _own(stored: TreeParamOut) -> Tree:
    """A tree of one party. A horizontal one keeps its thresholds at the nodes."""
    tree = boosting_model.read(stored).tree
    kept = stored.split_maskdict
    threshold = [n.bid if n.fid >= 0 and n.id not in kept else None for n in stored.tree]
    at_nodes = np.array([v if v is not None else np.nan for v in threshold])
    return replace(tree, threshold=np.where(np.isnan(at_nodes), tree.threshold, at_nodes))


def _joined(
    stored: TreeParamOut, parts: Mapping[str, TreeParamOut], starts: Mapping[str, int]
) -> Tree:
    """The guest's copy of a tree with the hosts' questions filled in. Raises BadModel."""
    shared = boosting_model.read(stored)
    feature = shared.tree.feature.copy()
    threshold, missing_left = shared.tree.threshold.copy(), shared.tree.missing_left.copy()
    sites = np.array(shared.sites)
    for party, part in parts.items():
        theirs = boosting_model.read(part).tree
        if not np.array_equal(theirs.left, shared.tree.left):
            raise BadModel(_foreign(party))
        at = np.flatnonzero((sites == f"host:{party}") & shared.inner)
        if (theirs.feature[at] < 0).any():
            raise BadModel(_foreign(party))
        feature[at] = theirs.feature[at] + starts[party]
        threshold[at], missing_left[at] = theirs.threshold[at], theirs.missing_left[at]
    if unknown := sorted(set(sites[shared.inner & (feature == LEAF)].tolist())):
        raise BadModel(f"the trees also ask {', '.join(unknown)}: name all hosts of the training")
    return replace(shared.tree, feature=feature, threshold=threshold, missing_left=missing_left)


def _foreign(party: str) -> str:
    return f"the part of host {party} is not of the same training as the guest's"


def _gain(entry: boosting_model.Importance) -> float:
    return entry.importance if entry.main == "gain" else entry.importance2


def _merged_gains(guest: BoostingModel, starts: Mapping[str, int]) -> Gains:
    """What the guest noted of gains, its own and, where it knows them, the hosts'."""
    found: dict[int, float] = {}
    for entry in guest.param.feature_importances:
        _, is_host, party = entry.sitename.partition("host:")
        if not is_host or party in starts:
            found[starts.get(party, 0) + entry.fid] = _gain(entry)
    return found


def _per_node(trees: Sequence[Tree], gains: Gains, n_features: int) -> list[Floats]:
    """(m,) of each tree: a feature's gain in equal parts at all its splits, as no model keeps
    more; 1 everywhere if a feature's gain is not known. LightGBM counts splits with a gain only."""
    splits, total = np.zeros(n_features), np.zeros(n_features)
    for tree in trees:
        np.add.at(splits, tree.feature[tree.left != LEAF], 1.0)
    for feature, gain in gains.items():
        if 0 <= feature < n_features:
            total[feature] = gain
    used = splits > 0
    each = np.ones(n_features)
    if (total[used] > 0).all():
        each[used] = total[used] / splits[used]
    return [np.where(tree.left != LEAF, each[tree.feature], 0.0) for tree in trees]
