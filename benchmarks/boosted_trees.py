"""Seconds for each tree of vertical boosting: guest and hosts as processes over the site's gateway.

Beside them on the pooled columns, with the same depth, bins and rate: LightGBM, and our own local
trees (a job without hosts), each in a process of its own, one after another, on as many cores.
Data are made here, from a fixed seed; ``credit`` has columns with as many distinct values as those
of default_credit. Predictions and outcomes: docs/decisions/0060-boosted-trees-speed.md.

`python -m benchmarks.boosted_trees` measures all tables, `python -m benchmarks.boosted_trees NAME`
one: credit, wide, hundred, million. After a name: methods, e.g. `wide lattice ou-2048`.
A tree begins when the guest tells the hosts of it and ends when its leaves have weights.
ns: for each row, host feature and level. MB: encoded payloads, both ways. Memory: of all parties
and the gateway at their peaks. Waits: seconds of a following tree in which a party only waits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import lightgbm
import numpy as np
import pyarrow as pa

from benchmarks._parties import TOKEN, told
from federatedml import params
from federatedml.component import Ctx, Silent
from federatedml.components.hetero_secureboost import HeteroSecureBoost
from federatedml.data.frame import Frame, FrameSchema
from federatedml.maths import quantiles, trees
from federatedml.maths.splits import Rules
from federation import GUEST, HOST, Party
from federation.envelope import Envelope
from federation.transport.embedded import EmbeddedGateway
from federation.transport.gateway import Options
from federation.transport.inproc import Hub
from federation.transport.local import GatewayTransport

ME = Party(GUEST, "9999")
CORES, BINS, RATE, L2, MIN_GAIN = 2, 32, 0.3, 0.1, 1e-3
PLAIN_TREES = 10

CREDIT = (10, *[20_000] * 6, *[7_000] * 6, 81, 2, 7, 4, 56, 11, 11, 11, 11, 10)
"""Distinct values of each column: those of default_credit, guest first."""


@dataclass(frozen=True)
class Size:
    """hosts: features of each. values: distinct ones of each column; () for real numbers.
    trees: of each method, the first one included."""

    n_rows: int
    guest: int
    hosts: tuple[int, ...]
    depth: int
    trees: dict[str, int]
    values: tuple[int, ...] = ()

    @property
    def features(self) -> int:
        return self.guest + sum(self.hosts)

    @property
    def parties(self) -> list[Party]:
        return [ME, *(Party(HOST, str(10_000 + i)) for i in range(len(self.hosts)))]


METHODS: dict[str, dict[str, Any]] = {
    "lattice": {},
    "ou-2048": {"encrypt_param": {"method": "OU", "key_length": 2048}},
    "paillier-1024": {"encrypt_param": {"method": "Paillier", "key_length": 1024}},
    "paillier-2048": {"encrypt_param": {"method": "Paillier", "key_length": 2048}},
}
SEVERAL = {"lattice": 5, "ou-2048": 3, "paillier-1024": 3, "paillier-2048": 3}
TABLES = {
    "credit": [
        Size(30_000, 13, (10,), 3, SEVERAL, CREDIT),
        Size(30_000, 13, (5, 5), 3, {"lattice": 4}, CREDIT),
    ],
    "wide": [Size(30_000, 30, (100,), 3, SEVERAL | {"paillier-2048": 2})],
    "hundred": [Size(100_000, 30, (300,), 3, {"lattice": 3})],
    "million": [Size(1_000_000, 10, (20,), 5, {"lattice": 2})],
}


# The parties.


class Counted:
    """A transport that counts what it sends, and how long it waits."""

    def __init__(self, inner: GatewayTransport) -> None:
        self._inner = inner
        self.sent, self.waits, self.begun = (
            Counter[str](),
            list[tuple[float, float]](),
            list[float](),
        )

    def send(self, envelope: Envelope, payload: bytes) -> None:
        self.sent[f"{envelope.src.role.value} {envelope.message}"] += len(payload)
        if envelope.message.endswith(".takes_part"):
            self.begun.append(time.perf_counter())
        self._inner.send(envelope, payload)

    def receive(self, envelope: Envelope, within_s: float | None = None) -> bytes:
        start = time.perf_counter()
        payload = self._inner.receive(envelope, within_s)
        self.waits.append((start, time.perf_counter()))
        return payload


class Clock(Silent):
    """Reports nothing but when each round ended."""

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[float] = []

    def progress(self, done: float) -> None:
        super().progress(done)
        self.ended.append(time.perf_counter())


def columns(size: Size, first: int, count: int) -> np.ndarray:
    """Some of the pooled columns; every party makes its own."""
    found = np.empty((size.n_rows, count))
    for j in range(count):
        drawn = np.random.default_rng([7, first + j]).normal(size=size.n_rows)
        if size.values:  # skewed, as amounts and counts are
            top = size.values[first + j] - 1
            drawn = np.minimum(np.floor(np.abs(drawn) / 3 * (top + 1)), top)
        found[:, j] = drawn
    return found


def label(size: Size) -> np.ndarray:
    """About every fourth row is positive; columns of every party have a say."""
    n, rng = size.n_rows, np.random.default_rng(7)
    score = 2 * rng.logistic(size=n) - 2.5
    ends = np.cumsum([0, size.guest, *size.hosts])
    for first in ends[:-1].tolist():
        part = columns(size, first, 2)
        part = (part - part.mean(0)) / part.std(0)
        score += 2 * part[:, 0] - part[:, 1] * (part[:, 0] > 0)
    return (score > 0).astype(np.int64)


def frame(size: Size, first: int, count: int, *, has_label: bool) -> Frame:
    ids = pa.array(np.arange(size.n_rows).astype(str))
    schema = FrameSchema(header=[f"x{first + j}" for j in range(count)])
    y = label(size) if has_label else None
    return Frame(ids, columns(size, first, count), schema, label=y)


def configured(size: Size, n_trees: int, method: str) -> HeteroSecureBoost:
    given = {
        "num_trees": n_trees,
        "n_iter_no_change": False,
        "learning_rate": RATE,
        "bin_num": BINS,
        "tree_param": {
            "max_depth": size.depth,
            "criterion_params": [L2, 0],
            "min_impurity_split": MIN_GAIN,
        },
        **METHODS[method],
    }
    return HeteroSecureBoost(params.parse(HeteroSecureBoost.Params, given, "HeteroSecureBoost"))


def peak_gb() -> float:
    """Of this process alone, in GiB; ``getrusage`` would count what its parent had, too."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 2**20


def cpu_seconds() -> float:
    """Of this process and of helpers that have ended."""
    return sum(os.times()[:4])


def party(number: int, size: Size, method: str, job: str, socket_path: str) -> None:
    """One party, 0 the guest, in a process of its own; prints what it took as JSON."""
    me, counts = size.parties[number], [size.guest, *size.hosts]
    data = frame(size, sum(counts[:number]), counts[number], has_label=number == 0)
    boost = configured(size, size.trees[method], method)
    with GatewayTransport(socket_path, TOKEN) as inner:
        transport = Counted(inner)
        ctx = Ctx(me, size.parties, transport, job_id=job, component="hetero_secure_boost_0")
        ctx.cores, ctx.report = CORES, Clock()
        print("ready", flush=True)
        sys.stdin.readline()
        start, before = time.perf_counter(), cpu_seconds()
        boost.stage("fit", me.role)(ctx, data, None, None)
        cpu = cpu_seconds() - before
    begun = transport.begun[:: len(size.hosts)]
    ended = ctx.report.ended[: size.trees[method]]
    last = max(0, len(ended) - 2)
    waits = sum(
        min(stop, ended[-1]) - max(since, ended[last])
        for since, stop in transport.waits
        if ended[last] < stop and since < ended[-1]
    )
    print(
        json.dumps(
            {
                "setup": begun[0] - start if begun else 0.0,
                "trees": np.diff([begun[0] if begun else start, *ended]).tolist(),
                "sent": transport.sent,
                "wait": waits,
                "cpu": cpu,
                "memory": peak_gb(),
            }
        )
    )


# What stands beside them.


def plain(size: Size) -> None:
    """LightGBM and local trees on the pooled columns; prints seconds for each tree as JSON."""
    x, y = columns(size, 0, size.features), label(size)
    settings = {
        "objective": "binary",
        "learning_rate": RATE,
        "max_depth": size.depth,
        "num_leaves": 2**size.depth,
        "max_bin": BINS,
        "lambda_l2": L2,
        "min_gain_to_split": MIN_GAIN,
        "min_data_in_leaf": 1,
        "min_sum_hessian_in_leaf": 0.0,
        "boost_from_average": False,
        "num_threads": CORES,
        "verbosity": -1,
    }
    booster = lightgbm.Booster(settings, lightgbm.Dataset(x, y))
    theirs = []
    for _ in range(PLAIN_TREES):
        start = time.perf_counter()
        booster.update()
        theirs.append(time.perf_counter() - start)
    del booster
    header = [f"x{j}" for j in range(size.features)]
    data = Frame(pa.array(np.arange(len(y)).astype(str)), x, FrameSchema(header=header), label=y)
    ctx = Ctx(ME, [ME], Hub(), component="local")
    ctx.cores, ctx.report = CORES, Clock()
    start = time.perf_counter()
    configured(size, PLAIN_TREES, "lattice").fit_guest(ctx, data, None, None)
    ours = np.diff([start, *ctx.report.ended])[1:]
    print(
        json.dumps({"LightGBM": median(theirs[1:]), "local": median(ours), "kernels": alone(x, y)})
    )


def alone(x: np.ndarray, y: np.ndarray) -> float:
    """Seconds of the kernels of one tree of depth 3, without rounding, scores and losses."""
    cuts = quantiles.cut_points(x, BINS)
    codes, g = quantiles.binned(x, cuts), 0.5 - y
    stats = np.column_stack([g, np.full(len(y), 0.25)])
    start = time.perf_counter()
    trees.grow(codes, cuts, stats, Rules(l2=L2, min_impurity_split=MIN_GAIN), 3, cores=CORES)
    return time.perf_counter() - start


# The tables.


def shown(size: Size) -> str:
    return f"{size.n_rows:,} x ({size.guest} + {' + '.join(map(str, size.hosts))})"


def measured(control: Any, socket_path: Path, name: str, at: int, method: str) -> list[dict]:
    size = TABLES[name][at]
    numbers = [str(i) for i in range(len(size.parties))]
    job = f"bench-boost-{name}-{at}-{method}"
    return told(
        control,
        socket_path,
        "benchmarks.boosted_trees",
        job,
        size.parties,
        [name, str(at), method],
        numbers,
    )


def row(size: Size, method: str, found: list[dict], beside: dict) -> str:
    guest, hosts = found[0], found[1:]
    first, *more = guest["trees"]
    following, n = median(more), len(guest["trees"])
    # What a host gets of the guest and the other way round; keys are sent before the trees.
    down = sum(v for k, v in guest["sent"].items() if not k.endswith("_key")) / n / 1e6
    up = sum(sum(host["sent"].values()) for host in hosts) / n / 1e6
    ns = following / (size.n_rows * sum(size.hosts) * size.depth) * 1e9
    memory, cpu = (sum(party[key] for party in found) for key in ("memory", "cpu"))
    waits = f"{guest['wait']:.2f} {max(host['wait'] for host in hosts):.2f}"
    return (
        f"{method:14} {guest['setup']:6.2f} {first:7.2f} {following:7.2f} {cpu / n:7.2f} "
        f"{waits:>12} {ns:7.1f} {down:8.2f} {up:7.2f} {memory + peak_gb():6.2f} "
        f"{following / beside['LightGBM']:8,.0f}x {following / beside['local']:7,.0f}x"
    )


def table(control: Any, socket_path: Path, name: str, methods: Sequence[str]) -> None:
    for at, size in enumerate(TABLES[name]):
        command = [sys.executable, "-m", "benchmarks.boosted_trees", "--plain", name, str(at)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        beside = json.loads(done.stdout.splitlines()[-1])
        print(
            f"\n{name}: {shown(size)}, depth {size.depth}, {BINS} bins. For each tree LightGBM "
            f"{beside['LightGBM']:.4f} s, local trees {beside['local']:.4f} s "
            f"({beside['local'] / beside['LightGBM']:.1f}x; a tree of depth 3 by the kernels alone "
            f"{beside['kernels']:.4f} s)"
        )
        print(
            f"{'method':14} {'setup':>6} {'first':>7} {'more':>7} {'CPU s':>7} {'waits g, h':>12} "
            f"{'ns':>7} {'MB down':>8} {'MB up':>7} {'GB':>6} {'LightGBM':>9} {'local':>8}"
        )
        for method in size.trees:
            if not methods or method in methods:
                found = measured(control, socket_path, name, at, method)
                print(row(size, method, found, beside), flush=True)


def main() -> None:
    given = sys.argv[1:] if sys.argv[0].endswith("boosted_trees.py") else []
    names = [name for name in given if name in TABLES] or list(TABLES)
    methods = [method for method in given if method in METHODS]
    # A Unix socket's path has to be short.
    with (
        tempfile.TemporaryDirectory(prefix="trees", dir="/tmp") as home,
        EmbeddedGateway(Options(Path(home), port=0)) as gateway,
        closing(gateway.control()) as control,
    ):
        for name in names:
            table(control, gateway.options.socket, name, methods)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--party"]:
        which, shape, index, scheme, *rest = sys.argv[2:]
        party(int(which), TABLES[shape][int(index)], scheme, *rest)
    elif sys.argv[1:2] == ["--plain"]:
        plain(TABLES[sys.argv[2]][int(sys.argv[3])])
    else:
        main()
