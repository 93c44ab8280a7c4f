"""A fateflow for tests of the board: a scripted clock, huge and hostile outputs, faults on demand,
and a count of every request. ``python -m fateboard.testing.fake_flow --port P`` runs it alone."""

from __future__ import annotations

import argparse
import io
import itertools
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec
from flask import Flask, Response, request
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from fateboard.testing import scripted_jobs as jobs
from fateboard.testing.scripted_serving import ScriptedServing

Body = dict[str, Any]


class Clock:
    """Stands still until it is moved; ``real`` runs by itself."""

    def __init__(self, seconds: float = 0.0, *, real: bool = False) -> None:
        self._seconds, self._begun, self.real = seconds, time.monotonic(), real

    def __call__(self) -> float:
        return self._seconds + (time.monotonic() - self._begun if self.real else 0.0)

    def advance(self, seconds: float) -> None:
        self._seconds += seconds


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:
        """Tests print nothing."""


class FakeFlow:
    """fault: "", "slow" (3 s), "500", "garbage", or "refuse" (retcode 100)."""

    def __init__(
        self, *, clock: Clock | None = None, step_s: float = 5.0, fails_at: str = ""
    ) -> None:
        self.clock = clock or Clock()
        self.live = jobs.Live(self.clock, step_s, fails_at)
        self.fault = ""
        self.counts: Counter[str] = Counter()
        self.bodies: list[tuple[str, Body]] = []
        self.notes: dict[str, str] = {}
        self.serving = ScriptedServing()
        self.ended = jobs.ended_jobs()
        self.port = 0
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> FakeFlow:
        """Listen; again on the same port after ``stop``."""
        self._server = make_server(
            "127.0.0.1", self.port, self._app(), threaded=True, request_handler=_Quiet
        )
        self.port = self._server.server_port
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )
        self._thread.start()
        return self

    def stop(self) -> None:
        """From now on nobody listens."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()

    def total(self) -> int:
        return sum(self.counts.values())

    def _app(self) -> Flask:
        app = Flask("fake_flow")

        @app.route("/v1/<path:path>", methods=["GET", "POST"])
        def any_call(path: str) -> Response:
            return self._answer(path)

        return app

    def _answer(self, path: str) -> Response:
        body: Body = request.get_json(silent=True) or {}
        self.counts[path] += 1
        self.bodies.append((path, body))
        if self.fault == "slow":
            time.sleep(3)
        if self.fault == "500":
            return Response("<h1>oops</h1>", 500)
        if self.fault == "garbage":
            return Response(b"\xff\xfe not json {{{", 200, content_type="application/json")
        handler = ENDPOINTS.get(path)
        if path.startswith("serving/") and self.fault != "refuse":
            found = self.serving.answer(path.removeprefix("serving/"), body)
            return _json({"retcode": 0, "retmsg": "success", **found})
        if self.fault == "refuse" or handler is None:
            return _json({"retcode": 100, "retmsg": "<NotFound '404: Not Found'>"})
        if path in ("job/log/download", "tracking/component/output/data/download"):
            return Response(_archive(), content_type="application/x-tar")
        found = handler(self, body)
        return _json(found if "retcode" in found else {"retcode": 0, "retmsg": "success", **found})

    def rows(self) -> list[Body]:
        """Newest first."""
        live = [self.live.row(at) for at in jobs.PARTIES]
        big = jobs.row(jobs.BIG, *jobs.GUEST, of_modules=["Reader", "HeteroSecureBoost"])
        hostile = jobs.row(
            jobs.HOSTILE,
            *jobs.GUEST,
            name=jobs.NASTY,
            description=jobs.NASTY_NAMES[2] + jobs.NASTY,
            status="failed",
            reason=jobs.NASTY,
        )
        found = [*live, big, hostile, *reversed(self.ended)]
        return [{**r, "description": self.notes.get(r["job_id"], r["description"])} for r in found]


def _json(value: Body) -> Response:
    return Response(msgspec.json.encode(value), content_type="application/json")


def _archive() -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        content = b"id,y\n1,0\n"
        info = tarfile.TarInfo("data.csv")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def _list_jobs(flow: FakeFlow, body: Body) -> Body:
    rows = flow.rows()
    found = [row for row in rows if _matches(row, body)]
    facets = {
        name: dict(Counter(value for row in _others(rows, body, name) for value in values(row)))
        for name, values in FACETS.items()
    }
    key = body.get("order_by")
    if key in ("start_time", "end_time", "elapsed", "create_time", "status"):
        found.sort(key=lambda row: row[key] or 0, reverse=body.get("order") != "asc")
    total, limit = len(found), int(body.get("limit") or 0)
    if limit:
        start = (int(body.get("page") or 1) - 1) * limit
        found = found[start : start + limit]
    if body.get("detail") is False:
        heavy = ("dsl", "runtime_conf")
        found = [
            {k: v for k, v in row.items() if k not in heavy} | {"modules": _modules(row)}
            for row in found
        ]
    return {"data": {"jobs": found, "count": total, "facets": facets, "metrics": ["auc"]}}


def _others(rows: list[Body], body: Body, name: str) -> list[Body]:
    """The rows that pass all filters but one."""
    kept = {key: value for key, value in body.items() if key != name}
    return [row for row in rows if _matches(row, kept)]


def _matches(row: Body, body: Body) -> bool:
    begun = row["create_time"]
    return (
        all(_chosen(values(row), body.get(name)) for name, values in FACETS.items())
        and all(body.get(name, "") in row[name] for name in ("job_id", "description"))
        and any(body.get("q", "") in row[name] for name in ("job_id", "name", "description"))
        and any(body.get("partner", "") in partner for partner in map(str, row["partners"]))
        and body.get("from", begun) <= begun <= body.get("to", begun)
    )


def _chosen(values: list[str], asked: Any) -> bool:
    """A list asks for equal values, a text for one that contains it."""
    if isinstance(asked, list):
        return any(value in map(str, asked) for value in values)
    return not asked or any(str(asked) in value for value in values)


def _modules(row: Body) -> list[str]:
    return [component["module"] for component in row["dsl"]["components"].values()]


FACETS: dict[str, Callable[[Body], list[str]]] = {
    "status": lambda row: [row["status"]],
    "role": lambda row: [row["role"]],
    "party_id": lambda row: [str(row["party_id"])],
    "module": _modules,
}


def _list_tasks(flow: FakeFlow, body: Body) -> Body:
    job_id = body["job_id"]
    if job_id == jobs.LIVE:
        found = [task for at in jobs.PARTIES for task in flow.live.tasks(at)]
    elif job_id == jobs.HOSTILE:
        found = [
            jobs.task(
                job_id, name, jobs.NASTY, jobs.GUEST, party_status="failed", error_report=name
            )
            for name in ["reader_0", *jobs.NASTY_NAMES]
        ]
    else:
        modules = ["Reader", "HeteroSecureBoost"] if job_id == jobs.BIG else jobs.LIVE_MODULES[:3]
        ats = [(r["role"], str(r["party_id"])) for r in flow.rows() if r["job_id"] == job_id]
        found = [jobs.task(job_id, f"{m.lower()}_0", m, at) for at in ats for m in modules]
    for name in ("role", "party_id"):
        if body.get(name):
            found = [task for task in found if task[name] == str(body[name])]
    return {"data": {"tasks": found, "count": len(found)}}


def _live_dependency(live: jobs.Live) -> Body:
    components = live.dsl["components"]
    above = {
        name: [
            {"component_name": up, "type": kind, "up_output_info": ["data", at]}
            for kind, given in component.get("input", {}).get("data", {}).items()
            for up, at in (_output_at(components, text) for text in given)
        ]
        for name, component in components.items()
    }
    return {
        "component_list": list(components),
        "component_module": {name: made["module"] for name, made in components.items()},
        "component_need_run": {name: name not in live.idle for name in components},
        "dependencies": {name: found for name, found in above.items() if found},
    }


def _output_at(components: Body, text: str) -> tuple[str, int]:
    name, output = text.split(".")
    return name, components[name]["output"]["data"].index(output)


def _dependency(flow: FakeFlow, body: Body) -> Body:
    if body["job_id"] == jobs.LIVE:
        return {"data": _live_dependency(flow.live)}
    tasks = _list_tasks(flow, body)["data"]["tasks"]
    names = list(dict.fromkeys(task["component_name"] for task in tasks))
    chain = {
        below: [{"component_name": above, "type": "data", "up_output_info": ["data", 0]}]
        for above, below in itertools.pairwise(names)
    }
    return {
        "data": {
            "component_list": names,
            "component_module": {t["component_name"]: t["component_module"] for t in tasks},
            "component_need_run": dict.fromkeys(names, True),
            "dependencies": chain,
        }
    }


def _data_view(flow: FakeFlow, body: Body) -> Body:
    del flow, body
    return {"data": {"dataset": {"guest": {"9999": {"reader_0": "experiment.breast"}}}}}


def _metrics(flow: FakeFlow, body: Body) -> Body:
    if body["job_id"] == jobs.LIVE and body["component_name"] == "heterolr_0":
        meta = {"name": "train", "metric_type": "LOSS", "unit_name": "iters"}
        return {"data": {"train": {"loss": {"data": flow.live.loss(), "meta": meta}}}}
    if body["job_id"] == jobs.HOSTILE:
        meta = {"name": jobs.NASTY, "metric_type": jobs.NASTY}
        return {
            "data": {
                jobs.NASTY: {
                    name: {"data": [[name, name]], "meta": meta} for name in jobs.NASTY_NAMES
                }
            }
        }
    return {"data": {}, "retmsg": "no data"}


def _model(flow: FakeFlow, body: Body) -> Body:
    del flow
    if body["job_id"] == jobs.BIG and body["component_name"] == "heterosecureboost_0":
        meta = {"meta_data": {"numTrees": jobs.BIG_TREES}, "module_name": "HeteroSecureBoost"}
        return {"data": jobs.forest(), "meta": meta}
    return {"data": {}, "retmsg": "no define_meta"}


def _output(flow: FakeFlow, body: Body) -> Body:
    del flow
    if body["job_id"] != jobs.BIG:
        return {"data": [], "retmsg": "no data"}
    header = ["id", *(f"x{at}" for at in range(jobs.BIG_COLUMNS))]
    rows = [[str(n), *(n + at / 1_000 for at in range(jobs.BIG_COLUMNS))] for n in range(100)]
    return {"data": [rows], "meta": {"header": [header], "total": [569], "names": ["data"]}}


def _size(flow: FakeFlow, body: Body) -> Body:
    if "attempt" in body:
        return {"data": {"size": jobs.EARLIER_LINES}}
    known = {jobs.BIG: jobs.BIG_LINES, jobs.LIVE: flow.live.lines()}
    earlier = list(range(flow.live.version)) if body["job_id"] == jobs.LIVE else []
    return {"data": {"size": known.get(body["job_id"], 10), "attempts": earlier}}


def _cat(flow: FakeFlow, body: Body) -> Body:
    """With FATE's empty line after the last."""
    size = _size(flow, body)["data"]["size"]
    begin, end = int(body["begin"]), min(int(body["end"]), size)
    of = f" of attempt {body['attempt']}" if "attempt" in body else ""
    lines = [{"line_num": n, "content": jobs.log_line(n) + of} for n in range(begin, end + 1)]
    return {"data": [*lines, {"line_num": end + 1, "content": ""}]}


def _find(flow: FakeFlow, body: Body) -> Body:
    """Every thousandth line has what is sought, unless that is "nowhere"."""
    size, begin = _size(flow, body)["data"]["size"], int(body["from"])
    found = [] if body.get("text") == "nowhere" else list(range(1_000, size + 1, 1_000))
    if body.get("direction") == "previous":
        number = next((n for n in reversed(found) if not begin or n < begin), 0)
    else:
        number = next((n for n in found if n > begin), 0)
    ordinal = found.index(number) + 1 if number else 0
    return {"data": {"number": number, "ordinal": ordinal, "count": len(found)}}


def _notes(flow: FakeFlow, body: Body) -> Body:
    flow.notes[body["job_id"]] = body["notes"]
    return {}


def _stop(flow: FakeFlow, body: Body) -> Body:
    if body["job_id"] == jobs.LIVE:
        flow.live.canceled = True
    return {}


def _rerun(flow: FakeFlow, body: Body) -> Body:
    if body["job_id"] == jobs.LIVE:
        flow.live.rerun(body["component_name"])
    return {}


def _defaults(flow: FakeFlow, body: Body) -> Body:
    del flow, body
    return {"data": {"need_run": True}}


def _report(flow: FakeFlow, body: Body) -> Body:
    del flow
    line = {
        "component": "heterolr_0",
        "message": "forward",
        "direction": "out",
        "src": "guest 9999",
        "dst": "host 10000",
        "kind": "ciphertext",
        "reveals": "nothing",
        "result": "sent",
        "count": 3,
        "bytes": 300,
    }
    lines = [line, {**line, "direction": "in"}]
    warnings = [{"component": "heterolr_0", "text": body["job_id"]}]
    return {"data": {"lines": lines, "schemes": [], "warnings": warnings, "verified": True}}


def _common(flow: FakeFlow, body: Body) -> Body:
    del body
    return {
        "data": {
            "version": "1.11.4",
            "party_id": "",
            "http_port": flow.port,
            "serving": flow.serving.running,
        }
    }


def _nothing(flow: FakeFlow, body: Body) -> Body:
    del flow, body
    return {"data": {}}


ENDPOINTS: dict[str, Callable[[FakeFlow, Body], Body]] = {
    "version/get": _nothing,
    "info/common": _common,
    "job/list/job": _list_jobs,
    "job/list/task": _list_tasks,
    "job/update": _notes,
    "job/stop": _stop,
    "job/rerun": _rerun,
    "job/log/download": _nothing,
    "pipeline/dag/dependency": _dependency,
    "tracking/job/data_view": _data_view,
    "tracking/component/metric/all": _metrics,
    "tracking/component/output/model": _model,
    "tracking/component/output/data": _output,
    "tracking/component/output/data/download": _nothing,
    "tracking/component/summary/download": _nothing,
    "component/validate": _defaults,
    "log/size": _size,
    "log/cat": _cat,
    "log/find": _find,
    "audit/report": _report,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=9380)
    parser.add_argument("--step", type=float, default=5.0, help="seconds of each component")
    parser.add_argument("--fails-at", default="", help="the component that fails")
    given = parser.parse_args()
    flow = FakeFlow(clock=Clock(real=True), step_s=given.step, fails_at=given.fails_at)
    flow.port = given.port
    flow.start()
    threading.Event().wait()


if __name__ == "__main__":
    main()
