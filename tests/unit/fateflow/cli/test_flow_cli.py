"""The flow command: what it sends, what it prints, how it ends."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tarfile
import urllib.parse

import pytest

from fateflow.cli.client import settings_file

OK = {"retcode": 0, "retmsg": "success"}
AT = ("-j", "1", "-r", "guest", "-p", "9999", "-cpn", "lr_0")


def packed(**files):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


def test_scripts_get_the_envelope(flow, server):
    server.says("job/stop", OK)
    result = flow("job", "stop", "-j", "1")
    assert json.loads(result.stdout) == OK
    assert result.exit_code == 0
    assert server.asked == [("POST", "job/stop", "", {"job_id": "1"})]


def test_an_error_is_one_line_on_stderr_and_exit_status_1(flow, server):
    server.says("job/stop", {"retcode": 102, "retmsg": "can not\nfound job"})
    result = flow("job", "stop", "-j", "1", "--output", "table")
    assert (result.stdout, result.stderr) == ("", "Error: can not found job\n")
    assert result.exit_code == 1


def test_json_output_shows_the_envelope_of_an_error_too(flow, server):
    server.says("job/stop", {"retcode": 102, "retmsg": "can not found job"})
    result = flow("--output", "json", "job", "stop", "-j", "1")
    assert json.loads(result.stdout)["retcode"] == 102
    assert result.exit_code == 1


def test_people_get_tables_without_prefixes_and_empty_columns(flow, server):
    row = {"f_job_id": "1", "f_role": "guest", "f_party_id": "9999", "f_status": "success",
           "f_elapsed": 2716, "f_reason": "", "f_dsl": {}, "f_runtime_conf": {}}  # fmt: skip
    server.says("job/query", {**OK, "data": [row]})
    result = flow("job", "query", "-j", "1", "--output", "table")
    head, line = result.stdout.splitlines()
    assert head.split() == ["job", "id", "role", "party", "id", "status", "elapsed"]
    assert line.split() == ["1", "guest", "9999", "success", "2.7", "s"]


def test_job_query_leaves_dsl_and_conf_out(flow, server):
    server.says("job/query", {**OK, "data": [{"f_job_id": "1", "f_dsl": {}, "f_runtime_conf": {}}]})
    assert json.loads(flow("job", "query", "-j", "1").stdout)["data"] == [{"f_job_id": "1"}]


def test_no_server_is_one_line_with_what_to_do(flow):
    result = flow("--server", "127.0.0.1:1", "server", "versions")
    assert result.exit_code == 1
    assert "no server answers at 127.0.0.1:1" in result.stderr
    assert "distaff up" in result.stderr


def test_a_usage_error_is_2(flow):
    assert flow("job", "stop").exit_code == 2
    assert flow("job", "query", "-r", "king").exit_code == 2


def test_a_reply_that_is_no_json_is_shown_as_100(flow, server):
    server.says("job/stop", content=b"<html>proxy</html>", status=502)
    result = flow("job", "stop", "-j", "1")
    assert json.loads(result.stdout) == {"retcode": 100, "retmsg": "<html>proxy</html>"}


def test_init_is_remembered_and_weaker_than_the_environment(flow, server, monkeypatch):
    server.says("server/version/get", {**OK, "data": {"FATE": "1.11.4"}})
    host, port = server.address.split(":")
    assert flow("init", "--ip", host, "--port", port).exit_code == 0
    assert json.loads(settings_file().read_text()) == {"server": server.address}
    monkeypatch.delenv("DISTAFF_SERVER")
    assert flow("server", "versions").exit_code == 0
    monkeypatch.setenv("DISTAFF_SERVER", "127.0.0.1:1")
    assert flow("server", "versions").exit_code == 1


def test_init_reads_a_service_conf(flow, tmp_path):
    conf = tmp_path / "service_conf.yaml"
    conf.write_text("party_id: 1\nfateflow:\n  # our own\n  host: 10.0.0.1\n  http_port: 9380\n"
                    "database:\n  host: db\n")  # fmt: skip
    assert flow("init", "-c", conf).exit_code == 0
    assert json.loads(settings_file().read_text()) == {"server": "10.0.0.1:9380"}


def test_upload_streams_the_file_with_its_configuration_in_the_query(flow, server, tmp_path):
    (tmp_path / "a.csv").write_text("id,y\n1,0\n")
    conf = tmp_path / "up.json"
    conf.write_text(json.dumps({"file": "a.csv", "head": 1, "namespace": "a+b&c"}))
    server.says("data/upload", {**OK, "jobId": "7"})
    assert flow("data", "upload", "-c", conf, "--drop").exit_code == 0
    (_, _, query, body) = server.asked[0]
    sent = json.loads(urllib.parse.unquote(query))
    assert (sent["namespace"], sent["drop"], sent["verbose"]) == ("a+b&c", 1, 0)
    assert b"id,y\n1,0\n" in body
    assert b'name="file"; filename="a.csv"' in body


def test_a_file_that_is_not_there_is_said_before_any_request(flow, server, tmp_path):
    conf = tmp_path / "up.json"
    conf.write_text('{"file": "nothere.csv"}')
    result = flow("data", "upload", "-c", conf)
    assert (result.exit_code, server.asked) == (1, [])
    assert "nothere.csv" in result.stderr


def test_logs_are_unpacked_and_stay_inside_their_folder(flow, server, tmp_path):
    archive = packed(**{"guest__9999__INFO.log": "line", "..__outside": "no"})
    server.says("job/log/download", content=archive, filename="job_1_log.tar.gz")
    assert flow("job", "log", "-j", "1", "-o", tmp_path).exit_code == 0
    assert (tmp_path / "job_1_log/guest/9999/INFO.log").read_text() == "line"
    assert not (tmp_path / "outside").exists()


def test_output_data_is_fetched_by_get(flow, server, tmp_path):
    archive = packed(**{"data.csv": "id,y\n"})
    server.says("tracking/component/output/data/download", content=archive, filename="x.tar.gz")
    assert flow("component", "output-data", *AT, "-o", tmp_path).exit_code == 0
    assert server.asked[0][0] == "GET"
    assert (tmp_path / "job_1_lr_0_guest_9999_output_data/data.csv").exists()


def test_a_download_that_fails_prints_the_servers_words(flow, server, tmp_path):
    server.says("tracking/component/output/data/download", {"retcode": 210, "retmsg": "no data"},
                status=210)  # fmt: skip
    result = flow("component", "output-data", *AT, "-o", tmp_path)
    assert (result.exit_code, result.stderr) == (1, "Error: no data\n")


def test_config_writes_a_file_per_part(flow, server, tmp_path):
    data = {"job_id": "1", "dsl": {"a": 1}, "runtime_conf": {}, "train_runtime_conf": {},
            "model_info": {}}  # fmt: skip
    server.says("job/config", {**OK, "data": data})
    flow("job", "config", "-j", "1", "-r", "guest", "-p", "9999", "-o", tmp_path)
    assert json.loads((tmp_path / "job_1_config/dsl.json").read_text()) == {"a": 1}


def state(status, *, reason="", stamp="s", error=""):
    part = {"component_name": "lr_0", "status": status, "percent": 50, "error": error}
    return {**OK, "data": {"job_id": "1", "status": status, "reason": reason, "progress": 0,
                           "ended": status in ("success", "failed"), "elapsed": 1500,
                           "components": [part], "stamp": stamp}}  # fmt: skip


@pytest.fixture
def job_files(tmp_path):
    for name in ("conf", "dsl"):
        (tmp_path / f"{name}.json").write_text("{}")
    return "-c", tmp_path / "conf.json", "-d", tmp_path / "dsl.json"


def test_submit_tells_people_the_job_and_where_to_look(flow, server, job_files):
    data = {"job_id": "1", "board_url": "http://b", "logs_directory": "/l", "dsl_path": "/d"}
    server.says("job/submit", {**OK, "jobId": "1", "data": data})
    result = flow("--output", "table", "job", "submit", *job_files)
    assert [line.split(None, 1) for line in result.stdout.splitlines()] == [
        ["job", "1"], ["logs", "/l"], ["follow", "flow job watch -j 1"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "words", [("job", "stop"), ("nope",), ("job", "list", "-x"), ("job", "query", "-r", "x")]
)
def test_a_wrong_command_line_ends_in_one_line_with_status_2(flow, words):
    result = flow(*words)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert line.endswith(" --help`")


def test_names_of_metrics_are_told_in_full(flow, server):
    names = [f"hetero_lr_0_fold_{i}_ks_fpr" for i in range(9)]
    server.says("tracking/component/metrics", {**OK, "data": {"train": names}})
    task = ("-j", "1", "-r", "guest", "-p", "9", "-cpn", "e_0")
    shown = flow("--output", "table", "component", "metrics", *task).stdout
    assert [line.split()[1] for line in shown.splitlines()] == ["metric", *names]


def test_submit_wait_follows_the_job_to_its_end(flow, server, job_files):
    server.says("job/submit", {**OK, "jobId": "1", "data": {"board_url": "http://b"}})
    server.says("job/wait", state("running", stamp="a"))
    server.says("job/wait", state("success", stamp="b"))
    result = flow("job", "submit", *job_files, "--wait")
    assert result.exit_code == 0
    assert [asked[3].get("since") for asked in server.asked[1:]] == ["", "a"]
    assert "lr_0 running" in result.stderr
    assert "job 1 success in 1.5 s" in result.stderr


def test_submit_wait_ends_with_the_cause_of_a_failure(flow, server, job_files):
    server.says("job/submit", {**OK, "jobId": "1", "data": {}})
    server.says("job/wait", state("failed", reason="host 10000: lr_0: out of memory"))
    result = flow("job", "submit", *job_files, "--wait")
    assert result.exit_code == 1
    assert "Error: job 1 failed: host 10000: lr_0: out of memory" in result.stderr


def test_a_configuration_that_is_no_json_names_its_file(flow, tmp_path):
    (tmp_path / "bad.json").write_text("{")
    result = flow("job", "submit", "-c", tmp_path / "bad.json")
    assert result.exit_code == 1
    assert "bad.json is not JSON" in result.stderr


def test_deploy_sends_names_and_checkpoints(flow, server):
    server.says("model/deploy", OK)
    flow("model", "deploy", "--model-id", "m", "--model-version", "1", "--cpn-list", "a, b",
         "--cpn-step-index", "lr_0:12", "--cpn-step-name", "nn_0:round")  # fmt: skip
    assert server.asked[0][3] == {
        "model_id": "m", "model_version": "1", "cpn_list": ["a", "b"],
        "components_checkpoint": {"lr_0": {"step_index": 12}, "nn_0": {"step_name": "round"}},
    }  # fmt: skip


def test_short_model_info_asks_for_fates_columns(flow, server):
    server.says("model/query", {**OK, "data": []})
    flow("model", "get-model-info", "--model-version", "1")
    assert "parent_info" in server.asked[0][3]["query_filters"]


def test_queue_clean_needs_nothing(flow, server):
    server.says("job/clean/queue", {**OK, "data": {}})
    assert flow("queue", "clean").exit_code == 0


def test_toy_prints_the_lines_of_the_sum(flow, server):
    server.says("job/submit", {**OK, "jobId": "1"})
    server.says("job/wait", state("waiting"))
    server.says("job/wait", state("success"))
    lines = "[INFO] - [secure_add_guest.run]: it is 2000.0\nother\n"
    server.says("job/log/download", filename="x.tar.gz",
                content=packed(**{"guest__9999__INFO.log": lines}))  # fmt: skip
    result = flow("test", "toy", "-gid", "9999", "-hid", "10000")
    assert result.stdout.splitlines() == [
        "toy test job 1 is waiting",
        "toy test job 1 is success",
        "[INFO] - [secure_add_guest.run]: it is 2000.0",
    ]


COMMANDS = """
job: submit list query stop rerun config log view dsl parameter-update clean watch tail
task: list query
component: list metrics metric-all metric-delete parameters output-data output-model
component: output-data-table get-summary hetero-model-merge
tracking: metrics metric-all parameters output-data output-model output-data-table get-summary
data: upload download writer upload-history
table: info delete disable enable disable-delete add bind connector-create connector-query
table: tracking-source tracking-job preview
model: load bind import export migrate tag-model tag-list get-predict-dsl get-predict-conf deploy
model: get-model-info homo-convert homo-deploy
queue: clean
provider: list register list-components
privilege: grant delete query
tag: create query update delete list
server: versions reload
service: registry
resource: query return
key: save delete query
checkpoint: list get
template: download
test: toy min
"""


@pytest.mark.parametrize("line", COMMANDS.strip().splitlines())
def test_every_command_of_fates_client_is_there(flow, line):
    group, _, names = line.partition(": ")
    shown = flow(group, "-h").stdout
    assert not [name for name in names.split() if f"  {name} " not in f"{shown} "]


def test_the_command_starts_without_any_science():
    code = (
        "import sys, fateflow.cli.flow;"
        "print([m for m in ('numpy','pandas','pyarrow','flask','sqlalchemy','rich','msgspec')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


MERGE = (
    "component hetero-model-merge --model-id m --model-version 1 --guest-party-id 9999 "
    "--host-party-ids 10000,10001 -cpn sbt_0 --model-type secureboost --output-format pmml"
)


def test_a_merged_model_is_written_to_the_named_file(flow, server, tmp_path):
    server.says("component/hetero/merge", {"retcode": 0, "retmsg": "success", "data": "größe\n"})
    file = tmp_path / "new" / "model.xml"
    done = flow(*MERGE.split(), "--no-host-rename", "-o", str(file))
    assert done.exit_code == 0
    assert file.read_text("utf8") == "größe\n"
    asked = server.asked[0][3]
    assert asked["host_party_ids"] == ["10000", "10001"]
    assert (asked["host_rename"], "include_guest_coef" in asked) == (False, False)


def test_a_refused_merge_writes_nothing(flow, server, tmp_path):
    server.says("component/hetero/merge", {"retcode": 102, "retmsg": "the part is not here"})
    done = flow(*MERGE.split(), "-o", str(tmp_path / "model.xml"))
    assert done.exit_code == 1
    assert "the part is not here" in done.stderr
    assert not list(tmp_path.iterdir())


def test_a_merged_model_that_cannot_be_written_is_one_line(flow, server, tmp_path):
    server.says("component/hetero/merge", {"retcode": 0, "retmsg": "success", "data": "text"})
    done = flow(*MERGE.split(), "-o", str(tmp_path))
    assert done.exit_code == 1
    assert f"{tmp_path}: Is a directory" in done.stderr
    assert "Traceback" not in done.output + done.stderr


def test_converted_files_are_told_by_path(flow, server, tmp_path):
    conf = tmp_path / "conf.json"
    conf.write_text(json.dumps({"role": "guest", "party_id": 9999, "model_id": "m"}))
    made = {"component_name": "lr_0", "model_alias": "model", "converted_model_path": "/x/a.joblib"}
    server.says("model/homo/convert", {"retcode": 0, "retmsg": "converted", "data": [made]})
    done = flow("model", "homo-convert", "-c", str(conf))
    assert done.exit_code == 0
    assert "/x/a.joblib" in done.output
