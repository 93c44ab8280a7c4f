"""A host that is gone, and answers of it that are used again, between real servings."""

import signal

import pytest

from tests.e2e import made_servings
from tests.e2e.made_servings import SERVICE, asked
from tests.e2e.servings import get, post

pytestmark = pytest.mark.timeout(200)


@pytest.fixture
def pair(tmp_path):
    guest, host = made_servings.pair(tmp_path, {"party_ms": 500, "adapter_ms": 400}, {})
    for serving in (host, guest):
        serving.start()
        made_servings.load(serving)
    yield guest, host
    for serving in (guest, host):
        serving.stop(signal.SIGKILL)


def ask(guest, row):
    return post(f"{guest.url}/federation/v1/inference", asked(row))[1]


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
