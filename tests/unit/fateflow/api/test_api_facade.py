"""FATE-Board's REST on the board, with our fateflow behind it: what pages and scripts rely on."""

from __future__ import annotations

import base64
import json

import httpx
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding

from fateboard import accounts, app, rsa_login, settings
from fateboard.flow_client import Flow, FlowRefused, SiteKeys
from fateboard.testing.fake_flow import FakeFlow
from fateboard.testing.scripted_jobs import HOSTILE, NASTY
from fateflow.app import application
from fateflow.store import jobs

PASSWORD = "correct horse"


@pytest.fixture
def flow(web):
    client = Flow(["http://flow"], transport=httpx.WSGITransport(app=web))
    yield client
    client.close()


@pytest.fixture
def made(flow, tmp_path):
    chosen = settings.read({"home": tmp_path / "board"}, environment={})
    return app.build(chosen, flow)


@pytest.fixture
def asked(made):
    """A call of the façade: the envelope, which always comes with HTTP 200."""
    browser = made.test_client()

    def call(path, body=None, method="post"):
        given = {} if body is None else {"json": body}
        reply = getattr(browser, method)(path, **given)
        assert reply.status_code == 200
        assert reply.get_json().keys() == {"code", "msg", "data"}
        return reply.get_json()

    return call


@pytest.fixture
def at(job):
    return {"job_id": job, "role": "guest", "party_id": "9999"}


@pytest.fixture
def status(site, job):
    """Set the job's state at all its parties."""

    def put(value):
        with site.database.write() as session:
            for row in jobs.rows(session, job):
                row.status = value

    return put


def test_one_job_and_its_data(asked, job):
    found = asked(f"/job/query/{job}/guest/9999", method="get")["data"]
    shown = found["job"]
    assert (shown["fJobId"], shown["fRole"], shown["fPartyId"]) == (job, "guest", "9999")
    assert (shown["fStatus"], shown["fElapsed"], shown["fProgress"]) == ("success", 7000, 100)
    assert (shown["fCreateTime"], shown["fStartTime"]) == (1_700_000_000_000, 1_700_000_001_000)
    assert (shown["fDsl"], shown["fRuntimeConf"], shown["partners"]) == (None, None, ["10000"])
    assert json.loads(shown["fRoles"]) == {"guest": [9999], "host": [10000]}
    assert found["dataset"]["dataset"]["guest"] == {"9999": {"reader_0": "exp.g"}}


def test_a_host_has_the_guests_for_partners_and_a_time_out_is_a_failure(asked, job, status):
    status("timeout")
    shown = asked(f"/job/query/{job}/host/10000", method="get")["data"]["job"]
    assert (shown["partners"], shown["fStatus"], shown["fIsInitiator"]) == (["9999"], "failed", 0)


@pytest.mark.parametrize(
    ("path", "code"),
    [("/job/query/1/guest/9999", 10006), ("/job/query/a;ls/guest/9999", 10008)],
)
def test_a_job_that_is_none(asked, job, path, code):
    assert asked(path, method="get")["code"] == code


def test_no_job_runs(asked, job):
    assert asked("/job/query/status", method="get")["data"] == []


def test_running_jobs(asked, job, status):
    status("running")
    roles = [row["fRole"] for row in asked("/job/query/status", method="get")["data"]]
    assert sorted(roles) == ["guest", "host"]


def test_a_page_of_the_history(asked, job, status):
    status("timeout")
    body = {"jobId": job[:6], "pageNum": 2, "pageSize": 1, "role": [], "status": ["failed"]}
    data = asked("/job/query/page/new", body)["data"]
    [row] = data.pop("list")
    assert row["job"]["fRole"] == "guest"
    assert row["dataset"]["roles"] == {"guest": [9999], "host": [10000]}
    assert data == {
        "pageNum": 2, "pageSize": 1, "totalRecord": 2, "totalPage": 2, "startIndex": 1,
        "start": 1, "end": 2,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({}, 2),
        ({"partner": "10000"}, 1),
        ({"partyId": 9999}, 1),
        ({"role": ["host"], "orderField": "f_end_time", "orderRule": "asc"}, 1),
        ({"fDescription": "v1.2, a=b"}, 0),
        ({"pageSize": 10**9}, 2),
    ],
)
def test_filters_of_the_history(asked, job, body, count):
    assert asked("/job/query/page/new", body)["data"]["totalRecord"] == count


@pytest.mark.parametrize("body", [{"orderField": "f_dsl"}, {"pageNum": "x"}, {"status": ["no"]}])
def test_a_page_that_cannot_be(asked, job, body):
    assert asked("/job/query/page/new", body)["code"] in (10002, 400)


def test_notes_may_have_any_character(asked, at, job):
    notes = "v1.2, lr=0.1 <b>x</b> 备注"
    assert asked("/job/update", {**at, "notes": notes}, "put")["code"] == 0
    shown = asked(f"/job/query/{job}/guest/9999", method="get")["data"]["job"]
    assert shown["fDescription"] == notes


def test_the_graph_has_the_state_of_each_component(asked, at):
    data = asked("/v1/pipeline/dag/dependencies", at)["data"]
    assert data["component_list"] == [
        {"component_name": "reader_0", "status": "success", "time": 1_700_000_001_000},
        {"component_name": "intersection_0", "status": "success", "time": 1_700_000_001_000},
    ]
    assert data["dependencies"].keys() == {"intersection_0"}


def test_metrics_alone_and_together(asked, at):
    of = {**at, "component_name": "intersection_0"}
    names = asked("/v1/tracking/component/metrics", of)["data"]
    assert names == {"train": ["hetero_lr_0", "loss"]}
    one = {**of, "metric_namespace": "train", "metric_name": "loss"}
    alone = asked("/v1/tracking/component/metric_data", one)["data"]
    assert alone["data"] == [[0, 0.6], [1, 0.5]]
    wanted = {"train": ["loss", "none"], "other": ["x"]}
    body = {**of, "metrics": wanted}
    together = asked("/v1/tracking/component/metric_data/batch", body)["data"]
    assert together["train"]["loss"] == alone
    assert together["train"]["none"]["retmsg"] == together["other"]["x"]["retmsg"] == "no data"


def test_what_a_component_put_out(asked, at):
    of = {**at, "component_name": "intersection_0"}
    parameters = asked("/v1/tracking/component/parameters", of)["data"]
    assert json.loads(parameters)["module"] == "Intersection"
    rows = asked("/v1/tracking/component/output/data", of)["data"]
    assert (rows["retcode"], rows["data"], rows["meta"]["total"]) == (0, [[["a", 1]]], [1])
    assert asked("/v1/tracking/component/output/model", of)["data"]["retmsg"] == "no define_meta"
    command = asked("/job/componentCommand", of)["data"]
    assert command.startswith("flow component output-data -j ")
    assert asked("/job/tracking/job/data_view", at)["data"]["partner"] == {"host": [10000]}


def test_what_can_be_filtered_by_and_who_answers(asked):
    assert set(asked("/job/query/fields")["data"]) == {"status", "role"}
    [info] = asked("/v1/server/fateflow/info", {})["data"].values()
    assert info["version"] == "1.11.4"


def test_orders_that_fateflow_refuses(asked, job):
    assert asked("/job/v1/pipeline/job/stop", {"job_id": "1"})["code"] == 102
    assert asked("/job/v1/rerun", {"job_id": "1", "component_name": "pipeline"})["code"] == 10013
    assert asked("/job/v1/rerun", {"job_id": job, "component_name": "../x"})["code"] == 10008


def test_downloads_are_files_without_what_is_the_guests(made, asked, job):
    of = {"jobId": job, "role": "host", "partyId": "10000"}
    reply = made.test_client().post("/job/download", json={**of, "type": "dsl"})
    assert f"job_dsl_{job}.json" in reply.headers["Content-Disposition"]
    assert reply.get_json()["components"].keys() == {"reader_0", "intersection_0"}
    reply = made.test_client().post("/job/download", json={**of, "type": "runtime"})
    assert f"runtime_config_{job}.json" in reply.headers["Content-Disposition"]
    assert reply.get_json()["role"] == {"host": [10000]}


def test_a_fateflow_that_is_down(tmp_path):
    flow = Flow(["http://127.0.0.1:1"])
    board = app.build(settings.read({"home": tmp_path}, environment={}), flow)
    found = board.test_client().get("/job/query/status").get_json()
    assert found["code"] == 10003
    assert "http://127.0.0.1:1" in found["msg"]


def test_a_site_that_wants_signatures_gets_them_from_its_board(site, job, tmp_path):
    """Keys may come while the board runs."""
    keys = tmp_path / "the_boards_client_keys.json"
    signed = Flow(
        ["http://flow"],
        signer=SiteKeys(keys),
        transport=httpx.WSGITransport(app=application(site)),
    )
    assert signed.data("job/list/job")["count"] == 2
    keys.write_text('{"app_key": "k", "secret_key": "s"}')
    (site.settings.root / "client_keys.json").write_text('{"app_key": "k", "secret_key": "s"}')
    assert signed.data("job/list/job", {"limit": 1})["count"] == 2
    keys.write_text('{"app_key": "k", "secret_key": "other"}')
    with pytest.raises(FlowRefused, match="signature"):
        signed.data("job/list/job")


@pytest.fixture
def closed(made):
    """With an account, so that one has to sign in."""
    folder = made.extensions["board"].settings.folder
    accounts.add(folder, "vera", "viewer", PASSWORD)
    accounts.add(folder, "otto", "operator", PASSWORD)
    return made


def sealed(browser, password):
    key = browser.post("/user/getKey").get_json()["data"]
    public = serialization.load_der_public_key(base64.b64decode(key))
    return base64.b64encode(public.encrypt(password.encode(), padding.PKCS1v15())).decode()


def sign_in(browser, name, password):
    body = {"username": name, "password": password}
    return browser.post("/user/login", json=body).get_json()


def test_the_sign_in_of_its_page(closed, at, job):
    browser = closed.test_client()
    before = browser.get("/job/query/status")
    assert (before.status_code, before.get_json()["code"]) == (200, 10015)
    assert before.get_json()["msg"] == "Please login first!"
    for wrong in (sealed(browser, "wrong"), PASSWORD, "", "?"):
        assert sign_in(browser, "vera", wrong) == {"code": 0, "msg": "success", "data": False}
    assert sign_in(browser, "vera", sealed(browser, PASSWORD))["data"] is True
    assert browser.get("/job/query/status").get_json()["code"] == 0
    assert browser.put("/job/update", json={**at, "notes": "x"}).get_json()["code"] == 10010
    assert browser.post("/user/logout").get_json()["code"] == 0
    assert browser.get("/job/query/status").get_json()["code"] == 10015


def test_guessing_is_slowed_here_too(closed):
    browser = closed.test_client()
    answers = [sign_in(browser, "vera", sealed(browser, "wrong")) for _ in range(6)]
    assert [answer["data"] for answer in answers] == [False] * 5 + [None]
    assert answers[-1]["code"] == 10010


def test_a_password_sealed_before_the_key_changed_is_still_opened(closed, monkeypatch):
    browser = closed.test_client()
    early = sealed(browser, PASSWORD)
    monkeypatch.setattr(rsa_login, "FRESH_S", -1.0)
    browser.post("/user/getKey")
    assert sign_in(browser, "otto", early)["data"] is True


def test_another_site_cannot_give_orders(made, job):
    browser = made.test_client()
    order = {"job_id": job}
    for headers in ({"Origin": "http://evil"}, {"Sec-Fetch-Site": "cross-site"}):
        reply = browser.post("/job/v1/pipeline/job/stop", json=order, headers=headers)
        assert reply.get_json()["code"] == 10010
    text = browser.post("/job/v1/pipeline/job/stop", data=json.dumps(order))
    assert text.get_json()["code"] == 10010


def test_a_share_link_shows_its_job_and_no_list(closed, at, job):
    operator = closed.test_client()
    sign_in(operator, "otto", sealed(operator, PASSWORD))
    link = operator.post("/api/v1/share", json={**at, "days": 1}).get_json()["url"]
    guest = closed.test_client()
    assert guest.get(link.partition("//")[2].partition("/")[2]).status_code == 303

    def code(path, body):
        return guest.post(path, json=body).get_json()["code"]

    assert code("/v1/pipeline/dag/dependencies", at) == 0
    other = {**at, "role": "host", "party_id": "10000"}
    of_other = {**other, "component_name": "intersection_0"}
    assert code("/v1/pipeline/dag/dependencies", other) == 10006
    assert code("/v1/tracking/component/output/data", of_other) == 10006
    download = {"jobId": job, "role": "host", "partyId": "10000", "type": "dsl"}
    assert code("/job/download", download) == 10006
    assert code("/job/query/page/new", {}) == 10006
    assert guest.get("/job/query/status").get_json()["code"] == 10006
    assert guest.get(f"/job/query/{job}/host/10000").get_json()["code"] == 10006
    assert code("/job/v1/pipeline/job/stop", {"job_id": job}) == 10010


@pytest.mark.parametrize(("fault", "code"), [("500", 10003), ("garbage", 10005), ("refuse", 100)])
def test_a_fateflow_that_answers_nonsense(tmp_path, fault, code):
    fake = FakeFlow().start()
    try:
        board = app.build(
            settings.read({"home": tmp_path, "flow_url": fake.url}, environment={})
        ).test_client()
        fake.fault = fault
        assert board.get("/job/query/status").get_json()["code"] == code
    finally:
        fake.stop()


def test_hostile_names_stay_data(tmp_path):
    fake = FakeFlow().start()
    try:
        chosen = settings.read({"home": tmp_path, "flow_url": fake.url}, environment={})
        board = app.build(chosen).test_client()
        of = {"job_id": HOSTILE, "role": "guest", "party_id": "9999"}
        names = board.post("/v1/pipeline/dag/dependencies", json=of).get_json()["data"]
        assert len(names["component_list"]) == 7
        reply = board.post(
            "/v1/tracking/component/output/model", json={**of, "component_name": NASTY}
        )
        assert reply.get_json()["code"] == 10008
        assert reply.mimetype == "application/json"
    finally:
        fake.stop()
