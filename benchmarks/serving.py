"""Online inference under load: a guest's serving, a host's, and the load generator on one machine.

Prediction before writing (published figures of the parts, docs of serving): a request costs about
0.25 ms of HTTP, 0.5 of gRPC at both ends and 0.2 of the rest; with everything on two cores 600 to
1,000 requests/s, p50 2 ms at 300/s. Outcome: p50 2.1 ms and 2,900 to 3,700/s, for calls to a host
are grouped; docs/howto/serving.md has the table.

`python -m benchmarks.serving [SECONDS]` prints the table: LR and 100 trees of depth 5 at their
rates, batches, twice the sustainable load, and beside them a single-party endpoint on the same
stack (LightGBM and NumPy behind Starlette) as the floor.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._site import Site, free_port

N_ROWS, N_GUEST, N_HOST = 5000, 20, 20
BATCH = 300
CROWD = 1000
"""Connections under too much load: several times what a serving works on at once."""
MODEL_ID = "arbiter-10000#guest-9999#host-10000#model"
SINGLE_PARTY = """
import sys
import lightgbm, numpy, orjson
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
booster = lightgbm.Booster(model_file=sys.argv[1])
weights = numpy.load(sys.argv[2])
async def trees(request):
    row = orjson.loads(await request.body())["x"]
    score = float(booster.predict(numpy.array([row]), num_threads=1)[0])
    return Response(orjson.dumps({"retcode": 0, "score": score}))
async def linear(request):
    row = orjson.loads(await request.body())["x"]
    score = float(1 / (1 + numpy.exp(-numpy.dot(row, weights))))
    return Response(orjson.dumps({"retcode": 0, "score": score}))
app = Starlette(routes=[Route("/trees", trees, methods=["POST"]),
                        Route("/linear", linear, methods=["POST"])])
import uvicorn
uvicorn.run(app, port=int(sys.argv[3]), log_level="error", access_log=False)
"""


def main(seconds: float = 15.0) -> None:
    if len(sys.argv) > 2:
        seconds = float(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        home = Path(folder)
        x, y = data()
        site = Site(home / "site")
        stack.callback(site.down)
        site.up()
        versions = trained(site, x, y, home)
        running = servings(site, home, versions)
        url = stack.enter_context(running)
        floor = stack.enter_context(single_party(home, x, y))
        print(f"{seconds:.0f} s a case, both parties and the load on {os.cpu_count()} cores")
        cases(url, floor, home, x, seconds, running.processes[-1].pid)


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N_ROWS, N_GUEST + N_HOST)).round(6)
    y = (x @ rng.normal(size=x.shape[1]) + rng.normal(size=N_ROWS) > 0).astype(int)
    return x, y


def trained(site: Site, x: np.ndarray, y: np.ndarray, home: Path) -> dict[str, str]:
    """{service id: deployed version}; both models of one training job."""
    ids = np.arange(N_ROWS)
    for role, columns, label in (("guest", x[:, :N_GUEST], y), ("host", x[:, N_GUEST:], None)):
        path = home / f"{role}.csv"
        own = [] if label is None else [label]
        names = ["id", *(["y"] if own else []), *(f"x{i}" for i in range(columns.shape[1]))]
        formats = ["%d"] * (1 + len(own)) + ["%.6f"] * columns.shape[1]
        table = np.column_stack([ids, *own, columns])
        head = ",".join(names)
        np.savetxt(path, table, fmt=formats, delimiter=",", header=head, comments="")
        site.upload(path, f"bench_{role}")
    trainers = {
        "lr": (
            "HeteroLR",
            {"max_iter": 3, "batch_size": -1, "encrypt_param": {"key_length": 1024}},
        ),
        "trees": ("HeteroSecureBoost", {"num_trees": 100, "tree_param": {"max_depth": 5}}),
    }
    job = site.train(trainers)
    return {
        service: site.deploy(MODEL_ID, job, f"data_transform_0,intersection_0,{service}_0")
        for service in trainers
    }


class servings:  # noqa: N801 (a context manager, used as a function)
    """A guest's and a host's serving, with the models loaded and bound; gives the guest's URL."""

    def __init__(self, site: Site, home: Path, versions: dict[str, str]) -> None:
        self.site, self.home, self.versions = site, home, versions
        self.ports = {role: {k: free_port() for k in ("http", "grpc", "party")} for role in PARTIES}
        self.processes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> str:
        route = {"ip": "127.0.0.1", "port": self.ports["host"]["party"]}
        for role, party in PARTIES.items():
            folder = self.home / f"serving_{role}"
            (folder / "serving").mkdir(parents=True)
            table = {"route_table": {"10000": {"serving": [route]}}}
            (folder / "serving" / "route_table.json").write_text(json.dumps(table))
            adapter = {"path": str(self.home / "host.csv"), "id": "id"}
            (folder / "serving.json").write_text(
                json.dumps({"adapter": "csv", "adapter_options": adapter})
            )
            self._start(role, party, folder)
        for role in ("host", "guest"):
            for version in self.versions.values():
                self._load(role, version)
        for service, version in self.versions.items():
            key = {"namespace": f"guest#9999#{MODEL_ID}", "version": version}
            self._ask("guest", "bind", {"service_id": service, "versions": [key]})
        return f"http://127.0.0.1:{self.ports['guest']['http']}"

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()

    def _start(self, role: str, party: str, folder: Path) -> None:
        ports = self.ports[role]
        options = (
            "--port",
            ports["http"],
            "--grpc-port",
            ports["grpc"],
            "--party-port",
            ports["party"],
        )
        command = [sys.executable, "-m", "serving", "--home", folder, "--party", party, *options]
        log = (folder / "log").open("wb")
        self.processes.append(subprocess.Popen([str(c) for c in command], stdout=log, stderr=log))
        wait_for(f"http://127.0.0.1:{ports['http']}/v2/health/ready")

    def _load(self, role: str, version: str) -> None:
        other = "host" if role == "guest" else "guest"
        named = lambda r: {"namespace": f"{r}#{PARTIES[r]}#{MODEL_ID}", "version": version}  # noqa: E731
        remote = {"role": other, "party_id": PARTIES[other], **named(other)}
        source = {"kind": "fateflow", "path": f"{self.site.url}/v1/model/transfer"}
        who = {"role": role, "party_id": PARTIES[role]}
        self._ask(role, "load", {**named(role), **who, "source": source, "remotes": [remote]})

    def _ask(self, role: str, what: str, body: dict[str, Any]) -> None:
        token = (self.home / f"serving_{role}" / "serving" / "admin.token").read_text()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.ports[role]['http']}/v1/serving/{what}",
            json.dumps(body).encode(),
            {"authorization": f"Bearer {token}"},
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            reply.read()


PARTIES = {"host": "10000", "guest": "9999"}


class single_party:  # noqa: N801 (as above)
    """All columns at one party: LightGBM and a dot product behind the same HTTP stack."""

    def __init__(self, home: Path, x: np.ndarray, y: np.ndarray) -> None:
        import lightgbm

        options = {"objective": "binary", "max_depth": 5, "num_leaves": 31, "verbose": -1}
        booster = lightgbm.train(options, lightgbm.Dataset(x, y), 100)
        booster.save_model(home / "floor.txt")
        np.save(home / "floor.npy", np.ones(x.shape[1]))
        (home / "floor.py").write_text(SINGLE_PARTY)
        self.home, self.port = home, free_port()

    def __enter__(self) -> str:
        files = [self.home / "floor.py", self.home / "floor.txt", self.home / "floor.npy"]
        self.process = subprocess.Popen([sys.executable, *map(str, files), str(self.port)])
        wait_for(f"http://127.0.0.1:{self.port}/nothing", also=404)
        return f"http://127.0.0.1:{self.port}"

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()


def cases(url: str, floor: str, home: Path, x: np.ndarray, seconds: float, pid: int) -> None:
    single, batch = f"{url}/federation/v1/inference", f"{url}/federation/v1/batchInference"
    for service, rate, bar in (
        ("lr", 300, "p50 4, p99 15"),
        ("lr", 600, "stretch: p50 6, p99 30"),
        ("trees", 200, "p50 6, p99 25"),
        ("trees", 400, "stretch: p50 10, p99 40"),
    ):
        told = load(home, single, [request(service, x, i) for i in range(500)], rate, seconds)
        print(f"{service:6} {rate:4}/s  {told}  ({bar})")
    v2 = [infer(x, i) for i in range(500)]
    told = load(home, f"{url}/v2/models/lr/infer", v2, 300, seconds)
    print(f"lr v2   300/s  {told}")
    rows = [json.dumps({"x": x[i].tolist()}).encode() for i in range(500)]
    for path, rate in (("linear", 300), ("trees", 200)):
        print(f"one party, {path} {rate}/s  {load(home, f'{floor}/{path}', rows, rate, seconds)}")
    for service, bar in (("lr", 20_000), ("trees", 5_000)):
        per_s = rows_per_second(batch, [batched(service, x, i) for i in range(10)], seconds)
        print(f"{service:6} batches of {BATCH}: {per_s:,.0f} rows/s  (bar {bar:,})")
    print("too much load, single lr requests:")
    overload(home, single, [request("lr", x, i) for i in range(500)], 600, seconds, pid)
    print(f"too much load, lr batches of {BATCH}:")
    overload(home, batch, [batched("lr", x, i) for i in range(10)], 60, seconds, pid)


def overload(
    home: Path, url: str, bodies: list[bytes], rate: float, seconds: float, pid: int
) -> None:
    """Find the rate that is just sustained, beginning with ``rate``; offer twice and five times as
    much over more connections than the guest takes on; see it return to normal. pid: the guest's.
    """
    begun, best = rate, 0.0
    while True:
        found = measured(home, url, bodies, rate, seconds / 2)
        good = found["codes"].get("0", 0) / int(rate * seconds / 2)
        if good < 0.99 or found["p99_ms"] > 250:
            break
        best, rate = found["rate"], rate * 1.25
    print(f"   sustained: {best:.0f}/s; the guest holds {resident_mb(pid):.0f} MB")
    for times in (2, 5):
        found = measured(home, url, bodies, best * times, seconds / 2, connections=CROWD)
        goodput = found["rate"] * found["codes"].get("0", 0) / sum(found["codes"].values())
        print(
            f"   {times} x over {CROWD} connections: goodput {goodput:.0f}/s"
            f" ({goodput / best:.0%}), refused in p50 {found.get('refused_p50_ms', 0):.0f}"
            f" p99 {found.get('refused_p99_ms', 0):.0f} ms, codes {found['codes']};"
            f" {resident_mb(pid):.0f} MB; the load alone took {found['cores']:.2f} cores"
        )
        told = load(home, url, bodies, begun / 2, 2.0, warm_up_s=0.0)
        print(f"   right after it: {told}")


def resident_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def load(
    home: Path, url: str, bodies: list[bytes], rate: float, seconds: float, warm_up_s: float = 2.0
) -> str:
    found = measured(home, url, bodies, rate, seconds, warm_up_s=warm_up_s)
    return (
        f"{found['rate']:5.0f}/s p50 {found['p50_ms']:5.2f}  p90 {found['p90_ms']:5.2f}  "
        f"p99 {found['p99_ms']:6.2f}  p99.9 {found['p99.9_ms']:6.2f} ms  codes {found['codes']}"
    )


def measured(
    home: Path,
    url: str,
    bodies: list[bytes],
    rate: float,
    seconds: float,
    *,
    warm_up_s: float = 2.0,
    connections: int = 64,
) -> dict[str, Any]:
    """One run of the load generator, in a process of its own."""
    path = home / "requests.jsonl"
    path.write_bytes(b"\n".join(bodies))
    given = {
        "rate": rate, "seconds": seconds, "warm-up": warm_up_s, "connections": connections,
    }  # fmt: skip
    options = [f"--{name}={value}" for name, value in given.items()]
    command = [sys.executable, "-m", "serving.load", url, str(path), "--json", *options]
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    after, took = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - begun
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**found, "cores": cpu_s / took}


def rows_per_second(url: str, bodies: list[bytes], seconds: float) -> float:
    """Two clients, each sending its next batch when it has the answer to the last."""
    from serving.load import Connection

    parts = urllib.request.urlparse(url)  # type: ignore[attr-defined]

    async def client(until: float) -> int:
        connection, done = Connection(parts.hostname, parts.port, parts.path), 0
        while time.perf_counter() < until:
            told = json.loads(await connection.ask(bodies[done % len(bodies)]))
            assert told["retcode"] == 0, told["retmsg"]
            assert all(row["retcode"] == 0 for row in told["batchDataList"])
            done += 1
        connection.close()
        return done

    async def both() -> int:
        until = time.perf_counter() + seconds
        return sum(await asyncio.gather(client(until), client(until)))

    return asyncio.run(both()) * BATCH / seconds


def features(x: np.ndarray, i: int) -> dict[str, float]:
    return {f"x{j}": value for j, value in enumerate(x[i, :N_GUEST].tolist())}


def request(service: str, x: np.ndarray, i: int) -> bytes:
    body = {"featureData": features(x, i), "sendToRemoteFeatureData": {"id": str(i)}}
    return json.dumps({"head": {"serviceId": service}, "body": body}).encode()


def batched(service: str, x: np.ndarray, start: int) -> bytes:
    rows = [
        {
            "index": k,
            "featureData": features(x, start * BATCH + k),
            "sendToRemoteFeatureData": {"id": str(start * BATCH + k)},
        }
        for k in range(BATCH)
    ]
    return json.dumps({"head": {"serviceId": service}, "body": {"batchDataList": rows}}).encode()


def infer(x: np.ndarray, i: int) -> bytes:
    inputs = [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
        for name, value in features(x, i).items()
    ]
    inputs.append({"name": "remote.id", "shape": [1], "datatype": "BYTES", "data": [str(i)]})
    return json.dumps({"inputs": inputs}).encode()


def wait_for(url: str, also: int = 200) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except urllib.error.HTTPError as error:
            if error.code == also:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 15.0)
