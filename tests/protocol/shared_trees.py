"""Random trees whose questions belong to random parties, and every party's copy of them."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from federatedml.boosting_model import NOT_MINE, SharedTree
from federatedml.maths import trees
from federatedml.maths.trees import Growing
from federation import GUEST, HOST, Party

G, BANK, SHOP, MILL = (
    Party(GUEST, "9999"),
    Party(HOST, "10000"),
    Party(HOST, "10001"),
    Party(HOST, "10002"),
)


@dataclass(frozen=True)
class World:
    """x: (n, k_p) by party. whole: (n, sum k_p). pooled: trees on ``whole``. shared: by party."""

    x: dict
    pooled: list
    shared: dict

    @property
    def whole(self):
        return np.hstack(list(self.x.values()))

    @property
    def n_rows(self):
        return len(self.x[G])

    def leaves(self):
        found = [trees.leaves(tree, self.whole) for tree in self.pooled]
        return np.stack(found, axis=1) if found else np.zeros((self.n_rows, 0), np.int32)

    def of(self, rows):
        return replace(self, x={p: x[rows] for p, x in self.x.items()})

    def as_csr(self):
        return replace(self, x={p: sparse.csr_matrix(x) for p, x in self.x.items()})


def site(party):
    return f"{party.role}:{party.party_id}"


def grown(rng, depth, n_features, offered, n_outputs, stop):
    """A tree that asks, at each depth, for features among offered(depth)."""
    tree, level = Growing(n_outputs), [0]
    tree.add(0, rng.normal(size=n_outputs))
    for d in range(depth):
        below = []
        for node in level:
            features = offered(d)
            if not len(features) or (d and rng.random() < stop):
                continue
            feature = int(rng.choice(features))
            missing_left = bool(rng.random() < 0.5)
            tree.divide(node, feature, 0, float(rng.normal() * 0.5), missing_left=missing_left)
            below += [tree.add(0, rng.normal(size=n_outputs)) for _ in range(2)]
        level = below
    return tree.finished()


def world(
    hosts=(BANK,),
    n=200,
    n_trees=6,
    depth=4,
    seed=0,
    *,
    owners=None,
    n_outputs=1,
    missing=0.2,
    stop=0.2,
    width=3,
):
    """owners: of depth -> the parties that may ask there; None: all of them."""
    rng, parties = np.random.default_rng(seed), (G, *hosts)
    x = {p: rng.normal(size=(n, width + i)) for i, p in enumerate(parties)}
    for table in x.values():
        table[rng.random(table.shape) < missing] = np.nan
        table[rng.random(table.shape) < 0.2] = 0.0
    owner = [p for p, table in x.items() for _ in range(table.shape[1])]
    inside = [j for table in x.values() for j in range(table.shape[1])]

    def offered(d):
        allowed = parties if owners is None else owners(d)
        return [j for j, p in enumerate(owner) if p in allowed]

    pooled = [grown(rng, depth, len(owner), offered, n_outputs, stop) for _ in range(n_trees)]
    shared = {p: [copy_of(t, p, owner, inside) for t in pooled] for p in parties}
    return World(x, pooled, shared)


def copy_of(tree, party, owner, inside):
    """What a party keeps: everybody's nodes, its own questions; weights at the guest."""
    asked = [NOT_MINE if f < 0 else int(f) for f in tree.feature]
    mine = np.array([f >= 0 and owner[f] == party for f in asked])
    kept = replace(
        tree,
        feature=np.array(
            [inside[f] if is_mine else NOT_MINE for f, is_mine in zip(asked, mine, strict=True)],
            dtype=np.int32,
        ),
        threshold=np.where(mine, tree.threshold, 0.0),
        missing_left=mine & tree.missing_left,
        weight=tree.weight if party == G else np.zeros_like(tree.weight),
    )
    return SharedTree(kept, ["" if f < 0 else site(owner[f]) for f in asked])
