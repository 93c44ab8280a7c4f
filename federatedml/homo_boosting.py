"""What a party of a horizontal boosting keeps while it trains, and its model. No messages here.

Shapes: n rows, k features, c raw scores of a row.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import msgspec
import numpy as np
from scipy import sparse

from federatedml import boosting_model, boosting_side, homo_side
from federatedml.boosting_model import (
    BoostingModel,
    BoostingParam,
    Importance,
    SharedTree,
    TreeParamOut,
)
from federatedml.boosting_params import HomoBoostingParams
from federatedml.boosting_side import Target
from federatedml.crypto import summable
from federatedml.crypto.masking import Words
from federatedml.data.frame import Frame
from federatedml.errors import BadModel
from federatedml.homo_trees import BinnedRows, Grown, HomoTurn, rounded
from federatedml.lr_model import Label
from federatedml.maths import trees
from federatedml.maths.glm import Floats, Matrix
from federatedml.maths.trees import Tree

LOG = logging.getLogger(__name__)

BLOCK = 1 << 16
"""Rows of a sparse matrix that are made dense at a time."""


class HomoBoostingModel(BoostingModel, kw_only=True):
    meta_name: ClassVar[str] = "HomoSecureBoostingTreeGuestMeta"
    param_name: ClassVar[str] = "HomoSecureBoostingTreeGuestParam"


def own_labels(frame: Frame, params: HomoBoostingParams, component: str) -> list[Label]:
    """The labels of this party's rows; none for a regression. Raises BadData."""
    found = homo_side.distinct_labels(frame, component)
    if params.task_type == "classification":
        return found
    boosting_side.target(frame, params, component)
    return []


class Learner:
    """This party's rows, raw scores and trees.

    model: without trees, or with those that a warm start goes on from. site: who asks in the model,
    the party's role. Raises BadData, BadModel.
    """

    def __init__(
        self,
        params: HomoBoostingParams,
        frame: Frame,
        validate: Frame | None,
        target: Target,
        model: HomoBoostingModel,
        site: str,
        component: str,
    ) -> None:
        self.params, self.target, self.model, self._site = params, target, model, site
        self._frames = [rows for rows in (frame, validate) if rows is not None]
        self._x = [matrix(model, rows, component) for rows in self._frames]
        self._scores = [scores(model, x) for x in self._x]
        self._slopes = (np.empty((0, 0)), np.empty((0, 0)))
        if not params.misses and np.isnan(self.x.data if sparse.issparse(self.x) else self.x).any():
            LOG.warning(
                "some values are missing and use_missing is off: they count as larger than all "
                "others. Set use_missing to learn where they go"
            )

    @property
    def x(self) -> Matrix:
        """(n, k) the training rows."""
        return self._x[0]

    def score_of(self, frame: Frame | None) -> Floats:
        """(n, c) raw scores of the training or the validation rows."""
        at = next(i for i, rows in enumerate(self._frames) if rows is frame)
        return self._scores[at]

    def totals(self) -> Words:
        """For a sum over all parties: loss, weight, magnitudes of first and second derivatives.

        Raises PlaintextOutOfRange once they are too large, or no numbers.
        """
        t, score, c = self.target, self._scores[0], self.target.n_outputs
        with np.errstate(over="ignore", invalid="ignore"):  # the caller is told
            stats = t.derivatives(score)
            self._slopes = g, h = stats[:, :c], stats[:, c:]
            loss = t.loss.value(score, t.y)
            weight = np.ones(len(t.y)) if t.weight is None else t.weight
            sizes = [loss @ weight, weight.sum(), np.abs(g).sum(), np.abs(h).sum()]
        return summable.wide(np.array(sizes))

    def grown(self, rows: BinnedRows, turn: HomoTurn, cores: int) -> Grown:
        """The trees of a round, before their first question; after ``totals``."""
        g, h = (rounded(s, int(b)) for s, b in zip(self._slopes, turn.scale_bits, strict=True))
        each = range(g.shape[1])
        parts = [(g, h)] if self.is_vector else [(g[:, [i]], h[:, [i]]) for i in each]
        return Grown(rows, [np.column_stack(part) for part in parts], turn, cores)

    @property
    def is_vector(self) -> bool:
        """Whether a tree's leaves have a weight for every class."""
        return self.target.n_outputs == 1 or self.params.multi_mode == "multi_output"

    def take(self, grown: Grown) -> None:
        """Add the finished trees of a round to the model and to the scores."""
        rate, param = self.params.learning_rate, self.model.param
        for i, tree in enumerate(grown.finished()):
            self._score(0, i, rate * tree.weight[grown.at[i]])
            for at in range(1, len(self._x)):
                self._score(at, i, rate * _leaf_weights(tree, self._x[at]))
            param.trees.append(shown(tree, self._site))
            self._note(tree, grown.gains[i])
        param.tree_num = len(param.trees)

    def snapshot(self) -> HomoBoostingModel:
        """The model as it is now, which the next rounds leave alone."""
        param = self.model.param
        importances = [msgspec.structs.replace(one) for one in param.feature_importances]
        kept = msgspec.structs.replace(
            param, trees=list(param.trees), feature_importances=importances
        )
        return HomoBoostingModel(meta=self.model.meta, param=kept)

    def _score(self, at: int, i: int, added: Floats) -> None:
        columns = slice(None) if self.is_vector else [i]
        self._scores[at][:, columns] += added

    def _note(self, tree: Tree, gains: dict[int, float]) -> None:
        """Count the questions of a tree."""
        listed, kind = self.model.param.feature_importances, _kind(self.params)
        known = {one.fid: one for one in listed}
        for node, gain in gains.items():
            fid = int(tree.feature[node])
            if fid not in known:
                name = self.model.param.feature_name_fid_mapping[fid]
                known[fid] = Importance(
                    sitename=self._site, fid=fid, importance=0.0, fullname=name, main=kind
                )
            one, both = known[fid], (1.0, gain) if kind == "split" else (gain, 1.0)
            one.importance, one.importance2 = one.importance + both[0], one.importance2 + both[1]
        order = sorted(known.values(), key=lambda o: (-o.importance, -o.importance2, o.fid))
        self.model.param.feature_importances = order


def _kind(params: HomoBoostingParams) -> str:
    return params.tree_param.feature_importance_type


def empty_model(
    params: HomoBoostingParams, header: Sequence[str], target: Target
) -> HomoBoostingModel:
    """A model without trees."""
    param = BoostingParam(
        init_score=[0.0] * target.n_outputs,
        tree_dim=target.n_outputs,
        num_classes=len(target.classes),
        **boosting_model.classes_shown(target.classes),
        feature_name_fid_mapping=dict(enumerate(header)),
        model_name="homo_sbt",
    )
    meta = boosting_model.meta_of(params, "HomoSecureBoost", strategy="")
    return HomoBoostingModel(meta=meta, param=param)


def begun(
    start: BoostingModel | None,
    model: HomoBoostingModel,
    params: HomoBoostingParams,
    component: str,
) -> HomoBoostingModel:
    """The model with the trees that a warm start goes on from. Raises BadModel."""
    if start is None:
        return model
    header = [name for _, name in sorted(model.param.feature_name_fid_mapping.items())]
    boosting_side.checked_start(start, header, model, component)
    wanted = model.param.tree_dim if params.multi_mode == "multi_output" else 1
    if any(len(tree.tree[0].mo_weight or [0.0]) != wanted for tree in start.param.trees):
        raise BadModel(f"{component}: the model to start from was trained with another multi_mode")
    kept = msgspec.structs.replace(
        model.param,
        trees=list(start.param.trees),
        tree_num=start.param.tree_num,
        feature_importances=[
            _counted_by(one, _kind(params)) for one in start.param.feature_importances
        ],
    )
    return HomoBoostingModel(meta=model.meta, param=kept)


def _counted_by(one: Importance, kind: str) -> Importance:
    """A copy, with splits or gain in the first place."""
    if one.main == kind:
        return msgspec.structs.replace(one)
    first, second = one.importance2, one.importance
    return msgspec.structs.replace(one, importance=first, importance2=second, main=kind)


def summary(model: BoostingModel) -> dict[str, object]:
    """The model as the component's summary shows it."""
    listed = model.param.feature_importances
    return {
        "feature_importance": {
            one.fullname: int(one.importance) if one.main == "split" else one.importance
            for one in listed
        }
    }


def begun_digest(start: BoostingModel | None) -> bytes:
    """Tells models to start from apart; the same at all parties of one training."""
    if start is None:
        return b""
    param, trees_ = start.param, []
    for tree in start.param.trees:
        nodes = [msgspec.structs.replace(node, sitename="") for node in tree.tree]
        trees_.append(nodes)
    about = [param.classes, sorted(param.feature_name_fid_mapping.items()), trees_]
    return hashlib.sha256(msgspec.json.encode(about)).digest()


def shown(tree: Tree, site: str) -> TreeParamOut:
    """A tree as the model file has it: every question at its node."""
    shared = SharedTree(tree, [site] * len(tree))
    nodes = boosting_model.nodes_of(shared)
    for node, inner, threshold in zip(nodes, shared.inner, tree.threshold, strict=True):
        node.bid = float(threshold) if inner else 0.0
    leaves = np.flatnonzero(~shared.inner).tolist()
    return TreeParamOut(tree=nodes, leaf_count={i: int(tree.count[i]) for i in leaves})


def read(stored: TreeParamOut) -> Tree:
    """The flat form back."""
    tree = boosting_model.read(stored).tree
    return replace(tree, threshold=np.array([node.bid for node in stored.tree]))


def matrix(model: HomoBoostingModel, frame: Frame, component: str) -> Matrix:
    """(n, k) the model's columns of these rows. Raises BadData, BadModel."""
    names = model.param.feature_name_fid_mapping
    header = [names[i] for i in sorted(names)]
    missing = model.meta.zero_as_missing
    return boosting_side.matrix(frame, component, header, zero_is_missing=missing)


def scores(model: HomoBoostingModel, x: Matrix) -> Floats:
    """(n, c) raw scores. Cost: about 10 ns a row, tree and level."""
    param, rate = model.param, model.meta.learning_rate
    found = np.tile(np.array(param.init_score), (x.shape[0], 1))
    c = found.shape[1]
    for i, stored in enumerate(param.trees):
        added = rate * _leaf_weights(read(stored), x)
        if added.shape[1] == c:
            found += added
        else:
            found[:, i % c] += added[:, 0]
    return found


def _leaf_weights(tree: Tree, x: Matrix) -> Floats:
    """(n, c) weights of the rows' leaves; a sparse matrix is made dense block by block."""
    if not sparse.issparse(x):
        return trees.predicted(tree, np.asarray(x))
    blocks = [x[at : at + BLOCK].toarray() for at in range(0, max(x.shape[0], 1), BLOCK)]
    return np.concatenate([trees.predicted(tree, block) for block in blocks])
