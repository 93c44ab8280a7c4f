"""Hosts' earlier answers: used again where a service's policy says so, and only so long."""

import asyncio
import gc
from types import SimpleNamespace

import pytest

from serving import scoring
from serving.calls import Call, HostAnswer, Part, Row
from serving.codes import Code, ServingFault
from serving.inference import Inference
from serving.kept_answers import KeptAnswers
from serving.limits import Limits
from serving.measures import Measures
from serving.registry import (
    Binding,
    Loaded,
    ModelKey,
    Policy,
    Registry,
    Remote,
    Share,
    Snapshot,
)

REMOTE = Remote("host", "10000", ModelKey("host#10000#m", "1"))
GONE = ServingFault(Code.NETWORK, "host 10000 remote error : no answer in time")


@pytest.fixture
def clock(monkeypatch):
    """Of what is kept; it stands still."""
    found = SimpleNamespace(now=1000.0)
    monkeypatch.setattr("serving.cache.time", SimpleNamespace(monotonic=lambda: found.now))
    return found


class Plan:
    is_sealed = False

    def read_rows(self, host, data):
        return data

    def merge(self, state, given, problems):
        return Scores(given["10000"], problems)


class Scores:
    def __init__(self, data, problems):
        self.data, self.problems = data, problems

    def row(self, i):
        return {"score": self.data[i]["lr_0"]}


def model(version="1"):
    return Loaded(
        key=ModelKey("guest#9999#m", version),
        role="guest",
        party_id="9999",
        plan=Plan(),
        remotes=(REMOTE,),
        loaded_ms=1,
        sha256="",
        tested="",
    )


class Host:
    """Scores ids by their length; asked: the ids of every call."""

    def __init__(self):
        self.asked, self.fault, self.pause = [], None, asyncio.sleep

    async def ask(self, model, remote, call, rows, *, batching, columns=True):
        self.asked.append([row.remote["id"] for row in rows])
        await self.pause(0)
        if self.fault:
            raise self.fault
        return HostAnswer(rows=[self.part(row.remote["id"]) for row in rows])

    def part(self, given):
        if given == "nobody":
            return Part(code=int(Code.NO_FEATURES), message="no features of this id")
        return Part(data={"lr_0": len(given)})


def call(*ids):
    rows = [Row(index=i, features={}, remote={"id": given}) for i, given in enumerate(ids)]
    return Call(case_id="c", service_id="loan", rows=rows, deadline=1.0)


def kept(host, entries=10):
    return KeptAnswers(host, entries)


FALLBACK, REUSE = Policy(fallback="cache"), Policy(reuse_s=60.0)


def values(answer):
    return [part.code or part.data["lr_0"] for part in answer.rows]


def test_without_a_policy_nothing_is_kept():
    host = Host()
    answers = kept(host)

    async def run():
        loaded = model()
        await answers.ask(loaded, REMOTE, call("a"), Policy())
        host.fault = GONE
        with pytest.raises(ServingFault):
            await answers.ask(loaded, REMOTE, call("a"), Policy(fallback="guest_only"))
        assert len(answers._of) == 0

    asyncio.run(run())


def test_the_last_answer_stands_in_for_a_host_that_is_absent():
    host = Host()
    answers = kept(host)

    async def run():
        loaded = model()
        found = await answers.ask(loaded, REMOTE, call("a", "bb", "nobody"), FALLBACK)
        assert (values(found), found.is_earlier) == ([1, 2, 113], False)
        await answers.ask(loaded, REMOTE, call("a"), FALLBACK)
        assert len(host.asked) == 2  # asked all the same: only what is absent is stood in for
        host.fault = GONE
        found = await answers.ask(loaded, REMOTE, call("bb", "ccc", "nobody"), FALLBACK)
        assert (values(found), found.is_earlier) == ([2, 105, 105], True)
        assert [part.is_ours for part in found.rows] == [False, True, True]
        with pytest.raises(ServingFault, match="no answer in time"):
            await answers.ask(loaded, REMOTE, call("ccc"), FALLBACK)
        with pytest.raises(ServingFault):  # another version has other answers
            await answers.ask(model("2"), REMOTE, call("a"), FALLBACK)
        host.fault = ServingFault(2113, "the host's own refusal is no absence")
        with pytest.raises(ServingFault, match="own refusal"):
            await answers.ask(loaded, REMOTE, call("a"), FALLBACK)

    asyncio.run(run())


def test_an_answer_grows_too_old(clock):
    host = Host()
    answers = kept(host)

    async def run():
        loaded = model()
        await answers.ask(loaded, REMOTE, call("a"), FALLBACK)
        host.fault = GONE
        clock.now += FALLBACK.fallback_s - 1
        assert values(await answers.ask(loaded, REMOTE, call("a"), FALLBACK)) == [1]
        clock.now += 2
        with pytest.raises(ServingFault):
            await answers.ask(loaded, REMOTE, call("a"), FALLBACK)

    asyncio.run(run())


def test_an_answer_is_used_again_and_equal_questions_are_one(clock):
    host = Host()
    answers = kept(host)

    async def run():
        loaded = model()
        host.pause = lambda _: asyncio.sleep(0.02)
        same = [answers.ask(loaded, REMOTE, call("a"), REUSE) for _ in range(20)]
        assert [values(one) for one in await asyncio.gather(*same)] == [[1]] * 20
        assert host.asked == [["a"]]
        found = await answers.ask(loaded, REMOTE, call("bb", "a", "nobody"), REUSE)
        assert values(found) == [2, 1, 113]
        assert host.asked[1:] == [["bb", "nobody"]]
        clock.now += 1.5
        await answers.ask(loaded, REMOTE, call("nobody", "bb"), REUSE)
        assert host.asked[2:] == [["nobody"]]  # what was missing may have come
        clock.now += REUSE.reuse_s
        await answers.ask(loaded, REMOTE, call("a"), REUSE)
        assert host.asked[3:] == [["a"]]
        assert (answers.lookups.hits, answers.lookups.misses) == (19 + 1 + 1, 1 + 2 + 1 + 1)
        host.fault = GONE
        with pytest.raises(ServingFault):
            await answers.ask(loaded, REMOTE, call("new"), REUSE)
        host.fault = None
        assert values(await answers.ask(loaded, REMOTE, call("new"), REUSE)) == [3]

    asyncio.run(run())


def test_what_is_kept_is_bounded_and_goes_with_its_model():
    host = Host()
    answers = kept(host, entries=2)

    async def run():
        loaded = model()
        for given in ("a", "bb", "ccc"):
            await answers.ask(loaded, REMOTE, call(given), REUSE)
        host.asked.clear()
        await answers.ask(loaded, REMOTE, call("bb", "ccc"), REUSE)
        assert host.asked == []
        await answers.ask(loaded, REMOTE, call("a"), REUSE)
        assert host.asked == [["a"]]

    asyncio.run(run())
    gc.collect()
    assert len(answers._of) == 0


def test_an_answer_with_an_earlier_part_says_so_and_rows_keep_their_fault(monkeypatch):
    monkeypatch.setattr(scoring, "local", lambda *_: scoring.Own(None, []))
    host, measures, loaded = Host(), Measures(), model()
    binding = Binding(service_id="loan", shares=(Share(loaded.key),), policy=FALLBACK)
    registry = Registry(Snapshot().with_model(loaded).with_binding(binding))
    inference = Inference(registry, host, Limits(4), measures)

    async def run():
        first = await inference.answer(call("a"), "inference")
        host.fault = GONE
        return first, await inference.answer(call("a", "bb"), "batchInference")

    first, second = asyncio.run(run())
    assert (first.code, first.fallback, first.rows[0].data) == (0, "", {"score": 1})
    assert (second.code, second.fallback) == (0, "cache")
    assert [row.code for row in second.rows] == [0, 105]
    assert second.rows[0].data == {"score": 1}
    assert b'serving_fallbacks_total{kind="cache",service="loan"} 1.0' in measures.exposition()
