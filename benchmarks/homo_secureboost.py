"""Horizontal boosting by rows and features: guest, host and arbiter as processes over a gateway.

A tree of depth 5 sums every row at the root and half of the rows below it: three passes at 2 ns a
row and feature, so 100,000 x 50 in two parties on two cores should take 15 ms a level-sum and
0.1 s a tree with losses, moves and messages (five round trips of some ms, 0.5 MB a party).
Outcome, at a load of 5 from other work: 0.23 s a tree at 100,000 x 50 (depth 5, 0.45 MB a party and
tree, bins 0.6 s) where LightGBM with all rows and both cores took 0.68 s then and takes 0.014 s on
idle cores; 0.65 s a tree at 1,000,000 x 30. The AUC is LightGBM's.

`python -m benchmarks.homo_secureboost` measures the sizes below;
`python -m benchmarks.homo_secureboost ROWS FEATURES TREES DEPTH` one size.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
from sklearn.metrics import roc_auc_score

from benchmarks._parties import TOKEN, told
from federatedml import params
from federatedml.component import Ctx
from federatedml.components.homo_secureboost import HomoSecureBoost, Wire
from federatedml.data.frame import Frame, FrameSchema
from federation import ARBITER, GUEST, HOST, Party
from federation.transport.embedded import EmbeddedGateway
from federation.transport.gateway import Options
from federation.transport.local import GatewayTransport

PARTIES = [Party(GUEST, "9999"), Party(HOST, "10000"), Party(ARBITER, "10001")]
SIZES = [(569, 30, 3, 3), (100_000, 50, 10, 5), (1_000_000, 30, 5, 5)]
BINS, RATE, L2 = 32, 0.3, 0.1


def rows(n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, k))
    score = x @ rng.normal(size=k) + 2 * x[:, 0] * x[:, 1] + 2 * rng.normal(size=n)
    return x, (score > 0).astype(np.int64)


def party(role: str, size: list[int], job: str, socket_path: str) -> None:
    """One party, in a process of its own; prints what it took as JSON."""
    n, k, n_trees, depth = size
    me, data = next(p for p in PARTIES if p.role.value == role), None
    if me.role != ARBITER:
        x, y = rows(n, k)
        mine = slice(0, n // 2) if me.role == GUEST else slice(n // 2, n)
        header = [f"x{i}" for i in range(k)]
        ids = pa.array(np.arange(n)[mine].astype(str))
        data = Frame(ids, x[mine].copy(), FrameSchema(header=header), label=y[mine])
        del x
    given = {"num_trees": n_trees, "tree_param": {"max_depth": depth}, "tol": 0}
    boost = HomoSecureBoost(params.parse(HomoSecureBoost.Params, given, "HomoSecureBoost"))
    with GatewayTransport(socket_path, TOKEN) as transport:
        ctx = Ctx(me, PARTIES, transport, job_id=job, component="homo_secureboost_0")
        found = {"bytes": 0, "messages": 0, "begun": 0.0}
        _count(ctx, found)
        before = resource.getrusage(resource.RUSAGE_SELF)
        print("ready", flush=True)
        sys.stdin.readline()
        start = time.perf_counter()
        model = boost.stage("fit", me.role)(ctx, data, None, None)
        found["seconds"] = time.perf_counter() - start
        found["begun"] -= start
    after = resource.getrusage(resource.RUSAGE_SELF)
    found["cpu"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found["memory"] = after.ru_maxrss / 2**20
    if data is not None:
        said = boost.stage("predict", me.role)(ctx, model, data)
        found["auc"] = roc_auc_score(data.label, said.score)
    print(json.dumps(found))


def _count(ctx: Ctx, found: dict[str, float]) -> None:
    """Count masked bytes and messages that leave, and note when the first tree begins."""
    remote = ctx.remote

    def counted(message, value, **to):
        found["messages"] += 1
        found["bytes"] += value.nbytes if message is Wire.masked else 0
        if message is Wire.turn and not found["begun"]:
            found["begun"] = time.perf_counter()
        remote(message, value, **to)

    ctx.remote = counted


def lightgbm_pooled(size: tuple[int, ...]) -> tuple[float, float, float]:
    """Seconds for bins, seconds a tree, and AUC, of LightGBM with all rows and two threads."""
    import lightgbm

    (x, y), (_, _, n_trees, depth) = rows(*size[:2]), size
    given = {
        "objective": "binary", "learning_rate": RATE, "lambda_l2": L2, "max_bin": BINS,
        "max_depth": depth, "num_leaves": 1 << depth, "min_data_in_leaf": 1, "num_threads": 2,
        "min_sum_hessian_in_leaf": 1e-3, "verbose": -1, "feature_pre_filter": False,
    }  # fmt: skip
    start = time.perf_counter()
    held = lightgbm.Dataset(x, y, params=given).construct()
    binned = time.perf_counter()
    model = lightgbm.train(given, held, n_trees)
    end = time.perf_counter()
    return binned - start, (end - binned) / n_trees, roc_auc_score(y, model.predict(x))


def main(sizes: list[tuple[int, ...]] = SIZES) -> None:
    heads = (
        "rows", "feat.", "depth", "all s", "bins s", "s/tree", "CPU s", "GB", "msgs", "MB/party",
        "AUC", "LightGBM", "s/tree", "AUC",
    )  # fmt: skip
    print(
        ("{:>9} {:>5} {:>5} " + "{:>7} " * 5 + "{:>5} {:>8} {:>7} {:>8} {:>7} {:>7}").format(*heads)
    )
    # A Unix socket's path has to be short.
    with (
        tempfile.TemporaryDirectory(prefix="homo", dir="/tmp") as home,
        EmbeddedGateway(Options(Path(home), port=0)) as gateway,
        closing(gateway.control()) as control,
    ):
        for size in sizes:
            job = "bench-homo-" + "-".join(map(str, size))
            module = "benchmarks.homo_secureboost"
            found = told(control, gateway.options.socket, module, job, PARTIES, [json.dumps(size)])
            guest, host, arbiter = found
            n, k, n_trees, depth = size
            seconds, bins = max(t["seconds"] for t in found), arbiter["begun"]
            cpu, memory = (sum(t[key] for t in found) for key in ("cpu", "memory"))
            pooled = lightgbm_pooled(size)
            print(
                f"{n:9,} {k:5} {depth:5} {seconds:7.2f} {bins:7.2f} "
                f"{(seconds - bins) / n_trees:7.3f} {cpu:7.2f} {memory:7.2f} "
                f"{sum(t['messages'] for t in found):5} {guest['bytes'] / 1e6:8.1f} "
                f"{(guest['auc'] + host['auc']) / 2:7.4f} {pooled[0]:8.2f} {pooled[1]:7.3f} "
                f"{pooled[2]:7.4f}",
                flush=True,
            )


if __name__ == "__main__":
    if "--party" in sys.argv:
        _, _, role, size, job, socket_path = sys.argv
        party(role, json.loads(size), job, socket_path)
    elif len(sys.argv) > 1:
        main([tuple(int(a) for a in sys.argv[1:])])
    else:
        main()
