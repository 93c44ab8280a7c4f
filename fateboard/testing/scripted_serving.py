"""The serving of a fake fateflow: two versions of one model, a service, a minute of traffic."""

from __future__ import annotations

import time
from typing import Any

Body = dict[str, Any]

MODEL = "arbiter-10000#guest-9999#host-10000#model"
OLD, NEW = "202601010000000000010", "202601010000000000020"
KNOWN = "patient-1"
SCORE = 0.25


def named(version: str, role: str = "guest", party: str = "9999") -> Body:
    return {"namespace": f"{role}#{party}#{MODEL}", "version": version}


class ScriptedServing:
    """running: whether the site has one. down: it does not answer. refusal: why the next orders
    are refused."""

    def __init__(self) -> None:
        self.running, self.down, self.refusal = False, False, ""
        self.parties = {"10000": True}
        self.problems: list[str] = []
        self.models = [
            _model(version, role, party)
            for version in (OLD, NEW)
            for role, party in (("guest", "9999"), ("host", "10000"))
        ]
        self.services: dict[str, Body] = {}
        self.rates: dict[str, float] = {}
        self.orders: list[tuple[str, Body]] = []
        self.bind({"service_id": "tumour", "versions": [{**named(OLD), "weight": 100}]})

    def answer(self, what: str, body: Body) -> Body:
        """What fateflow answers to ``serving/<what>``."""
        if what == "status":
            return self._refused() if self.down else {"data": self._status()}
        if not self.running or self.down or self.refusal:
            return self._refused()
        self.orders.append((what, body))
        if what.startswith("try/"):
            return {"data": _tried(what, body)}
        {
            "bind": self.bind,
            "rollback": self._roll_back,
            "unbind": lambda b: self.services.pop(b["service_id"]),
            "unload": self._unload,
            "rate": self._rate,
        }[what](body)
        return {"data": {}}

    def bind(self, body: Body) -> None:
        before = self.services.get(body["service_id"], {})
        shadow = body.get("shadow") or {"namespace": "", "version": ""}
        policy = body.get("policy") or before.get("policy") or {"fallback": "fail"}
        self.services[body["service_id"]] = {
            "service_id": body["service_id"],
            "versions": body["versions"],
            "shadow": shadow["version"],
            "shadow_namespace": shadow["namespace"],
            "previous": [one["version"] for one in before.get("versions", [])],
            "policy": policy,
        }

    def _roll_back(self, body: Body) -> None:
        versions = [
            {**named(version), "weight": 100}
            for version in self.services[body["service_id"]]["previous"]
        ]
        self.bind({"service_id": body["service_id"], "versions": versions})

    def _unload(self, body: Body) -> None:
        self.models = [model for model in self.models if not _is(model, body)]
        kept = {}
        for service_id, service in self.services.items():
            versions = [one for one in service["versions"] if not _is(one, body)]
            if versions:
                kept[service_id] = {**service, "versions": versions}
        self.services = kept

    def _rate(self, body: Body) -> None:
        self.rates.pop(body["source"], None)
        if body["rows_per_second"]:
            self.rates[body["source"]] = body["rows_per_second"]

    def _refused(self) -> Body:
        why = self.refusal or "the serving does not answer; see `distaff status`"
        return {"retcode": 100, "retmsg": why, "data": None}

    def _status(self) -> Body:
        if not self.running:
            return {"running": False}
        bound = [
            one["version"] for service in self.services.values() for one in service["versions"]
        ]
        return {
            "running": True,
            "url": "http://127.0.0.1:8059",
            "party": "",
            "ready": True,
            "problems": self.problems,
            "models": [
                {**model, "services": ["tumour"] if model["version"] in bound else []}
                for model in self.models
            ],
            "services": [{**one, "traffic": _traffic()} for one in self.services.values()],
            "parties": self.parties,
            "rates": self.rates,
            "in_flight": 0,
        }


def _is(one: Body, other: Body) -> bool:
    return (one["namespace"], one["version"]) == (other["namespace"], other["version"])


def _model(version: str, role: str, party: str) -> Body:
    there = {"role": "host", "party_id": "10000"} if role == "guest" else {"role": "guest"}
    return {
        **named(version, role, party),
        "role": role,
        "party_id": party,
        "remotes": [{"party_id": "9999", **there, "version": version}],
        "components": ["data_transform_0", "intersection_0", "hetero_lr_0"],
        "columns": ["x0", "x1"] if role == "guest" else ["x2"],
        "loaded_ms": int(time.time() * 1000) - 3_600_000,
        "sha256": "ab" * 32,
        "tested": "200 kept rows: this party's part computes, single = batch",
    }


def _traffic() -> list[Body]:
    """60 seconds of 10 requests each, every tenth of which had one failure; then nothing."""
    now = int(time.time())
    return [
        {
            "timestamp": second * 1000,
            "passQps": 10,
            "successQps": 9 if second % 10 == 0 else 10,
            "exceptionQps": 1 if second % 10 == 0 else 0,
            "blockQps": 0,
            "rt": 4.0,
        }
        for second in range(now - 100, now - 40)
    ]


def _tried(what: str, body: Body) -> Body:
    flat = {**body.get("head", {}), **body.get("body", {})}
    if what == "try/batchInference":
        rows = [
            {"index": one["index"], "retcode": 0, "retmsg": "", "data": {"score": SCORE}}
            for one in flat["batchDataList"]
        ]
        return {"retcode": 0, "retmsg": "", "data": {}, "flag": 0, "batchDataList": rows}
    if KNOWN not in flat["sendToRemoteFeatureData"].values():
        return {"retcode": 2113, "retmsg": "host return code 113", "data": {}, "flag": 0}
    data = {"score": SCORE, "label": "0", "modelVersion": OLD}
    return {"retcode": 0, "retmsg": "", "data": data, "flag": 0}
