"""The board and a fateflow that is down, slow, garbled, signed, or one of several."""

import base64
import hashlib
import hmac
import threading
import time

import httpx
import pytest

from fateboard.errors import Refused
from fateboard.flow_client import SHARED_S, Flow, FlowRefused, Signer
from fateboard.testing.fake_flow import FakeFlow
from tests.board_asked import ONE
from tests.board_site import client


@pytest.fixture
def flow():
    fake = FakeFlow().start()
    yield fake
    fake.fault = ""
    fake.stop()


def refusal(call):
    with pytest.raises(Refused) as found:
        call()
    return found.value.status, found.value.code


def test_nobody_listens():
    assert refusal(lambda: Flow(["http://127.0.0.1:9"]).data("info/common")) == (503, "flow_down")


def test_slow(flow):
    flow.fault = "slow"
    asked = Flow([flow.url], read_s=0.2)
    assert refusal(lambda: asked.data("info/common")) == (504, "flow_slow")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("500", (502, "flow_failed")),
        ("garbage", (502, "flow_garbled")),
        ("refuse", (422, "flow_refused")),
    ],
)
def test_answers_that_are_none(flow, fault, expected):
    flow.fault = fault
    assert refusal(lambda: Flow([flow.url]).data("info/common")) == expected


def test_a_faulty_fateflow_is_told_in_words_and_recovered_from(tmp_path, flow):
    browser = client(tmp_path, flow)
    for fault in ("500", "garbage"):
        flow.fault = fault
        browser.application.extensions["board"].flow.forget()
        answer = browser.get(ONE)
        told = answer.get_json()["error"]
        assert answer.status_code == 502
        assert flow.url in told["message"]
        assert told["hint"]
        flow.fault = ""
        browser.application.extensions["board"].flow.forget()
        assert browser.get(ONE).status_code == 200


def test_a_restarted_fateflow_is_found_again(tmp_path, flow):
    browser = client(tmp_path, flow)
    assert browser.get(ONE).status_code == 200
    flow.stop()
    board = browser.application.extensions["board"]
    board.flow.forget()
    down = browser.get(ONE)
    assert down.status_code == 503
    assert "distaff up" in down.get_json()["error"]["hint"]
    server = browser.get("/api/v1/server").get_json()
    assert server["flow_up"] is False
    assert flow.url in server["problem"]
    flow.start()
    board.flow.forget()
    assert browser.get(ONE).status_code == 200


def test_words_are_chinese_for_who_reads_chinese(tmp_path):
    browser = client(tmp_path, "http://127.0.0.1:9")
    english = browser.get(ONE).get_json()["error"]
    headers = {"Accept-Language": "zh-CN,en;q=0.5"}
    chinese = browser.get(ONE, headers=headers).get_json()["error"]
    assert english["code"] == chinese["code"] == "flow_down"
    assert english["message"].startswith("fateflow does not answer")
    assert "无法连接" in chinese["message"]


def test_the_first_url_that_answers_is_used(flow):
    asked = Flow(["http://127.0.0.1:9", flow.url])
    assert asked.data("info/common")["version"] == "1.11.4"
    assert asked.url == flow.url


def test_another_url_takes_over(flow):
    second = FakeFlow().start()
    asked = Flow([flow.url, second.url], connect_s=0.5)
    asked.data("info/common")
    assert asked.url == flow.url
    flow.stop()
    with pytest.raises(Refused):
        asked.data("info/common")
    assert asked.data("info/common")["http_port"] == second.port
    second.stop()
    flow.start()


def test_requests_are_signed_as_fate_signs():
    seen = []

    def answer(request):
        seen.append(request)
        return httpx.Response(200, json={"retcode": 0, "retmsg": "", "data": {}})

    asked = Flow(
        ["http://flow:1"], signer=Signer("key", "secret"), transport=httpx.MockTransport(answer)
    )
    for body in ({"job_id": "1"}, {}):
        asked.data("job/config", body)
    for request, signed in zip(seen, (b'{"job_id":"1"}', b""), strict=True):
        head = [request.headers[name].encode() for name in ("TIMESTAMP", "NONCE", "APP_KEY")]
        message = b"\n".join([*head, b"/v1/job/config", signed, b""])
        right = base64.b64encode(hmac.new(b"secret", message, hashlib.sha1).digest()).decode()
        assert request.headers["SIGNATURE"] == right
    assert seen[0].headers["NONCE"] != seen[1].headers["NONCE"]
    assert "secret" not in repr(asked._signer)


def test_nan_as_python_writes_it_is_read():
    def answer(_request):
        return httpx.Response(200, content=b'{"retcode": 0, "data": [NaN, -Infinity, 1]}')

    asked = Flow(["http://flow:1"], transport=httpx.MockTransport(answer))
    assert asked.data("x") == ["NaN", "-Infinity", 1]


def test_who_asks_the_same_at_once_gets_one_answer(flow):
    asked, found = Flow([flow.url]), []
    threads = [
        threading.Thread(target=lambda: found.append(asked.shared("info/common").data))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert flow.counts["info/common"] == 1
    asked.shared("info/common", {"other": "body"})
    assert flow.counts["info/common"] == 2
    asked.forget()
    asked.shared("info/common")
    assert flow.counts["info/common"] == 3


def test_a_failure_is_shared_and_forgotten(flow):
    asked = Flow([flow.url])
    flow.fault = "refuse"
    for _ in range(2):
        with pytest.raises(FlowRefused):
            asked.shared("info/common", keep_s=30)
    assert flow.counts["info/common"] == 1
    flow.fault = ""
    time.sleep(SHARED_S + 0.1)
    assert asked.shared("info/common", keep_s=30).data
