"""Whole boosting jobs through a node: from submit to success, and how good the model is.

FATE's example jobs: for training and for validation rows each a reader, a transform and a (RSA)
intersection; the trees, validated after each round; an evaluation. At each party of one node.
Data have the shapes of FATE's examples: breast is scikit-learn's, the others are made here.
Beside each stands LightGBM on the pooled rows, as ``boosting_quality`` trains it (the evaluation
of a homo job sees the guest's rows alone).
Bars on two idle cores: binary and regression 6 s, multi 8 s, of which FATE 1.11.4 takes 75 s,
64 s and 107 s. Predictions and outcomes: docs/decisions/0060-boosted-trees-speed.md.

`python -m benchmarks.boosting_jobs [NAME ...]` measures some of them.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from sklearn import datasets

from benchmarks import boosting_quality
from benchmarks.boosting_quality import Problem
from federatedml.maths import quantiles
from tests.e2e.conftest import Node, free_port

Table = tuple[np.ndarray, np.ndarray]
GUEST_ID, HOST_IDS = 9999, (10000, 10001)
N_TREES, DEPTH = 3, 3


@dataclass(frozen=True)
class Case:
    """columns: of guest and hosts; () where each has rows of its own instead. kind: of the
    evaluation. given: parameters beside FATE's."""

    table: str
    kind: str
    columns: tuple[int, ...]
    given: dict[str, Any]
    module: str = "HeteroSecureBoost"

    @property
    def hosts(self) -> list[int]:
        return list(HOST_IDS[: max(1, len(self.columns) - 1)])


def breast() -> Table:
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return (x - x.mean(0)) / x.std(0), 1 - y


def vehicles() -> Table:
    """846 rows of 18 features and four classes: the shape of vehicle_scale."""
    return datasets.make_classification(
        846, 18, n_informative=8, n_classes=4, class_sep=1.2, random_state=4
    )


def students() -> Table:
    """395 rows of 13 features with few values: the shape of student."""
    rng = np.random.default_rng(5)
    x = rng.integers(0, 5, size=(395, 13)).astype(float)
    return x, x[:, 0] - x[:, 7] + x[:, 3] * (x[:, 10] > 2) + 10 + 2 * rng.normal(size=395)


def credit() -> Table:
    """30,000 rows of 23 features, about a fifth of them positive: the shape of default_credit."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(30_000, 23)).round(2)
    score = x @ rng.normal(size=23) / 3 - 1.6 + rng.logistic(size=30_000)
    return x, (score > 0).astype(np.int64)


TABLES: dict[str, Callable[[], Table]] = {
    "breast": breast,
    "vehicles": vehicles,
    "students": students,
    "credit": credit,
}
PAILLIER = {"encrypt_param": {"method": "Paillier", "key_length": 1024}}
CASES = {
    "binary-paillier-1024": Case("breast", "binary", (10, 20), PAILLIER),
    "binary-lattice": Case("breast", "binary", (10, 20), {}),
    "multi-paillier-1024": Case("vehicles", "multi", (9, 9), PAILLIER),
    "multi-lattice": Case("vehicles", "multi", (9, 9), {}),
    "regression-paillier-1024": Case("students", "regression", (6, 7), PAILLIER),
    "regression-two-hosts-paillier-1024": Case("students", "regression", (5, 4, 4), PAILLIER),
    "regression-two-hosts-lattice": Case("students", "regression", (5, 4, 4), {}),
    "credit-paillier-1024": Case("credit", "binary", (13, 10), PAILLIER),
    "credit-lattice": Case("credit", "binary", (13, 10), {}),
    "homo-binary": Case("breast", "binary", (), {}, "HomoSecureBoost"),
    "homo-multi": Case("vehicles", "multi", (), {}, "HomoSecureBoost"),
}


# Data.


def parts(case: Case) -> list[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Row numbers, features and labels of guest and hosts."""
    x, y = TABLES[case.table]()
    rows = np.arange(len(x))
    if not case.columns:
        return [(half, x[half], y[half]) for half in np.array_split(rows, 2)]
    ends = np.cumsum((0, *case.columns)).tolist()
    return [
        (rows, x[:, first:end], None if first else y) for first, end in itertools.pairwise(ends)
    ]


def write(node: Node, folder: Path, case: Case) -> None:
    """Upload each party's table under its number."""
    for number, (rows, x, y) in enumerate(parts(case)):
        label = {} if y is None else {"y": y}
        columns = {f"x{i}": x[:, i] for i in range(x.shape[1])}
        ids = pa.array([f"row-{i}" for i in rows.tolist()])
        file = folder / f"{number}.csv"
        plain = pa.csv.WriteOptions(quoting_style="none", quoting_header="none")
        pa.csv.write_csv(pa.table({"id": ids, **label, **columns}), file, plain)
        node.upload(file, "bench", f"party_{number}")


# Jobs.


def dsl(case: Case) -> dict[str, Any]:
    """The components, in FATE's order. A homo job has nothing to intersect."""
    found: dict[str, Any] = {}
    last = "data_transform"
    for i in (0, 1):
        found[f"reader_{i}"] = {"module": "Reader", "output": {"data": ["data"]}}
        takes: dict[str, Any] = {"data": {"data": [f"reader_{i}.data"]}}
        if i:
            takes["model"] = ["data_transform_0.model"]
        output = {"data": ["data"], "model": ["model"]}
        found[f"data_transform_{i}"] = {"module": "DataTransform", "input": takes, "output": output}
        if case.columns:
            last = "intersection"
            found[f"intersection_{i}"] = {
                "module": "Intersection",
                "input": {"data": {"data": [f"data_transform_{i}.data"]}},
                "output": {"data": ["data"]},
            }
    found["boost_0"] = {
        "module": case.module,
        "input": {"data": {"train_data": [f"{last}_0.data"], "validate_data": [f"{last}_1.data"]}},
        "output": {"data": ["data"], "model": ["model"]},
    }
    found["evaluation_0"] = {
        "module": "Evaluation",
        "input": {"data": {"data": ["boost_0.data"]}},
        "output": {"data": ["data"]},
    }
    return {"components": found}


def conf(case: Case) -> dict[str, Any]:
    is_regression = case.kind == "regression"
    boost = {
        "task_type": "regression" if is_regression else "classification",
        "objective_param": {"objective": "lse" if is_regression else "cross_entropy"},
        "num_trees": N_TREES,
        "validation_freqs": 1,
        "tree_param": {"max_depth": DEPTH},
        **case.given,
    }
    rsa = {"hash_method": "sha256", "final_hash_method": "sha256", "key_length": 1024}
    intersection = {"intersect_method": "rsa", "rsa_params": rsa}
    common = {"boost_0": boost, "evaluation_0": {"eval_type": case.kind}}
    if case.columns:
        common |= {f"intersection_{i}": intersection for i in (0, 1)}
    arbiter = {} if case.columns else {"arbiter": [GUEST_ID]}
    places = {
        role: {str(i): own(first + i, case) for i in range(count)}
        for role, first, count in (("guest", 0, 1), ("host", 1, len(case.hosts)))
    }
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": GUEST_ID},
        "role": {"guest": [GUEST_ID], "host": case.hosts, **arbiter},
        "component_parameters": {"common": common, "role": places},
    }


def own(number: int, case: Case) -> dict[str, Any]:
    """Parameters of one party's own components."""
    has_label = number == 0 or not case.columns
    label_type = "float" if case.kind == "regression" else "int"
    transform = {"with_label": has_label, "output_format": "dense"}
    transform |= {"label_type": label_type} if has_label else {}
    table = {"name": f"party_{number}", "namespace": "bench"}
    return {f"reader_{i}": {"table": table} for i in (0, 1)} | {
        f"data_transform_{i}": transform for i in (0, 1)
    }


MEASURES = {"binary": "auc", "multi": "accuracy", "regression": "mean_squared_error"}


def measure(node: Node, case: Case) -> tuple[float, float, float]:
    """Seconds of the whole job and of the training, and what the evaluation says."""
    start = time.perf_counter()
    reply = node.submit(dsl(case), conf(case))
    assert reply["retcode"] == 0, reply
    assert node.wait(reply["jobId"], 600) == "success", reply["jobId"]
    seconds = time.perf_counter() - start
    at = {"job_id": reply["jobId"], "role": "guest", "party_id": GUEST_ID}
    said = node.post("tracking/component/summary/download", component_name="evaluation_0", **at)
    tasks = node.post("job/task/query", component_name="boost_0", **at)["data"]
    return (
        seconds,
        max(task["f_elapsed"] for task in tasks) / 1000,
        said["data"]["boost_0"]["train"][MEASURES[case.kind]],
    )


def twin(case: Case) -> tuple[float, float]:
    """Seconds and quality of LightGBM on the pooled rows."""
    (x, y), kinds = TABLES[case.table](), {"binary": 2, "multi": 4, "regression": 0}
    problem = Problem(case.table, x, y.astype(float), kinds[case.kind], len(x))
    start = time.perf_counter()
    cuts = quantiles.cut_points(x, boosting_quality.BINS)
    origin = problem.loss.start(problem.y)
    said, _ = boosting_quality.twin(problem, cuts, origin, N_TREES)
    seconds, quality = time.perf_counter() - start, problem.quality(said, problem.y)
    return seconds, quality if problem.n_classes else quality**2


def main() -> None:
    wanted = sys.argv[1:] if sys.argv[0].endswith("boosting_jobs.py") else []
    chosen = {name: case for name, case in CASES.items() if not wanted or name in wanted}
    heads = "job", "seconds", "trees s", "quality", "pooled s", "pooled", "ratio"
    print("{:36} {:>8} {:>8} {:>9} {:>9} {:>9} {:>7}".format(*heads))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        node = Node(Path(folder) / "home", free_port(), free_port())
        node.up()
        try:
            shown: tuple[Any, ...] = ()
            for name, case in chosen.items():
                if shown != (case.table, case.columns):
                    write(node, Path(folder), case)
                    shown = case.table, case.columns
                plain, best = twin(case)
                seconds, training, quality = measure(node, case)
                print(
                    f"{name:36} {seconds:8.2f} {training:8.2f} {quality:9.4f} {plain:9.3f} "
                    f"{best:9.4f} {seconds / plain:6,.0f}x",
                    flush=True,
                )
        finally:
            node.down()


if __name__ == "__main__":
    main()
