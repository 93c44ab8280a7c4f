"""Metrics, models, data and logs of components."""

from __future__ import annotations

import io
import json
import tarfile

import pyarrow as pa
import pytest

from eggroll.storage import Storage
from fateflow.store import logs
from fateflow.store.line_index import LONGEST_LINE
from fateflow.store.orm import OutputRow
from federatedml.data import stored
from federatedml.data.frame import RawSchema, RawTable

AT = {"role": "guest", "party_id": "9999", "component_name": "intersection_0"}


def test_summary_metrics_are_sorted_so_that_auc_comes_first(call, job):
    found = call("tracking/component/metric/all", {"job_id": job, **AT})["data"]
    assert found["train"]["hetero_lr_0"]["data"] == [["auc", 0.99], ["ks", 0.9]]
    assert found["train"]["loss"]["data"] == [[0, 0.6], [1, 0.5]]


def test_metas_are_flat_and_loss_is_called_train(call, job):
    body = {"job_id": job, **AT, "metric_namespace": "train", "metric_name": "loss"}
    assert call("tracking/component/metric_data", body)["meta"] == {
        "name": "train", "metric_type": "LOSS", "unit_name": "iters",
    }  # fmt: skip


def test_metrics_of_an_older_version_are_not_shown(call, job):
    found = call("tracking/component/metrics", {"job_id": job, **AT})
    assert found["data"] == {"train": ["hetero_lr_0", "loss"]}


def test_a_missing_role_is_the_initiators(call, job):
    named = call("tracking/component/metrics", {"job_id": job, **AT})
    assert named == call("tracking/component/metrics",
                         {"job_id": job, "component_name": "intersection_0"})  # fmt: skip


def test_nothing_is_said_in_the_words_that_clients_look_for(call, job):
    reader = {**AT, "job_id": job, "component_name": "reader_0"}
    assert call("tracking/component/metrics", reader)["retmsg"] == "no data"
    assert call("tracking/component/output/model", reader) == {
        "data": {}, "retcode": 0, "retmsg": "no define_meta",
    }  # fmt: skip
    assert call("tracking/component/output/data", reader)["data"] == []
    table = call("tracking/component/output/data/table", reader)
    assert table["retmsg"] == "No found table, please check if the parameters are correct"
    one = {**reader, "metric_namespace": "a", "metric_name": "b"}
    assert call("tracking/component/metric_data", one) == {
        "data": [], "meta": {}, "retcode": 0, "retmsg": "no data",
    }  # fmt: skip


def test_parameters_of_an_unknown_task_are_101(call, job):
    body = {**AT, "job_id": job, "component_name": "nothere_0"}
    assert call("tracking/component/parameters", body)["retcode"] == 101


def test_a_model_is_shown_as_param_with_meta_beside(call, site, job, tmp_path):
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"module": "HeteroLR", "param": {"iters": 1}, "meta": {"tol": 2}}))
    with site.database.write() as session:
        session.add(
            OutputRow(
                job_id=job,
                task_version=1,
                kind="model",
                name="model",
                task_id="t",
                path=str(path),
                create_time=0,
                update_time=0,
                **AT,
            )
        )
    assert call("tracking/component/output/model", {"job_id": job, **AT}) == {
        "data": {"iters": 1}, "meta": {"meta_data": {"tol": 2}, "module_name": "HeteroLR"},
        "retcode": 0, "retmsg": "success",
    }  # fmt: skip


def test_a_summary_with_a_filename_is_the_bare_file(http, job):
    body = {"job_id": job, **AT, "filename": "s.json"}
    reply = http.post("/v1/tracking/component/summary/download", json=body)
    assert reply.get_json() == {"intersect_num": 3}
    assert reply.headers["Content-Disposition"] == "attachment; filename=s.json"


def test_no_summary_is_http_210(http, job):
    body = {"job_id": job, **AT, "component_name": "reader_0"}
    reply = http.post("/v1/tracking/component/summary/download", json=body)
    assert reply.status_code == reply.get_json()["retcode"] == 210


def test_output_data_is_fetched_by_get_with_a_body(http, site, job):
    rows = RawTable(pa.array(["a"]), pa.table({"y": ["1"]}), RawSchema(header="y", sid="id"))
    stored.save(Storage(site.settings.tables), "out", "t1", rows)
    reply = http.get("/v1/tracking/component/output/data/download",
                     data=json.dumps({"job_id": job, **AT, "limit": -1}))  # fmt: skip
    assert reply.status_code == 200, reply.data
    assert reply.mimetype == "application/x-tar"
    name = f"job_{job}_intersection_0_guest_9999_output_data.tar.gz"
    assert reply.headers["Content-Disposition"] == f"attachment; filename={name}"
    with tarfile.open(fileobj=io.BytesIO(reply.data)) as archive:
        assert archive.getnames() == ["data.csv", "data.meta"]
        assert json.load(archive.extractfile("data.meta")) == {"header": ["id", "y"]}
    reply.close()


@pytest.mark.parametrize("change", [{"component_name": "nothere"}, {"limit": 0}, {"job_id": None}])
def test_a_download_that_fails_is_never_http_200(http, job, change):
    body = {"job_id": job, **AT, "limit": -1, **change}
    reply = http.get("/v1/tracking/component/output/data/download", data=json.dumps(body))
    assert reply.status_code == 210
    assert reply.get_json()["retcode"] == 210


def test_metrics_can_be_forgotten(call, job):
    assert call("tracking/component/metric/delete", {"job_id": job})["data"] == (
        "delete status: True"
    )
    assert call("tracking/component/metric/delete", {"date": job[:8]})["data"] == (
        "delete status: False"
    )


@pytest.fixture
def log_file(site, job):
    path = site.settings.logs / job / "guest" / "9999" / "INFO.log"
    path.parent.mkdir(parents=True)
    path.write_text("one\nfrom 10.1.2.3 to 127.0.0.1\nthree\n")
    return path


def test_logs_are_read_by_line_numbers_with_addresses_masked(call, job, log_file):
    which = {"job_id": job, "log_type": "partyInfo", "role": "guest", "party_id": 9999}
    assert call("log/size", which)["data"] == {"size": 3}
    assert call("log/cat", {**which, "begin": 2, "end": 2})["data"] == [
        {"line_num": 2, "content": "from xxx.xxx.xxx.xxx to 127.0.0.1"}
    ]
    assert [line["line_num"] for line in call("log/tail", {**which, "lines": 2})["data"]] == [2, 3]


def test_the_log_of_an_earlier_attempt_is_read_by_its_number(site, call, job, log_file):
    which = {"job_id": job, "log_type": "partyInfo", "role": "guest", "party_id": 9999}
    logs.set_aside(log_file.parent)
    log_file.write_text("again\n")
    logs.set_aside(log_file.parent)
    log_file.write_text("and\nagain\n")
    assert call("log/size", which)["data"] == {"size": 2, "attempts": [0, 1]}
    assert call("log/size", {**which, "attempt": 0})["data"] == {"size": 3}
    assert call("log/cat", {**which, "attempt": 1})["data"] == [{"line_num": 1, "content": "again"}]
    found = call("log/find", {**which, "attempt": 0, "text": "three"})["data"]
    assert (found["number"], found["count"]) == (3, 1)
    assert call("log/size", {**which, "attempt": 7})["data"]["size"] == 0
    assert call("log/size", {**which, "attempt": -1})["retcode"] != 0


def test_an_absent_log_has_no_lines(call, job):
    assert call("log/size", {"job_id": job})["data"] == {"size": 0}


@pytest.mark.parametrize("part", ["../..", "..", "a/b", "/etc", ".hidden", "a;ls", ""])
def test_no_part_of_a_log_path_leads_out_of_the_folder(call, job, part):
    which = {"job_id": job, "log_type": "partyInfo", "role": "guest", "party_id": part}
    assert call("log/size", which)["retcode"] == 101


def test_an_unknown_log_type_is_refused_with_the_known_ones(call, job):
    assert "jobSchedule" in call("log/size", {"job_id": job, "log_type": "passwd"})["retmsg"]


def test_all_logs_of_a_job_come_as_one_archive(http, job, log_file):
    reply = http.post("/v1/job/log/download", json={"job_id": job, "output_path": "x"})
    with tarfile.open(fileobj=io.BytesIO(reply.data)) as archive:
        assert "guest/9999/INFO.log" in archive.getnames()
    reply.close()
    missing = http.post("/v1/job/log/download", json={"job_id": "2020"})
    assert missing.status_code == 404


def test_long_lines_are_cut(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"x" * (LONGEST_LINE + 10) + b"\n")
    assert len(logs.cut(path)[0][1]) == LONGEST_LINE
