"""Online inference between two servings: the scores of training, swaps without a gap, hosts that
die, hang and come back, hostile requests."""

import asyncio
import json
import signal
import socket
import threading
import time

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from federation.fate_serving import inference_pb2, proxy_pb2
from serving import load as generator
from tests.e2e import servings
from tests.e2e.servings import Serving, features, get, post, request

pytestmark = pytest.mark.timeout(300)

PARTY_MS = 800
"""Patience with a host, short so that tests of hosts that hang are short."""


@pytest.fixture(scope="module")
def pair(node, world, tmp_path_factory):
    """A guest's and a host's serving with both versions loaded; `lr` is bound to the first."""
    home = tmp_path_factory.mktemp("servings")
    adapter = {"path": str(world["folder"] / "host.csv"), "id": "id"}
    host = Serving(home / "host", "host", adapter="csv", adapter_options=adapter)
    guest = Serving(home / "guest", "guest", party_ms=PARTY_MS, lame_duck_ms=300)
    guest.routes(host.party)
    for serving in (host, guest):
        serving.start()
        for version in world["versions"]:
            serving.load(f"http://127.0.0.1:{node.port}", version)
    assert guest.bind("lr", world["versions"][0])[0] == 200
    yield guest, host
    for serving in (guest, host):
        serving.stop(signal.SIGCONT)
        serving.stop(signal.SIGKILL)


@pytest.fixture
def bound(pair, world):
    """Both servings up and the first version bound, whatever the test before did."""
    guest, host = pair
    for serving in pair:
        if serving.process.poll() is not None:
            serving.start()
    deadline = time.monotonic() + 10
    while (told := guest.bind("lr", world["versions"][0]))[0] != 200:
        assert time.monotonic() < deadline, told
        time.sleep(0.2)
    return guest, host


def known(world):
    return [row_id for row_id in world["scores"][0] if row_id in world["raw"]["guest"]]


def ask(serving, body, call="inference"):
    status, told = post(f"{serving.url}/federation/v1/{call}", body)
    assert status == 200
    return told


def test_scores_are_those_of_training_alone_in_a_batch_and_by_the_open_protocol(bound, world):
    guest, _ = bound
    rows = known(world)
    assert len(rows) > 50
    alone = [
        ask(guest, request("lr", features(world, row_id), row_id))["data"]["score"]
        for row_id in rows
    ]
    expected = [world["scores"][0][row_id] for row_id in rows]
    assert alone == pytest.approx(expected, abs=1e-6)
    items = [
        {
            "index": i,
            "featureData": features(world, row_id),
            "sendToRemoteFeatureData": {"id": row_id},
        }
        for i, row_id in enumerate(rows)
    ]
    body = {"head": {"serviceId": "lr"}, "body": {"batchDataList": items}}
    told = ask(guest, body, "batchInference")
    assert [row["data"]["score"] for row in told["batchDataList"]] == alone
    names = sorted(features(world, rows[0]))
    tensors = [
        {
            "name": name,
            "shape": [len(rows)],
            "datatype": "FP64",
            "data": [features(world, row_id)[name] for row_id in rows],
        }
        for name in names
    ]
    ids = {"name": "remote.id", "shape": [len(rows)], "datatype": "BYTES", "data": rows}
    status, told = post(f"{guest.url}/v2/models/lr/infer", {"inputs": [*tensors, ids]})
    assert status == 200
    by_name = {output["name"]: output["data"] for output in told["outputs"]}
    assert by_name["score"] == alone


def test_training_rows_were_compared_when_the_service_was_bound(bound):
    guest, _ = bound
    assert "scores are those of training" in (guest.home / "log").read_text()


def test_grpc_answers_as_rest_does(bound, world):
    guest, _ = bound
    row_id = known(world)[0]
    asked = request("lr", features(world, row_id), row_id)
    flat = json.dumps({**asked["head"], **asked["body"]}).encode()
    with grpc.insecure_channel(f"127.0.0.1:{guest.grpc}") as channel:
        call = channel.unary_unary(
            "/com.webank.ai.fate.api.serving.InferenceService/inference",
            request_serializer=inference_pb2.InferenceMessage.SerializeToString,
            response_deserializer=inference_pb2.InferenceMessage.FromString,
        )
        told = json.loads(call(inference_pb2.InferenceMessage(body=flat)).body)
    assert told["data"]["score"] == ask(guest, asked)["data"]["score"]


def test_one_bad_row_of_a_batch_costs_only_itself(bound, world):
    guest, _ = bound
    row_id = known(world)[0]
    good = {"featureData": features(world, row_id), "sendToRemoteFeatureData": {"id": row_id}}
    stranger = {**good, "sendToRemoteFeatureData": {"id": "nobody"}}
    words = {**good, "featureData": {**good["featureData"], "x0": "many"}}
    items = [{"index": i, **item} for i, item in enumerate((good, stranger, words, good))]
    body = {"head": {"serviceId": "lr"}, "body": {"batchDataList": items}}
    told = ask(guest, body, "batchInference")
    assert [row["retcode"] for row in told["batchDataList"]] == [0, 2113, 102, 0]
    assert "many" not in json.dumps(told)
    single = ask(guest, request("lr", features(world, row_id), "nobody"))
    assert single["retcode"] == 2113
    assert "score" not in single["data"]


def test_what_is_wrong_is_said_with_fates_codes(bound):
    guest, _ = bound
    assert ask(guest, request("nothing", {}, "1"))["retcode"] == 104
    assert ask(guest, {"head": {}, "body": {}})["retcode"] == 100
    assert ask(guest, b"{")["code"] == 110
    status, told = post(f"{guest.url}/federation/v1/startInferenceJob", {})
    assert (status, told["retcode"]) == (200, 122)
    assert post(f"{guest.url}/v2/models/nothing/infer", {"inputs": []})[0] == 404
    assert get(f"{guest.url}/v1/serving/status")[0] == 401


def test_twenty_swaps_under_load_lose_no_request_and_mix_no_versions(bound, world):
    guest, _ = bound
    rows = known(world)[:20]
    bodies = [json.dumps({**request("lr", features(world, r), r)}).encode() for r in rows]
    exact = {}
    for version, scores in zip(world["versions"], world["scores"], strict=True):
        exact.update({(version, round(scores[r], 9)): r for r in rows})
    swaps = []

    def swap():
        for i in range(20):
            swaps.append(guest.bind("lr", world["versions"][(i + 1) % 2])[0])
            time.sleep(0.1)

    swapping = threading.Thread(target=swap)
    swapping.start()
    outcome = asyncio.run(
        generator.run(f"{guest.url}/federation/v1/inference", bodies, 60, 4, keep_answers=True)
    )
    swapping.join()
    assert swaps == [200] * 20
    assert outcome.codes == {"0": 240}
    seen = {answer["data"]["modelVersion"] for answer in outcome.answers}
    assert seen == set(world["versions"])
    for answer in outcome.answers:
        assert (answer["data"]["modelVersion"], round(answer["data"]["score"], 9)) in exact


def test_rollback_canary_and_what_cannot_be_bound(bound, world):
    guest, _ = bound
    first, second = world["versions"]
    assert guest.bind("lr", second)[0] == 200
    assert guest.manage("rollback", service_id="lr")[1]["versions"][0]["version"] == first
    assert guest.bind("canary", first, second)[0] == 200
    row_id = known(world)[0]
    asked = request("canary", features(world, row_id), row_id)
    seen = set()
    for i in range(30):
        asked["head"]["applyId"] = f"applicant-{i}"
        seen.add(ask(guest, asked)["data"]["modelVersion"])
    assert seen == {first, second}
    assert guest.manage("unbind", service_id="canary")[0] == 200
    status, told = guest.bind("lr", "20260101")
    assert status == 404
    assert "load it first" in told["error"]


def test_a_version_that_the_host_lacks_is_not_bound_and_the_old_one_answers_on(bound, world, node):
    guest, host = bound
    second = world["versions"][1]
    assert host.manage("unload", **servings.key("host", second))[0] == 200
    status, told = guest.bind("lr", second)
    assert status == 409
    assert "load it there first" in told["error"]
    row_id = known(world)[0]
    assert ask(guest, request("lr", features(world, row_id), row_id))["retcode"] == 0
    host.load(f"http://127.0.0.1:{node.port}", second)
    assert guest.bind("lr", second)[0] == 200


def test_a_killed_serving_restores_models_and_bindings(bound, world):
    guest, host = bound
    row_id = known(world)[0]
    asked = request("lr", features(world, row_id), row_id)
    before = ask(guest, asked)["data"]["score"]
    for serving in (guest, host):
        serving.stop(signal.SIGKILL)
        serving.start()
    assert ask(guest, asked)["data"]["score"] == before
    assert len(guest.status()["models"]) == 2


def measured_failures(guest, bodies, during):
    """Requests at 40/s for 6 s while ``during`` happens from second 1 on; (codes, slowest)."""
    thread = threading.Thread(target=lambda: (time.sleep(1), during()))
    thread.start()
    outcome = asyncio.run(generator.run(f"{guest.url}/federation/v1/inference", bodies, 40, 6))
    thread.join()
    return outcome.codes, max(outcome.latencies_s)


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_every_request_is_answered_in_time_while_the_host_is_gone(bound, world, how):
    guest, host = bound
    rows = known(world)[:10]
    bodies = [json.dumps(request("lr", features(world, r), r)).encode() for r in rows]

    def harm():
        if how == "killed":
            host.stop(signal.SIGKILL)
            time.sleep(2)
            host.start()
        else:
            host.pause()
            time.sleep(2)
            host.resume()

    codes, slowest = measured_failures(guest, bodies, harm)
    assert set(codes) <= {"0", "105", "124", "2111"}
    assert sum(codes.values()) == 240
    assert codes["0"] >= 10
    assert slowest < PARTY_MS / 1000 * 1.1 + 0.5
    deadline = time.monotonic() + 2
    while ask(guest, json.loads(bodies[0]))["retcode"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_host_that_swallows_everything_is_given_up_in_time(bound, world):
    guest, host = bound
    with socket.create_server(("127.0.0.1", 0), backlog=64) as hole:
        guest.routes(hole.getsockname()[1])
        time.sleep(6)  # the route table is looked at every five seconds
        row_id = known(world)[0]
        asked = request("lr", features(world, row_id), row_id)
        for _ in range(8):
            started = time.monotonic()
            assert ask(guest, asked)["retcode"] == 105
            assert time.monotonic() - started < PARTY_MS / 1000 * 1.1 + 0.2
        started = time.monotonic()
        told = ask(guest, asked)
        assert time.monotonic() - started < PARTY_MS / 1000 / 2
        assert "breaker" in told["retmsg"]
    guest.routes(host.party)
    deadline = time.monotonic() + 8
    while ask(guest, asked)["retcode"]:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_service_may_do_without_its_host_and_says_so(bound, world):
    guest, host = bound
    version = world["versions"][0]
    policy = {"fallback": "guest_only", "host_constant": 0.0}
    assert guest.bind("alone", version, policy=policy)[0] == 200
    row_id = known(world)[0]
    asked = request("alone", features(world, row_id), row_id)
    assert ask(guest, asked)["flag"] == 0
    host.stop(signal.SIGKILL)
    told = ask(guest, asked)
    assert (told["retcode"], told["flag"], told["data"]["fallback"]) == (0, 1, "guest_only")
    host.start()


def test_counters_are_exact_and_probes_tell_readiness(bound, world):
    guest, host = bound
    row_id = known(world)[0]
    asked = request("lr", features(world, row_id), row_id)

    def counted():
        told = get(f"{guest.url}/metrics")[1]
        return sum(
            float(line.rpartition(" ")[2])
            for line in told.splitlines()
            if line.startswith("serving_requests_total{") and 'service="lr"' in line
        )

    before = counted()
    for _ in range(7):
        ask(guest, asked)
    assert counted() - before == 7
    assert get(f"{guest.url}/v2/health/live")[0] == 200
    assert get(f"{guest.url}/v2/models/lr/ready")[0] == 200
    host.pause()
    time.sleep(1.1)  # what hosts said is remembered for a second
    assert get(f"{guest.url}/v2/models/lr/ready")[0] == 503
    assert get(f"{guest.url}/v2/health/live")[0] == 200
    host.resume()
    log = (guest.home / "serving" / "logs" / "access.log").read_text()
    assert row_id not in log
    assert str(next(iter(features(world, row_id).values()))) not in log


def test_overload_is_refused_at_once_and_passes(bound, world, node, tmp_path):
    guest, _ = bound
    assert guest.manage("rate", source="S_lr", rows_per_second=20)[0] == 200
    row_id = known(world)[0]
    bodies = [json.dumps(request("lr", features(world, row_id), row_id)).encode()]
    url = f"{guest.url}/federation/v1/inference"
    outcome = asyncio.run(generator.run(url, bodies, 100, 2))
    assert set(outcome.codes) == {"0", "124"}
    assert 40 <= outcome.codes["0"] <= 70
    assert guest.manage("rate", source="S_lr", rows_per_second=0)[0] == 200
    assert asyncio.run(generator.run(url, bodies, 50, 1)).codes == {"0": 50}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner),
    max_leaves=8,
)
FLAT = st.dictionaries(
    st.sampled_from(
        ["serviceId", "featureData", "sendToRemoteFeatureData", "batchDataList", "head", "body"]
    ),
    JSON | st.just("lr"),
)
BODIES = st.binary(max_size=40) | FLAT.map(lambda v: json.dumps(v).encode())


async def sent_to(serving, path, bodies):
    """(status line, body) of each, over one connection as long as it lasts."""
    connection = generator.Connection("127.0.0.1", serving.http, path)
    found = [await connection.ask(body) for body in bodies]
    connection.close()
    return found


def test_thousands_of_malformed_requests_get_codes_and_harm_nothing(bound, world):
    guest, host = bound
    count = 0

    @settings(
        max_examples=30,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )
    @given(st.lists(BODIES, min_size=60, max_size=60))
    def fuzz(bodies):
        nonlocal count
        for path in (
            "/federation/v1/inference",
            "/federation/v1/batchInference",
            "/v2/models/lr/infer",
        ):
            for told in map(json.loads, asyncio.run(sent_to(guest, path, bodies))):
                assert isinstance(told.get("retcode"), int) or "outputs" in told
                assert "Traceback" not in json.dumps(told)
                count += 1

    fuzz()
    count += fuzzed_grpc(guest, host)
    assert count > 5000
    row_id = known(world)[0]
    assert ask(guest, request("lr", features(world, row_id), row_id))["retcode"] == 0
    for serving in (guest, host):
        assert "Traceback" not in (serving.home / "log").read_text()


def fuzzed_grpc(guest, host):
    """Bytes that are no messages, and messages with nonsense in them, at both gRPC doors."""
    import random

    random.seed(7)
    doors = [
        (guest.grpc, "/com.webank.ai.fate.api.serving.InferenceService/inference"),
        (host.party, "/com.webank.ai.fate.api.networking.proxy.DataTransferService/unaryCall"),
    ]
    count = 0
    for port, method in doors:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            raw = channel.unary_unary(method)
            for i in range(150):
                body = random.randbytes(i % 60)
                if i % 2:
                    metadata = proxy_pb2.Metadata(
                        command=proxy_pb2.Command(name=random.choice(["batch", "x", ""])),
                        operator=random.choice(["216", "", "x", "9" * 40]),
                    )
                    body = proxy_pb2.Packet(
                        header=metadata, body=proxy_pb2.Data(value=body)
                    ).SerializeToString()
                assert b"Traceback" not in raw(body, timeout=5)
                count += 1
    return count
