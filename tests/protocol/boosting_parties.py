"""A vertical boosting played in one process, and its pooled twin."""

from dataclasses import replace

import numpy as np
import pyarrow as pa

from federatedml import boosting_model, boosting_side
from federatedml.boosting_model import NOT_MINE
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.hetero_secureboost import HeteroSecureBoost
from federatedml.data.frame import Frame, FrameSchema
from federatedml.maths import gradients, quantiles, trees
from federatedml.params import parse
from federatedml.protocols.tree_growth import site
from federatedml.runner import run as run_component
from federation import GUEST, HOST, Party
from federation.transport.inproc import run

G, BANK, SHOP, CLINIC = (
    Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001"), Party(HOST, "10002"),
)  # fmt: skip

ONE_HOST = {G: (0, 4), BANK: (4, 9)}
THREE_HOSTS = {G: (0, 3), BANK: (3, 6), SHOP: (6, 7), CLINIC: (7, 9)}

FAST = {"method": "Paillier", "key_length": 512}
"""Too short to be safe, long enough for the plaintexts."""


def table(n=160, k=9, seed=0, missing=0.0):
    """Columns, some with few values, and a score that depends on columns of everybody."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k))
    x[:, 2] = np.round(x[:, 2])
    x[:, k - 1] = x[:, k - 1] > 0
    score = x[:, 0] - 1.5 * x[:, 4] * (x[:, 1] > 0) + np.sin(2 * x[:, 6]) + x[:, 8]
    x[rng.random(x.shape) < missing] = np.nan
    return x, score + 0.3 * rng.normal(size=n)


def params(**given):
    base = {"num_trees": 3, "tree_param": {"max_depth": 3}, "bin_num": 8}
    return parse(HeteroSecureBoost.Params, {**base, **given}, "HeteroSecureBoost#boost_0")


def frame(x, label=None, weight=None, prefix="r", names="x"):
    ids = pa.array([f"{prefix}{i}" for i in range(x.shape[0])])
    header = [f"{names}{i}" for i in range(x.shape[1])]
    return Frame(ids, x, FrameSchema(header=header, sid_name="uid"), label=label, weight=weight)


def given(x, y, cuts, weight=None, kind="train_data"):
    """inputs(party) -> Inputs of one table, each party its columns."""

    def inputs(me, model=None):
        low, high = cuts[me]
        rows = frame(x[:, low:high], *((y, weight) if me == G else ()))
        return Inputs({kind: [NamedData("i_0", "data", rows)]}, model=model)

    return inputs


def played(p, inputs, cuts, models=None):
    """What each party puts out and reports, and the transcript."""

    def party(me):
        def play(ctx):
            ctx.name = "boost_0"
            model = models[me] if models else None
            return run_component(HeteroSecureBoost(p), ctx, inputs(me, model)), ctx.report

        return play

    return run({me: party(me) for me in cuts}, Ctx)


def models_of(found):
    return {me: outputs.model for me, (outputs, _) in found.items()}


def together(models, cuts):
    """The trees with everybody's questions, columns numbered through: what nobody holds."""
    read = {me: [boosting_model.read(t) for t in m.param.trees] for me, m in models.items()}
    whole = []
    for i, shared in enumerate(read[G]):
        tree = shared.tree
        feature, threshold = tree.feature.copy(), tree.threshold.copy()
        missing = tree.missing_left.copy()
        for me, (low, _) in cuts.items():
            mine = np.array([name == site(me) for name in shared.sites])
            own = read[me][i].tree
            assert (own.feature[mine] != NOT_MINE).all()
            feature[mine] = own.feature[mine] + low
            threshold[mine], missing[mine] = own.threshold[mine], own.missing_left[mine]
        whole.append(replace(tree, feature=feature, threshold=threshold, missing_left=missing))
    return whole


def twin(p, x, y, weight=None, budget=39, columns=None):
    """The same training on pooled columns: its trees, and the scores of the rows.

    columns: of each tree those that may be asked; None: all.
    """
    target = boosting_side.target(frame(x, y, weight), p, "twin")
    cuts = quantiles.cut_points(x, p.bin_num)
    codes = quantiles.binned(x, cuts)
    score, grown = np.tile(target.start(), (len(x), 1)), []
    several = target.n_outputs if p.multi_mode == "single_output" else 1
    for t in range(p.num_trees):
        stats, added = target.derivatives(score), np.zeros_like(score)
        for i in range(several):
            part = stats if several == 1 else stats[:, [i, several + i]]
            tree, at = _grown(p, codes, cuts, part, budget, columns and columns[t])
            added[:, slice(None) if several == 1 else slice(i, i + 1)] += tree.weight[at]
            grown.append(tree)
        score += p.learning_rate * added
    return grown, score


def _grown(p, codes, cuts, stats, budget, columns):
    rows = np.arange(len(stats))
    words = gradients.rounded(stats, rows, budget, None, np.random.default_rng(0))
    used = np.arange(len(codes)) if columns is None else np.array(columns)
    tree, at = trees.grow(
        codes[used],
        quantiles.Cuts([cuts.upper[j] for j in used], cuts.n_bins),
        words.words * words.steps,
        p.rules,
        p.tree_param.max_depth,
    )
    feature = np.where(tree.feature >= 0, used[tree.feature], tree.feature).astype(np.int32)
    return replace(tree, feature=feature), at
