"""Random boosted trees, and rows that ask them awkward questions."""

from dataclasses import replace

import numpy as np

from federatedml.boosting_model import (
    BoostingMeta,
    BoostingModel,
    BoostingParam,
    Importance,
    ObjectiveMeta,
    SharedTree,
    shown,
)
from federatedml.maths.trees import Growing, Tree
from federatedml.tree_ensemble import Ensemble

THRESHOLDS = (0.0, -0.0, 1e-3, 1e-300, 1 / 3, 1e6)


def random_tree(rng, n_features: int, n_outputs: int, depth: int) -> Tree:
    """A tree whose thresholds are partly special numbers; maybe a single leaf."""
    grown = Growing(n_outputs)
    grown.add(10, rng.normal(size=n_outputs))
    level = [0]
    for _ in range(depth):
        divided = [node for node in level if rng.random() < 0.8]
        level = []
        for node in divided:
            threshold = float(rng.choice([*THRESHOLDS, rng.normal(), 1e5 * rng.normal()]))
            feature, is_left = int(rng.integers(n_features)), bool(rng.random() < 0.5)
            grown.divide(node, feature, 0, threshold, missing_left=is_left)
            level += [grown.add(5, rng.normal(size=n_outputs)) for _ in range(2)]
    return grown.finished()


def random_ensemble(
    rng, objective: str, n_outputs: int = 1, *, vectors: bool = False, n_features: int = 0
) -> Ensemble:
    """Up to four rounds of trees. vectors: one tree with a leaf vector per round."""
    drawn, rounds = int(rng.integers(1, 6)), int(rng.integers(0, 5))
    n_features = n_features or drawn
    width, each = (n_outputs, 1) if vectors else (1, n_outputs)
    trees = [
        random_tree(rng, n_features, width, int(rng.integers(0, 5))) for _ in range(rounds * each)
    ]
    return Ensemble(
        trees=trees,
        gains=[np.where(tree.left >= 0, 2.0, 0.0) for tree in trees],
        start=rng.normal(size=n_outputs),
        learning_rate=0.3,
        names=[f"x{i}" for i in range(n_features)],
        objective=objective,
        params=[1.5],
        zero_as_missing=bool(rng.random() < 0.3),
    )


def awkward_rows(rng, ensemble: Ensemble, n: int = 200):
    """(n, k) thresholds and their neighbours, zeros, infinities, missing values and others."""
    at = np.concatenate([THRESHOLDS, *(tree.threshold for tree in ensemble.trees)])
    around = [np.nextafter(at, np.inf), np.nextafter(at, -np.inf)]
    special = [[0.0, -0.0, np.inf, -np.inf], [np.nan] * 4, rng.normal(size=9)]
    x = rng.choice(np.concatenate([at, *around, *special]), size=(n, len(ensemble.names)))
    return np.where(np.abs(x) < 1e-35, 0.0, x)  # LightGBM takes these for zero


def stored_meta(ensemble: Ensemble) -> BoostingMeta:
    is_classes = ensemble.objective == "cross_entropy"
    return BoostingMeta(
        learning_rate=ensemble.learning_rate,
        objective_meta=ObjectiveMeta(objective=ensemble.objective, param=list(ensemble.params)),
        task_type="classification" if is_classes else "regression",
        use_missing=True,
        zero_as_missing=ensemble.zero_as_missing,
    )


def stored_whole(ensemble: Ensemble) -> BoostingModel:
    """A horizontal model as its party keeps it: thresholds at the nodes."""
    trees = []
    for tree in ensemble.trees:
        kept = shown(SharedTree(tree, ["guest"] * len(tree)), tree.count)
        for node in kept.tree:
            node.bid = kept.split_maskdict.get(node.id, -1.0)
        kept.split_maskdict, kept.missing_dir_maskdict = {}, {}
        trees.append(kept)
    param = BoostingParam(
        tree_num=len(trees),
        trees=trees,
        init_score=ensemble.start.tolist(),
        tree_dim=ensemble.n_outputs,
        feature_name_fid_mapping=dict(enumerate(ensemble.names)),
        feature_importances=[
            Importance(sitename="guest", fid=i, fullname=name, importance=1.0, importance2=3.0)
            for i, name in enumerate(ensemble.names)
        ],
        model_name="homo_sbt",
    )
    return BoostingModel(meta=stored_meta(ensemble), param=param)


def stored_parts(ensemble: Ensemble, owners: list[str]) -> dict[str, BoostingModel]:
    """A vertical model in parts, by site. owners (k,): whose each feature is, in runs: the
    guest's first, then each host's. A party numbers its own features from 0."""
    found = {}
    for me in dict.fromkeys(["guest:9999", *owners]):
        first = owners.index(me) if me in owners else 0
        is_guest = me.startswith("guest")
        trees = [shown(_copy_of(tree, owners, me, first), tree.count) for tree in ensemble.trees]
        names = [name for name, o in zip(ensemble.names, owners, strict=True) if o == me]
        param = BoostingParam(
            tree_num=len(trees),
            trees=trees,
            init_score=ensemble.start.tolist() if is_guest else [],
            tree_dim=ensemble.n_outputs if is_guest else 1,
            feature_name_fid_mapping=dict(enumerate(names)),
        )
        meta = stored_meta(ensemble) if is_guest else BoostingMeta()
        found[me] = BoostingModel(meta=meta, param=param)
    return found


def _copy_of(tree: Tree, owners: list[str], me: str, first: int) -> SharedTree:
    """What a party keeps of a tree: the shape, its own questions, and at the guest the weights."""
    sites = [owners[i] if i >= 0 else "" for i in tree.feature.tolist()]
    mine = np.array([site == me for site in sites])
    return SharedTree(
        replace(
            tree,
            feature=np.where(mine, tree.feature - first, -1).astype(np.int32),
            threshold=np.where(mine, tree.threshold, 0.0),
            missing_left=mine & tree.missing_left,
            weight=tree.weight if me.startswith("guest") else np.zeros((len(tree), 1)),
        ),
        sites,
    )
