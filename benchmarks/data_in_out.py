"""A CSV file into a table, into instances, and out again, by rows; beside pandas and numpy.

Prediction before writing: splitting costs about 10 ns a byte, parsing a number 50 ns on one core,
writing one 200 ns. A million rows of 20 numbers (200 MB) should upload in 2-3 s, transform in 1 s,
download in 5 s. The twin is pandas' C parser and to_csv, for save and load numpy.save and load.

`python -m benchmarks.data_in_out ROWS` measures one size.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from eggroll.storage import Storage
from federatedml import params
from federatedml.component import Component, Ctx, Inputs, NamedData, Outputs
from federatedml.components.data_transform import DataTransform
from federatedml.components.upload import Upload
from federatedml.data import stored
from federation import LOCAL, Party
from federation.transport.inproc import Hub

FEATURES = 20
SIZES = [10_000, 100_000, 1_000_000]


def write_file(path: Path, n: int) -> None:
    rng = np.random.default_rng(n)
    frame = pd.DataFrame(rng.standard_normal((n, FEATURES)).round(6))
    frame.columns = [f"x{i}" for i in range(FEATURES)]
    frame.insert(0, "y", rng.integers(0, 2, n))
    frame.insert(0, "id", np.arange(n))
    frame.to_csv(path, index=False)


def ran(component: type[Component], ctx: Ctx, inputs: Inputs, **given: Any) -> Outputs:
    return component(params.parse(component.Params, given, component.module)).fit(ctx, inputs)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def measure(folder: Path, n: int) -> list[tuple[str, float, float]]:
    """(step, seconds, seconds of the twin)."""
    file, out, me = folder / f"{n}.csv", folder / f"{n}.out.csv", Party(LOCAL, "0")
    write_file(file, n)
    ctx = Ctx(me, [me], Hub())
    ctx.tables, ctx.cores = Storage(folder / "tables"), 2
    named = {"namespace": "bench", "name": str(n)}
    texts, _ = timed(lambda: pd.read_csv(file, dtype=str, quoting=3))
    upload, _ = timed(lambda: ran(Upload, ctx, Inputs(), file=str(file), **named))
    numbers, frame = timed(lambda: pd.read_csv(file))
    given = Inputs(
        data={"data": [NamedData("r", "data", stored.load(ctx.tables, "bench", str(n)))]}
    )
    transform, made = timed(lambda: ran(DataTransform, ctx, given, with_label=True))
    assert np.array_equal(made.data[0].x, frame.iloc[:, 2:].to_numpy())
    save, table = timed(lambda: stored.save(ctx.tables, "bench", f"{n}.x", made.data[0]))
    copy, _ = timed(lambda: np.save(folder / f"{n}.npy", made.data[0].x))
    load, _ = timed(lambda: stored.load(ctx.tables, "bench", f"{n}.x").x[-1, -1])
    reread, _ = timed(lambda: np.load(folder / f"{n}.npy")[-1, -1])
    export, _ = timed(lambda: stored.export_csv(table, out))
    to_csv, _ = timed(lambda: frame.to_csv(folder / f"{n}.twin.csv", index=False))
    return [
        ("upload", upload, texts),
        ("transform", transform, numbers),
        ("save", save, copy),
        ("load", load, reread),
        ("download", export, to_csv),
    ]


def main(sizes: list[int] = SIZES) -> None:
    print(f"{'rows':>10} {'step':10} {'seconds':>9} {'rows/s':>12} {'twin':>9} {'ratio':>7}")
    for n in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-data-") as folder:
            for step, seconds, twin in measure(Path(folder), n):
                print(
                    f"{n:10,} {step:10} {seconds:9.3f} {n / seconds:12,.0f} {twin:9.3f} "
                    f"{seconds / twin:6.2f}x",
                    flush=True,
                )


if __name__ == "__main__":
    main([int(n) for n in sys.argv[1:]] or SIZES)
