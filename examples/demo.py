"""`make demo`: a standalone node, two banks' worth of sample data, one real vertical job.

The job: intersection, logistic regression (Paillier) and boosted trees (lattice), evaluation.
Everything goes through the two commands that a user has, `distaff` and `flow`. The data is
scikit-learn's breast-cancer set, split by columns: the guest keeps the label and ten features,
the host twenty, and each misses some of the other's patients. The node is left running.
"""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".distaff"
SAMPLES = HOME / "samples"
BIN = Path(sys.executable).parent
GUEST_FEATURES = 10

DSL = {
    "components": {
        "reader_0": {"module": "Reader", "output": {"data": ["data"]}},
        "data_transform_0": {
            "module": "DataTransform",
            "input": {"data": {"data": ["reader_0.data"]}},
            "output": {"data": ["data"], "model": ["model"]},
        },
        "intersection_0": {
            "module": "Intersection",
            "input": {"data": {"data": ["data_transform_0.data"]}},
            "output": {"data": ["data"]},
        },
        "hetero_lr_0": {
            "module": "HeteroLR",
            "input": {"data": {"train_data": ["intersection_0.data"]}},
            "output": {"data": ["data"], "model": ["model"]},
        },
        "hetero_secure_boost_0": {
            "module": "HeteroSecureBoost",
            "input": {"data": {"train_data": ["intersection_0.data"]}},
            "output": {"data": ["data"], "model": ["model"]},
        },
        "evaluation_0": {
            "module": "Evaluation",
            "input": {"data": {"data": ["hetero_lr_0.data", "hetero_secure_boost_0.data"]}},
            "output": {"data": ["data"]},
        },
    }
}


def conf() -> dict:
    """The job's configuration: who takes part, where each reads, how the model learns."""
    readers = {
        role: {
            "0": {
                "reader_0": {"table": {"name": f"patients_{role}", "namespace": "demo"}},
                "data_transform_0": {"with_label": role == "guest"},
            }
        }
        for role in ("guest", "host")
    }
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": {"guest": [9999], "host": [10000], "arbiter": [10000]},
        "job_parameters": {"common": {"job_type": "train"}},
        "component_parameters": {
            "common": {
                "intersection_0": {"intersect_method": "ecdh"},
                "hetero_lr_0": {
                    "penalty": "L2",
                    "alpha": 0.01,
                    "optimizer": "rmsprop",
                    "learning_rate": 0.15,
                    "max_iter": 20,
                    "batch_size": 320,
                    "init_param": {"init_method": "zeros"},
                    "encrypt_param": {"key_length": 2048},
                },
                "hetero_secure_boost_0": {"num_trees": 5, "tree_param": {"max_depth": 3}},
                "evaluation_0": {"eval_type": "binary"},
            },
            "role": readers,
        },
    }


def write_samples() -> None:
    """The two parties' files and the job's JSON under .distaff/samples."""
    SAMPLES.mkdir(parents=True, exist_ok=True)
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    ids = np.array([f"patient-{i:04d}" for i in range(len(x))])
    parties = {
        "guest": (slice(0, -30), np.column_stack([y, x[:, :GUEST_FEATURES]]), "y"),
        "host": (slice(30, None), x[:, GUEST_FEATURES:], None),
    }
    for role, (rows, columns, label) in parties.items():
        n_features = columns.shape[1] - (label is not None)
        header = ["id", *([label] if label else []), *(f"x{i}" for i in range(n_features))]
        with (SAMPLES / f"patients_{role}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for key, row in zip(ids[rows], columns[rows], strict=True):
                values = [f"{v:.6f}" for v in row]
                writer.writerow([key, *([str(int(row[0])), *values[1:]] if label else values)])
        upload = {
            "file": str(SAMPLES / f"patients_{role}.csv"),
            "head": 1,
            "partition": 2,
            "namespace": "demo",
            "table_name": f"patients_{role}",
            "id_delimiter": ",",
        }
        (SAMPLES / f"upload_{role}.json").write_text(json.dumps(upload, indent=2))
    (SAMPLES / "dsl.json").write_text(json.dumps(DSL, indent=2))
    (SAMPLES / "conf.json").write_text(json.dumps(conf(), indent=2))


def run(command: str, *arguments: str) -> None:
    """One command as a user types it; its failure ends the demo with its own words."""
    print(f"\n$ {command} {' '.join(arguments)}", flush=True)
    done = subprocess.run([BIN / command, *arguments], cwd=ROOT, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def write_serving() -> None:
    """Where the host's serving finds features: the host's own file, by the patient's id."""
    adapter = {"path": str(SAMPLES / "patients_host.csv"), "id": "id", "key": "patient"}
    options = {"adapter": "csv", "adapter_options": adapter}
    (HOME / "serving.json").write_text(json.dumps(options, indent=2))


def start_node() -> tuple[int, str, str]:
    """A node under .distaff, started if it is not up; the port of its REST API, the addresses of
    its board and of online inference."""
    asked = subprocess.run(
        [BIN / "distaff", "status", "--home", str(HOME), "--output", "json"],
        capture_output=True,
        check=False,
    )
    if asked.returncode == 0:
        told = json.loads(asked.stdout)
        return int(told["url"].rpartition(":")[2]), told["board"] or "", told["serving"] or ""
    write_serving()
    usual = {
        "port": 9380,
        "gateway-port": 9370,
        "board-port": 8080,
        "serving-port": 8059,
        "serving-grpc-port": 8000,
        "serving-party-port": 8869,
    }
    ports = {name: free_port(wanted) for name, wanted in usual.items()}
    options = [part for name, port in ports.items() for part in (f"--{name}", str(port))]
    run("distaff", "up", "--home", str(HOME), "-d", *options)
    at = "http://127.0.0.1"
    return ports["port"], f"{at}:{ports['board-port']}", f"{at}:{ports['serving-port']}"


def free_port(wanted: int) -> int:
    """The usual port, or any other if something listens there already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    write_samples()
    port, board, serving = start_node()
    os.environ["DISTAFF_SERVER"] = f"127.0.0.1:{port}"
    os.environ["DISTAFF_OUTPUT"] = "table"  # for people, also when the output goes to a file
    for role in ("guest", "host"):
        conf = str(SAMPLES / f"upload_{role}.json")
        run("flow", "data", "upload", "-c", conf, "--drop", "--wait")
    run(
        "flow", "job", "submit",
        "-d", str(SAMPLES / "dsl.json"),
        "-c", str(SAMPLES / "conf.json"),
        "--wait",
    )  # fmt: skip
    run("flow", "job", "list", "-l", "3")
    job_id = show_metrics()
    if serving:
        serve(job_id, serving)
    if board:
        print(f"\nboard          {board}  (the job, its charts, what left each party)")
    if serving:
        print(f"online         {serving}/docs  (inference; service id: tumour)")
    print(f"REST API       http://127.0.0.1:{port}/v1")
    print(f"files          {HOME}  (samples, logs, models, audit)")
    print(f"next           export DISTAFF_SERVER=127.0.0.1:{port}; {BIN}/flow --help")
    print(f"what left      {BIN}/distaff audit report --home {HOME} --job JOB_ID")
    print(f"end the node   {BIN}/distaff down --home {HOME}")


def serve(job_id: str, serving: str) -> None:
    """Deploy the job's logistic regression, have both parties' servings load it, bind it to a
    service, and ask for the score of one patient."""
    deployed = flow_json(
        "model", "deploy",
        "--model-id", "arbiter-10000#guest-9999#host-10000#model",
        "--model-version", job_id,
        "--cpn-list", "data_transform_0,intersection_0,hetero_lr_0",
    )["data"]  # fmt: skip
    conf = {
        "service_id": "tumour",
        "initiator": {"party_id": "9999", "role": "guest"},
        "role": {"guest": ["9999"], "host": ["10000"], "arbiter": ["10000"]},
        "job_parameters": {
            "model_id": deployed["model_id"],
            "model_version": deployed["model_version"],
        },
    }
    path = SAMPLES / "serve.json"
    path.write_text(json.dumps(conf, indent=2))
    run("flow", "model", "load", "-c", str(path))
    run("flow", "model", "bind", "-c", str(path))
    with (SAMPLES / "patients_guest.csv").open() as file:
        patient = list(csv.DictReader(file))[100]
    features = {name: float(patient[name]) for name in patient if name.startswith("x")}
    request = {
        "head": {"serviceId": "tumour"},
        "body": {
            "featureData": features,
            "sendToRemoteFeatureData": {"patient": patient["id"]},
        },
    }
    (SAMPLES / "request.json").write_text(json.dumps(request, indent=2))
    url = f"{serving}/federation/v1/inference"
    print(f"\n$ curl {url} -d @{SAMPLES / 'request.json'}", flush=True)
    asked = urllib.request.Request(url, json.dumps(request).encode(), method="POST")
    with urllib.request.urlopen(asked, timeout=30) as reply:
        print(reply.read().decode())


def flow_json(*arguments: str) -> dict:
    """One command, shown, and its answer as JSON."""
    print(f"\n$ flow {' '.join(arguments)}", flush=True)
    done = subprocess.run(
        [BIN / "flow", "--output", "json", *arguments], capture_output=True, check=False, text=True
    )
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return json.loads(done.stdout)


def show_metrics() -> str:
    """AUC and KS of the job that just ended; its id."""
    listed = subprocess.run(
        [BIN / "flow", "--output", "json", "job", "list", "-l", "1"],
        capture_output=True,
        check=True,
    )
    job_id = json.loads(listed.stdout)["data"]["jobs"][0]["job_id"]
    run(
        "flow", "component", "get-summary",
        "-j", job_id, "-r", "guest", "-p", "9999", "-cpn", "evaluation_0",
    )  # fmt: skip
    return job_id


if __name__ == "__main__":
    main()
