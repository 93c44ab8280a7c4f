"""Random boosted trees, and rows that ask them awkward questions."""

import numpy as np

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


def random_ensemble(rng, objective: str, n_outputs: int = 1, *, vectors: bool = False) -> Ensemble:
    """Up to four rounds of trees. vectors: one tree with a leaf vector per round."""
    n_features, rounds = int(rng.integers(1, 6)), int(rng.integers(0, 5))
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
