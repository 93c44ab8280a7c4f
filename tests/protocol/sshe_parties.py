"""Guest and host that train and predict without an arbiter, and their pooled twin."""

import numpy as np
import pyarrow as pa

from federatedml.component import Ctx
from federatedml.data.frame import Frame, FrameSchema
from federatedml.params import parse
from federation import GUEST, HOST, Party
from federation.transport.inproc import run
from tests import pooled

G, H = Party(GUEST, "9999"), Party(HOST, "10000")
N, N_GUEST = 40, 2
BASE = {
    "max_iter": 4,
    "learning_rate": 0.2,
    "alpha": 0.05,
    "tol": 0,
    "init_param": {"init_method": "zeros"},
}
HIDDEN = {"reveal_strategy": "encrypted_reveal_in_host"}
OPEN = {"reveal_every_iter": True}


def features():
    return np.random.default_rng(7).normal(size=(N, 5))


def params(component, **given):
    return parse(component.Params, {**BASE, **given}, component.module)


def frame(x, label=None, weight=None):
    return Frame(
        pa.array([f"id{i}" for i in range(len(x))]),
        x,
        FrameSchema(
            header=[f"x{i}" for i in range(x.shape[1])],
            label_name="y" if label is not None else None,
        ),
        label=label,
        weight=weight,
    )


def cut(x, label, weight=None):
    return {G: frame(x[:, :N_GUEST], label, weight), H: frame(x[:, N_GUEST:])}


def trained(component, p, frames, starts=None, *, validate=False, parties=(G, H)):
    """Each party's model, prediction of its training data and report; and the transcript."""
    starts = starts or {}

    def party(me):
        def play(ctx):
            trainer, train = component(p), frames[me]
            fit, predict = (trainer.stage(stage, me.role) for stage in ("fit", "predict"))
            model = fit(ctx, train, train if validate else None, starts.get(me))
            return model, predict(ctx, model, train), ctx.report

        return play

    return run({me: party(me) for me in parties}, Ctx)


def predicted(component, p, models, frames):
    """The guest's predictions with these models."""

    def party(me):
        return lambda ctx: component(p).stage("predict", me.role)(ctx, models[me], frames[me])

    return run({me: party(me) for me in (G, H)}, Ctx)


def joined(results):
    """All weights in the order of the pooled columns, the intercept last."""
    guest, host = (results[p][0].param for p in (G, H))
    return np.array([*guest.weight.values(), *host.weight.values(), guest.intercept])


def twin(train, x, y, p, **more):
    """Weights and losses of pooled training on all columns and ones."""
    return train(np.column_stack([x, np.ones(len(x))]), y, p, **more)


def in_batches(residual, x, p, sizes):
    """Plain gradient descent with L2 over batches in the order of the rows. Gives the weights."""
    w, free = np.zeros(x.shape[1]), np.arange(x.shape[1]) == x.shape[1] - 1
    rate = pooled.optim.Schedule(p.learning_rate, p.decay, p.decay_sqrt)
    for t in range(p.max_iter):
        for at, size in zip(np.cumsum([0, *sizes]), sizes, strict=False):
            rows = slice(at, at + size)
            d = residual(x[rows] @ w, rows)
            w = w - rate.at(t) * (x[rows].T @ d / size + p.alpha * w * ~free)
    return w
