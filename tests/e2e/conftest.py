"""Live sites for end-to-end tests: real processes, ports chosen by the system, temporary homes."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.ports import free_port

BIN = Path(sys.executable).parent


@dataclass
class Node:
    """A running site and what a test does with it."""

    home: Path
    port: int
    gateway_port: int
    party: str = ""
    board_port: int = 0  # 0: without the board
    told: str = ""

    def up(self) -> str:
        party = ["--party", self.party] if self.party else []
        ports = ["--port", str(self.port), "--gateway-port", str(self.gateway_port)]
        board = ["--board-port", str(self.board_port)] if self.board_port else ["--no-board"]
        return self.distaff("up", "-d", *ports, *board, *party)

    def down(self) -> None:
        self.distaff("down")

    def distaff(self, command: str, *arguments: str) -> str:
        done = subprocess.run(
            [BIN / "distaff", command, *arguments, "--home", str(self.home)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def flow(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [BIN / "flow", "--server", f"127.0.0.1:{self.port}", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def post(self, path: str, **body: object) -> dict:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/v1/{path}", json.dumps(body).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.loads(reply.read())

    def pids(self) -> dict[str, int]:
        return json.loads((self.home / "run" / "processes.json").read_text())

    def kill(self, process: str) -> None:
        os.kill(self.pids()[process], signal.SIGKILL)

    def upload(self, file: Path, namespace: str, name: str) -> None:
        self.upload_all(namespace, {name: file})

    def upload_all(self, namespace: str, files: dict[str, Path]) -> None:
        """Make tables of files that the server can read, all at once."""
        conf = {"head": 1, "partition": 2, "id_delimiter": ",", "use_local_data": 0, "drop": 1}
        begun = [
            self.post("data/upload", file=str(file), namespace=namespace, table_name=name, **conf)
            for name, file in files.items()
        ]
        for reply in begun:
            assert reply["retcode"] == 0, reply
            assert self.wait(reply["jobId"]) == "success", reply

    def submit(self, dsl: dict, conf: dict) -> dict:
        return self.post("job/submit", job_dsl=dsl, job_runtime_conf=conf)

    def wait(self, job_id: str, limit_s: float = 90) -> str:
        """The job's final state; asks the server's long poll, never a loop of sleeps."""
        deadline, told = time.monotonic() + limit_s, {}
        while time.monotonic() < deadline:
            since = {"since": told["stamp"]} if told else {}
            told = self.post("job/wait", job_id=job_id, timeout=5, **since).get("data") or {}
            if told.get("ended"):
                return told["status"]
        raise AssertionError(f"job {job_id} did not end in {limit_s} s: {told}")


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """One standalone site for all tests that do not hurt it."""
    site = Node(tmp_path_factory.mktemp("site"), free_port(), free_port())
    site.up()
    yield site
    site.down()


@pytest.fixture(scope="session")
def world(node, tmp_path_factory):
    """Two deployed versions of a model; see ``servings.trained``."""
    from tests.e2e import servings  # which needs this module

    return servings.trained(node, tmp_path_factory.mktemp("online"))


@pytest.fixture(scope="package")
def rough_node(tmp_path_factory):
    """A standalone site with a board and two tables, for tests that kill its processes or restart
    it; each leaves it up. ``told`` is what its first start printed."""
    folder = tmp_path_factory.mktemp("rough")
    site = Node(folder / "site", free_port(), free_port(), board_port=free_port())
    site.told = site.up()
    write_parties(folder)
    site.upload_all("e2e", {role: folder / f"{role}.csv" for role in ("guest", "host")})
    yield site
    site.down()


def at_once(*calls: Callable[[], object]) -> list[object]:
    """What the calls return, made in threads; the first exception, once all have ended."""
    with ThreadPoolExecutor(len(calls)) as threads:
        begun = [threads.submit(call) for call in calls]
    return [one.result() for one in begun]


def write_parties(
    folder: Path, n_rows: int = 300, n_features: int = 6, seed: int = 5, noise: float = 1.0
) -> None:
    """guest.csv (id, y, half of the features) and host.csv (id, the rest), most ids in common."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, n_features))
    y = (x @ rng.normal(size=n_features) + noise * rng.normal(size=n_rows) > 0).astype(int)
    ids = [f"customer-{i}" for i in range(n_rows)]
    half = n_features // 2
    columns = {
        "guest": (["y", *(f"x{i}" for i in range(half))], np.column_stack([y, x[:, :half]])),
        "host": ([f"x{i}" for i in range(n_features - half)], x[:, half:]),
    }
    for role, (header, values) in columns.items():
        kept = range(n_rows - 10) if role == "guest" else range(10, n_rows)
        with (folder / f"{role}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", *header])
            for i in kept:
                row = values[i]
                shown = [int(row[0]), *row[1:].round(6)] if role == "guest" else row.round(6)
                writer.writerow([ids[i], *shown])


def vertical_job(
    *, max_iter: int = 3, key_length: int = 1024, arbiter: int = 10000, slow: bool = False
) -> tuple:
    """DSL and configuration of reader, transform, intersection, LR and evaluation.

    slow: by Paillier and to the last iteration, so that something can happen in the middle.
    """
    chain = [
        ("reader_0", "Reader", None, {"data": ["data"]}),
        ("data_transform_0", "DataTransform", "data", {"data": ["data"], "model": ["model"]}),
        ("intersection_0", "Intersection", "data", {"data": ["data"]}),
        ("hetero_lr_0", "HeteroLR", "train_data", {"data": ["data"], "model": ["model"]}),
        ("evaluation_0", "Evaluation", "data", {"data": ["data"]}),
    ]
    components, before = {}, ""
    for name, module, kind, output in chain:
        components[name] = {"module": module, "output": output}
        if kind:
            components[name]["input"] = {"data": {kind: [f"{before}.data"]}}
        before = name
    roles = {
        role: {
            "0": {
                "reader_0": {"table": {"name": role, "namespace": "e2e"}},
                "data_transform_0": {"with_label": role == "guest"},
            }
        }
        for role in ("guest", "host")
    }
    lr = {
        "max_iter": max_iter,
        "learning_rate": 0.15,
        "alpha": 0.01,
        "init_param": {"init_method": "zeros"},
        "encrypt_param": {"key_length": key_length},
    }
    if slow:
        lr |= {"tol": 1e-30, "encrypt_param": {"method": "Paillier", "key_length": key_length}}
    conf = {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": {"guest": [9999], "host": [10000], "arbiter": [arbiter]},
        "component_parameters": {
            "common": {
                "intersection_0": {"intersect_method": "ecdh"},
                "hetero_lr_0": lr,
                "evaluation_0": {"eval_type": "binary"},
            },
            "role": roles,
        },
    }
    return {"components": components}, conf
