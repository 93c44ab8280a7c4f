"""What the board answers about components, logs and files, and of jobs side by side."""

import io
import json
import tarfile

import pytest

from fateboard import disclosure
from fateboard.compare import best, flattened
from fateboard.flow_client import Reply
from fateboard.logs import attempts, level_of
from fateboard.testing.fake_flow import Clock, FakeFlow
from fateboard.testing.scripted_jobs import (
    BIG,
    BIG_COLUMNS,
    BIG_LINES,
    BIG_TREES,
    EARLIER_LINES,
    LIVE,
    NASTY,
    NASTY_NAMES,
)
from tests.board_asked import HOSTILE_ONE, LIVE_ONE, ONE, code
from tests.board_site import client

FOREST = f"{ONE}/components/heterosecureboost_0"


# Components


def test_a_wide_table(browser):
    found = browser.get(f"{ONE}/components/reader_0/data").get_json()
    assert len(found["header"]) == BIG_COLUMNS + 1
    assert (len(found["rows"]), found["total"]) == (100, 569)
    few = browser.get(f"{ONE}/components/reader_0/data?limit=3").get_json()
    assert len(few["rows"]) == 3
    assert code(browser.get(f"{ONE}/components/reader_0/data?table=5")) == (404, "no_table")
    none = browser.get(f"{LIVE_ONE}/components/reader_0/data").get_json()
    assert none["notices"][0]["text"]["code"] == "data.none"


def test_a_forest_of_five_hundred_trees(browser, failed_flow):
    view = browser.get(f"{FOREST}/view").get_json()
    assert f'"index": {BIG_TREES - 1}' in json.dumps(view)
    before = failed_flow.counts["tracking/component/output/model"]
    tree = browser.get(f"{FOREST}/tree/{BIG_TREES - 1}").get_json()
    assert len(tree["nodes"]) == 7
    assert failed_flow.counts["tracking/component/output/model"] == before


def test_unknown_components(browser):
    for path in ("parameters", "view", "data", "data.tar.gz", "model.json", "tree/1"):
        answer = browser.get(f"{ONE}/components/nope_0/{path}")
        assert code(answer) == (404, "no_component")


def test_parameters_and_their_defaults(browser):
    found = browser.get(f"{ONE}/components/reader_0/parameters").get_json()
    assert found == {
        "module": "Reader",
        "parameters": {"need_run": True},
        "defaults": {"need_run": True},
    }


def test_files_are_passed_through(browser):
    data = browser.get(f"{ONE}/components/reader_0/data.tar.gz")
    assert "attachment" in data.headers["Content-Disposition"]
    with tarfile.open(fileobj=io.BytesIO(data.data)) as packed:
        assert packed.getnames() == ["data.csv"]
    assert browser.get(f"{ONE}/logs.tar.gz").data[:2] == b"\x1f\x8b"
    model = browser.get(f"{FOREST}/model.json")
    assert len(model.get_json()["data"]["trees"]) == BIG_TREES
    assert "attachment" in model.headers["Content-Disposition"]


def test_hostile_names_stay_text(browser):
    found = browser.get(HOSTILE_ONE)
    assert found.content_type == "application/json"
    assert found.get_json()["job"]["name"] == NASTY
    for name in ("reader_0",):
        view = browser.get(f"{HOSTILE_ONE}/components/{name}/view")
        assert view.status_code == 200
        assert view.content_type == "application/json"
    assert browser.get(f"{HOSTILE_ONE}/components/{NASTY_NAMES[3]}/view").status_code == 404


# Logs


def test_a_log_of_a_million_lines(browser):
    last = browser.get(f"{ONE}/logs/partyInfo?begin=-50").get_json()
    assert last["total"] == BIG_LINES
    assert [line["number"] for line in last["lines"]] == list(range(BIG_LINES - 49, BIG_LINES + 1))
    middle = browser.get(f"{ONE}/logs/partyInfo?begin=500000&end=500003").get_json()["lines"]
    assert [line["number"] for line in middle] == [500000, 500001, 500002, 500003]
    assert middle[0]["level"] == "ERROR"
    many = browser.get(f"{ONE}/logs/partyInfo?begin=1&end=999999").get_json()["lines"]
    assert len(many) == 2000
    past = browser.get(f"{ONE}/logs/partyInfo?begin=2000000").get_json()
    assert past == {"lines": [], "total": BIG_LINES}


def test_following_loses_no_line_and_repeats_none(tmp_path):
    clock = Clock(0.0)
    flow = FakeFlow(clock=clock, step_s=1.0).start()
    page = client(tmp_path, flow)
    board = page.application.extensions["board"]
    seen = []
    for _ in range(20):
        clock.advance(0.45)
        board.flow.forget()
        begin = seen[-1] + 1 if seen else 1
        found = page.get(f"{LIVE_ONE}/logs/componentInfo?component=reader_0&begin={begin}")
        seen += [line["number"] for line in found.get_json()["lines"]]
    assert seen == list(range(1, 3001))
    flow.stop()


def test_logs_of_earlier_attempts(tmp_path):
    flow = FakeFlow(clock=Clock(100.0), step_s=1.0).start()
    flow.live.rerun("")
    flow.live.rerun("")
    page = client(tmp_path, flow)
    assert page.get(f"{LIVE_ONE}/logs/partyInfo/attempts").get_json() == {"earlier": [0, 1]}
    first = page.get(f"{LIVE_ONE}/logs/partyInfo?begin=1&attempt=0").get_json()
    assert first["total"] == len(first["lines"]) == EARLIER_LINES
    assert first["lines"][0]["text"].endswith("of attempt 0")
    raw = page.get(f"{LIVE_ONE}/logs/partyInfo/raw?attempt=1").get_data(as_text=True)
    assert raw.count("of attempt 1") == EARLIER_LINES
    assert code(page.get(f"{LIVE_ONE}/logs/partyInfo?attempt=-1")) == (400, "number")
    flow.stop()


@pytest.mark.parametrize(
    ("told", "earlier"),
    [(None, []), ("x", []), ([2, 0, 0], [0, 2]), ([-1, True, {}, "1"], [1]), ({"a": 1}, [])],
)
def test_attempts_that_make_no_sense_are_passed_over(told, earlier):
    class Told:
        def shared(self, path, body):
            assert (path, body) == ("log/size", {"job_id": "1"})
            return Reply(data={"size": 3, "attempts": told})

    assert attempts(Told(), {"job_id": "1"}).earlier == earlier


def test_finding_in_logs(browser, failed_flow):
    log = f"{ONE}/logs/partyInfo/find"
    found = browser.get(f"{log}?text=x&regex=1&level=ERROR&from=5000&direction=next").get_json()
    assert found["number"] == 6000
    body = dict(failed_flow.bodies)["log/find"]
    assert (body["text"], body["regex"], body["level"], body["from"]) == ("x", True, "ERROR", 5000)
    assert code(browser.get(f"{log}?direction=up")) == (400, "log_direction")
    assert code(browser.get(f"{log}?level=LOUD")) == (400, "log_level")
    assert code(browser.get(f"{log}?text={'x' * 501}")) == (400, "log_text")


def test_raw_logs_are_text_and_come_in_pieces(browser):
    answer = browser.get(f"{ONE}/logs/partyInfo/raw", buffered=False)
    assert answer.content_type == "text/plain; charset=utf-8"
    pieces = answer.iter_encoded()
    first = next(pieces)
    assert first.count(b"\n") == 5000
    answer.close()
    short = browser.get(f"{HOSTILE_ONE}/logs/partyInfo/raw").get_data(as_text=True)
    assert short.count("\n") == 10


def test_logs_need_a_known_type(browser):
    assert code(browser.get(f"{ONE}/logs/passwd")) == (400, "log_type")
    assert code(browser.get(f"{ONE}/logs/componentInfo")) == (400, "log_component")


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("[INFO] [2026-01-01 00:00:00,000] x", "INFO"),
        ("[ERROR] x", "ERROR"),
        ("WARN x", "WARNING"),
        ("  File x, line 1", ""),
        ("INFORMATION", ""),
        ("", ""),
    ],
)
def test_levels(line, level):
    assert level_of(line) == level


# What left, comparison


def test_disclosure(browser):
    found = browser.get(f"{LIVE_ONE}/disclosure?component=heterolr_0").get_json()
    assert found["by_kind"] == {"out": {"ciphertext": [3, 300]}, "in": {"ciphertext": [3, 300]}}
    assert found["verified"] is True
    assert found["warnings"][0]["text"]["code"] == "disclosure.warned"
    nothing = disclosure.shown({"lines": [7, {"count": "x"}], "verified": "yes"})
    assert nothing.verified is False


def test_comparing(browser):
    jobs = f"{LIVE}:guest:9999,{BIG}:guest:9999,{LIVE}:arbiter:10000"
    found = browser.get(f"/api/v1/compare?jobs={jobs}").get_json()
    kinds = [block["id"] for block in found["blocks"]]
    assert kinds[:3] == ["parameters", "durations", "durations_chart"]
    assert "loss" in kinds
    assert found["notices"][0]["text"]["code"] == "compare.parties"
    assert len(found["jobs"]) == 3


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ("", (400, "compare_count")),
        (f"{BIG}:guest:9999", (400, "compare_count")),
        (f"{BIG}:guest:9999,{BIG}:guest:9999", (400, "compare_count")),
        (",".join(f"{n}:guest:9999" for n in range(11)), (400, "compare_count")),
        ("../x:guest:1,b:guest:2", (400, "compare_job")),
        (f"{BIG}:guest:9999,2020:guest:9999", (404, "no_job")),
    ],
)
def test_what_cannot_be_compared(browser, jobs, expected):
    assert code(browser.get(f"/api/v1/compare?jobs={jobs}")) == expected


def test_the_best_of_a_metric():
    assert best("auc", [0.5, None, 0.9]) == [2]
    assert best("root_mean_squared_error", [0.5, 0.4, 0.4]) == [1, 2]
    assert best("auc", [0.5, 0.5]) == []
    assert best("whatever", [1.0, 2.0]) == []


def test_parameters_are_flattened():
    given = {"a": {"b": 1, "_c": 2}, "d": [1, None], "e": None}
    assert dict(flattened(given)) == {"a.b": 1, "d": "[1,null]", "e": None}
