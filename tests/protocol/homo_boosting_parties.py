"""Guest, hosts and arbiter of a horizontal boosting, and its twin on the pooled rows."""

import numpy as np
import pyarrow as pa

from federatedml.component import Ctx
from federatedml.components.homo_secureboost import HomoSecureBoost
from federatedml.data.frame import Frame, FrameSchema
from federatedml.homo_boosting import read
from federatedml.homo_trees import rounded
from federatedml.maths import boosted_losses, quantiles, trees
from federatedml.params import parse
from federation import ARBITER, GUEST, HOST, Party
from federation.transport.inproc import run

G, BANK, SHOP, MILL = Party(GUEST, "9999"), *(Party(HOST, f"1000{i}") for i in range(3))
JUDGE = Party(ARBITER, "10000")
CLIENTS = {1: (G, BANK), 2: (G, BANK, SHOP), 3: (G, BANK, SHOP, MILL)}
"""By the number of hosts."""

N, K = 90, 5
PARTS = {1: [0, 35, 90], 2: [0, 35, 60, 90], 3: [0, 35, 60, 72, 90]}


def data(n_classes=2):
    """Pooled rows; 0 classes: a number to be estimated."""
    rng = np.random.default_rng(7)
    x = rng.normal(size=(N, K))
    x[:, 1] = np.round(x[:, 1])
    x[:, 4] = rng.integers(0, 3, N)
    score = x @ rng.normal(size=K) + x[:, 0] * x[:, 1] + rng.normal(size=N) / 2
    if n_classes == 0:
        return x, score
    return x, np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


def frame(x, label=None, weight=None, names=None):
    names = names or [f"x{i}" for i in range(x.shape[1])]
    return Frame(
        pa.array([f"id{i}" for i in range(x.shape[0])]),
        x,
        FrameSchema(header=names, label_name=None if label is None else "y"),
        label=label,
        weight=weight,
    )


def params(**given):
    base = {"num_trees": 3, "bin_num": 8, "tol": 0}
    return parse(HomoSecureBoost.Params, {**base, **given}, "HomoSecureBoost#homo_secureboost_0")


def split(hosts, x, label, weight=None):
    """Every client's rows of the pooled data."""
    at = PARTS[hosts]
    return {
        c: frame(x[a:b], label[a:b], None if weight is None else weight[a:b])
        for c, a, b in zip(CLIENTS[hosts], at, at[1:], strict=False)
    }


def trained(p, rows, *, starts=None, validate=None):
    """Models, predictions and reports of every party, and the transcript."""
    starts = starts or {}

    def client(ctx):
        boost = HomoSecureBoost(p)
        fit, predict = boost.stage("fit", ctx.role), boost.stage("predict", ctx.role)
        model = fit(ctx, rows[ctx.me], validate, starts.get(ctx.me))
        return model, predict(ctx, model, rows[ctx.me]), ctx.report

    def judge(ctx):
        return HomoSecureBoost(p).fit_arbiter(ctx, None, None, None), None, ctx.report

    return run({**dict.fromkeys(rows, client), JUDGE: judge}, Ctx)


def told(transcript, name):
    """What the arbiter told the guest, message by message."""
    return [s.value for s in transcript if s.message.endswith(f".{name}") and s.dst == G]


def cuts_of(transcript, n_bins):
    common = told(transcript, "cuts")[0]
    return quantiles.Cuts(np.split(common.upper, np.cumsum(common.n_cuts)[:-1]), n_bins)


def _loss(p, y):
    if p.task_type == "classification":
        return boosted_losses.of_classes(len(np.unique(y)))
    return boosted_losses.of_numbers(p.objective_param.objective, p.objective_param.params or [])


def twin(p, x, y, transcript, weight=None, *, rounds=None):
    """Trees grown on the pooled rows, with the parties' cuts, drawn columns and rounding; what
    they predict; and the mean loss after each round."""
    loss, weight = _loss(p, y), np.ones(len(y)) if weight is None else weight
    x = np.where(x == 0, np.nan, x) if p.zero_is_missing else x
    cuts, vector = cuts_of(transcript, p.bin_num), p.multi_mode == "multi_output"
    turns = [turn for turn in told(transcript, "turn") if not turn.is_over][:rounds]
    c = max(len(turns[0].features), len(np.unique(y)) if vector else 1)
    codes, score, found, losses = quantiles.binned(x, cuts), np.zeros((len(x), c)), [], []
    for turn in turns:
        slopes = (part * weight[:, None] for part in loss.derivatives(score, y.astype(float)))
        g, h = (rounded(part, int(b)) for part, b in zip(slopes, turn.scale_bits, strict=True))
        for i, drawn in enumerate(turn.features):
            columns = slice(None) if vector or c == 1 else [i]
            part = quantiles.Cuts([cuts.upper[j] for j in drawn], cuts.n_bins)
            tree, at = trees.grow(
                np.ascontiguousarray(codes[drawn]),
                part,
                np.column_stack([g[:, columns], h[:, columns]]),
                p.rules,
                p.tree_param.max_depth,
            )
            found.append((tree, drawn))
            score[:, columns] += p.learning_rate * tree.weight[at]
        losses.append(np.average(loss.value(score, y.astype(float)), weights=weight))
    return found, loss.mean(score), losses


def assert_same_trees(model, found):
    assert len(model.param.trees) == len(found)
    for stored, (tree, drawn) in zip(model.param.trees, found, strict=True):
        mine, inner = read(stored), tree.feature >= 0
        np.testing.assert_array_equal(mine.left, tree.left)
        np.testing.assert_array_equal(mine.feature[inner], drawn[tree.feature[inner]])
        np.testing.assert_array_equal(mine.threshold[inner], tree.threshold[inner])
        np.testing.assert_array_equal(mine.missing_left, tree.missing_left)
        np.testing.assert_array_equal(mine.weight, tree.weight)
