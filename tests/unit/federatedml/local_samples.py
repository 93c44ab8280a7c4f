"""Rows, parameters and runs for the tests of LocalBaseline."""

import json

import msgspec
import numpy as np
import pyarrow as pa

from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.local_baseline import LocalBaseline, LocalBaselineParam
from federatedml.data.frame import Frame, FrameSchema
from federatedml.local_model import LocalModel
from federatedml.params import parse
from federatedml.runner import run
from federation import GUEST, Party

N = 90
SMALL = {  # few and repeatable
    "DecisionTreeClassifier": {"max_depth": 4, "random_state": 0},
    "DecisionTreeRegressor": {"max_depth": 4, "random_state": 0},
    "RandomForestClassifier": {"n_estimators": 5, "random_state": 0},
    "RandomForestRegressor": {"n_estimators": 5, "random_state": 0, "max_features": 2},
    "ExtraTreesClassifier": {"n_estimators": 5, "random_state": 0, "max_depth": 3},
    "ExtraTreesRegressor": {"n_estimators": 5, "random_state": 0, "max_depth": 3},
    "GradientBoostingClassifier": {"n_estimators": 8, "random_state": 0},
    "GradientBoostingRegressor": {"n_estimators": 8, "random_state": 0},
    "MLPClassifier": {"hidden_layer_sizes": [6, 4], "max_iter": 5, "random_state": 0},
    "MLPRegressor": {"hidden_layer_sizes": 5, "activation": "tanh", "max_iter": 5,
                     "random_state": 0},
    "LGBMClassifier": {"n_estimators": 5, "n_jobs": 1},
    "LGBMRegressor": {"n_estimators": 5, "n_jobs": 1},
}  # fmt: skip


def data(n=N):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(n, 4))
    return x, x @ [1.0, -2.0, 0.5, 0.0] + 0.3 * rng.normal(size=n)


def labels(n_classes):
    _, score = data()
    if n_classes == 0:
        return np.abs(score)
    return np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


def frame(x, label=None, weight=None, header=None, texts=None):
    header = header or [f"x{i}" for i in range(x.shape[1])]
    ids = pa.array([f"id{i}" for i in range(x.shape[0])])
    return Frame(ids, x, FrameSchema(header=header), label=label, weight=weight, texts=texts)


def params(name="LogisticRegression", opts=None, **more):
    given = {"model_name": name, "model_opts": opts or {}, **more}
    return parse(LocalBaselineParam, given, "LocalBaseline#local_baseline_0")


def done(p, kinds, role=GUEST, model=None):
    me = Party(role, "1")
    ctx = Ctx(me, [me], None)
    ctx.name = "local_baseline_0"
    named = {kind: [NamedData("i_0", "data", f)] for kind, f in kinds.items()}
    outputs = run(LocalBaseline(p), ctx, Inputs(named, model=model))
    return outputs, ctx.report


def fitted(name, label, x=None, weight=None, opts=None):
    """The stored model, by way of its JSON, and what it says of the training rows."""
    opts = SMALL.get(name, {}) if opts is None else opts
    x = data()[0] if x is None else x
    outputs, report = done(params(name, opts), {"train_data": frame(x, label, weight)})
    text = json.dumps(msgspec.to_builtins(outputs.model))
    model = msgspec.convert(json.loads(text), LocalModel)
    again, _ = done(params(name, opts), {"test_data": frame(x, label)}, model=model)
    return model, again.data[0], report.told
