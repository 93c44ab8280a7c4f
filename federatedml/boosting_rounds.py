"""Rounds of boosting on vertical columns: the growing model, and the guest's part of a round."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml import boosting_model, boosting_side
from federatedml.boosting_model import BoostingModel, Importance, SharedTree
from federatedml.boosting_params import HeteroBoostingParams
from federatedml.boosting_side import Binned, Target
from federatedml.component import Ctx
from federatedml.data.frame import Frame
from federatedml.errors import BadParameters
from federatedml.maths import gradients
from federatedml.maths.glm import Floats, Matrix
from federatedml.maths.gradients import Rounded, Rows
from federatedml.protocols.split_sums import GuestSums
from federatedml.protocols.tree_growth import Columns, Grown, GuestGrowth, Plan, Sample
from federatedml.protocols.tree_growth_host import Limits
from federation import Party

EXACT_BUDGET = 51
"""Bits of sums where nothing is encrypted: exact as float64."""

MAX_CLASSES = 1 << 16


def plan_of(ctx: Ctx, p: HeteroBoostingParams, t: int) -> Plan:
    """Whose columns may split at each level of the trees of round t. Raises BadParameters."""
    guest, hosts, depth = ctx.guest, ctx.hosts, p.tree_param.max_depth
    if p.strategy == "layered" and len(hosts) > 1:
        raise BadParameters(
            f"{ctx.name}: boosting_strategy layered takes one host, not {len(hosts)}; take std or "
            "mix"
        )
    if p.strategy == "layered" and hosts:
        depth = p.guest_depth + p.host_depth
    if not hosts or t < int(p.complete_secure):
        return [[guest]] * depth
    if p.strategy == "layered":
        return [[hosts[0]]] * p.host_depth + [[guest]] * p.guest_depth
    if p.strategy == "mix":
        return [[_turn(ctx, p, t)]] * depth
    return [[guest, *hosts]] * depth


def _turn(ctx: Ctx, p: HeteroBoostingParams, t: int) -> Party:
    """Whose turn round t is with boosting_strategy mix: the guest's first."""
    parties = (ctx.guest, *ctx.hosts)
    return parties[t // p.tree_num_per_party % len(parties)]


def limits_of(ctx: Ctx, p: HeteroBoostingParams, t: int) -> Limits:
    """What this party, a host, lets a tree of round t ask. Raises BadParameters."""
    levels = sum(ctx.me in parties for parties in plan_of(ctx, p, t))
    return Limits(levels, p.tree_param.min_sample_split, p.tree_param.min_leaf_node)


def most_words(p: HeteroBoostingParams) -> int:
    """Statistics that a row may have: g and h of a tree's outputs, and a count."""
    return 3 if p.multi_mode == "single_output" else 2 * MAX_CLASSES + 1


def plan_name(ctx: Ctx, p: HeteroBoostingParams, t: int) -> str:
    """FATE's name of a round's plan: its type, and the id of a host whose turn it is."""
    if p.strategy == "std" or not ctx.hosts:
        return ""
    if t < int(p.complete_secure):
        return "0_-1"
    if p.strategy == "layered":
        return "3_-1"
    party = _turn(ctx, p, t)
    return "0_-1" if party == ctx.guest else f"1_{party.party_id}"


def subsampled(p: HeteroBoostingParams, own: Binned, number: int) -> Rows:
    """The columns that a tree may ask about, one at least, ascending."""
    k = len(own.header)
    count = max(1, round(p.subsample_feature_rate * k)) if k else 0
    if count == k:
        return np.arange(k)
    draw = np.random.default_rng([*_seed(p, own), number])
    return np.sort(draw.choice(k, count, replace=False)).astype(np.int64)


def _seed(p: HeteroBoostingParams, own: Binned, *secret: Floats) -> list[int]:
    """Of draws that repeat with the run, and that other parties, who know random_seed, cannot make:
    which columns a tree asks, and which rows it is grown on, are not theirs to know."""
    digest = hashlib.blake2b(digest_size=16)
    for numbers in (*own.cuts.upper, *secret):
        digest.update(np.ascontiguousarray(numbers, dtype=np.float64).tobytes())
    return [p.random_seed % (1 << 32), int.from_bytes(digest.digest(), "little")]


class Forest:
    """A model, its trees in flat form too.

    start: where given, the model's trees come first. header: this data's columns, to check it by.
    """

    def __init__(
        self, model: BoostingModel, start: BoostingModel | None, header: Sequence[str], name: str
    ) -> None:
        self.model = model
        if start is not None:
            boosting_side.checked_start(start, header, model, name)
            old = copy.deepcopy(start.param)
            for field in ("tree_num", "trees", "losses", "feature_importances", "tree_plan"):
                setattr(model.param, field, getattr(old, field))
            model.param.init_score = old.init_score
        self.trees = [boosting_model.read(tree) for tree in model.param.trees]

    def __len__(self) -> int:
        return len(self.trees)

    @property
    def n_outputs(self) -> int:
        return self.model.param.tree_dim

    @property
    def outputs(self) -> NDArray[np.int64]:
        """(T,) the raw score that each tree adds to, where a tree adds to one."""
        return np.arange(len(self.trees)) % self.n_outputs

    def add(self, grown: Sequence[tuple[SharedTree, bool]], plan: str) -> None:
        """The trees of a round. grown: with whether this party's columns took part."""
        param = self.model.param
        for tree, _ in grown:
            self.trees.append(tree)
            count = tree.tree.count
            param.trees.append(boosting_model.shown(tree, count if count.any() else None))
        param.tree_num = len(self.trees)
        if plan:
            param.tree_plan.append(plan)

    def matrix(self, frame: Frame, component: str) -> Matrix:
        """The columns of other rows as the trees take them."""
        names = self.model.param.feature_name_fid_mapping
        header = [names[i] for i in sorted(names)]
        missing = self.model.meta.zero_as_missing
        return boosting_side.matrix(frame, component, header, zero_is_missing=missing)

    # Scores, at the guest.

    def before_trees(self, n_rows: int) -> Floats:
        """(n, c) the scores before any tree."""
        return np.tile(np.array(self.model.param.init_score), (n_rows, 1))

    def scores(self, leaves: NDArray[np.int32]) -> Floats:
        """(n, c) raw scores. leaves: (n, T)."""
        return self.before_trees(len(leaves)) + self.parts(leaves, 0)

    def parts(self, leaves: NDArray[np.int32], first: int) -> Floats:
        """(n, c) what the trees from number ``first`` on add; leaves: (n, T - first)."""
        rate, found = self.model.meta.learning_rate, np.zeros((len(leaves), self.n_outputs))
        for i, shared in enumerate(self.trees[first:]):
            added = rate * shared.tree.weight[leaves[:, i]]
            if added.shape[1] == self.n_outputs:
                found += added
            else:
                found[:, (first + i) % self.n_outputs] += added[:, 0]
        return found

    # Importance of columns.

    def asked_by(self, site: str, first: int) -> NDArray[np.int32]:
        """The columns that a party asks, node by node of the trees from ``first`` on."""
        found = [
            shared.tree.feature[np.array([name == site for name in shared.sites])]
            for shared in self.trees[first:]
        ]
        return np.concatenate([np.empty(0, dtype=np.int32), *found]).astype(np.int32)

    def importance_of(
        self, site: str, first: int, gains: Sequence[Floats], kind: str
    ) -> list[Importance]:
        """Of this party's own columns."""
        names = self.model.param.feature_name_fid_mapping
        return boosting_model.importances(
            self.trees[first:], gains, {(site, j): name for j, name in names.items()}, kind
        )

    def gain_by_column(
        self, site: str, first: int, gains: Sequence[Floats], asked: NDArray[np.int32]
    ) -> dict[int, float]:
        """Gains added up by the columns that another party says it asked, node by node."""
        found: dict[int, float] = {}
        by_node = [
            float(gain[i])
            for shared, gain in zip(self.trees[first:], gains, strict=True)
            for i, name in enumerate(shared.sites)
            if name == site
        ]
        for column, gain in zip(asked.tolist(), by_node, strict=False):
            found[column] = found.get(column, 0.0) + gain
        return found

    def important(self, one: Importance) -> None:
        """Add to the model's list, to an entry of the same column if there is one."""
        listed = self.model.param.feature_importances
        same = [o for o in listed if (o.sitename, o.fullname) == (one.sitename, one.fullname)]
        if same:
            same[0].importance += one.importance
            same[0].importance2 += one.importance2
        else:
            listed.append(msgspec.structs.replace(one))
        listed.sort(key=lambda o: (-o.importance, o.fullname))


class GuestRounds:
    """The guest's part of each round. score: (n, c) of the training rows, kept up to date."""

    def __init__(
        self,
        ctx: Ctx,
        params: HeteroBoostingParams,
        own: Binned,
        target: Target,
        sums: GuestSums | None,
        score: Floats,
    ) -> None:
        self._ctx, self._params, self._own, self._target = ctx, params, own, target
        self._sums, self.score = sums, score
        self._seed = _seed(params, own, target.y)
        self.gains: list[Floats] = []
        self.losses: list[float] = []

    def grown(self, t: int, plan: Plan, n_trees: int) -> list[tuple[SharedTree, bool]]:
        """The trees of round t: one for each output, or one for all."""
        stats, found = self._target.derivatives(self.score), list[tuple[SharedTree, bool]]()
        added = np.zeros_like(self.score)
        for i in range(n_trees):
            number = t * n_trees + i
            part = stats if n_trees == 1 else stats[:, [i, n_trees + i]]
            grown = self._tree(part, number, plan)
            outputs = slice(None) if n_trees == 1 else slice(i, i + 1)
            added[:, outputs] += self._params.learning_rate * grown.tree.tree.weight[grown.at]
            self.gains.append(grown.gain)
            found.append((grown.tree, True))
        self.score = self.score + added
        return found

    def _tree(self, stats: Floats, number: int, plan: Plan) -> Grown:
        p, own = self._params, self._own
        columns = Columns(own.codes, own.cuts, subsampled(p, own, number))
        draw = np.random.default_rng([*self._seed, number, 1])
        sample = _sampled(stats, p, self._sums.budget if self._sums else EXACT_BUDGET, draw)
        return GuestGrowth(self._ctx, columns, sample, p.rules, self._sums).grow(plan)

    def loss(self) -> float:
        """The mean loss of the training rows now."""
        self.losses.append(self._target.mean_loss(self.score))
        return self.losses[-1]

    @property
    def is_converged(self) -> bool:
        """Whether the last round has changed the loss by less than ``tol``."""
        p = self._params
        if not p.n_iter_no_change or len(self.losses) < 2:
            return False
        return abs(self.losses[-1] - self.losses[-2]) < float(p.tol)


def _sampled(
    stats: Floats, p: HeteroBoostingParams, budget: int, draw: np.random.Generator
) -> Sample:
    """What a tree is grown on, by the parameters."""
    rows = np.arange(len(stats))
    if p.run_goss:
        rows, factor = gradients.one_side_sampled(stats, p.top_rate, p.other_rate, draw)
        stats = stats * factor[:, None]
    words = gradients.rounded(stats, rows, budget, p.gradient_bits, draw)
    counts = p.tree_param.min_leaf_node > 1
    if counts:
        ones = np.zeros((len(stats), 1), dtype=np.int64)
        ones[rows] = 1
        words = Rounded(np.hstack([words.words, ones]), np.append(words.steps, 1.0))
    return Sample(words, rows, stats, counts)
