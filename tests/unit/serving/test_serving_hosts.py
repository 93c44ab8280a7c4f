"""Several hosts, one of which fails; what a bind takes for an answer."""

import asyncio

import pytest

from serving import fate_json, open_protocol, scoring
from serving.calls import Call, HostAnswer, Part, Row
from serving.codes import Code, ServingFault
from serving.inference import Inference
from serving.limits import Limits
from serving.measures import Measures
from serving.model_life import ModelLife
from serving.registry import Binding, Loaded, ModelKey, Registry, Remote, Share, Snapshot
from serving.settings import Settings
from serving.store import Store

KEY = ModelKey("guest#9999#m", "1")


class Plan:
    is_sealed = False


def model(*hosts):
    remotes = tuple(Remote("host", host, ModelKey(f"host#{host}#m", "1")) for host in hosts)
    return Loaded(
        key=KEY,
        role="guest",
        party_id="9999",
        plan=Plan(),
        remotes=remotes,
        loaded_ms=1,
        sha256="",
        tested="",
    )


class Peers:
    """faults: by host; others answer."""

    def __init__(self, **faults):
        self.faults = faults

    async def ask(self, model, remote, call, rows, *, batching):
        return await self.kept_part(model, remote, 0) or HostAnswer(rows=[Part()])

    async def kept_part(self, model, remote, deadline):
        if fault := self.faults.get(f"h{remote.party_id}"):
            raise fault


def answered(monkeypatch, *hosts, **faults):
    monkeypatch.setattr(scoring, "local", lambda *_: scoring.Own(None, []))
    loaded = model(*hosts)
    binding = Binding(service_id="loan", shares=(Share(KEY),))
    registry = Registry(Snapshot().with_model(loaded).with_binding(binding))
    measures = Measures()
    inference = Inference(registry, Peers(**faults), Limits(4), measures)
    call = Call(
        case_id="c",
        service_id="loan",
        rows=[Row(index=0, features={}, remote={})],
        deadline=1.0,
    )
    return asyncio.run(inference.answer(call, "inference"))


def test_each_of_several_hosts_is_told_of_when_one_fails(monkeypatch):
    fault = ServingFault(2104, "host return code 104 host msg :gone")
    found = answered(monkeypatch, "10000", "10001", "10002", h10001=fault)
    assert found.code == 2104
    assert "of 3 hosts failed: 10001" in found.message
    told = fate_json.single_answer(found)
    assert told["data"]["modelVersion"] == "1"
    assert {party: of["retcode"] for party, of in told["data"]["hosts"].items()} == {
        "10000": 0,
        "10001": 2104,
        "10002": 0,
    }
    assert fate_json.batch_answer(found)["data"]["hosts"] == told["data"]["hosts"]
    assert open_protocol.fault_of(found).hosts["10001"]["retcode"] == 2104


def test_of_several_failing_hosts_the_last_ones_code_counts(monkeypatch):
    faults = {"h10000": ServingFault(105, "late"), "h10001": ServingFault(2113, "no id")}
    assert answered(monkeypatch, "10000", "10001", **faults).code == 2113


def test_the_only_hosts_failure_is_told_as_fate_does(monkeypatch):
    found = answered(monkeypatch, "10000", h10000=ServingFault(2113, "no id"))
    assert (found.code, found.message, dict(found.hosts)) == (2113, "no id", {})


@pytest.mark.parametrize(
    ("code", "binds"),
    [(2113, True), (2116, True), (2104, False), (2629, False), (2124, False), (105, False),
     (2110, False)],
)  # fmt: skip
def test_a_bind_needs_a_host_that_has_found_the_model(tmp_path, monkeypatch, code, binds):
    registry = Registry(Snapshot().with_model(model("10000")))
    life = ModelLife(
        Settings(home=str(tmp_path)),
        registry,
        Store(tmp_path),
        Peers(h10000=ServingFault(code, "so")),
        Limits(1),
        Measures(),
    )

    async def run():
        try:
            await life.bind("loan", [Share(KEY)])
        except ServingFault as fault:
            return fault.code
        return 0

    monkeypatch.setattr(scoring, "compared", lambda *_: "")
    assert asyncio.run(run()) == (0 if binds else Code.BIND)
    assert ("loan" in registry.snapshot.services) == binds


def test_binding_the_same_again_leaves_the_way_back(tmp_path):
    other = ModelKey("guest#9999#m", "2")
    snapshot = Snapshot().with_model(model())
    loaded = Loaded(
        key=other,
        role="guest",
        party_id="9999",
        plan=Plan(),
        remotes=(),
        loaded_ms=1,
        sha256="",
        tested="",
    )
    registry = Registry(snapshot.with_model(loaded))
    life = ModelLife(
        Settings(home=str(tmp_path)), registry, Store(tmp_path), Peers(), Limits(1), Measures()
    )

    async def run():
        for key in (KEY, other, other):
            await life.bind("loan", [Share(key)])
        return await life.roll_back("loan")

    assert asyncio.run(run()).shares == (Share(KEY),)


def test_a_binding_whose_model_was_lost_waits_for_it(tmp_path):
    def of(registry):
        return ModelLife(
            Settings(home=str(tmp_path)), registry, Store(tmp_path), Peers(), Limits(1), Measures()
        )

    async def first():
        life = of(Registry(Snapshot().with_model(model())))
        await life.bind("loan", [Share(KEY)])

    async def second():
        life = of(Registry())
        await life.restore()
        assert any("loan" in problem for problem in life.problems)
        await life.set_rate("S_loan", 3)  # what is written in between keeps it
        third = of(Registry(Snapshot().with_model(model())))
        await third.restore()
        return third.registry.snapshot.services

    asyncio.run(first())
    assert asyncio.run(second())["loan"].shares == (Share(KEY),)
