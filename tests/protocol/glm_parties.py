"""Parties that train and predict a coordinated linear model, for its tests."""

import numpy as np
import pyarrow as pa

from federatedml.component import Ctx
from federatedml.data.frame import Frame, FrameSchema
from federatedml.params import parse
from federation import ARBITER, GUEST, HOST, Party
from federation.transport.inproc import run

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
JUDGE = Party(ARBITER, "10000")
CUTS = {G: (0, 2), BANK: (2, 4), SHOP: (4, 5)}

PAILLIER = {"method": "Paillier", "key_length": 512}
OPEN = {"key_length": 512}
"""The method left out: Lattice where it can be; the length is that of a key in its place."""

BASE = {
    "floating_point_precision": 50,
    "encrypt_param": PAILLIER,
    "max_iter": 4,
    "learning_rate": 0.2,
    "alpha": 0.05,
    "tol": 0,
    "init_param": {"init_method": "zeros"},
}


def params(component, **given):
    return parse(component.Params, {**BASE, **given}, component.module)


def frame(x, label=None, weight=None, names=None):
    names = names or [f"x{i}" for i in range(x.shape[1])]
    return Frame(
        pa.array([f"id{i}" for i in range(x.shape[0])]),
        x,
        FrameSchema(header=names, label_name="y" if label is not None else None),
        label=label,
        weight=weight,
    )


def trained(component, p, frames, starts=None, *, validate=False):
    """Each party's model, prediction of its training data and report; and the transcript.

    p: parameters, of all parties or by party.
    """
    starts = starts or {}

    def party(me):
        def play(ctx):
            trainer = component(p[me] if isinstance(p, dict) else p)
            train = frames.get(me)
            fit, predict = (trainer.stage(stage, me.role) for stage in ("fit", "predict"))
            model = fit(ctx, train, train if validate else None, starts.get(me))
            return model, predict and predict(ctx, model, train), ctx.report

        return play

    return run({me: party(me) for me in (*frames, JUDGE)}, Ctx)


def joined(results, hosts=(BANK,)):
    """All weights in the order of the pooled columns, the intercept last."""
    parts = [results[p][0].param for p in (G, *hosts)]
    return np.array([*(v for part in parts for v in part.weight.values()), parts[0].intercept])


def pooled_columns(x, hosts=(BANK,)):
    """The columns that guest and hosts have together, and ones."""
    return np.column_stack([x[:, : CUTS[hosts[-1]][1]], np.ones(len(x))])


def cut(x, hosts, label, weight=None, pack=None):
    """The parties' frames."""
    pack = pack or (lambda part: part)
    frames = {me: frame(pack(x[:, slice(*CUTS[me])])) for me in hosts}
    return {G: frame(pack(x[:, slice(*CUTS[G])]), label, weight), **frames}
