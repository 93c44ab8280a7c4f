"""The assembled server: errors mapped once, parties and workers let in by their secrets only."""

from __future__ import annotations

import subprocess
import sys

import farm
import msgspec
import pytest
from farm import GUEST, HOST, folders, job, submit, turns

from fateflow import app as apps
from fateflow.settings import Settings
from fateflow.store.database import Database, migrations
from fateflow.store.orm import Base
from fateflow.wire import control as wire
from fateflow.worker import spec

SECRET = "a secret of the site"
JOB = "202401010000000000010"


@pytest.fixture
def host(tmp_path):
    """The host's site of a job that the guest, elsewhere, has made at both."""
    wires = farm.Wires()
    guest = farm.site(tmp_path / "g", party="9999", wires=wires)
    site = farm.site(tmp_path / "h", party="10000", wires=wires)
    submit(guest, farm.chain("a"))
    (site.settings.run / "gateway.secret").write_text(SECRET)
    return site


def ask(site, name, request, source="9999", secret=SECRET):
    body = request if isinstance(request, bytes) else msgspec.json.encode(request)
    headers = {"X-Gateway-Secret": secret, "X-Source-Party": source}
    return (
        apps.application(site).test_client().post(f"/v1/party/{name}", data=body, headers=headers)
    )


def on(kind, role="host", party="10000", **more):
    return kind(job_id=JOB, role=role, party_id=party, **more)


def test_the_initiator_may_give_orders(host):
    told = ask(host, "apply_resource", on(wire.ApplyResource)).json
    assert told == {"retcode": 0, "retmsg": "success", "data": {"granted": True, "reason": ""}}
    log = (host.settings.logs / JOB / "fate_flow_audit.log").read_text()
    assert "party 9999 asked: apply_resource: done" in log


@pytest.mark.parametrize(
    ("name", "request_", "source"),
    [
        ("stop_job", on(wire.StopJob, status="failed"), "10000"),
        ("stop_job", on(wire.StopJob, status="failed"), "66"),
        ("ask_stop", wire.AskStop(job_id=JOB), "66"),
        ("collect_tasks", on(wire.CollectTasks), "66"),
        ("apply_resource", on(wire.ApplyResource, "guest", "9999"), "9999"),
        ("drop_job", wire.DropJob(job_id="../x", role="host", party_id="10000"), "9999"),
        (
            "load_model",
            wire.LoadModel(role="host", party_id="10000", model_id="m", model_version="1"),
            "9999",
        ),
        (
            "task_report",
            on(wire.TaskReport, component="a", version=0, status="success"),
            "9999",
        ),
    ],
)
def test_nobody_else_may_say_this(host, name, request_, source):
    told = ask(host, name, request_, source).json
    assert told["retcode"] == 108
    assert job(host, JOB, "host").status == "waiting"


@pytest.mark.parametrize(
    ("name", "kind"), [("load_model", wire.LoadModel), ("forget_model", wire.ForgetModel)]
)
def test_another_party_gives_and_takes_no_service_id_of_ours(host, name, kind):
    asked = kind(role="host", party_id="10000", model_id="m", model_version="1", service_id="loan")
    told = ask(host, name, asked, "9999").json
    assert told["retcode"] == 108
    assert "own site" in told["retmsg"]


def test_only_the_gateway_may_call(host):
    for secret in ("", "wrong"):
        told = ask(host, "apply_resource", on(wire.ApplyResource), secret=secret).json
        assert told["retcode"] == 108
    (host.settings.run / "gateway.secret").unlink()
    assert ask(host, "apply_resource", on(wire.ApplyResource), secret="").json["retcode"] == 108


def test_a_malformed_or_unknown_call_is_told_in_words(host):
    assert "granted" not in ask(host, "apply_resource", b"{}").text
    assert ask(host, "apply_resource", b"{}").json["retcode"] == 101
    assert ask(host, "format_disk", b"{}").json["retcode"] == 100


def test_a_job_of_somebody_elses_name_is_refused(host):
    made = wire.CreateJob(
        job_id="7",
        role="host",
        party_id="10000",
        position=0,
        initiator_role="guest",
        initiator_party_id="9999",
        roles={"guest": ["9999"], "host": ["10000"]},
        dsl={},
        runtime_conf={},
        runtime_conf_on_party={},
        job_token="t",
        create_time=1,
    )
    assert ask(host, "create_job", made, "66").json["retcode"] == 108
    bad = msgspec.structs.replace(made, job_id="../../etc")
    assert ask(host, "create_job", bad).json["retcode"] == 108
    bad = msgspec.structs.replace(
        made, tasks=[wire.TaskPlan(component="../x", module="Empty", position=0, roles=["host"])]
    )
    assert ask(host, "create_job", bad).json["retcode"] == 101
    again = msgspec.structs.replace(made, job_id=JOB)
    assert "exists already" in ask(host, "create_job", again).json["retmsg"]


def create(**changes):
    made = {
        "job_id": "7",
        "role": "host",
        "party_id": "10000",
        "position": 0,
        "initiator_role": "guest",
        "initiator_party_id": "9999",
        "roles": {"guest": ["9999"], "host": ["10000"]},
        "dsl": {"components": {"a": {"module": "Empty", "output": {"model": ["m"]}}}},
        "runtime_conf": {},
        "runtime_conf_on_party": {},
        "job_token": "t",
        "create_time": 1,
        "tasks": [wire.TaskPlan(component="a", module="Empty", position=0, roles=["host"])],
    }
    return wire.CreateJob(**{**made, **changes})


def test_a_peer_has_no_local_job_run_here_and_no_module_that_is_not_its_roles(host):
    roles = {"guest": ["9999"], "local": ["0"]}
    local = create(role="local", party_id="0", roles=roles)
    assert ask(host, "create_job", local).json["retcode"] == 108
    upload = wire.TaskPlan(component="a", module="Upload", position=0, roles=["host"])
    told = ask(host, "create_job", create(tasks=[upload])).json
    assert told["retcode"] == 108
    assert "a host here runs no module 'Upload'" in told["retmsg"]


def test_a_peer_cannot_join_the_job_of_another_under_a_role_that_is_free(host):
    roles = {"guest": ["66"], "arbiter": ["10000"]}
    joining = create(job_id=JOB, role="arbiter", roles=roles, initiator_party_id="66", tasks=[])
    assert "exists already" in ask(host, "create_job", joining, "66").json["retmsg"]


def test_a_peer_cannot_name_a_model_folder_outside_the_models(host, tmp_path):
    conf = {"job_parameters": {"model_id": "m", "model_version": str(tmp_path / "else")}}
    assert ask(host, "create_job", create(runtime_conf_on_party=conf)).json["retcode"] == 0
    start = wire.StartTask(job_id="7", role="host", party_id="10000", component="a", version=0)
    assert ask(host, "start_task", start).json["data"] == {"status": "failed"}
    assert host.launcher.started == []


def test_a_worker_is_heard_with_its_token_only(tmp_path):
    site = farm.site(tmp_path)
    submit(site, farm.chain("a"), (GUEST, HOST))
    turns(site)
    folder = folders(site)[0]
    task = farm.Farm.task(folder)
    with (farm.Path(folder) / "events.jsonl").open("wb") as file:
        file.write(msgspec.json.encode(spec.Progress(30)) + b"\n")
    client = apps.application(site).test_client()
    path = f"/v1/worker/{JOB}/a/0/{task.role}/{task.party_id}"
    assert client.post(path, headers={"X-Task-Token": "wrong"}).json["retcode"] == 109
    assert client.post(path.replace("/a/", "/b/")).json["retcode"] == 109
    assert client.post(path, headers={"X-Task-Token": task.task_token}).json["retcode"] == 0
    with site.database.read() as session:
        key = (JOB, "a", 0, task.role, task.party_id)
        assert farm.tasks.one(session, key).progress == 30


def test_an_unknown_address_is_answered_as_fate_does(tmp_path):
    client = apps.application(farm.site(tmp_path)).test_client()
    told = client.post("/v1/nothing/here")
    assert (told.status_code, told.json["retcode"]) == (200, 100)
    assert told.json["retmsg"] == "<NotFound '404: Not Found'>"


def test_an_unexpected_error_is_one_line_for_the_client(tmp_path, caplog):
    app = apps.application(farm.site(tmp_path))
    app.add_url_rule("/v1/broken", view_func=lambda: {}["the key"])
    told = app.test_client().get("/v1/broken/").json
    assert told == {"retcode": 100, "retmsg": "internal error: KeyError: 'the key'"}
    assert "Traceback" in caplog.text


def test_the_server_process_loads_no_science():
    code = "import fateflow.app, sys; print([m for m in ('numpy', 'pyarrow', 'pandas', 'grpc',"
    code += " 'federatedml') if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_port_0_is_any_free_one_and_the_home_says_which(tmp_path):
    settings = Settings(home=str(tmp_path), port=0)
    with apps.running(settings) as (site, _):
        assert site.settings.port > 0
        assert (tmp_path / "run/fateflow.port").read_text() == str(site.settings.port)
    assert not (tmp_path / "run/fateflow.pid").exists()


def test_settings_come_from_defaults_file_environment_and_arguments_in_this_order(
    tmp_path, monkeypatch
):
    (tmp_path / "settings.json").write_text('{"port": 1, "party": "5", "cores": 3, "odd": 1}')
    monkeypatch.setenv("DISTAFF_PORT", "2")
    found = apps.read_settings(tmp_path, cores=4, host=None)
    assert (found.port, found.party, found.cores, found.host) == (2, "5", 4, "127.0.0.1")


def test_the_migrations_make_what_the_orm_describes(tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = Database(f"sqlite:///{tmp_path / 'x.db'}")
    database.create()
    database.create()
    with database.engine.connect() as connection:
        assert migrations(connection).get_main_option("script_location")
        difference = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    assert difference == [], "run: python -m fateflow.store.migrations 'what changes'"
