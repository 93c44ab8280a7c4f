"""The Open Inference Protocol (version 2) over HTTP: the second door, for stock clients.

A model's name is its service id. One input tensor of shape ``[n]`` or ``[n, 1]`` a feature of the
guest; tensors named ``remote.<key>`` go to the hosts. Outputs: ``score`` FP64 ``[n]`` or
``[n, classes]``, ``label`` BYTES ``[n]`` where there are classes, ``retcode`` INT32 ``[n]``.
Unlike FATE's door, errors have HTTP statuses.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from serving.calls import Answer, Call, Row
from serving.codes import Code, ServingFault

REMOTE = "remote."
_INTEGERS = frozenset(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
_FLOATS = frozenset(("FP16", "FP32", "FP64"))
DATATYPES = ("BOOL", *sorted(_INTEGERS), *sorted(_FLOATS), "BYTES")


def call(body: bytes, service_id: str, version: str, deadline: float, most: int) -> Call:
    """A request from its JSON. Raises ServingFault (100) naming the tensor that is wrong."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ServingFault(Code.BAD_PARAMETER, f"not JSON: {error}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("inputs"), list):
        raise ServingFault(Code.BAD_PARAMETER, 'expected an object with a list "inputs"')
    columns = _columns(raw["inputs"], most)
    count = len(next(iter(columns.values()))) if columns else 1
    rows = [
        Row(
            index=i,
            features={k: v[i] for k, v in columns.items() if not k.startswith(REMOTE)},
            remote={k[len(REMOTE) :]: v[i] for k, v in columns.items() if k.startswith(REMOTE)},
        )
        for i in range(count)
    ]
    parameters = raw.get("parameters")
    apply_id = parameters.get("applyId", "") if isinstance(parameters, dict) else ""
    case_id = raw.get("id")
    return Call(
        case_id=case_id[:256] if isinstance(case_id, str) and case_id else uuid.uuid4().hex,
        service_id=service_id,
        rows=rows,
        deadline=deadline,
        apply_id=apply_id[:256] if isinstance(apply_id, str) else "",
        version=version,
        exact=True,
        size=len(body),
    )


def answer(asked: Call, found: Answer) -> dict[str, Any]:
    """The answer's JSON; every row failed rows included, whose score is null."""
    outputs = [_scores(found)]
    if any("label" in row.data for row in found.rows):
        labels = [str(row.data.get("label", "")) for row in found.rows]
        outputs.append(_tensor("label", "BYTES", [len(labels)], labels))
    codes = [row.code for row in found.rows]
    outputs.append(_tensor("retcode", "INT32", [len(codes)], codes))
    told: dict[str, Any] = {
        "model_name": asked.service_id,
        "model_version": found.model_version,
        "id": asked.case_id,
        "outputs": outputs,
    }
    messages = {str(row.index): row.message for row in found.rows if row.message}
    if messages or found.fallback:
        told["parameters"] = {
            **({"messages": orjson.dumps(messages).decode()} if messages else {}),
            **({"fallback": found.fallback} if found.fallback else {}),
        }
    return told


def fault_of(found: Answer) -> ServingFault | None:
    """What makes the whole answer an error: of the call, or of its only row."""
    if found.code:
        return ServingFault(found.code, found.message, found.hosts)
    if len(found.rows) == 1 and found.rows[0].code:
        return ServingFault(found.rows[0].code, found.rows[0].message)
    return None


def metadata(service_id: str, versions: list[str], columns: Mapping[str, str]) -> dict[str, Any]:
    """What a client may ask before it sends. columns: {feature of the guest: datatype}."""
    inputs = [
        {"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in columns.items()
    ]
    return {
        "name": service_id,
        "versions": versions,
        "platform": "distaff",
        "inputs": inputs,
        "outputs": [
            {"name": "score", "datatype": "FP64", "shape": [-1]},
            {"name": "retcode", "datatype": "INT32", "shape": [-1]},
        ],
    }


def _scores(found: Answer) -> dict[str, Any]:
    scores = [row.data.get("score") for row in found.rows]
    wide = next((len(score) for score in scores if isinstance(score, list)), 0)
    if not wide:
        return _tensor("score", "FP64", [len(scores)], scores)
    flat: list[Any] = []
    for score in scores:
        flat.extend(score if isinstance(score, list) else [None] * wide)
    return _tensor("score", "FP64", [len(scores), wide], flat)


def _tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "data": data}


def _columns(inputs: list[Any], most: int) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for position, tensor in enumerate(inputs):
        name, data = _read(tensor, f"inputs[{position}]")
        if name in columns:
            raise ServingFault(Code.BAD_PARAMETER, f"inputs[{position}]: {name!r} comes twice")
        if columns and len(data) != len(next(iter(columns.values()))):
            raise ServingFault(
                Code.BAD_PARAMETER, f"inputs[{position}]: all tensors must have as many rows"
            )
        if not 0 < len(data) <= most:
            raise ServingFault(
                Code.BAD_PARAMETER, f"inputs[{position}]: {len(data)} rows; 1 to {most} are allowed"
            )
        columns[name] = data
    return columns


def _read(tensor: Any, where: str) -> tuple[str, list[Any]]:
    if not isinstance(tensor, dict):
        raise ServingFault(Code.BAD_PARAMETER, f"{where} must be an object")
    name, datatype, shape = (tensor.get(key) for key in ("name", "datatype", "shape"))
    if not isinstance(name, str) or not name:
        raise ServingFault(Code.BAD_PARAMETER, f"{where}: name must be text")
    if datatype not in DATATYPES:
        raise ServingFault(
            Code.BAD_PARAMETER, f"{where}: datatype must be one of {', '.join(DATATYPES)}"
        )
    data = tensor.get("data")
    if not isinstance(data, list):
        raise ServingFault(Code.BAD_PARAMETER, f"{where}: data must be a list")
    data = [v[0] if isinstance(v, list) and len(v) == 1 else v for v in data]
    if not _is_shape(shape, len(data)):
        raise ServingFault(
            Code.BAD_PARAMETER,
            f"{where}: shape must be [{len(data)}] or [{len(data)}, 1] for the data given",
        )
    for value in data:
        if not _fits(value, str(datatype)):
            raise ServingFault(Code.BAD_PARAMETER, f"{where}: data is not all {datatype}")
    return name, data


def _is_shape(shape: Any, count: int) -> bool:
    return (
        isinstance(shape, list)
        and len(shape) in (1, 2)
        and all(isinstance(size, int) and not isinstance(size, bool) for size in shape)
        and shape in ([count], [count, 1])
    )


def _fits(value: Any, datatype: str) -> bool:
    if value is None:
        return True
    if datatype == "BOOL":
        return isinstance(value, bool)
    if datatype == "BYTES":
        return isinstance(value, str)
    if isinstance(value, bool):
        return False
    if datatype in _INTEGERS:
        return isinstance(value, int)
    return isinstance(value, int | float) and math.isfinite(value)
