"""``/v1/template/download``: a small example to start from, made when it is asked for.

Two parties' tables (400 customers, numbers drawn from a fixed seed), their upload
configurations, and a job: intersection, logistic regression, evaluation.
"""

from __future__ import annotations

import io
import json
import random
import tarfile
from typing import Any

from flask import Blueprint, Response

from fateflow.api.envelope import attachment, given

blueprint = Blueprint("template", __name__, url_prefix="/v1/template")

ROWS = 400
FEATURES = {"guest": 4, "host": 6}
PARTIES = {"guest": 9999, "host": 10000, "arbiter": 10000}
NAMESPACE = "example"


@blueprint.post("/download")
def download() -> Response:
    given()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in examples().items():
            member = tarfile.TarInfo(f"distaff_examples/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return attachment(packed.getvalue(), "template.tar.gz", "application/x-tar")


def examples() -> dict[str, bytes]:
    """File names to contents."""
    found: dict[str, Any] = {"lr/dsl.json": _dsl(), "lr/conf.json": _conf()}
    for role, header, rows in _tables():
        found[f"data/upload_{role}.json"] = {
            "file": f"{role}.csv",
            "head": 1,
            "partition": 4,
            "id_delimiter": ",",
            "namespace": NAMESPACE,
            "table_name": role,
        }
        lines = [",".join(header), *(",".join(row) for row in rows)]
        found[f"data/{role}.csv"] = "\n".join(lines) + "\n"
    found["README.md"] = (
        "# A first vertical job\n\n"
        "    flow data upload -c data/upload_guest.json\n"
        "    flow data upload -c data/upload_host.json\n"
        "    flow job submit -c lr/conf.json -d lr/dsl.json --wait\n"
    )
    return {
        name: (content if isinstance(content, str) else json.dumps(content, indent=2)).encode()
        for name, content in found.items()
    }


def _tables() -> list[tuple[str, list[str], list[list[str]]]]:
    """(role, header, rows). The label depends on features of both parties."""
    draw = random.Random(11)  # noqa: S311 (an example, nothing secret)
    tables: dict[str, list[list[str]]] = {role: [] for role in FEATURES}
    for i in range(ROWS):
        values = {role: [draw.gauss(0, 1) for _ in range(n)] for role, n in FEATURES.items()}
        score = sum(values["guest"]) + sum(values["host"]) + draw.gauss(0, 1)
        texts = {role: [f"{value:.4f}" for value in of] for role, of in values.items()}
        tables["guest"].append([f"c{i}", str(int(score > 0)), *texts["guest"]])
        tables["host"].append([f"c{i}", *texts["host"]])
    return [
        (role, ["id", *(["y"] if role == "guest" else []), *(f"x{i}" for i in range(n))], rows)
        for (role, n), rows in zip(FEATURES.items(), tables.values(), strict=True)
    ]


def _dsl() -> dict[str, Any]:
    one, both = {"data": ["data"]}, {"data": ["data"], "model": ["model"]}
    chain = (
        ("reader_0", "Reader", None, one),
        ("data_transform_0", "DataTransform", ("data", "reader_0"), both),
        ("intersection_0", "Intersection", ("data", "data_transform_0"), one),
        ("hetero_lr_0", "HeteroLR", ("train_data", "intersection_0"), both),
        ("evaluation_0", "Evaluation", ("data", "hetero_lr_0"), one),
    )
    components: dict[str, Any] = {}
    for name, module, source, out in chain:
        components[name] = {"module": module, "output": out}
        if source:
            kind, producer = source
            components[name]["input"] = {"data": {kind: [f"{producer}.data"]}}
    return {"components": components}


def _conf() -> dict[str, Any]:
    own = {
        role: {
            "0": {
                "reader_0": {"table": {"name": role, "namespace": NAMESPACE}},
                "data_transform_0": {"with_label": role == "guest"},
            }
        }
        for role in FEATURES
    }
    common = {
        "data_transform_0": {"output_format": "dense"},
        "hetero_lr_0": {"max_iter": 10, "learning_rate": 0.15, "optimizer": "rmsprop"},
        "evaluation_0": {"eval_type": "binary"},
    }
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": PARTIES["guest"]},
        "role": {role: [party] for role, party in PARTIES.items()},
        "job_parameters": {"common": {"job_type": "train"}},
        "component_parameters": {"common": common, "role": own},
    }
