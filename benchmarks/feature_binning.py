"""HeteroFeatureBinning with WOE and IV by rows and features: two processes over the site's gateway.

Prediction before writing: quantiles take 3 ms a column of 100,000 rows, bins 1 ms; encrypted sums 6
ns for a row and cut and 1.4 more for its product. 100,000 x (30 + 300) in 10 bins has 2,700 cuts:
2 s of one core beside 1.5 s for bins; on two cores 2 s, where the bar is 10 s. FATE's example with
optimal binning (30,000 x (13 + 10), 100 buckets) has 1,000 cuts: 0.3 s.
Outcome: see docs/compat/hetero_feature_binning.md.

`python -m benchmarks.feature_binning` measures the sizes below;
`python -m benchmarks.feature_binning ROWS GUEST_FEATURES HOST_FEATURES [METHOD [BUCKETS]]` one.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks._parties import TOKEN, told
from federatedml import params
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.hetero_feature_binning import HeteroFeatureBinning
from federatedml.data.frame import Frame, FrameSchema
from federation import GUEST, HOST, Party
from federation.transport.embedded import EmbeddedGateway
from federation.transport.gateway import Options
from federation.transport.local import GatewayTransport

PARTIES = [Party(GUEST, "9999"), Party(HOST, "10000")]
SIZES = [
    (569, 10, 20, "quantile", 0),
    (30_000, 13, 10, "optimal", 100),
    (30_000, 13, 10, "optimal", 1000),
    (100_000, 30, 300, "quantile", 0),
    (1_000_000, 50, 50, "quantile", 0),
]
CORES = 2


def table(n: int, k: int, role: str) -> Frame:
    rng = np.random.default_rng(1 + (role == "host"))
    x = rng.normal(size=(n, k))
    label = (x[:, 0] + rng.normal(size=n) > 0).astype(np.int64) if role == "guest" else None
    header = [f"x{i}" for i in range(k)]
    return Frame(pa.array(np.arange(n).astype(str)), x, FrameSchema(header=header), label=label)


def configured(method: str, buckets: int) -> HeteroFeatureBinning:
    given: dict[str, object] = {"method": method}
    if method == "optimal":
        given["optimal_binning_param"] = {"init_bin_nums": buckets, "max_bin_pct": 0.8}
    return HeteroFeatureBinning(params.parse(HeteroFeatureBinning.Params, given, "binning"))


def party(role: str, size: list, job: str, socket_path: str) -> None:
    """One party, in a process of its own; prints what it took as JSON."""
    n, guest_k, host_k, method, buckets = size
    me = next(p for p in PARTIES if p.role.value == role)
    data = table(n, guest_k if me.role == GUEST else host_k, role)
    with GatewayTransport(socket_path, TOKEN) as transport:
        ctx = Ctx(me, PARTIES, transport, job_id=job, component="hetero_feature_binning_0")
        ctx.cores = CORES
        component = configured(method, buckets)
        inputs = Inputs({"data": [NamedData("reader_0", "data", data)]})
        before = resource.getrusage(resource.RUSAGE_SELF)
        print("ready", flush=True)
        sys.stdin.readline()
        start = time.perf_counter()
        component.stage("fit", me.role)(ctx, inputs)
        seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu, "memory": after.ru_maxrss / 2**20}))


def trainings(sizes: Sequence[tuple]) -> None:
    heads = "rows", "features", "method", "seconds", "CPU s", "GB"
    print("{:>9} {:>9} {:>14} {:>8} {:>7} {:>6}".format(*heads))
    # A Unix socket's path has to be short.
    with (
        tempfile.TemporaryDirectory(prefix="bin", dir="/tmp") as home,
        EmbeddedGateway(Options(Path(home), port=0)) as gateway,
        closing(gateway.control()) as control,
    ):
        for size in sizes:
            job = "bench-bin-" + "-".join(map(str, size))
            found = told(
                control, gateway.options.socket, "benchmarks.feature_binning", job, PARTIES,
                [json.dumps(size)],
            )  # fmt: skip
            n, guest_k, host_k, method, buckets = size
            seconds = max(t["seconds"] for t in found)
            cpu, memory = (sum(t[key] for t in found) for key in ("cpu", "memory"))
            what = f"{method} {buckets}" if buckets else method
            print(
                f"{n:9,} {f'{guest_k}+{host_k}':>9} {what:>14} {seconds:8.2f} {cpu:7.2f} "
                f"{memory:6.2f}",
                flush=True,
            )


def main() -> None:
    trainings(SIZES)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--party"]:
        party(sys.argv[2], json.loads(sys.argv[3]), *sys.argv[4:])
    elif sys.argv[1:]:
        method, buckets = (*sys.argv[4:], *["quantile", "0"][len(sys.argv[4:]) :])
        trainings([(*map(int, sys.argv[1:4]), method, int(buckets))])
    else:
        main()
