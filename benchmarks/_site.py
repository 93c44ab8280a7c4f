"""A site of its own for a benchmark that needs jobs: up, upload, train, deploy, down."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Site:
    """A standalone site in ``home``."""

    def __init__(self, home: Path) -> None:
        self.home, self.port = home, free_port()
        self.url = f"http://127.0.0.1:{self.port}"

    def up(self) -> None:
        ports = ["--port", str(self.port), "--gateway-port", str(free_port()), "--no-board"]
        self._distaff("up", "-d", *ports)

    def down(self) -> None:
        self._distaff("down")

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{self.url}/v1/{path}",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=300) as reply:
            told = json.loads(reply.read())
        if told["retcode"]:
            raise SystemExit(f"{path}: {told['retmsg']}")
        return told

    def upload(self, path: Path, name: str) -> None:
        conf = {
            "file": str(path),
            "head": 1,
            "partition": 2,
            "namespace": "bench",
            "table_name": name,
        }
        conf_path = path.with_suffix(".json")
        conf_path.write_text(json.dumps({**conf, "id_delimiter": ","}))
        command = [BIN / "flow", "--server", f"127.0.0.1:{self.port}", "data", "upload"]
        subprocess.run(
            [*command, "-c", str(conf_path), "--drop", "--wait"], check=True, capture_output=True
        )

    def train(self, trainers: dict[str, tuple[str, dict[str, Any]]]) -> str:
        """One job that trains each {name: (module, parameters)} on the uploaded tables; its id."""
        data = {"data": ["data"]}
        components: dict[str, Any] = {
            "reader_0": {"module": "Reader", "output": data},
            "data_transform_0": {
                "module": "DataTransform",
                "input": {"data": {"data": ["reader_0.data"]}},
                "output": {**data, "model": ["model"]},
            },
            "intersection_0": {
                "module": "Intersection",
                "input": {"data": {"data": ["data_transform_0.data"]}},
                "output": data,
            },
        }
        for name, (module, _) in trainers.items():
            components[f"{name}_0"] = {
                "module": module,
                "input": {"data": {"train_data": ["intersection_0.data"]}},
                "output": {**data, "model": ["model"]},
            }
        readers = {
            role: {
                "0": {
                    "reader_0": {"table": {"name": f"bench_{role}", "namespace": "bench"}},
                    "data_transform_0": {"with_label": role == "guest"},
                }
            }
            for role in ("guest", "host")
        }
        common = {f"{name}_0": parameters for name, (_, parameters) in trainers.items()}
        conf = {
            "dsl_version": 2,
            "initiator": {"role": "guest", "party_id": 9999},
            "role": {"guest": [9999], "host": [10000], "arbiter": [10000]},
            "job_parameters": {"common": {"job_type": "train"}},
            "component_parameters": {"common": common, "role": readers},
        }
        job = self.post("job/submit", job_dsl={"components": components}, job_runtime_conf=conf)
        return self._ended(str(job["jobId"]))

    def deploy(self, model_id: str, job: str, components: str) -> str:
        """The deployed version."""
        told = self.post(
            "model/deploy", model_id=model_id, model_version=job, cpn_list=components.split(",")
        )
        return str(told["data"]["model_version"])

    def _ended(self, job: str) -> str:
        while True:
            row = self.post("job/query", job_id=job)["data"][0]
            if row["f_status"] in ("success", "failed", "canceled", "timeout"):
                break
            time.sleep(0.2)
        if row["f_status"] != "success":
            raise SystemExit(f"job {job} {row['f_status']}")
        return job

    def _distaff(self, command: str, *options: str) -> None:
        subprocess.run([BIN / "distaff", command, "--home", str(self.home), *options], check=True)
