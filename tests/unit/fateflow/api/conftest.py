"""A site on a temporary folder with one finished job in its database, behind Flask's client."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from fateflow.app import application
from fateflow.scheduler.launcher import _ON_TABLES
from fateflow.settings import Settings
from fateflow.site import Site
from fateflow.store.orm import JobRow, MetricRow, OutputRow, SummaryRow, TableRow, TaskRow
from fateflow.worker.calls import CALLS
from tests.site_database import database

JOB = "202611212012363043060"
DSL = {
    "components": {
        "reader_0": {"module": "Reader", "output": {"data": ["data"]}},
        "intersection_0": {
            "module": "Intersection",
            "input": {"data": {"data": ["reader_0.data"]}},
            "output": {"data": ["data"]},
        },
    }
}
CONF = {
    "dsl_version": 2,
    "initiator": {"role": "guest", "party_id": 9999},
    "role": {"guest": [9999], "host": [10000]},
    "job_parameters": {"common": {"model_id": "m", "model_version": JOB}},
    "component_parameters": {
        "role": {
            "guest": {"0": {"reader_0": {"table": {"namespace": "exp", "name": "g"}}}},
            "host": {"0": {"reader_0": {"table": {"namespace": "exp", "name": "h"}}}},
        }
    },
}


class InThisProcess:
    """A launcher that runs the calls of workers here, on the site's tables."""

    def __init__(self, tables: Path) -> None:
        self.tables = tables

    def call(self, name: str, /, **arguments):
        if name in _ON_TABLES:
            arguments["tables"] = str(self.tables)
        try:
            return CALLS[name](**arguments)
        except Exception as error:
            raise RuntimeError(str(error)) from error


@contextlib.contextmanager
def _site(home: Path, party: str = ""):
    """A site without processes; party: the one it speaks for, all if empty."""
    home.mkdir(exist_ok=True)
    settings = Settings(home=str(home), party=party)
    found = Site(settings, database(settings), InThisProcess(settings.tables))
    found.catalog = {
        "reader": {"module": "Reader", "roles": ["guest", "host"], "code_path": {}, "schema": {}},
        "intersection": {"module": "Intersection", "roles": ["guest", "host"], "schema": {}},
    }
    yield found
    found.database.engine.dispose()


@pytest.fixture
def site(tmp_path):
    with _site(tmp_path) as found:
        yield found


@pytest.fixture
def site_at():
    """Makes more sites: ``with site_at(home, party) as site``."""
    return _site


@pytest.fixture(scope="session")
def routes():
    """The web application, made once; ``web`` is it on a test's site."""
    return application(None)


@pytest.fixture
def web(routes, site):
    routes.extensions["site"] = site
    return routes


@pytest.fixture
def http(web):
    return web.test_client()


@pytest.fixture
def call(http):
    """POST a JSON body; the answer's JSON."""

    def post(path, body=None, **more):
        return http.post(f"/v1/{path}", data=json.dumps(body or {}), **more).get_json()

    return post


@pytest.fixture
def job(site):
    """A finished job of guest 9999 and host 10000, as the scheduler leaves it."""
    times = {"create_time": 1_700_000_000_000, "update_time": 1_700_000_009_000}
    ran = {**times, "start_time": 1_700_000_001_000, "end_time": 1_700_000_008_000}
    starter = {"initiator_role": "guest", "initiator_party_id": "9999"}
    with site.database.write() as session:
        for position, (role, party) in enumerate((("guest", "9999"), ("host", "10000"))):
            session.add(
                JobRow(
                    job_id=JOB,
                    role=role,
                    party_id=party,
                    position=position,
                    dsl=DSL,
                    runtime_conf=CONF,
                    roles={"guest": [9999], "host": [10000]},
                    is_initiator=role == "guest",
                    status="success",
                    elapsed=7000,
                    progress=100,
                    tag="job_end",
                    **starter,
                    **ran,
                )
            )
            for at, (name, module) in enumerate(
                (("reader_0", "Reader"), ("intersection_0", "Intersection"))
            ):
                session.add(
                    TaskRow(
                        job_id=JOB,
                        component_name=name,
                        task_version=1,
                        role=role,
                        party_id=party,
                        task_id=f"{JOB}_{name}",
                        component_module=module,
                        position=at,
                        party_position=position,
                        status="success",
                        party_status="success",
                        cmd=["worker"],
                        elapsed=500,
                        component_parameters={"ComponentParam": {"_name": f"{module}#{name}"}},
                        **starter,
                        **ran,
                    )
                )
        at = {"job_id": JOB, "role": "guest", "party_id": "9999"}
        of_task = {**at, "component_name": "intersection_0", "task_version": 1}
        for points in ([["ks", 0.9]], [["auc", 0.99]]):
            session.add(
                MetricRow(
                    namespace="train",
                    name="hetero_lr_0",
                    metric_type="EVALUATION_SUMMARY",
                    points=points,
                    meta={},
                    **of_task,
                )
            )
        session.add(
            MetricRow(
                namespace="train",
                name="loss",
                metric_type="LOSS",
                points=[[1, 0.5], [0, 0.6]],
                meta={"unit_name": "iters"},
                **of_task,
            )
        )
        session.add(
            MetricRow(
                namespace="old",
                name="loss",
                metric_type="LOSS",
                points=[[0, 9.0]],
                meta={},
                **{**of_task, "task_version": 0},
            )
        )
        session.add(SummaryRow(values={"intersect_num": 3}, **of_task))
        session.add(
            OutputRow(
                kind="data",
                name="data",
                task_id=f"{JOB}_intersection_0",
                table_namespace="out",
                table_name="t1",
                info={"header": ["id", "y"], "rows": [["a", 1]], "total": 1},
                **of_task,
                **times,
            )
        )
        session.add(
            TableRow(
                namespace="exp",
                name="g",
                count=3,
                partitions=4,
                schema={"header": "y,x0", "sid": "id", "meta": {}},
                **times,
            )
        )
    return JOB
