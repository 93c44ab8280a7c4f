"""Jobs, tasks and lists over HTTP: shapes, filters and refusals."""

from __future__ import annotations

import json
import threading

import pytest

from fateflow.store import jobs


def test_party_ids_match_as_text_and_as_integer(call, job):
    as_text = call("job/query", {"job_id": job, "role": "guest", "party_id": "9999"})
    as_int = call(
        "job/query",
        {
            "job_id": job,
            "role": "guest",
            "party_id": 9999,
            "local": {"role": "guest", "party_id": 9999},
        },
    )
    assert as_text["data"] == as_int["data"]
    assert len(as_int["data"]) == 1


def test_job_rows_carry_what_fates_client_removes_before_printing(call, job):
    (row,) = call("job/query", {"job_id": job, "party_id": "9999"})["data"]
    assert {"f_runtime_conf", "f_dsl"} <= row.keys()
    assert row["f_roles"] == {"guest": [9999], "host": [10000]}
    assert (row["f_party_id"], row["f_initiator_party_id"]) == ("9999", "9999")
    assert "f_job_token" not in row


def test_rows_of_a_job_come_guest_first(call, job):
    assert [r["f_role"] for r in call("job/query", {"job_id": job})["data"]] == ["guest", "host"]


def test_without_a_usable_filter_no_job_is_found(call, job):
    for body in ({}, {"conf_path": "x"}, {"job_id": None}, {"job_token": ""}):
        found = call("job/query", body)
        assert (found["retcode"], found["retmsg"], found["data"]) == (
            0, "no job could be found", [],
        )  # fmt: skip


def test_a_list_means_any_of_its_values(call, job):
    assert len(call("job/query", {"status": ["success", "failed"]})["data"]) == 2


def test_a_job_that_is_being_made_shows_as_waiting(call, site, job):
    with site.database.write() as session:
        for row in jobs.rows(session, job):
            row.status = "ready"
    found = call("job/query", {"status": "waiting", "job_id": job})["data"]
    assert {row["f_status"] for row in found} == {"waiting"}


def test_listed_jobs_have_integer_ids_and_partners(call, job):
    found = call("job/list/job", {"limit": 1, "conf_path": "x"})["data"]
    assert found["count"] == 2
    (row,) = found["jobs"]
    assert (row["role"], row["party_id"], row["partners"]) == ("host", 10000, [9999])
    assert row["initiator_party_id"] == "9999"


def test_lists_page_and_contain(call, job):
    second = call("job/list/job", {"limit": 1, "page": 2, "job_id": job[4:9]})["data"]
    assert [row["role"] for row in second["jobs"]] == ["guest"]
    assert call("job/list/job", {"job_id": "%"})["data"]["count"] == 0


@pytest.mark.parametrize("body", [{"role": "king"}, {"status": "lost"}, {"order_by": "dsl"},
                                  {"order_by": "job_id", "order": "up"}])  # fmt: skip
def test_unknown_words_of_a_list_are_refused_with_400(http, job, body):
    reply = http.post("/v1/job/list/job", json=body)
    assert reply.status_code == 400
    assert reply.get_json()["retmsg"].startswith(f"Invalid parameter '{list(body)[-1]}'")


def test_order_by_without_order_is_ascending(call, job):
    found = call("job/list/job", {"order_by": "job_id"})["data"]["jobs"]
    assert [row["role"] for row in found] == ["guest", "host"]


def test_tasks_show_their_latest_version_and_no_secret(call, site, job):
    found = call("job/task/query", {"job_id": job, "role": "guest"})["data"]
    assert [(r["f_component_name"], r["f_task_version"]) for r in found] == [
        ("reader_0", 1), ("intersection_0", 1),
    ]  # fmt: skip
    assert set(found[0]["f_provider_info"]) == {
        "name", "version", "path", "class_path", "env", "python_env",
    }  # fmt: skip
    assert not [key for key in found[0] if "token" in key]


def test_no_task_is_101(call, job):
    found = call("job/task/query", {"job_id": job, "status": "running"})
    assert (found["retcode"], found["retmsg"]) == (101, "find task failed")


def test_config_needs_only_the_job_id(call, job):
    data = call("job/config", {"job_id": job})["data"]
    assert set(data) == {"job_id", "dsl", "runtime_conf", "train_runtime_conf", "model_info"}
    assert data["model_info"] == {"model_id": "m", "model_version": job}


@pytest.mark.parametrize("body", [{}, {"job_id": "20200101000000000000"}])
@pytest.mark.parametrize("path", ["job/stop", "job/rerun"])
def test_orders_about_an_unknown_job_are_102(call, job, path, body):
    found = call(path, body)
    assert (found["retcode"], found["retmsg"]) == (102, "can not found job")


def test_notes_are_kept(call, job):
    body = {"job_id": job, "role": "guest", "party_id": 9999, "notes": "hello"}
    assert call("job/update", body) == {"retcode": 0, "retmsg": "success"}
    rows = call("job/query", {"job_id": job})["data"]
    assert [row["f_description"] for row in rows] == ["hello", ""]


def test_dependencies_and_data_view_draw_the_job(call, job):
    drawn = call("pipeline/dag/dependency", {"job_id": job, "role": "guest", "party_id": 9999})
    assert drawn["data"]["dependencies"] == {
        "intersection_0": [
            {"component_name": "reader_0", "type": "data", "up_output_info": ["data", 0]}
        ]
    }
    assert drawn["data"]["component_need_run"] == {"reader_0": True, "intersection_0": True}
    view = call("tracking/job/data_view", {"job_id": job, "role": "guest", "party_id": 9999})
    assert view["data"] == {
        "partner": {"host": [10000]},
        "dataset": {
            "guest": {"9999": {"reader_0": "exp.g"}},
            "host": {"10000": {"reader_0": "exp.h"}},
        },
        "roles": {"guest": [9999], "host": [10000]},
        "model_summary": {},
    }


def test_an_ended_job_is_not_waited_for(call, job):
    found = call("job/wait", {"job_id": job, "timeout": 20})["data"]
    assert (found["ended"], found["status"]) == (True, "success")
    assert [c["component_name"] for c in found["components"]] == ["reader_0", "intersection_0"]


def test_a_change_wakes_who_waits(call, site, job, monkeypatch):
    monkeypatch.setattr("fateflow.api.job.LONGEST_POLL_S", 600.0)  # longer than the join below
    with site.database.write() as session:
        for row in jobs.rows(session, job):
            row.status = "running"
    before = call("job/progress", {"job_id": job})["data"]
    found: list[dict] = []
    waiting = threading.Thread(
        target=lambda: found.append(
            call("job/wait", {"job_id": job, "since": before["stamp"], "timeout": 600})["data"]
        )
    )
    waiting.start()
    with site.database.write() as session:
        jobs.record_reason(session, job, "waits for 4 cores")
    waiting.join(timeout=60)
    assert found[0]["reason"] == "waits for 4 cores"


def test_waiting_ends_with_its_time(call, site, job):
    with site.database.write() as session:
        for row in jobs.rows(session, job):
            row.status = "running"
    stamp = call("job/progress", {"job_id": job})["data"]["stamp"]
    again = call("job/wait", {"job_id": job, "since": stamp, "timeout": 0.05})["data"]
    assert again["stamp"] == stamp


def test_predict_dsl_takes_names_between_any_punctuation(http, job):
    body = {"cpn_str": "[ 'reader_0',\n intersection_0 ]", "version": "2",
            "train_dsl": json.dumps({"components": {
                "reader_0": {"module": "Reader", "output": {"data": ["data"]}},
                "intersection_0": {"module": "Intersection", "output": {"data": ["data"]},
                                   "input": {"data": {"data": ["reader_0.data"]}}}}}),
            "filename": "p.json"}  # fmt: skip
    reply = http.post("/v1/job/dsl/generate", json=body)
    assert reply.headers["Content-Disposition"] == "attachment; filename=p.json"
    assert list(reply.get_json()["components"]) == ["reader_0", "intersection_0"]
    refused = http.post("/v1/job/dsl/generate", json={**body, "cpn_str": "nothere_0"})
    assert refused.status_code == 210


@pytest.mark.parametrize(("partner", "role"), [("10000", "guest"), ("99", "host")])
def test_a_partner_is_another_party_of_the_job(call, job, partner, role):
    found = call("job/list/job", {"partner": partner})["data"]["jobs"]
    assert [row["role"] for row in found] == [role]
