"""Servings of two parties as processes of their own, and one row or many asked of them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Node, free_port, vertical_job, write_parties

PARTIES = {"guest": "9999", "host": "10000"}
MODEL_ID = "arbiter-10000#guest-9999#host-10000#model"
KEPT = "data_transform_0,intersection_0,hetero_lr_0"


class Serving:
    """One ``python -m serving``. role: "" of a standalone one. options: of its serving.json."""

    def __init__(self, home: Path, role: str, **options: Any) -> None:
        self.home, self.role = home, role
        self.http, self.grpc, self.party = free_port(), free_port(), free_port()
        (home / "serving").mkdir(parents=True)
        (home / "serving.json").write_text(json.dumps(options))
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http}"

    def routes(self, port: int) -> None:
        """The host's serving is at a port of this machine."""
        endpoint = {"ip": "127.0.0.1", "port": port}
        table = {"route_table": {PARTIES["host"]: {"serving": [endpoint]}}}
        (self.home / "serving" / "route_table.json").write_text(json.dumps(table))

    def start(self) -> None:
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Without waiting for it."""
        ports = ("--port", self.http, "--grpc-port", self.grpc, "--party-port", self.party)
        command = [sys.executable, "-m", "serving", "--home", self.home, *ports]
        with (self.home / "log").open("ab") as log:
            own = ("--party", PARTIES[self.role]) if self.role else ()
            self.process = subprocess.Popen(
                [str(part) for part in (*command, *own)],
                stdout=log,
                stderr=log,
            )

    def wait(self) -> None:
        """Until it is ready."""
        assert self.process is not None
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if get(f"{self.url}/v2/health/ready")[0] == 200:
                    return
            except OSError:
                assert self.process.poll() is None, (self.home / "log").read_text()
            time.sleep(0.05)
        raise AssertionError((self.home / "log").read_text())

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            os.kill(self.process.pid, number)
            if number in (signal.SIGTERM, signal.SIGKILL):
                self.process.wait(20)

    def pause(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def manage(self, what: str, **body: Any) -> tuple[int, Any]:
        token = (self.home / "serving" / "admin.token").read_text()
        return post(f"{self.url}/v1/serving/{what}", body, token)

    def status(self) -> Any:
        token = (self.home / "serving" / "admin.token").read_text()
        return get(f"{self.url}/v1/serving/status", token)[1]

    def load(self, flow_url: str, version: str) -> None:
        other = "host" if self.role == "guest" else "guest"
        remote = {"role": other, "party_id": PARTIES[other], **key(other, version)}
        status, told = self.manage(
            "load",
            **key(self.role, version),
            role=self.role,
            party_id=PARTIES[self.role],
            source={"kind": "fateflow", "path": f"{flow_url}/v1/model/transfer"},
            remotes=[remote],
        )
        assert status == 200, told

    def bind(self, service: str, *versions: str, **more: Any) -> tuple[int, Any]:
        named = [key(self.role, version) for version in versions]
        return self.manage("bind", service_id=service, versions=named, **more)


def key(role: str, version: str) -> dict[str, str]:
    return {"namespace": f"{role}#{PARTIES[role]}#{MODEL_ID}", "version": version}


def trained(node: Node, folder: Path) -> dict[str, Any]:
    """Two deployed versions of one LR, trained for 2 and 6 rounds: versions, the job's predictions
    by id, each party's raw rows by id."""
    write_parties(folder)
    for role in PARTIES:
        node.upload(folder / f"{role}.csv", "e2e", role)
    versions, scores = [], []
    for rounds in (2, 6):
        dsl, conf = vertical_job(max_iter=rounds)
        conf["component_parameters"]["common"]["hetero_lr_0"] |= {"tol": 1e-30}
        job = node.submit(dsl, conf)["jobId"]
        assert node.wait(job) == "success"
        told = node.post(
            "model/deploy", model_id=MODEL_ID, model_version=job, cpn_list=KEPT.split(",")
        )
        versions.append(told["data"]["model_version"])
        scores.append(predicted(node, job))
    rows = {role: list(csv.DictReader((folder / f"{role}.csv").open())) for role in PARTIES}
    raw = {role: {row.pop("id"): row for row in of} for role, of in rows.items()}
    return {"versions": versions, "scores": scores, "raw": raw, "folder": folder}


def predicted(node: Node, job: str) -> dict[str, float]:
    """Score by id, of the rows that the server shows."""
    told = node.post(
        "tracking/component/output/data",
        job_id=job,
        role="guest",
        party_id="9999",
        component_name="hetero_lr_0",
    )
    header = told["meta"]["header"][0]
    at = header.index("predict_score")
    return {row[0]: float(row[at]) for row in told["data"][0]}


def request(service: str, features: dict[str, Any], row_id: str) -> dict[str, Any]:
    body = {"featureData": features, "sendToRemoteFeatureData": {"id": row_id}}
    return {"head": {"serviceId": service}, "body": body}


def features(world: dict[str, Any], row_id: str) -> dict[str, float]:
    return {k: float(v) for k, v in world["raw"]["guest"][row_id].items() if k.startswith("x")}


def post(url: str, body: Any, token: str = "") -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return _asked(urllib.request.Request(url, data, headers))


def get(url: str, token: str = "") -> tuple[int, Any]:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return _asked(urllib.request.Request(url, headers=headers))


def _asked(asked: urllib.request.Request) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(asked, timeout=30) as reply:
            return reply.status, _read(reply.read())
    except urllib.error.HTTPError as error:
        return error.code, _read(error.read())


def _read(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode()
