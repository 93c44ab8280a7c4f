"""Write ``rest_shapes.json``: which keys and types a real FATE-Flow 1.11.2 answers, call by call.

    python tests/golden/make_rest_shapes.py FOLDER_OF_RECORDINGS

Each recording is a JSON file with method, path, request, status, response. Kept are facts of the
interface only: paths of keys and the JSON types found there. No recorded value goes in.
``*`` stands for keys that are data (component names, party ids, metric names), ``[]`` for the
elements of a list, type ``opaque`` for a subtree whose keys are a user's own configuration.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

OPAQUE = re.compile(
    r"(dsl|component_parameters|ComponentParam|schema|class_path|table_info|engine_conf|user|"
    r"runtime_conf|runtime_conf_on_party|train_runtime_conf|roles|role|summary|anonymous_info|"
    r"attribute_info|components|engine_config|dataset|partner|env|cmd)$"
)
"""Keys below which everything depends on the job: their own type is kept, not what they hold."""

FREE = {
    "tracking/component/metrics": ["$.data"],
    "tracking/component/metric/all": ["$.data", "$.data.*"],
    "tracking/component/output/model": ["$.data", "$.meta.meta_data"],
    "tracking/component/metric_data": ["$.meta"],
    "pipeline/dag/dependency": [
        "$.data.dependencies", "$.data.component_module", "$.data.component_need_run",
    ],
    "model/deploy": [
        "$.data.guest", "$.data.host", "$.data.arbiter", "$.data.detail.guest",
        "$.data.detail.host", "$.data.detail.arbiter",
    ],
    "data/upload/history": ["$.data[]"],
    "server/fateflow/info": ["$.data"],
    "provider/get": ["$.data.fate", "$.data.fate_flow"],
    "tracking/component/parameters": [],
}  # fmt: skip
"""Objects whose keys are data, by call."""

OPAQUE_AT = {
    ("tracking/component/summary/download", "file", "$"),
    ("tracking/component/summary/download", "ok", "$.data"),
}
"""What is wholly a component's own, besides ``OPAQUE``: (call, kind, path)."""

SPELT = ("$.data[].f_component_parameters", "$.data.tasks[].component_parameters")
"""``component_parameters`` of a task (not of a configuration) have keys of FATE's."""

METAS = "tracking/component/metric/all", "$.data.*.*.meta"
"""Metas differ by metric type; ``name`` and ``metric_type`` are always there."""


def shape(call: str, found: object) -> dict[str, list[str]]:
    """Paths to the sorted JSON types found there."""
    paths: dict[str, set[str]] = {}
    _walk((call, kind(found)), "$", found, paths)
    return {path: sorted(types) for path, types in sorted(paths.items())}


def kind(response: object) -> str:
    """``ok``, ``empty`` (success without data), ``error``, or ``file`` for a bare attachment."""
    if not isinstance(response, dict) or "retcode" not in response:
        return "file"
    if response["retcode"] != 0:
        return "error"
    return "ok" if response.get("data") not in ({}, [], None) else "empty"


def call_of(path: str) -> str:
    return path.partition("?")[0].removeprefix("/v1/")


def _walk(of: tuple[str, str], path: str, found: object, paths: dict[str, set[str]]) -> None:
    call = of[0]
    paths.setdefault(path, set()).add(_type(found))
    if (*of, path) in OPAQUE_AT:
        return
    last = "" if path.endswith("[]") else path.rpartition(".")[2].removeprefix("f_")
    if path not in SPELT and OPAQUE.match(last) and isinstance(found, (dict, list)):
        return
    if (call, path) == METAS:
        found = {k: v for k, v in found.items() if k in ("name", "metric_type")}
    if isinstance(found, dict):
        free = path in FREE.get(call, [])
        for key, value in found.items():
            below = "*" if free and key not in ("retcode", "retmsg") else key
            if below == "*" and call in ("tracking/component/output/model",):
                continue
            _walk(of, f"{path}.{below}", value, paths)
    elif isinstance(found, list):
        for value in found:
            if not (isinstance(value, str) and re.fullmatch(r"\.\.\. \d+ more", value)):
                _walk(of, f"{path}[]", value, paths)


def _type(found: object) -> str:
    names = {bool: "boolean", type(None): "null", str: "string", list: "array", dict: "object"}
    return names.get(type(found), "number")


def main(folder: Path) -> None:
    known: dict[str, dict[str, dict]] = {}
    for file in sorted(folder.glob("*.json")):
        sample = json.loads(file.read_text())
        response = sample["response"]
        call = call_of(sample["path"])
        entry = known.setdefault(call, {}).setdefault(
            kind(response), {"statuses": [], "methods": [], "samples": 0, "paths": {}}
        )
        entry["samples"] += 1
        for key, value in (("statuses", sample["status"]), ("methods", sample["method"])):
            if value not in entry[key]:
                entry[key].append(value)
        binary = isinstance(response, dict) and set(response) == {"bytes", "head"}
        found = {"$": ["bytes"]} if binary else shape(call, response)
        for path, types in found.items():
            about = entry["paths"].setdefault(path, {"types": [], "seen": 0})
            about["types"] = sorted({*about["types"], *types})
            about["seen"] += 1
    target = Path(__file__).with_name("rest_shapes.json")
    target.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
