"""What passes between two servings: FATE-Serving's packet and the JSON in it.

``features`` stay at the guest; a host gets ``sendToRemoteFeatureData`` and the name of its model.
``x_cap`` offers our compact forms; a host that does not know it answers FATE-Serving's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from federation.fate_serving import proxy_pb2 as pb
from serving import codes
from serving.calls import Call, HostAnswer, Part, Row
from serving.codes import FROM_PROXY, Code, ServingFault
from serving.registry import ModelKey
from serving.scoring import NeedsSetup

SINGLE, BATCH = "federatedInference", "batch"
VERSION = "216"
"""The version of FATE-Serving whose packets these are; below 200 they look otherwise."""
LARGEST = 32 << 20
CAPABILITIES, KEY, SETUP = "x_cap", "x_key", "x_setup"
COLUMNS, NEEDS_SETUP = "x_columns", "x_needs_setup"
KEPT, KEPT_PART = "x_kept", "x_kept_part"
CASES = "x_cases"
"""Keys of ours in the JSON; FATE-Serving ignores keys that it does not know."""
METHOD = "/com.webank.ai.fate.api.networking.proxy.DataTransferService/unaryCall"


def request(
    call: Call, rows: list[Row], source: str, target: str, key: ModelKey, extra: Mapping[str, Any]
) -> pb.Packet:
    """One row goes as FATE-Serving's single command, several as its batch. extra: keys of ours."""
    single = len(rows) == 1
    body: dict[str, Any] = {"caseId": call.case_id}
    if call.sequence:
        body["seqno"] = call.sequence
    if single:
        body.update(featureData={}, sendToRemoteFeatureData=rows[0].remote)
        if rows[0].check:
            body["needCheckFeature"] = True
    else:
        body["batchDataList"] = [
            {
                "index": i,
                "featureData": {},
                "sendToRemoteFeatureData": row.remote,
                "needCheckFeature": row.check,
            }
            for i, row in enumerate(rows)
        ]
        body.update(
            hostTableName=key.table,
            hostNamespace=key.namespace,
            guestPartyId=source,
            hostPartyId=target,
        )
    body.update(extra)
    return pb.Packet(
        header=pb.Metadata(
            task=pb.Task(model=pb.Model(namespace=key.namespace, tableName=key.table)),
            src=pb.Topic(name="partnerPartyName", partyId=source, role="serving"),
            dst=pb.Topic(name="partyName", partyId=target, role="serving"),
            command=pb.Command(name=SINGLE if single else BATCH),
            operator=VERSION,
        ),
        body=pb.Data(value=orjson.dumps(body)),
        auth=pb.AuthInfo(
            nonce=call.case_id, version=VERSION, serviceId=call.service_id, applyId=call.apply_id
        ),
    )


def needs_setup(packet: pb.Packet) -> bool:
    """Whether a host asks for what a guest sends once."""
    return f'"{NEEDS_SETUP}":true'.encode() in packet.body.value


def answer(packet: pb.Packet, count: int) -> HostAnswer:
    """What a host answered for each of ``count`` rows. Raises ServingFault with the host's code
    for the whole call, BAD_ANSWER (135) for an answer that has no shape of one."""
    try:
        told = orjson.loads(packet.body.value)
    except orjson.JSONDecodeError:
        raise ServingFault(Code.BAD_ANSWER, "the answer is not JSON") from None
    if not isinstance(told, dict):
        raise ServingFault(Code.BAD_ANSWER, "the answer is not an object")
    code, message = _outcome(told)
    if code:
        raise ServingFault(code, message)
    columns = told.get(COLUMNS)
    rows = told.get("batchDataList")
    if count == 1 and not isinstance(rows, list):
        return HostAnswer(rows=[_part(told.get("data"), 0, "")])
    if not isinstance(rows, list):
        raise ServingFault(Code.BAD_ANSWER, "the answer has no batchDataList")
    left_out = Part(code=int(Code.BAD_ANSWER), message="the host left this row out")
    found = [Part()] * count if isinstance(columns, dict) else [left_out] * count
    for row in rows:
        index = row.get("index") if isinstance(row, dict) else None
        if not isinstance(index, int) or not 0 <= index < count:
            raise ServingFault(Code.BAD_ANSWER, "the answer has a row that was not asked for")
        found[index] = _part(row.get("data"), *_outcome(row))
    return HostAnswer(rows=found, columns=columns if isinstance(columns, dict) else None)


def kept_part(packet: pb.Packet) -> dict[str, Any] | None:
    """A host's part of its kept rows, None if it has none or does not know of any.

    Raises ServingFault like ``answer``.
    """
    answer(packet, 1)
    told = orjson.loads(packet.body.value).get(KEPT_PART)
    return told if isinstance(told, dict) else None


def single_answer(data: dict[str, Any], case_id: str) -> bytes:
    """A host's answer to one row. data: {component name: contribution}."""
    return orjson.dumps(
        {
            "retcode": 0,
            "retmsg": "",
            "caseid": case_id,
            "data": {"retcode": 0, **data},
            "log": {},
            "warn": {},
            "flag": 0,
        }
    )


def batch_answer(rows: list[tuple[int, Part]], columns: dict[str, Any] | None = None) -> bytes:
    """columns: in our compact form; only rows that failed are then listed."""
    items: list[dict[str, Any]] = []
    for index, part in rows:
        if columns is not None and not part.code:
            continue
        item: dict[str, Any] = {"index": index, "retcode": part.code, "retmsg": part.message}
        if not part.code:
            item["data"] = part.data
        items.append(item)
    told = {"retcode": 0, "retmsg": "", "batchDataList": items}
    if columns is not None:
        told[COLUMNS] = columns
    return orjson.dumps(told)


def fault_answer(fault: ServingFault, *, on_the_way: bool = False) -> bytes:
    """A failure of the whole call. on_the_way: as a proxy reports it, 500 more."""
    code = fault.code + FROM_PROXY if on_the_way else fault.code
    told = {"retcode": code, "retmsg": str(fault), "data": {}, "flag": 0}
    if isinstance(fault, NeedsSetup):
        told[NEEDS_SETUP] = True
    return orjson.dumps(told)


def _outcome(told: dict[str, Any]) -> tuple[int, str]:
    code, message = told.get("retcode", 0), told.get("retmsg")
    if isinstance(code, str) and code.isdecimal() and len(code) < 5:
        code = int(code)
    if not isinstance(code, int) or isinstance(code, bool) or not 0 <= code <= codes.LARGEST:
        return int(Code.BAD_ANSWER), "the answer's retcode is no return code"
    return code, message[:500] if isinstance(message, str) else ""


def _part(data: Any, code: int, message: str) -> Part:
    if code:
        return Part(code=code, message=message)
    if not isinstance(data, dict):
        return Part(code=int(Code.BAD_ANSWER), message="the answer has no data")
    inner, told = _outcome(data)
    if inner:
        return Part(code=inner, message=told)
    return Part(data={name: of for name, of in data.items() if isinstance(of, dict | list | str)})


def kept_answer(part: dict[str, Any] | None, case_id: str) -> bytes:
    """A host's answer to a guest that compares kept rows."""
    return orjson.dumps(
        {"retcode": 0, "retmsg": "", "caseid": case_id, "data": {}, KEPT_PART: part}
    )
