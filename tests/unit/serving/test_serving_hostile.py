"""What comes from other parties, clients and disks may be anything: codes, never a crash."""

import asyncio
import hashlib
import json
import math
import os
from pathlib import Path

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from federation.fate_serving import proxy_pb2 as pb
from serving import codes, fate_json, managers, openapi, packets, routes
from serving import store as stores
from serving.access_log import AccessLog
from serving.adapters import Fetched
from serving.adapters.csv_file import CsvFile
from serving.adapters.sql import _typed
from serving.cache import FeatureCache
from serving.calls import Answer
from serving.codes import Code, ServingFault
from serving.limits import Limits, TokenBucket
from serving.measures import Measures
from serving.registry import Binding, ModelKey, Share

ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
ANSWERS = st.fixed_dictionaries(
    {"retcode": ANY | st.just(0)},
    optional={
        "retmsg": ANY,
        "data": ANY | st.fixed_dictionaries({"retcode": ANY, "a": ANY}),
        "batchDataList": ANY | st.lists(st.fixed_dictionaries({"index": ANY, "retcode": ANY})),
        "x_columns": ANY,
    },
)


@settings(max_examples=40, deadline=None)
@given(ANSWERS, st.integers(1, 3))
def test_whatever_a_host_answers_has_codes_that_can_be_reported(told, count):
    packet = pb.Packet(body=pb.Data(value=orjson.dumps(told)))
    try:
        found = packets.answer(packet, count)
    except ServingFault as fault:
        code = fault.code
    else:
        code = max(row.code for row in found.rows)
        assert len(found.rows) == count
    assert 0 <= code <= codes.LARGEST
    assert str(codes.of_host(code)) == f"2{code}"


@pytest.mark.parametrize("code", ["-5", "9" * 5000, "12345", "1.5", "null", "true", '"9"'])
def test_a_code_that_is_none_is_a_bad_answer(code):
    body = b'{"retcode": %s, "data": {}}' % code.encode()
    packet = pb.Packet(body=pb.Data(value=body))
    with pytest.raises(ServingFault) as caught:
        packets.answer(packet, 1)
    assert caught.value.code in (Code.BAD_ANSWER, 9)


def test_made_up_codes_are_one_label():
    measures = Measures()
    for code in (*range(3000, 3500), 113, 2113, 2605, 2999):
        measures.answered("loan", "1", code, 0.001, 1)
    text = measures.exposition().decode()
    family = next(f for f in text_string_to_metric_families(text) if f.name == "serving_requests")
    seen = {sample.labels["code"] for sample in family.samples if "code" in sample.labels}
    assert seen == {"113", "2113", "2605", "other"}


@pytest.mark.parametrize("rate", [math.nan, math.inf, -math.inf])
def test_a_rate_that_json_cannot_keep_is_refused(rate):
    with pytest.raises(ServingFault, match="must be a number"):
        Limits(1).set_rate("S_loan", rate)


def test_sources_are_of_a_kind_and_of_a_number():
    limits = Limits(1)
    with pytest.raises(ServingFault, match="source must be"):
        limits.set_rate("anything", 1)
    for i in range(1000):
        limits.set_rate(f"S_{i}", 1)
    with pytest.raises(ServingFault, match="limited already"):
        limits.set_rate("S_one_more", 1)
    limits.set_rate("S_3", 2)


def test_slow_rates_and_large_batches_pass_in_their_turn():
    slow = TokenBucket(0.5)
    assert slow.take(1)
    assert not slow.take(1)
    bucket = TokenBucket(10)
    assert bucket.take(300)
    bucket._at -= 20
    assert not bucket.take(1)
    bucket._at -= 10
    assert bucket.take(1)


def test_unfinished_requests_are_held_up_to_a_limit():
    limits = Limits(1)
    with limits.read() as came:
        came(200 << 20)
        with pytest.raises(ServingFault, match="too much"), limits.read() as other:
            other(100 << 20)
    assert limits.reading == 0


A = ModelKey("guest#9999#m", "1")


def test_a_kill_between_the_two_renames_of_a_write_leaves_the_old_model(tmp_path):
    store = stores.Store(tmp_path)
    content = b"{}"
    about = stores.About(
        key=A,
        role="guest",
        party_id="9999",
        remotes=(),
        source="file:x",
        sha256=hashlib.sha256(content).hexdigest(),
    )
    store.put(about, content)
    folder = store._folder(A)
    folder.rename(store.models / f".{folder.name}.old")
    (store.models / f".{folder.name}").mkdir()
    kept, problems = stores.Store(tmp_path).all()
    assert [one.content for one in kept] == [content]
    assert problems == []
    store.put(about, content)


@pytest.mark.parametrize(
    "content", [b"{", b"\xff", b'{"bindings": ' + b"[" * 9000, b'{"rates": {"S_a": null}}']
)
def test_a_damaged_state_is_put_aside_not_written_over(tmp_path, content):
    store = stores.Store(tmp_path)
    store.state_file.write_bytes(content)
    with pytest.raises(stores.Damaged):
        store.state()
    assert "bind the services again" in store.put_aside()
    assert store.state() == stores.State()
    assert store.state_file.with_suffix(".damaged").read_bytes() == content


def test_bindings_that_wait_for_their_models_are_kept(tmp_path):
    store = stores.Store(tmp_path)
    binding = Binding(service_id="loan", shares=(Share(A),))
    store.write_state(stores.State(waiting=[binding]))
    assert store.state().waiting == [binding]


@pytest.mark.parametrize(
    "permission",
    ['"x"', '{"deny": "all"}', '{"allow": [3]}', '{"allow": [{"from": {"coordinator": "1"}}]}',
     '{"deny": [{"from": "1", "to": {"coordinator": "*"}}]}'],
)  # fmt: skip
def test_a_rule_with_a_fault_does_not_become_one_for_everybody(permission):
    with pytest.raises(ValueError, match="permission"):
        routes.parse(f'{{"route_table": {{}}, "permission": {permission}}}')


def test_routes_may_be_urls():
    text = '{"route_table": {"1": {"serving": [{"url": "%s"}]}}}'
    assert routes.parse(text % "https://x/unary").to("1")[0].url == "https://x/unary"
    with pytest.raises(ValueError, match="http://"):
        routes.parse(text % "file:///etc/passwd")


class Context:
    def __init__(self, peer):
        self._peer = peer

    def peer(self):
        return self._peer


@pytest.mark.parametrize(
    ("peer", "networks", "admitted"),
    [
        ("ipv4:127.0.0.1:5000", [], True),
        ("ipv6:%5B::1%5D:5000", [], True),
        ("ipv6:%5B::ffff:127.0.0.1%5D:5000", [], True),
        ("unix:", [], True),
        ("ipv4:10.1.2.3:5000", [], False),
        ("ipv4:10.1.2.3:5000", ["10.0.0.0/8"], True),
        ("ipv6:%5Bfe80::1%25eth0%5D:5000", ["10.0.0.0/8"], False),
    ],
)
def test_models_are_managed_from_this_machine_or_listed_networks(peer, networks, admitted):
    of = managers.Managers(networks)
    if admitted:
        of.admit(Context(peer))
        return
    with pytest.raises(ServingFault) as caught:
        of.admit(Context(peer))
    assert caught.value.code == Code.TOKEN


def test_a_manager_that_is_no_network_is_named():
    with pytest.raises(ValueError, match="managers"):
        managers.Managers(["here"])


def test_what_could_not_be_sent_on_is_refused():
    deep = json.loads("[" * 50 + "]" * 50)
    for name in ("featureData", "sendToRemoteFeatureData"):
        with pytest.raises(ServingFault, match="nested"):
            fate_json.single({"serviceId": "a", name: {"x": deep}}, 1.0)
        items = {"serviceId": "a", "batchDataList": [{"index": 0, name: {"x": deep}}]}
        with pytest.raises(ServingFault, match="nested"):
            fate_json.batch(items, 1.0, 3)


def test_the_case_id_of_a_body_wins_over_the_headers():
    flat = fate_json.flattened(b'{"head": {"serviceId": "a"}, "body": {"caseid": "own"}}', "header")
    assert fate_json.single(flat, 1.0).case_id == "own"


class Slow:
    """Features after a while; calls: how often it was asked."""

    calls = 0

    async def fetch(self, ids, columns):
        self.calls += 1
        await asyncio.sleep(0.05)
        return [Fetched(features={"x": 1}) for _ in ids]

    async def close(self):
        pass


def test_who_gives_up_waiting_takes_no_features_from_others():
    inner = Slow()
    cache = FeatureCache(inner, 10, 60_000, 1000)

    async def run():
        first = asyncio.ensure_future(cache.fetch([{"id": 1}], ["x"]))
        await asyncio.sleep(0.01)
        second = asyncio.ensure_future(cache.fetch([{"id": 1}, {"id": 1}], ["x"]))
        await asyncio.sleep(0.01)
        first.cancel()
        return await second

    rows = asyncio.run(run())
    assert [row.features for row in rows] == [{"x": 1}, {"x": 1}]
    assert inner.calls == 1


def test_a_lookup_that_never_ends_is_nobodys_for_long():
    class Hanging(Slow):
        async def fetch(self, ids, columns):
            await asyncio.sleep(60)

    cache = FeatureCache(Hanging(), 10, 60_000, 50)
    rows = asyncio.run(cache.fetch([{"id": 1}], ["x"]))
    assert rows[0].code == Code.FEATURE
    assert cache._rows._under_way == {}
    assert not cache._rows._values


def test_a_broken_csv_leaves_the_features_in_force(tmp_path):
    path = tmp_path / "host.csv"
    path.write_text("id,x0\na,1\n")
    adapter = CsvFile(str(path))
    path.write_bytes(b"\xff\xfe\xff")
    os.utime(path, ns=(1, 1))
    found = asyncio.run(adapter.fetch([{"id": "a"}], []))
    assert found[0].features == {"x0": "1"}


@pytest.mark.parametrize(
    ("key", "kind", "expected"),
    [(10**30, int, None), ("a\0b", str, None), (math.inf, int, None), ("7", int, 7)],
)  # fmt: skip
def test_ids_that_no_database_takes_cost_no_query(key, kind, expected):
    assert _typed(key, kind) == expected


def test_a_full_disk_costs_lines_of_the_log_not_answers(tmp_path, caplog):
    log = AccessLog(tmp_path)
    log._file.close()
    log._file = Path("/dev/full").open("wb", buffering=0)  # noqa: SIM115
    for _ in range(3):
        log.wrote("inference", None, Answer(rows=[]), "c", 0.1)
    assert log.lost == 3
    assert len(caplog.records) == 1


def test_every_parameter_of_a_path_is_declared():
    told = openapi.document()
    for path, operations in told["paths"].items():
        for operation in operations.values():
            declared = [p["name"] for p in operation.get("parameters", [])]
            assert declared == [part[1:-1] for part in path.split("/") if part.startswith("{")]
            assert operation["responses"]["200"]["description"]
    assert msgspec.json.encode(told)
