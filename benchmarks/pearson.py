"""HeteroPearson of two parties: seconds, bytes, memory, and how far it is from numpy.

Parties are processes that talk through the site's gateway. Prediction before writing, for
100,000 x (50 + 50): 620 ciphertexts at 1.4 ms to make and 2 ms to pack, send and unpack, 3100
transforms of 0.19 ms, 3 * 10^9 products at 0.2 ns, 500 results at 2 ms: 5 s of processor time in
all, 3 s on two cores. Outcome: docs/security/hetero_pearson.md.

`python -m benchmarks.pearson ROWS GUEST_COLUMNS HOST_COLUMNS` measures one size.
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

from benchmarks._parties import TOKEN, told
from federatedml import params
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.hetero_pearson import HeteroPearson
from federatedml.crypto import lattice_columns
from federatedml.data.frame import Frame, FrameSchema
from federatedml.runner import run
from federation import GUEST, HOST, Party
from federation.transport.embedded import EmbeddedGateway
from federation.transport.gateway import Options
from federation.transport.local import GatewayTransport

PARTIES = [Party(GUEST, "9999"), Party(HOST, "10000")]
SIZES = [(569, 10, 20), (100_000, 10, 10), (100_000, 50, 50), (1_000_000, 20, 20)]


def columns(n: int, k: int, seed: int) -> np.ndarray:
    """(n, k) with a column in common to all parties, so that correlations are not zero."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, k)) + np.random.default_rng(0).normal(size=(n, 1))


def party(role: str, size: list[int], job: str, socket_path: str) -> None:
    """One party, in a process of its own; prints what it took as JSON."""
    n, k_guest, k_host = size
    me = next(p for p in PARTIES if p.role.value == role)
    k, seed = (k_guest, 1) if me.role == GUEST else (k_host, 2)
    ids = pa.array(np.arange(n).astype(str))
    data = Frame(ids, columns(n, k, seed), FrameSchema(header=[f"x{i}" for i in range(k)]))
    pearson = HeteroPearson(params.parse(HeteroPearson.Params, {"column_indexes": -1}, "pearson"))
    lattice_columns.laid_out(10, 1, 1)
    with GatewayTransport(socket_path, TOKEN) as transport:
        ctx = Ctx(me, PARTIES, transport, job_id=job, component="hetero_pearson_0")
        ctx.cores = 2
        before = resource.getrusage(resource.RUSAGE_SELF)
        print("ready", flush=True)
        sys.stdin.readline()
        start = time.perf_counter()
        model = run(pearson, ctx, Inputs({"train_data": [NamedData("i_0", "data", data)]})).model
        found = {"seconds": time.perf_counter() - start, "corr": model.corr[:3, :3].tolist()}
    after = resource.getrusage(resource.RUSAGE_SELF)
    found["cpu"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    found["memory"] = after.ru_maxrss / 2**20
    print(json.dumps(found))


def sent(size: tuple[int, int, int]) -> float:
    """Bytes that leave both parties, but for headers."""
    n, k_guest, k_host = size
    layout = lattice_columns.laid_out(n, min(k_guest, k_host), max(k_guest, k_host))
    packed = [
        sum(p.bit_length() for p in primes) * layout.params.degree / 8
        for primes in (layout.params.primes, layout.params.kept)
    ]
    vectors = layout.blocks(n) * len(layout.groups) * len(layout.strips)
    return vectors * packed[0] + len(layout.groups) * layout.k_plain * packed[1]


def main(sizes: list[tuple[int, int, int]] = SIZES) -> None:
    heads = ("rows", "guest", "host", "seconds", "CPU s", "GB", "MB sent", "error", "numpy s")
    print(("{:>10} {:>6} {:>6} " + "{:>8} " * 6).format(*heads))
    # A Unix socket's path has to be short.
    with (
        tempfile.TemporaryDirectory(prefix="pearson", dir="/tmp") as home,
        EmbeddedGateway(Options(Path(home), port=0)) as gateway,
        closing(gateway.control()) as control,
    ):
        for size in sizes:
            job = "bench-pearson-" + "-".join(map(str, size))
            found = told(
                control, gateway.options.socket, "benchmarks.pearson", job, PARTIES,
                [json.dumps(size)],
            )  # fmt: skip
            n, k_guest, k_host = size
            pooled = np.column_stack([columns(n, k_guest, 1), columns(n, k_host, 2)])
            start = time.perf_counter()
            wanted = np.corrcoef(pooled, rowvar=False)[:k_guest, k_guest:][:3, :3]
            plain = time.perf_counter() - start
            error = max(float(np.abs(np.array(f["corr"]) - wanted).max()) for f in found)
            print(
                f"{n:10,} {k_guest:6} {k_host:6} {max(f['seconds'] for f in found):8.2f} "
                f"{sum(f['cpu'] for f in found):8.2f} {max(f['memory'] for f in found):8.2f} "
                f"{sent(size) / 1e6:8.1f} {error:8.1e} {plain:8.2f}",
                flush=True,
            )


if __name__ == "__main__":
    if "--party" in sys.argv:
        _, _, role, size, job, socket_path = sys.argv
        party(role, json.loads(size), job, socket_path)
    elif len(sys.argv) > 1:
        main([(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))])
    else:
        main()
