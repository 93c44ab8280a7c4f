"""Uploads and tables: the query of FATE's client, streaming, refusals that leave nothing."""

from __future__ import annotations

import errno
import io
import json
import urllib.parse
from pathlib import Path

import pytest

from fateflow.api import data
from fateflow.errors import Refused
from fateflow.store import tables

CONF = {"file": "/x/a.csv", "head": 1, "partition": 4, "table_name": "t1", "namespace": "exp",
        "conf_path": "up.json", "verbose": 0, "drop": 0}  # fmt: skip


@pytest.fixture
def submitted(monkeypatch):
    """What would be submitted; the scheduler itself has its own tests."""
    seen = []

    def submit_local(site, module, parameters, job_id=""):
        seen.append((module, parameters, job_id))
        return {"job_id": job_id or "1", "code": 0}

    monkeypatch.setattr(data.submitting, "submit_local", submit_local)
    return seen


def upload(http, conf, *, safe="", content=b"id,y\n1,0\n", **fields):
    query = urllib.parse.quote(json.dumps(conf), safe=safe)
    parts = {**fields, "file": (io.BytesIO(content), "a.csv")}
    return http.post(f"/v1/data/upload?{query}", data=parts).get_json()


@pytest.mark.parametrize("safe", ["", ":,/&=+ "])
def test_the_configuration_is_the_whole_query_as_json(http, site, submitted, safe):
    conf = {**CONF, "namespace": "a+b&c=d", "id_delimiter": ","}
    found = upload(http, conf, safe=safe)
    assert found["retcode"] == 0, found
    (module, parameters, job_id) = submitted[0]
    assert (module, parameters["namespace"], parameters["name"]) == ("Upload", "a+b&c=d", "t1")
    assert parameters["head"] == 1
    assert "verbose" not in parameters
    assert found["data"]["table_name"] == "t1"
    assert found["jobId"] == job_id


def test_the_file_lies_in_the_jobs_folder(http, site, submitted):
    upload(http, CONF, content=b"id,y\n" + b"1,2\n" * 300_000)
    (_, parameters, job_id) = submitted[0]
    folder = site.settings.jobs / job_id / "fate_upload_tmp"
    (file,) = folder.iterdir()
    assert parameters["file"] == str(file)
    assert file.stat().st_size == 5 + 4 * 300_000


def test_form_fields_serve_when_the_query_is_no_json(http, submitted):
    parts = {"file": (io.BytesIO(b"id\n1\n"), "a.csv"), "namespace": "n", "table_name": "t",
             "head": "1", "partition": "2"}  # fmt: skip
    assert http.post("/v1/data/upload", data=parts).get_json()["retcode"] == 0
    assert submitted[0][1]["partition"] == 2


@pytest.mark.parametrize("value", ["1", 1, True, "true"])
def test_numbers_and_flags_may_come_as_text(http, submitted, value):
    upload(http, {**CONF, "head": value, "drop": value, "extend_sid": value})
    parameters = submitted[0][1]
    assert (parameters["head"], parameters["destroy"], parameters["extend_sid"]) == (1, True, True)


def test_an_existing_table_is_refused_before_anything_is_stored(http, site, submitted):
    tables.put(site.database, "exp", "t1", count=1, partitions=1)
    found = upload(http, CONF)
    assert found["retcode"] == 100
    assert found["retmsg"].startswith("The data table already exists.")
    assert "jobId" not in found
    assert not submitted
    assert not site.settings.jobs.exists() or not list(site.settings.jobs.iterdir())
    assert upload(http, {**CONF, "drop": 1})["retcode"] == 0


def left_in(folder):
    return list(folder.iterdir()) if folder.exists() else []


@pytest.mark.parametrize("change", [{"partition": "many"}, {"namespace": None}, {"head": None}])
def test_a_bad_configuration_names_the_key_and_leaves_nothing(http, site, submitted, change):
    found = upload(http, {**CONF, **change})
    assert found["retcode"] == 101
    assert next(iter(change)) in found["retmsg"]
    assert left_in(site.settings.jobs) == []


def test_a_refused_job_takes_its_file_along(http, site, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise Refused("partition: 0 is not in 1..1023", job_id="7")

    monkeypatch.setattr(data.submitting, "submit_local", refuse)
    assert upload(http, CONF)["retcode"] == 103
    assert left_in(site.settings.jobs) == []


def test_a_full_disk_is_said_and_leaves_nothing(http, site, submitted, monkeypatch):
    def full(*_args, **_kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(data.FormDataParser, "parse", full)
    found = upload(http, CONF)
    assert found["retcode"] == 100
    assert found["retmsg"].startswith("no space left on the disk")
    assert left_in(site.settings.jobs) == []


def test_a_file_of_the_server_is_named_in_the_body(http, submitted):
    found = http.post("/v1/data/upload", json={**CONF, "use_local_data": 0}).get_json()
    assert found["retcode"] == 0
    assert submitted[0][1]["file"] == "/x/a.csv"


def test_table_info_of_nothing_is_success_and_exist_0(call):
    assert call("table/table_info", {"namespace": "n", "table_name": "t"})["data"] == {
        "address": None, "count": 0, "enable": True, "exist": 0, "extend_sid": False,
        "namespace": "n", "origin": None, "partition": None, "schema": None, "table_name": "t",
    }  # fmt: skip


def test_deleting_twice_says_no_find_table(call, job):
    body = {"namespace": "exp", "table_name": "g"}
    assert call("table/delete", body)["data"] == {"namespace": "exp", "table_name": "g"}
    again = call("table/delete", body)
    assert (again["retcode"], again["retmsg"]) == (101, "no find table")


def test_tables_can_be_disabled_enabled_and_cleared(call, job):
    body = {"namespace": "exp", "table_name": "g"}
    assert call("table/disable", body)["data"] == [body]
    assert call("table/table_info", body)["data"]["enable"] is False
    call("table/enable", body)
    assert call("table/disable/delete")["retmsg"] == "no find table"
    call("table/disable", body)
    assert call("table/disable/delete")["data"] == [body]


def test_a_path_is_bound_only_if_it_is_there(call, tmp_path_factory):
    folder = tmp_path_factory.mktemp("elsewhere")
    body = {"engine": "PATH", "namespace": "n", "name": "p", "address": {"path": str(folder)}}
    assert call("table/bind", body) == {
        "data": {"namespace": "n", "table_name": "p"}, "retcode": 0, "retmsg": "success",
    }  # fmt: skip
    assert call("table/bind", body)["retcode"] == 100
    assert call("table/bind", {**body, "drop": True})["retcode"] == 0
    gone = {**body, "name": "q", "address": {"path": str(folder / "gone")}}
    assert "check failed" in call("table/bind", gone)["retmsg"]


def test_an_engine_that_is_not_there_is_refused_with_those_that_are(call):
    body = {"engine": "HIVE", "namespace": "n", "name": "h", "address": {"host": "x"}}
    assert "PATH" in call("table/bind", body)["retmsg"]


def test_passwords_in_addresses_are_masked(call, site):
    tables.put(site.database, "n", "m", engine="MYSQL", address={"passwd": "secret", "host": "h"},
               partitions=1)  # fmt: skip
    found = call("table/table_info", {"namespace": "n", "table_name": "m"})["data"]
    assert found["address"] == {"passwd": "******", "host": "h"}


def test_connectors_are_kept(call):
    call("table/connector/create", {"connector_name": "c", "engine": "MYSQL",
                                    "connector_info": {"host": "h"}})  # fmt: skip
    assert call("table/connector/query", {"connector_name": "c"})["data"] == {"host": "h"}
    assert call("table/connector/query", {"connector_name": "d"})["data"] == {}


@pytest.mark.parametrize("path", ["model/migrate", "permission/grant", "key/query"])
def test_what_is_not_served_says_what_to_do_instead(call, path):
    found = call(path, {})
    assert found["retcode"] == 100
    assert found["retmsg"].startswith(f"{path} is not served here;")


def test_a_file_of_the_home_is_not_bound(call, site):
    path = str(site.settings.root / "settings.json")
    Path(path).write_text("{}")
    for engine in ("PATH", "LOCALFS"):
        address = {"engine": engine, "address": {"path": path}}
        found = call("table/bind", {"namespace": "n", "name": "t", **address})
        assert "home of the site" in found["retmsg"]
