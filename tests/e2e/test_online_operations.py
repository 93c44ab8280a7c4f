"""What operators see and do: a host's log and counters, its rates, answers of a host that are used
again, an orderly end under load."""

import json
import signal
import threading
import time
import urllib.error
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e import made_servings
from tests.e2e.made_servings import SERVICE, asked, key
from tests.e2e.servings import get, post

pytestmark = pytest.mark.timeout(200)


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    options = {"lame_duck_ms": 1000, "party_ms": 500, "adapter_ms": 400}
    guest, host = made_servings.pair(tmp_path_factory.mktemp("operated"), options, {})
    made_servings.start(host, guest)
    for serving in (host, guest):
        made_servings.load(serving)
    yield guest, host
    for serving in (guest, host):
        serving.stop(signal.SIGKILL)


@pytest.fixture
def pair(started):
    """Both up, whatever the test before did, and bound anew without a policy."""
    guest, host = started
    made_servings.start(*(serving for serving in started if serving.process.poll() is not None))
    deadline = time.monotonic() + 10
    while get(f"{guest.url}/v2/models/{SERVICE}/ready")[0] == 503:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    made_servings.bind(guest, "1", policy={})
    return guest, host


def ask(guest, row, **head):
    body = asked(row)
    body["head"] |= head
    return post(f"{guest.url}/federation/v1/inference", body)[1]


def lines(serving):
    text = (serving.home / "serving" / "logs" / "access.log").read_text()
    return [json.loads(line) for line in text.splitlines()]


def test_a_host_sees_who_asked_and_limits_how_often(pair):
    guest, host = pair
    before = len(lines(host))  # of the bind
    for row in range(5):
        assert ask(guest, row, caseId=f"case-{row}")["retcode"] == 0
    found = lines(host)[before:]
    assert [(one["party"], one["case"], one["code"]) for one in found] == [
        ("9999", f"case-{row}", 0) for row in range(5)
    ]
    told = get(f"{host.url}/metrics")[1]
    assert 'serving_party_requests_total{code="0",party="9999",version="1"}' in told
    model = key("host", "1")
    source = f"M_{model['version']}_{model['namespace']}"
    assert host.manage("rate", source=source, rows_per_second=2)[0] == 200
    codes = [ask(guest, row)["retcode"] for row in range(8)]
    assert codes[:2] == [0, 0]
    assert 2124 in codes
    assert set(codes) == {0, 2124}
    assert host.manage("rate", source=source, rows_per_second=0)[0] == 200


def test_every_request_of_a_group_is_in_the_hosts_log(pair):
    guest, host = pair
    before = len(lines(host))
    cases = [f"grouped-{i}" for i in range(60)]
    with ThreadPoolExecutor(30) as clients:
        told = list(clients.map(lambda case: ask(guest, 3, caseId=case), cases))
    assert {one["retcode"] for one in told} == {0}
    found = lines(host)[before:]
    assert len(found) < len(cases)
    assert sorted(case for one in found for case in one.get("cases", [one["case"]])) == sorted(
        cases
    )
    assert 'serving_waiting{what="group"} 0.0' in get(f"{guest.url}/metrics")[1]
    assert 'serving_stage_seconds_count{stage="merge"}' in get(f"{guest.url}/metrics")[1]


def lookups(guest, outcome):
    line = f'serving_cache_lookups_total{{cache="answers",outcome="{outcome}"}} '
    return float(get(f"{guest.url}/metrics")[1].partition(line)[2].split()[0])


def test_earlier_answers_stand_in_for_a_host_that_is_gone(pair):
    guest, host = pair
    made_servings.bind(guest, "1", policy={"fallback": "cache"})
    before = ask(guest, 7)
    assert (before["retcode"], before["flag"]) == (0, 0)
    host.stop(signal.SIGKILL)
    told = ask(guest, 7)
    assert (told["retcode"], told["flag"], told["data"]["fallback"]) == (0, 1, "cache")
    assert told["data"]["score"] == before["data"]["score"]
    assert ask(guest, 8)["retcode"] == 105
    made_servings.load(guest)  # anew: answers of before are forgotten
    assert ask(guest, 7)["retcode"] == 105


def test_answers_are_used_again_only_where_the_policy_says_so(pair):
    guest, host = pair
    made_servings.bind(guest, "1")
    scores = [ask(guest, 7)["data"]["score"] for _ in range(3)]
    assert lookups(guest, "hit") == lookups(guest, "miss") == 0
    made_servings.bind(guest, "1", policy={"reuse_s": 60})
    scores += [ask(guest, 7)["data"]["score"] for _ in range(3)]
    assert (lookups(guest, "hit"), lookups(guest, "miss")) == (2, 1)
    assert len(set(scores)) == 1
    host.stop(signal.SIGKILL)
    assert ask(guest, 7)["flag"] == 0  # still as good as asked
    assert ask(guest, 8)["retcode"] == 105
    assert guest.status()["services"][0]["service_id"] == SERVICE


def test_a_serving_that_is_stopped_answers_all_it_took_before_it_was_not_ready(pair):
    guest, _ = pair
    outcomes, done = [], threading.Event()

    def asking():
        while not done.is_set():
            sent = time.monotonic()
            try:
                code = ask(guest, 3)["retcode"]
            except (urllib.error.URLError, ConnectionError) as error:
                code = str(getattr(error, "reason", error))
            outcomes.append((sent, code))
            time.sleep(0.005)

    clients = [threading.Thread(target=asking) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        time.sleep(0.5)
        ended = time.monotonic()
        guest.process.send_signal(signal.SIGTERM)
        while get(f"{guest.url}/v2/health/ready")[0] == 200:
            assert time.monotonic() - ended < 5
        unready = time.monotonic()
        guest.process.wait(10)
        took = time.monotonic() - ended
    finally:
        done.set()
        for client in clients:
            client.join()
    before = [code for sent, code in outcomes if sent < unready]
    lame = [code for sent, code in outcomes if unready <= sent < unready + 0.7]
    assert len(before) > 20
    assert set(before) == set(lame) == {0}  # balancers need a moment to see it
    assert {code for _, code in outcomes if isinstance(code, int)} <= {0, 111}
    assert took < 10
