"""The board's API of a site's online inference: what it shows, orders, refuses, and writes down."""

import math

import pytest

from fateboard import serving
from fateboard.testing.fake_flow import FakeFlow
from fateboard.testing.scripted_jobs import BIG
from fateboard.testing.scripted_serving import KNOWN, NEW, OLD, SCORE, named
from tests.board_asked import code
from tests.board_site import build, client, signed_in

AT = "/api/v1/serving"
BIND = {
    "service_id": "tumour",
    "versions": [{**named(OLD), "weight": 900}, {**named(NEW), "weight": 100}],
}
TRIED = {
    "head": {"serviceId": "tumour"},
    "body": {"featureData": {"x0": 0.123456}, "sendToRemoteFeatureData": {"patient": KNOWN}},
}
ORDERS = [
    ("bind", BIND),
    ("rollback", {"service_id": "tumour"}),
    ("rate", {"source": "S_tumour", "rows_per_second": 50}),
    ("try/inference", TRIED),
    ("try/batchInference", {"head": {}, "body": {"batchDataList": [{"index": 0}]}}),
    ("unload", named(NEW)),
    ("unbind", {"service_id": "tumour"}),
]


@pytest.fixture
def flow():
    fake = FakeFlow().start()
    fake.serving.running = True
    yield fake
    fake.stop()


def test_services_models_parties_and_limits_are_shown(tmp_path, flow):
    flow.serving.rates = {"S_tumour": 50.0, "I_inference": 9.0}
    flow.serving.parties["10001"] = False
    told = client(tmp_path, flow).get(AT).get_json()
    assert told["running"] is True
    [service] = told["services"]
    assert [one["share"] for one in service["versions"]] == [1.0]
    assert service["limit"] == 50
    assert service["policy"]["fallback"] == "fail"
    assert len(service["traffic"]) == 60
    assert {second["answered"] for second in service["traffic"]} == {10}
    assert sum(second["failed"] for second in service["traffic"]) == 6
    assert {party["party_id"]: party["up"] for party in told["parties"]} == {
        "10000": True,
        "10001": False,
    }
    assert len(told["models"]) == 4
    assert told["models"][0]["columns"] == ["x0", "x1"]
    assert [limit["source"] for limit in told["limits"]] == ["I_inference", "S_tumour"]


def test_a_site_without_a_serving_says_so(tmp_path, flow):
    flow.serving.running = False
    browser = client(tmp_path, flow)
    assert browser.get(AT).get_json()["running"] is False
    assert browser.get("/api/v1/server").get_json()["serving"] is False


def test_a_fateflow_that_knows_no_serving_runs_none(tmp_path, flow):
    flow.fault = "refuse"
    assert client(tmp_path, flow).get(AT).get_json()["running"] is False


def test_a_serving_that_is_down_is_told_in_words(tmp_path, flow):
    flow.serving.down = True
    answer = client(tmp_path, flow).get(AT)
    assert code(answer) == (422, "flow_refused")
    assert "distaff status" in answer.get_json()["error"]["message"]


def test_canary_rollback_limit_and_unloading(tmp_path, flow):
    browser = client(tmp_path, flow)
    bound = browser.post(f"{AT}/bind", json=BIND).get_json()["services"][0]
    assert [one["share"] for one in bound["versions"]] == [0.9, 0.1]
    assert bound["previous"] == [OLD]
    back = browser.post(f"{AT}/rollback", json={"service_id": "tumour"}).get_json()["services"][0]
    assert [one["version"] for one in back["versions"]] == [OLD]
    limit = {"source": "S_tumour", "rows_per_second": 5}
    assert browser.post(f"{AT}/rate", json=limit).get_json()["services"][0]["limit"] == 5
    lifted = browser.post(f"{AT}/rate", json={**limit, "rows_per_second": 0}).get_json()
    assert lifted["services"][0]["limit"] is None
    left = browser.post(f"{AT}/unload", json=named(OLD)).get_json()
    assert left["services"] == []
    assert len(left["models"]) == 3


def test_a_refused_order_changes_nothing_and_says_why(tmp_path, flow):
    flow.serving.refusal = "self-test: other scores; the old binding stays"
    browser = client(tmp_path, flow)
    answer = browser.post(f"{AT}/bind", json=BIND)
    assert code(answer) == (422, "flow_refused")
    assert "the old binding stays" in answer.get_json()["error"]["message"]
    assert not (tmp_path / "board" / "audit.log").exists()


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("bind", {**BIND, "versions": []}),
        ("bind", {**BIND, "versions": [{**named(OLD), "weight": 0}]}),
        ("bind", {**BIND, "versions": [{**named(OLD), "weight": 1.5}]}),
        ("bind", {**BIND, "versions": [{**named(OLD), "weight": 1}] * 21}),
        ("bind", {**BIND, "policy": {"fallback": "guess"}}),
        ("bind", {**BIND, "service_id": "x" * 10_000}),
        ("rate", {"source": "S_tumour", "rows_per_second": -1}),
        ("rate", {"source": "S_tumour", "rows_per_second": 1e12}),
        ("rollback", {}),
        ("unload", {"namespace": 1, "version": "2"}),
        ("try/inference", []),
    ],
)
def test_wrong_orders_do_not_reach_the_serving(tmp_path, flow, what, body):
    assert client(tmp_path, flow).post(f"{AT}/{what}", json=body).status_code == 400
    assert flow.serving.orders == []


def test_a_request_is_tried_and_answered_whole(tmp_path, flow):
    browser = client(tmp_path, flow)
    told = browser.post(f"{AT}/try/inference", json=TRIED).get_json()
    assert told["answer"]["data"]["score"] == SCORE
    assert told["elapsed_ms"] > 0
    unknown = {**TRIED, "body": {**TRIED["body"], "sendToRemoteFeatureData": {"patient": "x"}}}
    failed = browser.post(f"{AT}/try/inference", json=unknown)
    assert failed.status_code == 200
    assert failed.get_json()["answer"]["retcode"] == 2113
    assert flow.serving.orders[0] == ("try/inference", TRIED)


@pytest.mark.parametrize(("what", "body"), ORDERS)
def test_only_operators_change_and_try(tmp_path, flow, what, body):
    made = build(tmp_path, flow)
    viewer = signed_in(made, "vera", "viewer")
    operator = signed_in(made, "otto", "operator")
    assert code(made.test_client().post(f"{AT}/{what}", json=body)) == (401, "sign_in")
    assert code(viewer.post(f"{AT}/{what}", json=body)) == (403, "not_allowed")
    evil = {"Origin": "http://evil.example"}
    refused = operator.post(f"{AT}/{what}", json=body, headers=evil)
    assert code(refused) == (403, "wrong_origin")
    assert flow.serving.orders == []
    assert operator.post(f"{AT}/{what}", json=body).status_code == 200
    assert viewer.get(AT).status_code == 200
    assert code(made.test_client().get(AT)) == (401, "sign_in")


def test_a_share_link_sees_no_serving(tmp_path, flow):
    made = build(tmp_path, flow)
    operator = signed_in(made, "otto", "operator")
    body = {"job_id": BIG, "role": "guest", "party_id": "9999", "days": 7}
    url = operator.post("/api/v1/share", json=body).get_json()["url"]
    guest = made.test_client()
    guest.get(url.removeprefix("http://localhost"))
    assert code(guest.get(AT)) == (404, "no_job")
    for what, given in ORDERS:
        assert code(guest.post(f"{AT}/{what}", json=given)) == (403, "not_allowed")
    assert flow.serving.orders == []


def test_orders_are_written_down_without_features(tmp_path, flow):
    operator = signed_in(build(tmp_path, flow), "otto", "operator")
    for what, body in ORDERS:
        assert operator.post(f"{AT}/{what}", json=body).status_code == 200
    told = (tmp_path / "board" / "audit.log").read_text()
    acts = ["bound", "rolled back", "limited", "tried a request", "unloaded", "unbound"]
    assert [act for act in acts if f'"act":"{act}"' in told] == acts
    assert f"{OLD} x900, {NEW} x100" in told
    assert "0.123456" not in told
    assert KNOWN not in told


@pytest.mark.parametrize(
    "told",
    [
        {"running": True},
        {"running": True, "services": 3, "models": {}, "parties": [], "rates": [1], "url": 5},
        {
            "running": True,
            "services": [{"versions": [{"weight": "x"}], "policy": 7, "traffic": [1]}],
        },
        {"running": True, "services": [{"versions": [{}], "traffic": [{"rt": math.nan}]}]},
        {"running": True, "models": [{"columns": [1], "loaded_ms": "x", "remotes": [None, {}]}]},
        {"running": "yes"},
    ],
)
def test_nothing_that_is_told_is_trusted(told):
    shown = serving.shown(told, 5)
    assert shown.now_ms == 5
    assert shown.running is (told["running"] is True)
