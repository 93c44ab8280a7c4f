"""HeteroLR at lattice speed by rows and features: three processes over the site's gateway.

Prediction before writing: a transform of 8192 numbers for three primes takes 75 us, so a product
20 ns for each row and feature and 6 where transforms are kept; scaling and rounding 5 more. A party
encrypts and opens for nanoseconds a row. For 100,000 x (30 + 300) that is 0.9 s of one core, for
1,000,000 x (50 + 50) 3 s; on two cores 1 and 2 s, where FATE takes 136 s for the first on 16 cores.
Outcome, on two idle cores: 0.85 s and 2.3 s, 1.6 and 4.2 s of processor time, 1.5 and 3.3 GB in
all four processes (at a load of 5 to 7: 1.6 s and 2.4 s). A product takes 9 ns, 3 from the third
time on; the second, which stores transforms in fresh memory, is the slowest with 21. Beside it a
Paillier key of 2048 bits takes 12.6 us a row and feature on two cores, plain NumPy 0.6 ns.

`python -m benchmarks.glm_scale` measures the sizes below and the steps of one product;
`python -m benchmarks.glm_scale ROWS GUEST_FEATURES HOST_FEATURES [BATCH [EPOCHS]]` one size.
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
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks._parties import TOKEN, told
from federatedml import params
from federatedml.component import Ctx
from federatedml.components.hetero_lr import HeteroLR
from federatedml.crypto import lattice, paillier, scaling
from federatedml.data.frame import Frame, FrameSchema
from federatedml.maths.family import Logistic
from federation import ARBITER, GUEST, HOST, Party, codec
from federation.transport.embedded import EmbeddedGateway
from federation.transport.gateway import Options
from federation.transport.local import GatewayTransport

PARTIES = [Party(GUEST, "9999"), Party(HOST, "10000"), Party(ARBITER, "10000")]
SIZES = [
    (569, 10, 20, -1, 30),
    (30_000, 13, 10, 3_200, 2),
    (100_000, 30, 300, -1, 1),
    (1_000_000, 50, 50, -1, 1),
]
CORES = 2
PAILLIER_ROWS = 500


def rows(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, k))
    return x, (x[:, 0] + rng.normal(size=n) > 0).astype(np.int64)


def configured(batch: int, epochs: int) -> HeteroLR:
    given = {
        "tol": 0.0,
        "alpha": 0.01,
        "learning_rate": 0.15,
        "batch_size": batch,
        "masked_rate": 0,
        "shuffle": False,
        "max_iter": epochs,
        "init_param": {"init_method": "zeros"},
    }
    return HeteroLR(params.parse(HeteroLR.Params, given, "HeteroLR"))


def party(role: str, size: list[int], job: str, socket_path: str) -> None:
    """One party, in a process of its own; prints what it took as JSON."""
    n, guest_k, host_k, *rest = size
    me, data = next(p for p in PARTIES if p.role.value == role), None
    if me.role != ARBITER:
        x, y = rows(n, guest_k if me.role == GUEST else host_k, 1 + (me.role == HOST))
        header = [f"x{i}" for i in range(x.shape[1])]
        ids = pa.array(np.arange(n).astype(str))
        data = Frame(ids, x, FrameSchema(header=header), label=y if me.role == GUEST else None)
    with GatewayTransport(socket_path, TOKEN) as transport:
        ctx = Ctx(me, PARTIES, transport, job_id=job, component="hetero_lr_0")
        ctx.cores = CORES
        lr = configured(*rest)
        before = resource.getrusage(resource.RUSAGE_SELF)
        print("ready", flush=True)
        sys.stdin.readline()
        start = time.perf_counter()
        lr.stage("fit", me.role)(ctx, data, None, None)
        seconds = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"seconds": seconds, "cpu": cpu, "memory": after.ru_maxrss / 2**20}))


def plain_step(size: tuple[int, ...]) -> float:
    """Seconds of as many gradients on plain rows, both parties' after each other."""
    n, guest_k, host_k, _, epochs = size
    x, _ = rows(n, guest_k + host_k, 1)
    start = time.perf_counter()
    for _ in range(epochs):
        x.T @ (0.25 * (x @ np.ones(x.shape[1])))
    return time.perf_counter() - start


def trainings(sizes: Sequence[tuple[int, ...]]) -> None:
    print("trainings, three processes; memory of all of them together")
    heads = "rows", "features", "batch", "epochs", "seconds", "CPU s", "GB", "plain NumPy", "ratio"
    print("{:>9} {:>9} {:>6} {:>6} {:>8} {:>7} {:>6} {:>12} {:>7}".format(*heads))
    # A Unix socket's path has to be short.
    with (
        tempfile.TemporaryDirectory(prefix="glm", dir="/tmp") as home,
        EmbeddedGateway(Options(Path(home), port=0)) as gateway,
        closing(gateway.control()) as control,
    ):
        for size in sizes:
            job = "bench-glm-" + "-".join(map(str, size))
            arguments = [json.dumps(size)]
            found = told(
                control, gateway.options.socket, "benchmarks.glm_scale", job, PARTIES, arguments
            )
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            seconds, plain = max(t["seconds"] for t in found), plain_step(size)
            cpu, memory = (sum(t[key] for t in found) for key in ("cpu", "memory"))
            n, guest_k, host_k, batch, epochs = size
            print(
                f"{n:9,} {f'{guest_k}+{host_k}':>9} {batch:6} {epochs:6} {seconds:8.2f} {cpu:7.2f} "
                f"{memory + own:6.2f} {plain:10.4f} s {seconds / plain:6,.0f}x",
                flush=True,
            )


def timed(work: Any) -> tuple[float, Any]:
    start = time.perf_counter()
    found = work()
    return time.perf_counter() - start, found


def crossing(value: object) -> Any:
    """The value as another party gets it, and its size in MB."""
    payload = codec.encode(value)
    return codec.decode(payload), len(payload) / 1e6


def products(n: int, k: int) -> None:
    """The steps of one product X^T u, in ns for each row and feature."""
    x, _ = rows(n, k, 1)
    u = Logistic().host_part(x[:, 0])
    params_ = lattice.parameters(word_bits=64)
    cut, secret = lattice.tile(params_, n, k), lattice.keygen(params_)
    f, steps = scaling.fraction_bits(float(np.abs(u).max())), {}
    words = scaling.words(u, f)
    steps["encrypt u"], sealed = timed(lambda: secret.encrypt(words, cut, cores=CORES))
    steps["u crosses"], (sealed, u_mb) = timed(lambda: crossing(sealed))
    steps["norms of X"], norms = timed(lambda: scaling.norms(x, cores=CORES))
    e = scaling.scales([(norms, f)])
    steps["X to integers"], (columns, squares) = timed(
        lambda: scaling.columns(x, e - f, largest=norms.largest, cores=CORES)
    )
    ready = lattice.Ready(params_, cut, columns, squares, budget=1 << 31)
    multiply = lambda: secret.public.multiply([(sealed, ready)], cores=CORES)  # noqa: E731
    steps["product, first"], _ = timed(multiply)
    steps["product, second"], _ = timed(multiply)
    steps["product, further"], (product, mask) = timed(multiply)
    steps["product crosses"], (product, product_mb) = timed(lambda: crossing(product))
    steps["open"], opened = timed(lambda: secret.open(product, cores=CORES))
    steps["plain NumPy"], plain = timed(lambda: x.T @ u)
    error = np.abs(scaling.reals(opened - mask, e) - plain).max() / np.abs(x).sum(axis=0).max()
    print(
        f"\none product of {n:,} rows and {k} features, {CORES} cores; error {error:.1e} of |x|_1"
    )
    print(f"  u {u_mb:.1f} MB, product {product_mb:.1f} MB")
    for name, seconds in steps.items():
        print(f"  {name:18} {seconds:8.3f} s {seconds / (n * k) * 1e9:10.2f} ns")
    for name, seconds in paillier_steps(n, k).items():
        print(f"  {name:18} {seconds:8,.0f} s {seconds / (n * k) * 1e9:10,.0f} ns")


def paillier_steps(n: int, k: int) -> dict[str, float]:
    """Seconds under a key of 2048 bits, from those of PAILLIER_ROWS rows."""
    x, _ = rows(PAILLIER_ROWS, k, 1)
    public, secret = paillier.keygen(2048)
    encrypting, c = timed(lambda: public.encrypt(x[:, 0], cores=CORES))
    multiplying, found = timed(lambda: public.matvec(x, c, 23, cores=CORES))
    opening, _ = timed(lambda: secret.decrypt(found))
    more = n / PAILLIER_ROWS
    return {
        "Paillier encrypt": encrypting * more,
        "Paillier product": multiplying * more,
        "Paillier open": opening,
    }


def main() -> None:
    trainings(SIZES)
    products(100_000, 300)
    products(1_000_000, 50)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--party"]:
        party(sys.argv[2], json.loads(sys.argv[3]), *sys.argv[4:])
    elif sys.argv[1:]:
        n, guest_k, host_k, *rest = map(int, sys.argv[1:])
        trainings([(n, guest_k, host_k, *(rest + [-1, 1][len(rest) :]))])
    else:
        main()
