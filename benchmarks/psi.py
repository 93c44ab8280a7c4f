"""Intersection by method and size, two parties as two processes over the site's gateway.

Prediction before writing: ecdh costs a party one hash to the group (16 us) and two scalar
multiplications (50 us) per id of each side, so 1,000,000 x 1,000,000 ids on two cores take about
115 s; dh (2048 bits) about 1 ms an id, rsa (2048 bits) about 2 ms at the host. The plain twin is
a hash join and a sort of the same ids in one process.

`python -m benchmarks.psi ROWS [METHOD]` measures one size.
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
from federatedml.components.intersection import Intersection, IntersectParam
from federatedml.data.frame import Frame, FrameSchema
from federatedml.protocols import psi
from federation import GUEST, HOST, Party
from federation.transport.embedded import EmbeddedGateway
from federation.transport.gateway import Options
from federation.transport.local import GatewayTransport

PARTIES = [Party(GUEST, "9999"), Party(HOST, "10000")]
SIZES = [("ecdh", 10_000), ("ecdh", 100_000), ("dh", 2_000), ("rsa", 2_000)]


def ids(role: str, n: int) -> pa.Array:
    """n text ids in random order, the second half of the guest's being the first of the host's."""
    first = 0 if role == "guest" else n // 2
    numbers = np.random.default_rng(first).permutation(n) + first
    return pa.array([f"customer-{i:010d}" for i in numbers])


def party(role: str, n: int, method: str, job: str, socket_path: str) -> None:
    """One party, in a process of its own; prints what it took as JSON."""
    me = next(p for p in PARTIES if p.role.value == role)
    data = Frame(ids(role, n), np.zeros((n, 4)), FrameSchema(header=list("abcd")))
    component = Intersection(params.parse(IntersectParam, {"intersect_method": method}, "psi"))
    given = Inputs(data={"data": [NamedData("reader_0", "data", data)]})
    with GatewayTransport(socket_path, TOKEN) as transport:
        ctx = Ctx(me, PARTIES, transport, job_id=job, component="intersection_0")
        ctx.cores = 2
        print("ready", flush=True)
        sys.stdin.readline()
        start, busy = time.perf_counter(), time.process_time()
        out = component.stage("fit", me.role)(ctx, given)
        told = {
            "seconds": time.perf_counter() - start,
            "cpu": time.process_time() - busy,
            "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "common": out.data[0].n_rows,
        }
    print(json.dumps(told))


def measure(control: object, socket_path: Path, method: str, n: int) -> list[dict]:
    job = f"bench-{method}-{n}"
    found = told(control, socket_path, "benchmarks.psi", job, PARTIES, [str(n), method])
    assert all(t["common"] == n - n // 2 for t in found)
    return found


def twin(n: int) -> float:
    """Seconds of the same join without any secret: hash join of the ids, then the shared order."""
    a, b = ids("guest", n), ids("host", n)
    start = time.perf_counter()
    found = np.flatnonzero(pa.compute.is_in(a, value_set=b).to_numpy(zero_copy_only=False))
    rows = psi.ascending(a, found)
    assert len(rows) == n - n // 2
    return time.perf_counter() - start


def main(sizes: list[tuple[str, int]] = SIZES) -> None:
    heads = (
        "method",
        "ids a party",
        "seconds",
        "ids/s",
        "CPU s",
        "cores",
        "RSS a party",
        "plain join",
    )
    print("{:8} {:>12} {:>9} {:>9} {:>8} {:>6} {:>12} {:>11} {:>8}".format(*heads, "ratio"))
    # A Unix socket's path has to be short.
    with (
        tempfile.TemporaryDirectory(prefix="psi", dir="/tmp") as home,
        EmbeddedGateway(Options(Path(home), port=0)) as gateway,
        closing(gateway.control()) as control,
    ):
        for method, n in sizes:
            told = measure(control, gateway.options.socket, method, n)
            seconds = max(t["seconds"] for t in told)
            # On a shared machine seconds depend on the neighbours; CPU seconds hardly do.
            cpu = sum(t["cpu"] for t in told)
            rss, plain = max(t["rss"] for t in told) / 2**20, twin(n)
            print(
                f"{method:8} {n:12,} {seconds:9.2f} {2 * n / seconds:9,.0f} "
                f"{cpu:8.1f} {cpu / seconds:6.2f} "
                f"{rss:8,.0f} MiB {plain:9.3f} s {seconds / plain:7,.0f}x",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--party"]:
        party(sys.argv[2], int(sys.argv[3]), *sys.argv[4:])
    elif sys.argv[1:]:
        main([(sys.argv[2] if sys.argv[2:] else "ecdh", int(sys.argv[1]))])
    else:
        main()
