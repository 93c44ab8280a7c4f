"""Events of the board: order, resume, the fateflow requests that many tabs cost."""

import contextlib
import json
import threading
import time

import httpx
import pytest

from fateboard import live
from fateboard.errors import Refused
from fateboard.live import Hub
from fateboard.pollers import grown, points_of
from fateboard.shapes import FlowState
from fateboard.testing.fake_flow import Clock, FakeFlow
from fateboard.testing.scripted_jobs import HOSTILE, LIVE
from tests.board_site import build, client, served

TOPIC = f"job:{LIVE}/guest/9999"
ONE = f"/api/v1/jobs/{LIVE}/guest/9999"


class Counting:
    """Tells a number that grows, and after some an end."""

    def __init__(self):
        self.steps = 0
        self.fault = None

    def pause_s(self):
        return 0.01

    def step(self):
        self.steps += 1
        if self.fault:
            raise self.fault
        yield "job", "", self.steps
        yield "ended", "", self.steps


def until(found, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


@pytest.fixture
def hub():
    made = Hub(lambda _name: Counting())
    yield made
    made.close()


def test_events_come_once_and_in_order(hub):
    events = live.stream(hub, ["a"], 0, False, lambda: False)
    numbers = [next(events).number for _ in range(60)]
    assert numbers == sorted(set(numbers))
    events.close()


def test_a_stream_that_broke_off_goes_on_where_it_was(hub):
    with hub.watching(["a"]):
        events = live.stream(hub, ["a"], 0, False, lambda: False)
        seen = [next(events) for _ in range(20)]
        events.close()
        time.sleep(0.1)
        again = live.stream(hub, ["a"], seen[-1].number, True, lambda: False)
        more = [next(again) for _ in range(20)]
        again.close()
    bodies = [event.body for event in [*seen[4:], *more] if event.kind == "job"]
    assert bodies == list(range(bodies[0], bodies[0] + len(bodies)))


def test_one_that_missed_too_much_begins_with_how_things_stand(hub):
    with hub.watching(["a"]):
        until(lambda: hub.last() > 0 and hub.snapshot(["a"], 0))
        first = hub.snapshot(["a"], 0)[0].number
        until(lambda: hub.after(["a"], first) is None, 20)
        again = live.stream(hub, ["a"], first, True, lambda: False)
        assert next(again).kind in ("job", "flow")
        again.close()


class Ending:
    """Ends something at its second step, and goes on in the same state."""

    steps = 0

    def pause_s(self):
        return 0.01

    def step(self):
        self.steps += 1
        if self.steps == 2:
            yield "state", "", "over"
            yield "ended", "", "this"


def test_what_passed_before_is_told_to_nobody_who_comes_later():
    hub = Hub(lambda _name: Ending())
    with hub.watching(["a"]):
        ended = until(lambda: [e for e in hub.after(["a"], 0) or [] if e.kind == "ended"])[0]
        until(lambda: len(hub.snapshot(["a"], 0)) == 2)  # the state, and that fateflow is up
        for since in (0, ended.number):
            events = live.stream(hub, ["a"], since, False, lambda: False)
            kinds = [next(events).kind, next(events).kind]
            threading.Timer(0.2, hub._tell, [hub._topics["a"], "new", "", since]).start()
            assert [*kinds, next(events).kind] == ["flow", "state", "new"]
            hub._topics["a"].state.pop(("new", ""))
            events.close()
    hub.close()


def test_numbers_of_an_earlier_process_are_older():
    before = Hub(lambda _name: Counting()).last()
    time.sleep(0.002)
    assert Hub(lambda _name: Counting()).last() > before


def test_pollers_end_when_nobody_watches(hub, monkeypatch):
    monkeypatch.setattr(live, "LINGER_S", 0.05)
    with hub.watching(["a"]):
        until(lambda: hub.poller("a"))
    until(lambda: hub.poller("a") is None)
    until(lambda: "poll a" not in [thread.name for thread in threading.enumerate()])


def test_viewers_share_one_poller(hub):
    with hub.watching(["a"]), hub.watching(["a"]):
        first = hub.poller("a")
        with hub.watching(["a"]):
            assert hub.poller("a") is first


def test_a_fateflow_that_is_down_is_told_once_and_again_when_up(hub):
    with hub.watching(["a"]):
        poller = until(lambda: hub.poller("a"))
        poller.fault = Refused(503, "flow_down", url="http://x")
        down = until(
            lambda: [
                event
                for event in hub.after(["a"], 0) or []
                if event.kind == "flow" and not event.body.up
            ]
        )
        time.sleep(0.1)
        said = live.told(down[0], lambda code, args: f"{code} {args['url']}")
        assert said.body == FlowState(up=False, problem="flow_down http://x")
        poller.fault = None
        until(lambda: [e for e in hub.snapshot(["a"], 0) if e.kind == "flow" and e.body.up])


def test_streams_and_topics_are_limited(hub, monkeypatch):
    places = [hub.streaming() for _ in range(live.MOST_STREAMS)]
    for place in places:
        place.__enter__()
    with pytest.raises(Refused) as found, hub.streaming():
        pass
    assert found.value.code == "streams_taken"
    for place in places:
        place.__exit__(None, None, None)
    with hub.streaming():
        pass
    monkeypatch.setattr(live, "MOST_TOPICS", 2)
    with pytest.raises(Refused):
        hub.touch(["a", "b", "c"])


def test_points_are_appended_or_replaced():
    old = [(0.0, 1.0), (1.0, 0.5)]
    assert grown(None, old) == (old, True)
    assert grown(old, [*old, (2.0, 0.4)]) == ([(2.0, 0.4)], False)
    assert grown(old, [(0.0, 9.0), (1.0, 0.5), (2.0, 0.1)])[1] is True
    assert points_of([[0, 1], [1, None], [2, "NaN"]]) == [(0.0, 1.0), (1.0, None), (2.0, None)]
    assert points_of([["auc", 1]]) == []
    assert points_of("x") == []
    assert points_of([[1, 2]] * 3_000) == []


@pytest.mark.parametrize(
    "topics", ["", "nothing", "job:../../x", "job:a/b", "job:a/b/../c", ",".join("abcdefghijk")]
)
def test_topics_that_are_none(tmp_path, topics):
    answer = client(tmp_path, "http://127.0.0.1:9").get(f"/api/v1/events?topics={topics}")
    assert answer.status_code == 400


def test_unknown_jobs_cannot_be_watched(tmp_path):
    flow = FakeFlow().start()
    browser = client(tmp_path, flow)
    for path in ("events", "stream"):
        answer = browser.get(f"/api/v1/{path}?topics=job:{LIVE}/guest/1")
        assert answer.status_code == 404
    flow.stop()


def read_events(browser, query, headers=None, kinds=(), most=200):
    """Events of a stream until one of each kind has come."""
    left, found = set(kinds), []
    with browser.stream("GET", f"/api/v1/stream?{query}", headers=headers or {}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                event = json.loads(line[6:])
                found.append(event)
                left.discard(event["kind"])
            if not left or len(found) >= most:
                return found
    return found


def test_a_whole_job_over_the_wire(tmp_path):
    """Waits, runs eight components with a live loss, ends; polled and streamed alike."""
    clock = Clock(-0.5)
    flow = FakeFlow(clock=clock, step_s=1.0).start()
    made = build(tmp_path, flow)
    with served(made) as browser:
        first = read_events(browser, f"topics={TOPIC}", kinds={"job", "tasks", "waiting"})
        by_kind = {event["kind"]: event["body"] for event in first}
        assert by_kind["job"]["status"] == "waiting"
        assert by_kind["waiting"] == "waits for 4 cores"
        clock.advance(7.05)  # in heterolr_0
        job = made.extensions["board"].hub
        job.poke(LIVE)
        last = {"Last-Event-ID": str(first[-1]["number"])}
        found = read_events(browser, f"topics={TOPIC}", last, kinds={"metric", "job"})
        points = next(event["body"] for event in found if event["kind"] == "metric")
        assert points["name"] == "loss"
        assert all(event["number"] > first[-1]["number"] for event in found)
        clock.advance(5)
        job.poke(LIVE)
        polled = until(
            lambda: [
                event
                for event in browser.get(f"/api/v1/events?topics={TOPIC}&since=1").json()["events"]
                if event["kind"] == "job" and event["body"]["status"] == "success"
            ]
        )
        assert polled[0]["body"]["progress"] == 100
    flow.stop()


def test_the_end_of_a_job_is_told_to_the_list(tmp_path):
    clock = Clock(0.5)
    flow = FakeFlow(clock=clock, step_s=1.0).start()
    made = build(tmp_path, flow)
    hub = made.extensions["board"].hub
    with hub.watching(["jobs"]):
        until(
            lambda: [e for e in hub.snapshot(["jobs"], 0) if e.kind == "jobs" and len(e.body) == 3]
        )
        clock.advance(20)
        hub.poke(LIVE)
        ended = until(lambda: [e for e in hub.after(["jobs"], 0) or [] if e.kind == "ended"])
        assert ended[0].body.status == "success"
    hub.close()
    flow.stop()


def tab(browser, over, done):
    """Follows the log, and asks for the job again at every event, as a page may."""
    log, mine = f"{ONE}/logs/partyInfo", []
    with (
        contextlib.suppress(httpx.HTTPError),  # the server is closed under the last tabs
        browser.stream("GET", f"/api/v1/stream?topics={TOPIC},jobs") as answer,
    ):
        seen = browser.get(f"{log}?begin=-50").json()["total"]
        for line in answer.iter_lines():
            if over.is_set():
                break
            event = json.loads(line[6:]) if line.startswith("data: ") else {"kind": ""}
            if event["kind"] == "log" and event["body"]["total"] > seen:
                end = event["body"]["total"]
                got = browser.get(f"{log}?begin={seen + 1}&end={end}").json()["lines"]
                mine += [entry["number"] for entry in got]
                seen = max([seen, *mine[-1:]])
            elif event["kind"] in ("job", "tasks"):
                assert browser.get(ONE).status_code == 200
    done.append(mine)


def test_twenty_tabs_on_a_running_job_cost_five_requests_a_second(tmp_path):
    flow = FakeFlow(clock=Clock(1.0, real=True), step_s=2.0).start()
    over, lines = threading.Event(), []
    with served(build(tmp_path, flow)) as browser:
        tabs = [
            threading.Thread(target=tab, args=(browser, over, lines), daemon=True)
            for _ in range(20)
        ]
        for thread in tabs:
            thread.start()
        time.sleep(2)
        before, begun = flow.total(), time.monotonic()
        time.sleep(5)
        rate = (flow.total() - before) / (time.monotonic() - begun)
        over.set()
        for thread in tabs:
            thread.join(5)
    flow.stop()
    print(f"{rate:.1f} requests a second: {dict(flow.counts)}")  # noqa: T201
    assert rate <= 5.0
    assert len(lines) == 20
    for mine in lines:
        assert len(mine) > 50
        assert mine == list(range(mine[0], mine[0] + len(mine)))


def test_a_tab_that_closes_frees_its_thread(tmp_path):
    flow = FakeFlow().start()
    made = build(tmp_path, flow)
    hub = made.extensions["board"].hub
    with served(made) as browser:
        for _ in range(3):
            read_events(browser, "topics=jobs", kinds={"jobs"})
        until(lambda: hub._streams._value == live.MOST_STREAMS, 5)
    flow.stop()


def test_hostile_jobs_are_watched(tmp_path):
    flow = FakeFlow().start()
    made = build(tmp_path, flow)
    with served(made) as browser:
        found = read_events(browser, f"topics=job:{HOSTILE}/guest/9999", kinds={"job"})
        assert found
    flow.stop()
