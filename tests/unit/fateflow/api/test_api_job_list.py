"""The list of jobs as the board asks for it: filters, facets, a metric, and many jobs."""

from __future__ import annotations

import contextlib

import pytest
from sqlalchemy import event

from fateflow.store.orm import JobRow, SummaryRow, TaskRow

HOUR = 3_600_000
HEAVY = {"dsl", "runtime_conf", "runtime_conf_on_party", "train_runtime_conf"}


def add(session, number, role="guest", party="9999", module="HeteroLR", auc=None, **more):
    """A job of two components."""
    job_id = f"2026112{number:04d}"
    at = {"job_id": job_id, "role": role, "party_id": party}
    times = {"create_time": number * HOUR, "update_time": number * HOUR}
    starter = {"initiator_role": "guest", "initiator_party_id": "9999"}
    dsl = {"components": {"evaluation_0": {"module": "Evaluation"}}}
    conf = {"component_parameters": {"common": {f"lr_{n}": {"max_iter": n} for n in range(40)}}}
    columns = {"dsl": dsl, "runtime_conf": conf, "runtime_conf_on_party": conf, "status": "success"}
    session.add(
        JobRow(
            **at, **times, **starter, **{**columns, **more},
            roles={"guest": [9999], "host": [10000]},
            start_time=number * HOUR, end_time=number * HOUR + 5, elapsed=5,
        )
    )  # fmt: skip
    for position, (name, of) in enumerate((("lr_0", module), ("evaluation_0", "Evaluation"))):
        task = {**at, "component_name": name, "task_version": 0}
        session.add(
            TaskRow(
                **task, **times, **starter,
                task_id=f"{job_id}_{name}", component_module=of, position=position,
            )
        )  # fmt: skip
        if name == "evaluation_0" and auc is not None:
            values = {"lr_0": {"train": {"auc": 0.5}, "validate": {"auc": auc, "ks": 0.1}}}
            session.add(SummaryRow(**task, values=values))


@pytest.fixture
def three(site):
    with site.database.write() as session:
        add(session, 1, auc=0.7, name="first", description="v1.2, lr=0.1")
        add(session, 2, auc=0.9, status="failed", module="HomoNN")
        add(session, 3, role="host", party="10000", status="ready")


@pytest.fixture
def ids(call):
    """The numbers of the jobs that a list gives, in its order."""

    def listed(**body):
        return [int(row["job_id"][-4:]) for row in call("job/list/job", body)["data"]["jobs"]]

    return listed


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, [3, 2, 1]),
        ({"module": "homonn"}, [2]),
        ({"module": ["HomoNN", "HeteroLR"]}, [3, 2, 1]),
        ({"module": ["Evaluation"], "status": ["failed", "waiting"]}, [3, 2]),
        ({"from": 2 * HOUR}, [3, 2]),
        ({"from": str(2 * HOUR), "to": 2 * HOUR}, [2]),
        ({"q": "FIRST"}, [1]),
        ({"q": "lr=0"}, [1]),
        ({"q": "20261120002"}, [2]),
        ({"q": "%"}, []),
        ({"party_id": ["10000", "1"]}, [3]),
        ({"party_id": 99}, [2, 1]),
        ({"partner": 9999}, [3]),
        ({"order_by": "status", "order": "asc"}, [2, 3, 1]),
        ({"order_by": "metric", "metric": "auc", "order": "desc"}, [2, 1, 3]),
        ({"order_by": "metric", "metric": "auc", "order": "asc"}, [1, 2, 3]),
        ({"order_by": "metric", "metric": "auc", "order": "desc", "limit": 2, "page": 2}, [3]),
    ],
)
def test_filters_and_orders(three, ids, body, found):
    assert ids(**body) == found


def test_a_row_without_detail_names_its_modules(call, three):
    rows = call("job/list/job", {"detail": False})["data"]["jobs"]
    assert [row["modules"] for row in rows] == [
        ["HeteroLR", "Evaluation"], ["HomoNN", "Evaluation"], ["HeteroLR", "Evaluation"],
    ]  # fmt: skip
    assert not HEAVY & rows[0].keys()
    whole = call("job/list/job")["data"]["jobs"][0]
    assert whole.keys() - rows[0].keys() == HEAVY
    assert "modules" not in whole


def test_a_facet_keeps_all_other_filters(call, three):
    data = call("job/list/job", {"facets": True, "status": ["failed"], "role": "guest"})["data"]
    assert data["count"] == 1
    assert data["facets"] == {
        "status": {"success": 1, "failed": 1},
        "role": {"guest": 1},
        "party_id": {"9999": 1},
        "module": {"HomoNN": 1, "Evaluation": 1},
    }
    assert call("job/list/job", {"facets": True})["data"]["facets"]["status"]["waiting"] == 1
    assert data["metrics"] == ["auc", "ks"]


def test_the_metric_of_a_job_is_the_validated_one(call, three):
    data = call("job/list/job", {"metric": "auc", "detail": False})["data"]
    assert [row["metric"] for row in data["jobs"]] == [None, 0.9, 0.7]
    assert data["metrics"] == ["auc", "ks"]


@pytest.mark.parametrize("body", [{"from": "yesterday"}, {"to": -1}])
def test_a_time_that_is_none_is_refused(call, three, body):
    assert call("job/list/job", body)["retcode"] == 101


@contextlib.contextmanager
def statements(site):
    """What the database is asked meanwhile."""
    asked = []

    def note(connection, cursor, statement, *_):
        asked.append(statement)

    event.listen(site.database.engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(site.database.engine, "before_cursor_execute", note)


def test_a_list_of_many_jobs_asks_the_database_no_more_than_one_of_few(site, call, three):
    wanted = {"detail": False, "limit": 0, "facets": True, "metric": "auc"}
    with statements(site) as of_few:
        assert call("job/list/job", wanted)["data"]["count"] == 3
    with site.database.write() as session:
        for number in range(10, 70):
            add(session, number, auc=number / 100)
    with statements(site) as of_many:
        data = call("job/list/job", wanted)["data"]
    assert len(data["jobs"]) == data["count"] == 63
    assert len(of_many) == len(of_few) <= 10
    assert not [one for one in of_many for name in HEAVY if f"job.{name}" in one]
    assert len(call("job/list/job", {**wanted, "limit": 50})["data"]["jobs"]) == 50
