"""The calls of FATE-Flow that FATE-Board makes, one by one: names, types and words it looks at."""

from __future__ import annotations

import io
import tarfile

import pytest

from fateflow.store import jobs
from fateflow.store.orm import OutputRow, TaskRow

JOB_KEYS = [
    "job_id",
    "name",
    "description",
    "tag",
    "dsl",
    "runtime_conf",
    "runtime_conf_on_party",
    "train_runtime_conf",
    "roles",
    "initiator_role",
    "initiator_party_id",
    "status",
    "status_code",
    "role",
    "party_id",
    "is_initiator",
    "progress",
    "create_time",
    "update_time",
    "start_time",
    "end_time",
    "elapsed",
    "cores",
    "memory",
    "inheritance_info",
]
TASK_KEYS = [
    "job_id",
    "component_name",
    "component_module",
    "task_id",
    "task_version",
    "status",
    "party_status",
    "role",
    "party_id",
    "run_ip",
    "run_pid",
    "start_time",
    "end_time",
    "elapsed",
    "create_time",
    "error_report",
    "component_parameters",
    "provider_info",
]
GUEST, HOST = ({"role": "guest", "party_id": 9999}, {"role": "host", "party_id": "10000"})


@pytest.fixture
def at(job):
    """The guest's view of the job."""
    return {"job_id": job, **GUEST}


@pytest.fixture
def change(site, job):
    """Set columns of the job's rows."""

    def set_columns(**columns):
        with site.database.write() as session:
            for row in jobs.rows(session, job):
                jobs.change(row, **columns)

    return set_columns


def test_job_list_job(call, job):
    rows = call("job/list/job", {"job_id": job, **HOST, "status": ["success", "failed"]})
    [row] = rows["data"]["jobs"]
    assert set(JOB_KEYS) <= row.keys()
    assert (row["party_id"], row["initiator_party_id"], row["status_code"]) == (10000, "9999", None)
    assert (row["partners"], row["elapsed"], rows["data"]["count"]) == ([9999], 7000, 1)
    assert rows["retmsg"] == "success"


def test_job_list_job_hides_what_was_never_submitted(call, job, change):
    change(tag="submit_failed")
    assert call("job/list/job")["data"] == {"count": 0, "jobs": []}


def test_job_list_task_gives_all_components_of_a_party(call, at):
    data = call("job/list/task", at)["data"]
    assert data["count"] == 2
    assert [task["component_name"] for task in data["tasks"]] == ["reader_0", "intersection_0"]
    for task in data["tasks"]:
        assert set(TASK_KEYS) <= task.keys()
        assert (task["party_id"], task["error_report"], task["elapsed"]) == ("9999", "", 500)


def test_job_config(call, job):
    data = call("job/config", {"job_id": job})["data"]
    assert data.keys() == {"job_id", "dsl", "runtime_conf", "train_runtime_conf", "model_info"}
    assert data["train_runtime_conf"] == {}
    assert data["model_info"] == {"model_id": "m", "model_version": job}


@pytest.mark.parametrize(
    ("path", "retcode"),
    [("job/config", 101), ("job/update", 101), ("job/stop", 102), ("job/rerun", 102)],
)
def test_a_job_that_is_not_here(call, job, path, retcode):
    answer = call(path, {"job_id": "1", "notes": ""})
    assert answer["retcode"] == retcode
    assert answer["retmsg"] == ("find job failed" if retcode == 101 else "can not found job")
    assert "data" not in answer


def test_job_update_sets_the_description_of_one_party(call, at):
    assert call("job/update", {**at, "notes": "n"}) == {"retcode": 0, "retmsg": "success"}
    rows = call("job/list/job", {"job_id": at["job_id"]})["data"]["jobs"]
    assert {row["role"]: row["description"] for row in rows} == {"guest": "n", "host": ""}


def test_job_log_path_and_download(site, call, http, job):
    folder = site.settings.logs / job
    (folder / "guest" / "9999").mkdir(parents=True)
    (folder / "guest" / "9999" / "INFO.log").write_text("x\n")
    assert call("job/log/path", {"job_id": job})["data"] == {"logs_directory": str(folder)}
    reply = http.post("/v1/job/log/download", json={"job_id": job})
    assert reply.mimetype == "application/x-tar"
    assert f"filename=job_{job}_log.tar.gz" in reply.headers["Content-Disposition"]
    with tarfile.open(fileobj=io.BytesIO(reply.data)) as archive:
        assert "guest/9999/INFO.log" in archive.getnames()


def test_data_view_the_initiator_sees_all_tables_and_a_host_its_own(call, job):
    tables = {"guest": {"9999": {"reader_0": "exp.g"}}, "host": {"10000": {"reader_0": "exp.h"}}}
    roles = {"guest": [9999], "host": [10000]}
    assert call("tracking/job/data_view", {"job_id": job, **GUEST})["data"] == {
        "partner": {"host": [10000]}, "dataset": tables, "roles": roles, "model_summary": {},
    }  # fmt: skip
    host = call("tracking/job/data_view", {"job_id": job, **HOST})["data"]
    assert (host["partner"], host["dataset"]) == ({"guest": [9999]}, {"host": tables["host"]})


@pytest.mark.parametrize(
    ("table", "shown"),
    [
        ({"name": "n", "namespace": "s"}, "s.n"),
        ({"job_id": "7", "component_name": "scale_0", "data_name": "train"}, "7.scale_0.train"),
        ({"job_id": "7", "component_name": "scale_0"}, "7.scale_0.data"),
        ({"name": "n"}, "unknown"),
        ("text", "unknown"),
        (None, "unknown"),
    ],
)
def test_data_view_names_a_table_whatever_it_is(call, at, change, table, shown):
    reader = {"reader_0": {"table": table}, "intersection_0": {"table": {"name": "no reader"}}}
    change(runtime_conf={"component_parameters": {"common": reader}})
    data = call("tracking/job/data_view", at)["data"]
    assert data["dataset"]["guest"] == {"9999": {"reader_0": shown}}


def test_component_parameters(call, at):
    data = call("tracking/component/parameters", {**at, "component_name": "reader_0"})["data"]
    assert data["module"] == "Reader"
    assert set(data) - {"module"} == {name for name in data if name.endswith("Param")}


def test_component_metrics_and_their_data(call, at):
    of = {**at, "component_name": "intersection_0"}
    names = call("tracking/component/metrics", of)
    assert names["data"] == {"train": ["hetero_lr_0", "loss"]}
    one = {**of, "metric_namespace": "train", "metric_name": "loss"}
    loss = call("tracking/component/metric_data", one)
    assert loss["data"] == [[0, 0.6], [1, 0.5]]
    assert loss["meta"] == {"name": "train", "metric_type": "LOSS", "unit_name": "iters"}
    everything = call("tracking/component/metric/all", of)["data"]
    assert everything["train"]["loss"] == {"data": loss["data"], "meta": loss["meta"]}


def test_a_component_without_output_says_so_in_fates_words(call, http, at):
    of = {**at, "component_name": "reader_0"}
    nothing = {"retcode": 0, "retmsg": "no data"}
    assert call("tracking/component/metrics", of) == {**nothing, "data": {}}
    one = {**of, "metric_namespace": "a", "metric_name": "b"}
    assert call("tracking/component/metric_data", one) == {**nothing, "data": [], "meta": {}}
    model = call("tracking/component/output/model", of)
    assert model == {"retcode": 0, "retmsg": "no define_meta", "data": {}}
    summary = http.post("/v1/tracking/component/summary/download", json=of)
    assert (summary.status_code, summary.get_json()["retcode"]) == (210, 210)


def test_output_data_is_a_list_of_tables_with_their_headers(call, site, at):
    of = {**at, "component_name": "intersection_0"}
    with site.database.write() as session:
        session.add(
            OutputRow(
                kind="data", name="hidden", position=1, task_id="t", create_time=0, update_time=0,
                info={"header": [], "rows": [["b", None]], "total": 7}, task_version=1,
                **{**of, "party_id": "9999"},
            )
        )  # fmt: skip
    found = call("tracking/component/output/data", of)
    assert found["data"] == [[["a", 1]], [["b", None]]]
    assert found["meta"] == {
        "header": [["id", "y"], []],
        "total": [1, 7],
        "names": ["data", "hidden"],
    }


def test_dag_dependency_marks_what_a_party_does_not_run(call, site, at):
    with site.database.write() as session:
        task = session.get(TaskRow, (at["job_id"], "intersection_0", 1, "guest", "9999"))
        task.component_parameters = {"ComponentParam": {"need_run": False}}
    data = call("pipeline/dag/dependency", at)["data"]
    assert data == {
        "component_list": ["reader_0", "intersection_0"],
        "component_module": {"reader_0": "Reader", "intersection_0": "Intersection"},
        "component_need_run": {"reader_0": True, "intersection_0": False},
        "dependencies": {
            "intersection_0": [
                {"component_name": "reader_0", "type": "data", "up_output_info": ["data", 0]}
            ]
        },
    }


def test_log_size_and_cat_give_each_line_once_to_who_goes_on_at_the_next(site, call, job):
    folder = site.settings.logs / job
    folder.mkdir(parents=True)
    of, seen = {"job_id": job, "log_type": "jobSchedule"}, []
    with (folder / "fate_flow_schedule.log").open("w", buffering=1) as log:
        for number in range(1, 6):
            log.write(f"line {number}\n" * number)
            log.write("begun, ")
            log.flush()
            total = call("log/size", of)["data"]["size"]
            pulled = call("log/cat", {**of, "begin": len(seen) + 1, "end": total})["data"]
            seen += [(line["line_num"], line["content"]) for line in pulled]
    assert [number for number, _ in seen] == list(range(1, 16))
    assert seen[-1] == (15, "line 5")
    assert call("job/log/size", of)["retcode"] == 100


def test_server_info_and_versions(call, site):
    [(name, info)] = call("server/fateflow/info")["data"].items()
    assert name == info["instance_id"]
    assert info.keys() == {
        "instance_id", "host", "http_port", "grpc_port", "timestamp", "version",
    }  # fmt: skip
    version = call("version/get", {"module": "FATEBoard"})["data"]
    assert version == {"FATEBoard": "1.11.2", "API": "v1"}
    assert call("server/version/get")["data"]["FATE"] == info["version"]
    assert call("info/fateboard")["data"] == {"host": "127.0.0.1", "port": 8080}


def test_every_fault_is_http_200_with_a_retcode(http, job):
    for path, body in (("nothere", b"{}"), ("job/list/job", b"{"), ("log/size", b"[]")):
        reply = http.post(f"/v1/{path}", data=body)
        assert reply.status_code == 200
        assert reply.get_json()["retcode"] != 0
