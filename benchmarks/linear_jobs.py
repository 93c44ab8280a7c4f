"""Whole jobs of the linear family through a node: from submit to success, and how good they are.

Reader, transform, intersection, model, evaluation at two parties and an arbiter of one node.
Beside each stands scikit-learn's model on the pooled rows: seconds to fit, and its AUC.

Prediction before writing: a job of five components costs 1 s without arithmetic. Lattice batches
of 320 rows cost a few milliseconds of products, so 60 of them stay below a second; Paillier pays
17 products mod n^2 a shown row and 4.5 an entry of X: 3 s at 1024 bits and 10 s at 2048.
Outcome, on two idle cores: lattice 2.9 s whole, 1024 bits 8 to 12 s, 2048 bits 21 to 35 s (hosts
are shown all 569 rows of every masked batch, which the prediction forgot).
`python -m benchmarks.linear_jobs [NAME ...]` measures some of them.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from tests.e2e.conftest import Node, free_port, vertical_job

Table = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Case:
    """table: name of the rows. guest_features: how many of their columns the guest has."""

    table: str
    guest_features: int
    module: str
    given: dict


def breast() -> Table:
    x, y = load_breast_cancer(return_X_y=True)
    return (x - x.mean(0)) / x.std(0), 1 - y


def credit() -> Table:
    """30,000 rows of 23 features, about a fifth of them positive: the shape of default_credit."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(30_000, 23))
    score = x @ rng.normal(size=23) / 3 - 1.6 + rng.logistic(size=30_000)
    return x, (score > 0).astype(np.int64)


TABLES: dict[str, Callable[[], Table]] = {"breast": breast, "credit": credit}
FATE_LR = {
    "tol": 0.0001,
    "alpha": 0.01,
    "optimizer": "rmsprop",
    "batch_size": 320,
    "learning_rate": 0.15,
    "init_param": {"init_method": "zeros"},
    "max_iter": 30,
    "early_stop": "diff",
}
TWO_EPOCHS = {**FATE_LR, "batch_size": 3200, "max_iter": 2}


def paillier(bits: int) -> dict:
    return {"encrypt_param": {"method": "Paillier", "key_length": bits}}


CASES = {
    "lr-lattice": Case("breast", 10, "HeteroLR", FATE_LR),
    "lr-paillier-1024": Case("breast", 10, "HeteroLR", FATE_LR | paillier(1024)),
    "lr-paillier-2048": Case("breast", 10, "HeteroLR", FATE_LR | paillier(2048)),
    "sshe-lr": Case("breast", 10, "HeteroSSHELR", FATE_LR | {"optimizer": "sgd"}),
    "credit-lr-lattice": Case("credit", 13, "HeteroLR", TWO_EPOCHS),
    "credit-lr-paillier-1024": Case("credit", 13, "HeteroLR", TWO_EPOCHS | paillier(1024)),
    "credit-sshe-lr": Case("credit", 13, "HeteroSSHELR", TWO_EPOCHS | {"optimizer": "sgd"}),
}


def write(node: Node, folder: Path, name: str, guest_features: int) -> None:
    x, y = TABLES[name]()
    ids = pa.array([f"row-{i}" for i in range(len(x))])
    for role, part in (("guest", x[:, :guest_features]), ("host", x[:, guest_features:])):
        columns = {f"x{i}": part[:, i] for i in range(part.shape[1])}
        label = {"y": y} if role == "guest" else {}
        file = folder / f"{role}.csv"
        plain = pa.csv.WriteOptions(quoting_style="none", quoting_header="none")
        pa.csv.write_csv(pa.table({"id": ids, **label, **columns}), file, plain)
        node.upload(file, "e2e", role)


def job(case: Case) -> tuple[dict, dict]:
    dsl, conf = vertical_job()
    dsl["components"]["hetero_lr_0"]["module"] = case.module
    conf["component_parameters"]["common"]["hetero_lr_0"] = case.given
    if case.module.startswith("HeteroSSHE"):
        del conf["role"]["arbiter"]
    return dsl, conf


def measure(node: Node, case: Case) -> tuple[float, float]:
    """Seconds of the whole job, and the AUC that it says."""
    dsl, conf = job(case)
    start = time.perf_counter()
    reply = node.submit(dsl, conf)
    assert reply["retcode"] == 0, reply
    assert node.wait(reply["jobId"], 600) == "success", reply["jobId"]
    seconds = time.perf_counter() - start
    at = {"job_id": reply["jobId"], "role": "guest", "party_id": 9999}
    said = node.post("tracking/component/summary/download", component_name="evaluation_0", **at)
    return seconds, said["data"]["hetero_lr_0"]["train"]["auc"]


def twin(name: str) -> tuple[float, float]:
    """Seconds and AUC of scikit-learn on the pooled rows."""
    x, y = TABLES[name]()
    start = time.perf_counter()
    model = LogisticRegression(C=100 / len(x), max_iter=200).fit(x, y)
    seconds = time.perf_counter() - start
    return seconds, float(roc_auc_score(y, model.decision_function(x)))


def main() -> None:
    wanted = sys.argv[1:] if sys.argv[0].endswith("linear_jobs.py") else []
    chosen = {name: case for name, case in CASES.items() if not wanted or name in wanted}
    print(f"{'job':26} {'seconds':>8} {'AUC':>8} {'pooled s':>9} {'pooled AUC':>11} {'ratio':>8}")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        node = Node(Path(folder) / "home", free_port(), free_port())
        node.up()
        try:
            for table in dict.fromkeys(case.table for case in chosen.values()):
                cases = {n: c for n, c in chosen.items() if c.table == table}
                write(node, Path(folder), table, next(iter(cases.values())).guest_features)
                plain, best = twin(table)
                for name, case in cases.items():
                    seconds, auc = measure(node, case)
                    print(
                        f"{name:26} {seconds:8.2f} {auc:8.4f} {plain:9.3f} {best:11.4f} "
                        f"{seconds / plain:7,.0f}x",
                        flush=True,
                    )
        finally:
            node.down()


if __name__ == "__main__":
    main()
