"""A real node with real jobs, for tests of what the board shows of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.e2e.conftest import Node, write_parties

PARTIES = {"guest": "9999", "host": "10000", "arbiter": "10000"}
SPACE = "board"
ROWS = 240

Chain = list[tuple[str, str, dict[str, str], list[str]]]
"""(name, module, {kind of input: component}, outputs)."""

LINEAR: Chain = [
    ("reader_0", "Reader", {}, ["data"]),
    ("data_transform_0", "DataTransform", {"data": "reader_0"}, ["data", "model"]),
    ("intersection_0", "Intersection", {"data": "data_transform_0"}, ["data"]),
    ("hetero_feature_binning_0", "HeteroFeatureBinning", {"data": "intersection_0"},
     ["data", "model"]),
    ("hetero_feature_selection_0", "HeteroFeatureSelection",
     {"data": "intersection_0", "isometric_model": "hetero_feature_binning_0"},
     ["data", "model"]),
    ("hetero_lr_0", "HeteroLR", {"train_data": "hetero_feature_selection_0"}, ["data", "model"]),
    ("evaluation_0", "Evaluation", {"data": "hetero_lr_0"}, ["data"]),
]  # fmt: skip
BOOSTED: Chain = [
    *LINEAR[:3],
    ("hetero_secure_boost_0", "HeteroSecureBoost", {"train_data": "intersection_0"},
     ["data", "model"]),
    ("evaluation_0", "Evaluation", {"data": "hetero_secure_boost_0"}, ["data"]),
]  # fmt: skip
LINEAR_COMMON = {
    "intersection_0": {"intersect_method": "ecdh"},
    "hetero_feature_selection_0": {
        "filter_methods": ["iv_filter"],
        "iv_param": {"metrics": ["iv"], "filter_type": ["threshold"], "threshold": [0.02]},
    },
    "hetero_lr_0": {"max_iter": 4, "learning_rate": 0.15, "penalty": "L2", "alpha": 0.01},
    "evaluation_0": {"eval_type": "binary"},
}
BOOSTED_COMMON = {
    "intersection_0": {"intersect_method": "ecdh"},
    "hetero_secure_boost_0": {
        "num_trees": 3,
        "tree_param": {"max_depth": 3},
        "bin_num": 16,
        "objective_param": {"objective": "cross_entropy"},
    },
    "evaluation_0": {"eval_type": "multi"},
}


class LiveSite:
    """Of two jobs "linear" (7 components) and "boosted" (3 classes), submitted when first asked
    for, and what a test does with the node. ``url``: the board's, where nobody signs in."""

    def __init__(self, node: Node, folder: Path) -> None:
        self.node, self.url = node, f"http://127.0.0.1:{node.board_port}"
        self._folder = folder
        self._ids: dict[str, str] = {}
        write_parties(folder, n_rows=ROWS)
        _write_classes(folder)
        for table in ("guest", "host", "classes"):
            self.upload(table)

    def upload(self, file: str, *, as_table: str = "") -> None:
        self.node.upload(self._folder / f"{file}.csv", SPACE, as_table or file)

    def submit(self, chain: Chain, common: dict[str, Any], **tables: str) -> Any:
        """What ``flow job submit`` answers. tables: of guest and host, if not their own."""
        files = {"dsl": {"components": _components(chain)}, "conf": _conf(chain, common, tables)}
        for name, content in files.items():
            (self._folder / f"{name}.json").write_text(json.dumps(content))
        conf, dsl = (str(self._folder / f"{name}.json") for name in ("conf", "dsl"))
        done = self.node.flow("--output", "json", "job", "submit", "-c", conf, "-d", dsl)
        return json.loads(done.stdout)

    def begun(self, name: str) -> str:
        """The id of job "linear" or "boosted", which may still run."""
        if name not in self._ids:
            given = {
                "linear": (LINEAR, LINEAR_COMMON, "guest"),
                "boosted": (BOOSTED, BOOSTED_COMMON, "classes"),
            }
            chain, common, guest = given[name]
            self._ids[name] = self.submit(chain, common, guest=guest)["jobId"]
        return self._ids[name]

    def job(self, name: str) -> str:
        """The same, once it has succeeded."""
        job_id = self.begun(name)
        assert self.node.wait(job_id, 100) == "success"
        return job_id

    def address(self, page: str, job_id: str, role: str = "guest", **query: str) -> str:
        key = {"job_id": job_id, "role": role, "party_id": PARTIES[role], **query}
        return f"#/{page}?" + "&".join(f"{name}={value}" for name, value in key.items())


def _write_classes(folder: Path) -> None:
    """classes.csv: the guest's table with labels 0, 1 and 2."""
    lines = (folder / "guest.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    third = np.array([float(row[2]) for row in rows])
    for row, cut in zip(rows, np.digitize(third, np.quantile(third, [0.33, 0.67])), strict=True):
        row[1] = str(cut)
    (folder / "classes.csv").write_text("\n".join([lines[0], *map(",".join, rows)]) + "\n")


def _components(chain: Chain) -> dict[str, Any]:
    made = {}
    for name, module, above, outputs in chain:
        inputs: dict[str, Any] = {
            "data": {kind: [f"{of}.data"] for kind, of in above.items() if kind[-4:] == "data"},
            "isometric_model": [
                f"{of}.model" for kind, of in above.items() if kind[-5:] == "model"
            ],
        }
        made[name] = {
            "module": module,
            "input": {kind: given for kind, given in inputs.items() if given},
            "output": {kind: [kind] for kind in outputs},
        }
    return made


def _conf(chain: Chain, common: dict[str, Any], tables: dict[str, str]) -> dict[str, Any]:
    def party(role: str) -> dict[str, Any]:
        transform = {"with_label": role == "guest", "output_format": "dense"}
        reader = {"table": {"name": tables.get(role, role), "namespace": SPACE}}
        return {"0": {"reader_0": reader, "data_transform_0": transform}}

    roles = {role: [int(party_id)] for role, party_id in PARTIES.items()}
    if all(module != "HeteroLR" for _, module, *_ in chain):
        del roles["arbiter"]
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": roles,
        "component_parameters": {
            "common": common,
            "role": {role: party(role) for role in ("guest", "host")},
        },
    }
