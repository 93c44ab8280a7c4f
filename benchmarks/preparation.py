"""Preparation of a million rows of a hundred columns, fitted and applied; beside scikit-learn.

Prediction before writing: all is a few passes over 0.8 GB, so that mean and deviation take as long
as scikit-learn's; quantiles and medians sort each column on each core, half of its time; one-hot
columns are written densely here, ten times the bytes of scikit-learn's sparse ones.

`python -m benchmarks.preparation ROWS COLUMNS` measures one size.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder as Dummies
from sklearn.preprocessing import RobustScaler, StandardScaler

from federatedml import params, runner
from federatedml.component import Component, Ctx, Inputs, NamedData
from federatedml.components.feature_imputation import FeatureImputation
from federatedml.components.feature_scale import FeatureScale
from federatedml.components.onehot_encoder import OneHotEncoder
from federatedml.data.frame import Frame, FrameSchema
from federation import GUEST, Party

G = Party(GUEST, "9999")
CASES: dict[str, tuple[type[Component], dict[str, Any], Callable[[], Any]]] = {
    "standard": (FeatureScale, {}, StandardScaler),
    "cap": (
        FeatureScale,
        {"mode": "cap", "feat_upper": 0.99, "feat_lower": 0.01},
        lambda: RobustScaler(quantile_range=(1, 99)),
    ),
    "median": (
        FeatureImputation,
        {"missing_fill_method": "median"},
        lambda: SimpleImputer(strategy="median"),
    ),
    "one-hot": (OneHotEncoder, {}, Dummies),
}


def ran(component: type[Component], data: Frame, model: Any, given: dict[str, Any]) -> Any:
    ctx = Ctx(G, [G], None)
    ctx.name = "part_0"
    made = component(params.parse(component.Params, given, component.module))
    named = [NamedData("before_0", "data", data)]
    return runner.run(made, ctx, Inputs({"data": named}, model=model)).model


def table(rows: int, columns: int) -> Frame:
    x = np.random.default_rng(0).integers(0, 10, size=(rows, columns)).astype(float)
    x[::7, ::3] = np.nan
    schema = FrameSchema(
        header=[f"x{i}" for i in range(columns)],
        anonymous_header=[f"guest_9999_x{i}" for i in range(columns)],
    )
    return Frame(pa.array(np.arange(rows).astype(str)), x, schema)


def timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(rows: int = 1_000_000, columns: int = 100) -> None:
    data = table(rows, columns)
    print(f"{rows:,} x {columns}\n{'case':10} {'seconds':>9} {'twin':>9} {'ratio':>7}")
    for name, (component, given, twin) in CASES.items():
        ours = timed(lambda c=component, g=given: ran(c, data, ran(c, data, None, g), g))
        fitted = twin()
        theirs = timed(lambda f=fitted: f.fit(data.x).transform(data.x))
        print(f"{name:10} {ours:9.2f} {theirs:9.2f} {ours / theirs:6.2f}x", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
