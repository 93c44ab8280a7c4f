"""Two servings with a small LR that was made by hand: ready in seconds, for tests of processes."""

from __future__ import annotations

import json
import math
import zipfile
from pathlib import Path
from typing import Any

import msgspec

from serving.model import ComponentModel, Pipeline
from tests.e2e.servings import PARTIES, Serving, request

MODEL_ID, SERVICE = "made", "lr"
COLUMNS = 20
ROWS = 500
INTERCEPT = 0.1


def pair(home: Path, guest: dict[str, Any], host: dict[str, Any]) -> tuple[Serving, Serving]:
    """A guest's and a host's serving that are not started. guest, host: options of each."""
    home.mkdir(parents=True, exist_ok=True)
    names = [f"h{i}" for i in range(COLUMNS)]
    lines = [",".join(["id", *names])]
    lines += [",".join(map(str, [r, *(round(0.1 * i + r, 3) for i in range(COLUMNS))]))
              for r in range(ROWS)]  # fmt: skip
    (home / "host.csv").write_text("\n".join(lines) + "\n")
    features = {"path": str(home / "host.csv"), "id": "id"}
    asked = Serving(home / "guest", "guest", **guest)
    asking = Serving(
        home / "host", "host", **{"adapter": "csv", "adapter_options": features, **host}
    )
    asked.routes(asking.party)
    return asked, asking


def start(*servings: Serving) -> None:
    """Side by side."""
    for serving in servings:
        serving.launch()
    for serving in servings:
        serving.wait()


def load(serving: Serving, version: str = "1") -> dict[str, str]:
    """Have a serving load its part of a version; its key."""
    path = _exported(serving, version)
    other = "host" if serving.role == "guest" else "guest"
    status, told = serving.manage(
        "load",
        **key(serving.role, version),
        role=serving.role,
        party_id=PARTIES[serving.role],
        source={"kind": "file", "path": path.name},
        remotes=[{"role": other, "party_id": PARTIES[other], **key(other, version)}],
    )
    assert status == 200, told
    return key(serving.role, version)


def bind(guest: Serving, *versions: str, **more: Any) -> None:
    named = [key("guest", version) for version in versions]
    status, told = guest.manage("bind", service_id=SERVICE, versions=named, **more)
    assert status == 200, told


def key(role: str, version: str) -> dict[str, str]:
    return {"namespace": f"{role}#{PARTIES[role]}#{MODEL_ID}", "version": version}


def asked(row: int) -> dict[str, Any]:
    features = {f"g{i}": round(0.01 * i + 0.001 * row, 4) for i in range(COLUMNS)}
    return request(SERVICE, features, str(row % ROWS))


def score(row: int, version: str = "1") -> float:
    """Of ``asked(row)``, by the model's definition."""
    host = [round(0.1 * i + row % ROWS, 3) for i in range(COLUMNS)]
    guest = asked(row)["body"]["featureData"].values()
    sums = (sum(w * x for w, x in zip(_weights(version), of, strict=True)) for of in (guest, host))
    return 1 / (1 + math.exp(-(INTERCEPT + sum(sums))))


def _weights(version: str) -> list[float]:
    return [0.001 * (i - 5) * int(version) for i in range(COLUMNS)]


def _exported(serving: Serving, version: str) -> Path:
    """As ``flow model export`` writes it."""
    role = serving.role
    names = [f"{role[0]}{i}" for i in range(COLUMNS)]
    steps = {"reader_0": "Reader", "data_transform_0": "DataTransform", "hetero_lr_0": "HeteroLR"}
    components: dict[str, Any] = {}
    for before, (name, module) in zip(["", *steps], steps.items(), strict=False):
        data = {"data": {"data": [f"{before}.data"]}} if before else {}
        model = {"model": [f"pipeline.{name}.model"]} if before else {}
        components[name] = {"module": module, "input": {**data, **model}}
    pipeline = Pipeline(
        role=role,
        party_id=PARTIES[role],
        model_id=MODEL_ID,
        model_version=version,
        roles={"guest": [9999], "host": [10000]},
        inference_dsl={"components": components},
    )
    weights = dict(zip(names, _weights(version), strict=True))
    intercept = INTERCEPT if role == "guest" else 0.0
    linear = {"weight": weights, "intercept": intercept, "header": names}
    models = {
        "data_transform_0": _model("DataTransform", {"inputFormat": "dense"}, {"header": names}),
        "hetero_lr_0": _model("HeteroLogisticRegression", {}, linear),
    }
    path = serving.home / f"model-{version}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pipeline.json", msgspec.json.encode(pipeline))
        for name, model in models.items():
            archive.writestr(f"models/{name}/model/model.json", json.dumps(model))
    return path


def _model(kind: str, meta: dict[str, Any], param: dict[str, Any]) -> dict[str, Any]:
    made = ComponentModel(f"{kind}Meta", f"{kind}Param", meta, param)
    return msgspec.to_builtins(made)
