"""A fake fateflow that also has jobs with the made-up outputs of ``exhibits``."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Response, request

from fateboard.testing import scripted_jobs as jobs
from fateboard.testing.fake_flow import FakeFlow
from tests.browser.exhibits import EXHIBITS, Parts, binary, linear, loss

SHOWN = "202603010000000000001"
"""The job that has every exhibit as a component."""
COMPARED = tuple(f"20260302000000000000{at}" for at in range(3))
NASTY = jobs.NASTY
LONG = "n" * 200
COLUMNS, ROWS, TABLES = 300, 569, ("train", "validate", "test")
DETAIL = "{'cat': 0.25, 'dog': 0.75}"


def hostile() -> dict[str, tuple[str, dict[str, Parts]]]:
    """Components whose names, features and metrics try to be more than text."""
    names = [NASTY, "=HYPERLINK(1)", "+1+1", "\u202egnirts", LONG, "${7*7}"]
    weights = {name: at / 8 for at, name in enumerate(names)}
    curves = {NASTY: binary(NASTY, 0.75, 0.5)[f"{NASTY}_roc"]}
    return {
        "hostile_0": ("HeteroLR", {"guest": {
            "model": linear(header=names, weight=weights),
            "metrics": {"train": loss()["train"] | curves}}}),
        "hostile_1": (NASTY, {"guest": {"metrics": {NASTY: {NASTY: {
            "data": [[NASTY, NASTY]], "meta": {"metric_type": NASTY, NASTY: NASTY}}}}}}),
        NASTY: ("Reader", {}),
        LONG: (NASTY, {"guest": {"metrics": {NASTY: {NASTY: {
            "data": [[NASTY, NASTY]], "meta": {"metric_type": NASTY, NASTY: NASTY}}}}}}),
    }  # fmt: skip


def compared() -> dict[str, dict[str, tuple[str, dict[str, Parts]]]]:
    """Three runs that differ in one parameter and its outcome."""
    found = {}
    for at, job_id in enumerate(COMPARED):
        auc, bend = 0.8 + at / 20, 0.5 - at / 10
        given = {"penalty": "L2", "alpha": 0.01 * (at + 1), "max_iter": 30}
        found[job_id] = {
            "hetero_lr_0": (
                "HeteroLR",
                {"guest": {"parameters": given, "model": linear()}, "arbiter": {"metrics": loss()}},
            ),
            "evaluation_0": (
                "Evaluation",
                {"guest": {"metrics": {"train": binary("hetero_lr_0", auc, bend)}}},
            ),
        }
    return found


def wide() -> tuple[str, dict[str, Parts]]:
    """Three tables, of many columns each, with details as FATE writes them."""
    header = ["id", *(f"x{at}" for at in range(COLUMNS - 2)), "predict_detail"]
    rows = [[f"id{n}", *(n + c / 1000 for c in range(COLUMNS - 2)), DETAIL] for n in range(100)]
    return "HeteroDataSplit", {"guest": {"output": [rows] * 3, "header": [header] * 3}}


class ShownFlow(FakeFlow):
    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        shown = {**EXHIBITS, **hostile(), "split_wide": wide()}
        self.shown = {SHOWN: shown, **compared()}
        self.log_lines = [
            f"[INFO] [2026-01-01 00:00:00,000] [job] [1:2] - [a.b] [line:{n}]: {NASTY} line {n}"
            for n in range(1, 31)
        ]

    def rows(self) -> list[Parts]:
        found = []
        for at, (job_id, components) in enumerate(self.shown.items()):
            dsl = {"components": {name: {"module": one[0]} for name, one in components.items()}}
            found += [
                jobs.row(job_id, *party, dsl=dsl, name=f"run {at}", create_time=1_770_000_000_000)
                for party in jobs.PARTIES
            ]
        return [*found, *super().rows()]

    def _answer(self, path: str) -> Response:
        body: Parts = request.get_json(silent=True) or {}
        job_id = body.get("job_id")
        handler = HANDLERS.get(path)
        if not isinstance(job_id, str) or job_id not in self.shown or handler is None:
            return super()._answer(path)
        if self.fault:
            return super()._answer(path)
        self.counts[path] += 1
        if path == "tracking/component/output/data/download":
            return Response(_packed(), content_type="application/x-tar")
        answer = handler(self, self.shown[job_id], body)
        found = {"retcode": 0, "retmsg": "success", **answer}
        return Response(msgspec.json.encode(found), content_type="application/json")


Components = dict[str, tuple[str, dict[str, Parts]]]


def _tasks(flow: ShownFlow, components: Components, body: Parts) -> Parts:
    del flow
    found = [
        jobs.task(body["job_id"], name, module, at, component_parameters={
            "ComponentParam": {"need_run": True, **by_role.get(at[0], {}).get("parameters", {})}})
        for at in jobs.PARTIES
        for name, (module, by_role) in components.items()
        if body.get("role") in (None, "", at[0])
        and body.get("component_name") in (None, "", name)
    ]  # fmt: skip
    return {"data": {"tasks": found, "count": len(found)}}


def _dependency(flow: ShownFlow, components: Components, body: Parts) -> Parts:
    del flow, body
    names = list(components)
    above = {
        name: [{"component_name": names[max(0, at - 6)], "type": "data",
                "up_output_info": ["data", 0]}]
        for at, name in enumerate(names) if at >= 6
    }  # fmt: skip
    return {
        "data": {
            "component_list": names,
            "component_module": {name: module for name, (module, _) in components.items()},
            "component_need_run": dict.fromkeys(names, True),
            "dependencies": above,
        }
    }


def _of(components: Components, body: Parts) -> Parts:
    return components[body["component_name"]][1].get(body["role"], {})


def _metrics(flow: ShownFlow, components: Components, body: Parts) -> Parts:
    del flow
    return {"data": _of(components, body).get("metrics", {})}


def _model(flow: ShownFlow, components: Components, body: Parts) -> Parts:
    del flow
    has = _of(components, body)
    meta = {"meta_data": has.get("meta", {}), "module_name": components[body["component_name"]][0]}
    return {"data": has.get("model", {}), "meta": meta}


def _output(flow: ShownFlow, components: Components, body: Parts) -> Parts:
    del flow
    has = _of(components, body)
    tables = has.get("output", [])
    meta = {
        "header": has.get("header", []),
        "total": [ROWS] * len(tables),
        "names": list(TABLES)[: len(tables)],
    }
    return {"data": tables, "meta": meta}


def _packed() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in TABLES:
            lines = ["id,x0,x1", *(f"id{n},{n},{n / 2}" for n in range(ROWS))]
            content = ("\n".join(lines) + "\n").encode()
            info = tarfile.TarInfo(f"{name}.csv")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def _size(flow: ShownFlow, components: Components, body: Parts) -> Parts:
    del components, body
    return {"data": {"size": len(flow.log_lines)}}


def _cat(flow: ShownFlow, components: Components, body: Parts) -> Parts:
    del components
    begin, end = int(body["begin"]), int(body["end"])
    numbered = list(enumerate(flow.log_lines, 1))[begin - 1 : end]
    return {"data": [{"line_num": n, "content": line} for n, line in numbered]}


HANDLERS: dict[str, Callable[[ShownFlow, Components, Parts], Parts]] = {
    "job/list/task": _tasks,
    "pipeline/dag/dependency": _dependency,
    "tracking/component/metric/all": _metrics,
    "tracking/component/output/model": _model,
    "tracking/component/output/data": _output,
    "tracking/component/output/data/download": lambda *_: {},
    "log/size": _size,
    "log/cat": _cat,
}
