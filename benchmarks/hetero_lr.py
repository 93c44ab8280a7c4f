"""HeteroLR by rows and features: three parties as three processes over the site's gateway.

Prediction before writing: a product mod n^2 of a 1024-bit key takes 2 us. A batch of n shown rows
costs a host 17 n products to encrypt and 4.4 n (k + 1) for its gradient, the guest 17 n and 4.5 b
(k + 2) for the b rows of the batch, the arbiter 0.8 ms a feature. For FATE's example (569 rows, 10
+ 20 features, 60 batches of 320 masked by all rows): 7.7 s at the host, 3.4 s at the guest, 1.5 s
at the arbiter; on two idle cores 6 to 8 s, where FATE 1.11.4 takes 187 s.
Outcome, on two cores shared with eight other builds (load 3 to 10, a product then takes 2 to 3 us):
16.4 s of processor time for the three parties, start of Python included; the whole job through
`flow` 14.4 s (13.2 s of it HeteroLR) at load 3. Packing several gradient entries into a plaintext
took the arbiter from 1.4 s to 0.2 s. An idle machine was not to be had, so 6 to 8 s stands open.

The plain twin is the same training on pooled rows in NumPy.
`python -m benchmarks.hetero_lr ROWS GUEST_FEATURES HOST_FEATURES [KEY_BITS]` measures one size.
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
from federatedml.component import Ctx
from federatedml.components.hetero_lr import HeteroLR
from federatedml.data.frame import Frame, FrameSchema
from federation import ARBITER, GUEST, HOST, Party
from federation.transport.embedded import EmbeddedGateway
from federation.transport.gateway import Options
from federation.transport.local import GatewayTransport

PARTIES = [Party(GUEST, "9999"), Party(HOST, "10000"), Party(ARBITER, "10000")]
EXAMPLE = (569, 10, 20, 1024, 320, 30)
SIZES = [
    EXAMPLE,
    (569, 10, 20, 1024, -1, 10),
    (569, 10, 20, 2048, -1, 3),
    (5_000, 10, 20, 1024, -1, 2),
    (2_000, 10, 100, 1024, -1, 2),
]


def pooled(n: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, k))
    return x, (x @ rng.normal(size=k) + rng.normal(size=n) > 0).astype(np.int64)


def configured(key_bits: int, batch_size: int, max_iter: int) -> HeteroLR:
    given = {
        "tol": 0.0,
        "alpha": 0.01,
        "learning_rate": 0.15,
        "batch_size": batch_size,
        "max_iter": max_iter,
        "init_param": {"init_method": "zeros"},
        "encrypt_param": {"key_length": key_bits},
    }
    return HeteroLR(params.parse(HeteroLR.Params, given, "HeteroLR"))


def party(role: str, size: list[int], job: str, socket_path: str) -> None:
    """One party, in a process of its own; prints what it took as JSON."""
    n, guest_k, host_k, *rest = size
    me = next(p for p in PARTIES if p.role.value == role)
    x, y = pooled(n, guest_k + host_k)
    own = {"guest": x[:, :guest_k], "host": x[:, guest_k:]}.get(role)
    data = None
    if own is not None:
        header = [f"x{i}" for i in range(own.shape[1])]
        ids = pa.array([str(i) for i in range(n)])
        data = Frame(ids, own, FrameSchema(header=header), label=y if role == "guest" else None)
    with GatewayTransport(socket_path, TOKEN) as transport:
        ctx = Ctx(me, PARTIES, transport, job_id=job, component="hetero_lr_0")
        ctx.cores = 2
        lr = configured(*rest)
        print("ready", flush=True)
        sys.stdin.readline()
        start = time.perf_counter()
        lr.stage("fit", me.role)(ctx, data, None, None)
        seconds = time.perf_counter() - start
    used = [resource.getrusage(w) for w in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(u.ru_utime + u.ru_stime for u in used)
    print(json.dumps({"seconds": seconds, "cpu": cpu}))


def measure(control: object, socket_path: Path, size: tuple[int, ...]) -> list[dict]:
    job = "bench-lr-" + "-".join(map(str, size))
    return told(control, socket_path, "benchmarks.hetero_lr", job, PARTIES, [json.dumps(size)])


def twin(size: tuple[int, ...]) -> float:
    """Seconds of the same number of steps on pooled rows."""
    from tests import pooled as twins

    n, guest_k, host_k, key_bits, batch_size, max_iter = size
    x, y = pooled(n, guest_k + host_k)
    batches = 1 if batch_size == -1 else -(-n // batch_size)
    p = configured(key_bits, -1, max_iter * batches).params
    start = time.perf_counter()
    twins.logistic_regression(np.column_stack([x, np.ones(n)]), 2.0 * y - 1, p)
    return time.perf_counter() - start


def main(sizes: list[tuple[int, ...]] = SIZES) -> None:
    heads = "rows", "features", "key", "batch", "seconds", "s/iteration", "CPU s", "plain twin"
    print("{:>7} {:>9} {:>5} {:>6} {:>8} {:>12} {:>7} {:>12} {:>9}".format(*heads, "ratio"))
    # A Unix socket's path has to be short.
    with (
        tempfile.TemporaryDirectory(prefix="lr", dir="/tmp") as home,
        EmbeddedGateway(Options(Path(home), port=0)) as gateway,
        closing(gateway.control()) as control,
    ):
        for size in sizes:
            told = measure(control, gateway.options.socket, size)
            seconds, cpu = max(t["seconds"] for t in told), sum(t["cpu"] for t in told)
            n, guest_k, host_k, key_bits, batch, max_iter = size
            plain, features = twin(size), f"{guest_k}+{host_k}"
            print(
                f"{n:7,} {features:>9} {key_bits:5} {batch:6} {seconds:8.2f} "
                f"{seconds / max_iter:12.3f} {cpu:7.1f} {plain:10.4f} s {seconds / plain:8,.0f}x",
                flush=True,
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--party"]:
        party(sys.argv[2], json.loads(sys.argv[3]), *sys.argv[4:])
    elif sys.argv[1:]:
        n, guest_k, host_k, *key = map(int, sys.argv[1:])
        main([(n, guest_k, host_k, key[0] if key else 2048, -1, 3)])
    else:
        main()
