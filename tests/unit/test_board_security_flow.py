"""The board when what it asks or who reads it misbehaves: endless, garbled or slow answers of
fateflow, readers who never finish, text that a spreadsheet would run."""

import json
import threading
import time

import httpx
import pytest

from fateboard import app, downloads, flow_client, report, settings
from fateboard.errors import Refused
from fateboard.flow_client import Flow
from fateboard.live import Hub
from fateboard.testing.fake_flow import FakeFlow
from fateboard.testing.scripted_jobs import BIG
from tests.board_site import client

ROW = {"job_id": "1", "role": "guest", "party_id": "9", "status": "running", "name": "NAME"}
ONE = "/api/v1/jobs/1/guest/9"


def listed(row):
    return json.dumps({"retcode": 0, "data": {"count": 1, "jobs": [row]}})


DEEP = b'{"retcode":0,"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"


class Said:
    """A fateflow that always says ``content``."""

    def __init__(self, content: bytes = b"") -> None:
        self.content: bytes | None = content
        self.asked: list[dict] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(json.loads(request.content))
        return httpx.Response(200, content=self.content, headers={"content-type": "text/plain"})


def browser_on(tmp_path, said):
    flow = Flow(["http://flow"], transport=httpx.MockTransport(said))
    return app.build(settings.read({"home": tmp_path}, environment={}), flow).test_client()


PATHS = ["/api/v1/jobs", ONE, f"{ONE}/dsl", f"{ONE}/disclosure", f"{ONE}/components/a/view"]


@pytest.mark.parametrize("path", PATHS)
def test_half_a_character_in_one_job_costs_no_page(tmp_path, path):
    said = Said(listed(ROW).replace("NAME", "\\ud800\\ud83d\\ude00").encode())
    answer = browser_on(tmp_path, said).get(path)
    assert answer.status_code in (200, 404), answer.get_json()
    answer.data.decode()


def test_whole_characters_stay_beside_half_ones(tmp_path):
    said = Said(listed(ROW).replace("NAME", "\\ud800 \\ud83d\\ude00 é").encode())
    assert browser_on(tmp_path, said).get("/api/v1/jobs").get_json()["jobs"][0]["name"] == "? 😀 é"


@pytest.mark.parametrize("path", PATHS)
def test_an_answer_nested_too_deeply_is_no_fateflow(tmp_path, path):
    answer = browser_on(tmp_path, Said(DEEP)).get(path)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (502, "flow_garbled")


def test_an_answer_without_an_end_is_cut(monkeypatch):
    monkeypatch.setattr(flow_client, "LARGEST_REPLY", 1 << 20)
    sent = 0

    class Endless(httpx.SyncByteStream):
        def __iter__(self):
            nonlocal sent
            while True:
                sent += 1 << 16
                yield b" " * (1 << 16)

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Endless()))
    with pytest.raises(Refused) as refused:
        Flow(["http://flow"], transport=transport).data("job/list/job")
    assert (refused.value.status, refused.value.code) == (502, "flow_too_much")
    assert sent < 4 << 20


def test_an_answer_that_drips_is_cut(monkeypatch):
    monkeypatch.setattr(flow_client, "LONGEST_REPLY_S", 0.2)

    class Dripping(httpx.SyncByteStream):
        def __iter__(self):
            while True:
                time.sleep(0.02)
                yield b" "

    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Dripping()))
    begun = time.monotonic()
    with pytest.raises(Refused, match="flow_too_much"):
        Flow(["http://flow"], transport=transport).data("job/list/job")
    assert time.monotonic() - begun < 5


def test_a_poller_outlives_what_nobody_foresaw(monkeypatch):
    """Without its thread a topic would be asked no more, and never be forgotten."""
    monkeypatch.setattr("fateboard.live.LONGEST_PAUSE_S", 0.05)

    class Odd:
        steps = 0

        def step(self):
            self.steps += 1
            if self.steps < 3:
                raise TypeError("odd")
            yield "jobs", "", []

        def pause_s(self):
            return 0.05

    hub = Hub(lambda _: Odd())
    try:
        with hub.watching(["jobs"]):
            assert [e.kind for e in hub.wait(["jobs"], 0, 10)][:1] == ["jobs"]
    finally:
        hub.close()


def test_a_part_of_an_id_does_not_make_fateflow_tell_all_jobs(tmp_path):
    said = Said(listed(ROW).encode())
    browser = browser_on(tmp_path, said)
    for path in ("/api/v1/jobs/2/guest/9/dsl", "/api/v1/jobs/2/guest/9", "/job/query/2/guest/9"):
        browser.get(path)
    assert said.asked
    assert all(0 < asked["limit"] <= 1_000 for asked in said.asked)


def test_names_are_checked_before_fateflow_is_asked(tmp_path):
    said = Said(listed(ROW).encode())
    answer = browser_on(tmp_path, said).get("/job/query/%25/guest/9")
    assert answer.get_json()["code"] == 10008
    assert said.asked == []


def test_readers_without_an_account_do_not_make_the_board_ask_and_ask():
    asked = []

    def slow(_):
        asked.append(1)
        time.sleep(0.05)
        return httpx.Response(200, json={"retcode": 0})

    flow = Flow(["http://flow"], transport=httpx.MockTransport(slow))
    told = []
    threads = [threading.Thread(target=lambda: told.append(flow.answers())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [True] * 20
    assert len(asked) <= 2


def test_readers_who_never_finish_do_not_take_the_board(tmp_path, monkeypatch):
    monkeypatch.setattr(downloads, "_PLACES", threading.BoundedSemaphore(2))
    fake = FakeFlow().start()
    try:
        browser = client(tmp_path, fake)
        at = f"/api/v1/jobs/{BIG}/guest/9999"
        raw, packed = f"{at}/logs/partyInfo/raw", f"{at}/components/reader_0/data.tar.gz"
        slow = [browser.get(path, buffered=False) for path in (raw, packed)]
        assert [answer.status_code for answer in slow] == [200, 200]
        for path in (raw, packed, f"{at}/logs.tar.gz"):
            answer = browser.get(path)
            assert (answer.status_code, answer.get_json()["error"]["code"]) == (
                503,
                "downloads_taken",
            )
        assert browser.get(at).status_code == 200
        for answer in slow:
            answer.close()
        assert browser.get(raw).status_code == 200
        assert browser.get(f"{at}/components/no_such/data.tar.gz").status_code == 404
        for _ in range(3):  # a refusal of fateflow gives the place back
            fake.fault = "refuse"
            assert browser.get(packed).status_code == 422
            fake.fault = ""
        assert browser.get(packed).status_code == 200
    finally:
        fake.stop()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x;=1+1", "x;'=1+1"),
        (";=1", ";'=1"),
        ("x\t@SUM(A1)", "x\t'@SUM(A1)"),
        ("x\n=1", "x\n'=1"),
        ("=1;=2", "'=1;'=2"),
        ("a;b", "a;b"),
        ("1;2", "1;2"),
        ("-1.5", "-1.5"),
    ],
)
def test_no_cell_hides_a_formula_from_who_separates_by_semicolon(text, expected):
    assert report.defused(text) == expected
