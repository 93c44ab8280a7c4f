"""FATE-Serving's JSON: requests taken apart with its codes, answers put together."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from serving.calls import Answer, Call, Row, RowAnswer
from serving.codes import Code, ServingFault

LONGEST_TEXT = 256
DEEPEST = 8


class Malformed(ServingFault):
    """The body is no JSON object."""

    def __init__(self, problem: str) -> None:
        super().__init__(Code.BAD_PARAMETER, f"request message parse error: {problem}")


def flattened(body: bytes, case_id: str = "") -> dict[str, Any]:
    """One object of head and body; what the body says wins. Takes an object that is flat already.

    Raises Malformed.
    """
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise Malformed("expected an object with head and body")
    if "head" not in raw and "body" not in raw:
        flat = raw
    else:
        flat = {}
        for part in ("head", "body"):
            given = raw.get(part)
            if given is None:
                continue
            if not isinstance(given, dict):
                raise Malformed(f"{part} must be an object")
            flat.update(given)
    if case_id and not flat.get("caseId") and not flat.get("caseid"):
        flat["caseId"] = case_id
    return flat


def single(flat: Mapping[str, Any], deadline: float) -> Call:
    """A request for one row. Raises ServingFault (100)."""
    features = _object(flat, "featureData", "no feature data")
    remote = _object(flat, "sendToRemoteFeatureData", "no send to remote feature data")
    return _call(flat, [Row(index=0, features=features, remote=remote)], deadline)


def batch(flat: Mapping[str, Any], deadline: float, most: int) -> Call:
    """A request for many rows. Raises ServingFault (100) for a list that cannot be answered."""
    items = flat.get("batchDataList")
    if not isinstance(items, list) or not items:
        raise ServingFault(
            Code.BAD_PARAMETER, "batchDataList must be a list of at least one object"
        )
    if len(items) > most:
        raise ServingFault(
            Code.BAD_PARAMETER,
            f"batchDataList has {len(items)} rows and may have {most}; send several requests, or "
            "raise batch.inference.max",
        )
    rows, seen = [], set()
    for position, item in enumerate(items):
        row = _row(item, position)
        if row.index in seen:
            raise ServingFault(
                Code.BAD_PARAMETER, f"batchDataList[{position}]: index {row.index} comes twice"
            )
        seen.add(row.index)
        rows.append(row)
    return _call(flat, rows, deadline)


def single_answer(answer: Answer) -> dict[str, Any]:
    """``{"retcode", "retmsg", "data", "flag"}`` of one row."""
    row = answer.rows[0] if answer.rows else RowAnswer(index=0)
    code = answer.code or row.code
    data = {**row.data, **_of_model(answer)}
    return {
        "retcode": code,
        "retmsg": answer.message or row.message,
        "data": data,
        "flag": 1 if answer.fallback else 0,
    }


def batch_answer(answer: Answer) -> dict[str, Any]:
    """The rows as a list and, as FATE-Serving does, once more by index."""
    rows = [_row_answer(row) for row in answer.rows]
    return {
        "retcode": answer.code,
        "retmsg": answer.message,
        "data": _of_model(answer),
        "flag": 1 if answer.fallback else 0,
        "batchDataList": rows,
        "singleInferenceResultMap": {str(row["index"]): row for row in rows},
    }


def fault_answer(fault: ServingFault) -> dict[str, Any]:
    """An error before a model was chosen; of a malformed body under FATE-Serving's other names
    too."""
    told: dict[str, Any] = {
        "retcode": fault.code,
        "retmsg": str(fault),
        "data": {},
        "flag": 0,
    }
    if isinstance(fault, Malformed):
        told.update(code=int(Code.SYSTEM), message="SYSTEM_ERROR")
    return told


def _row_answer(row: RowAnswer) -> dict[str, Any]:
    told: dict[str, Any] = {"index": row.index, "retcode": row.code, "retmsg": row.message}
    if not row.code:
        told["data"] = row.data
    return told


def _of_model(answer: Answer) -> dict[str, Any]:
    told: dict[str, Any] = {}
    if answer.model_id:
        told["modelId"] = answer.model_id
        told["modelVersion"] = answer.model_version
        told["timestamp"] = answer.loaded_ms
    if answer.fallback:
        told["fallback"] = answer.fallback
    if answer.hosts:
        told["hosts"] = answer.hosts
    return told


def _row(item: Any, position: int) -> Row:
    where = f"batchDataList[{position}]"
    if not isinstance(item, dict):
        raise ServingFault(Code.BAD_PARAMETER, f"{where} must be an object")
    index = item.get("index")
    if not isinstance(index, int) or isinstance(index, bool):
        raise ServingFault(Code.BAD_PARAMETER, f"{where}: index must be an integer")
    check = item.get("needCheckFeature", False)
    if not isinstance(check, bool):
        raise ServingFault(Code.BAD_PARAMETER, f"{where}: needCheckFeature must be true or false")
    found = {}
    for name in ("featureData", "sendToRemoteFeatureData"):
        given = item.get(name)
        if given is not None and not isinstance(given, dict):
            raise ServingFault(Code.BAD_PARAMETER, f"{where}: {name} must be an object")
        found[name] = given or {}
        check_depth(found[name], f"{where}: {name}")
    return Row(
        index=index,
        features=found["featureData"],
        remote=found["sendToRemoteFeatureData"],
        check=check,
    )


def _object(flat: Mapping[str, Any], name: str, missing: str) -> dict[str, Any]:
    given = flat.get(name, {})
    if given is None:
        raise ServingFault(Code.BAD_PARAMETER, missing)
    if not isinstance(given, dict):
        raise ServingFault(Code.BAD_PARAMETER, f"{name} must be an object of names and values")
    check_depth(given, name)
    return given


def check_depth(given: Any, where: str, most: int = DEEPEST) -> None:
    """Raises ServingFault (100) for what is nested so deeply that it could not be written again,
    to a host or a log."""
    for value in given.values() if isinstance(given, dict) else given:
        if isinstance(value, dict | list):
            if not most:
                raise ServingFault(
                    Code.BAD_PARAMETER, f"{where} is nested more than {DEEPEST} deep"
                )
            check_depth(value, where, most - 1)


def _call(flat: Mapping[str, Any], rows: list[Row], deadline: float) -> Call:
    service_id = _text(flat, "serviceId")
    if not service_id.strip():
        raise ServingFault(Code.BAD_PARAMETER, "no service id")
    return Call(
        case_id=_text(flat, "caseId") or _text(flat, "caseid") or uuid.uuid4().hex,
        service_id=service_id,
        rows=rows,
        deadline=deadline,
        apply_id=_text(flat, "applyId"),
        sequence=_text(flat, "seqno"),
        version=_text(flat, "modelVersion"),
    )


def _text(flat: Mapping[str, Any], name: str) -> str:
    given = flat.get(name)
    if given is None:
        return ""
    if not isinstance(given, str | int) or isinstance(given, bool):
        raise ServingFault(Code.BAD_PARAMETER, f"{name} must be text")
    text = str(given)
    if len(text) > LONGEST_TEXT:
        raise ServingFault(Code.BAD_PARAMETER, f"{name} is longer than {LONGEST_TEXT} characters")
    return text
