"""Floods at every door of real servings: codes for all, memory that stays, and soon all is well."""

import asyncio
import json
import signal
import time
from pathlib import Path

import grpc
import pytest

from federation.fate_serving import inference_pb2, proxy_pb2
from tests.e2e import made_servings
from tests.e2e.made_servings import asked, key
from tests.e2e.servings import post

pytestmark = pytest.mark.timeout(200)

CONNECTIONS, CALLS = 1000, 2000
"""gRPC's core alone would drop some of so many calls."""
ROOM = 32
GROWTH_MB = 100


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    options = {"in_flight": ROOM}
    guest, host = made_servings.pair(tmp_path_factory.mktemp("flooded"), options, options)
    made_servings.start(host, guest)
    for serving in (host, guest):
        made_servings.load(serving)
    made_servings.bind(guest, "1")
    yield guest, host
    for serving in (guest, host):
        serving.stop(signal.SIGKILL)


def memory_mb(serving):
    """What a process holds."""
    text = Path(f"/proc/{serving.process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


async def by_http(serving, path, bodies):
    """Codes of as many requests as bodies, each over a connection of its own, sent together."""
    opened = [await asyncio.open_connection("127.0.0.1", serving.http) for _ in bodies]

    async def one(reader, writer, body):
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        told = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        size = int(told.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        answer = json.loads(await reader.readexactly(size))
        writer.close()
        return int(told.split()[1]), answer.get("retcode", 0)

    streams = zip(opened, bodies, strict=True)
    return await asyncio.gather(*(one(*stream, body) for stream, body in streams))


async def by_grpc(port, method, contents, code):
    """Codes of as many calls as contents, made together over some channels."""
    alone = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=alone) for _ in range(16)]

    async def one(i, content):
        try:
            return 200, code(await channels[i % 16].unary_unary(method)(content, timeout=30))
        except grpc.aio.AioRpcError as error:
            return error.code().name, None

    found = await asyncio.gather(*(one(i, content) for i, content in enumerate(contents)))
    for channel in channels:
        await channel.close()
    return found


def rest(guest, host, count):
    bodies = [json.dumps(asked(i)).encode() for i in range(count)]
    return by_http(guest, "/federation/v1/inference", bodies)


def open_protocol(guest, host, count):
    def body(i):
        features = asked(i)["body"]["featureData"]
        inputs = [
            {"name": name, "shape": [1], "datatype": "FP64", "data": [value]}
            for name, value in features.items()
        ]
        ids = {"name": "remote.id", "shape": [1], "datatype": "BYTES", "data": [str(i % 500)]}
        return json.dumps({"inputs": [*inputs, ids]}).encode()

    return by_http(guest, "/v2/models/lr/infer", [body(i) for i in range(count)])


def inference_service(guest, host, count):
    message = inference_pb2.InferenceMessage

    def content(i):
        flat = {**asked(i)["head"], **asked(i)["body"]}
        return message(body=json.dumps(flat).encode()).SerializeToString()

    return by_grpc(
        guest.grpc,
        "/com.webank.ai.fate.api.serving.InferenceService/inference",
        [content(i) for i in range(count)],
        lambda told: json.loads(message.FromString(told).body)["retcode"],
    )


def another_party(guest, host, count):
    named = key("host", "1")
    model = proxy_pb2.Model(namespace=named["namespace"], tableName=named["version"])
    packet = proxy_pb2.Packet(
        header=proxy_pb2.Metadata(
            task=proxy_pb2.Task(model=model),
            src=proxy_pb2.Topic(partyId="9999"),
            dst=proxy_pb2.Topic(partyId="10000"),
            command=proxy_pb2.Command(name="federatedInference"),
            operator="216",
        ),
        body=proxy_pb2.Data(value=b'{"caseId": "c", "sendToRemoteFeatureData": {"id": "7"}}'),
    )
    return by_grpc(
        host.party,
        "/com.webank.ai.fate.api.networking.proxy.DataTransferService/unaryCall",
        [packet.SerializeToString()] * count,
        lambda told: json.loads(proxy_pb2.Packet.FromString(told).body.value)["retcode"],
    )


@pytest.mark.parametrize(
    ("flood", "count"),
    [
        (rest, CONNECTIONS),
        (open_protocol, CONNECTIONS),
        (inference_service, CALLS),
        (another_party, CALLS),
    ],
)
def test_thousands_at_once_all_get_codes_and_soon_all_is_well(pair, flood, count):
    guest, host = pair
    before = [memory_mb(serving) for serving in pair]
    found = asyncio.run(flood(guest, host, count))
    refused = 429 if flood is open_protocol else 200
    assert {code for _, code in found} <= {0, 124}
    assert {status for status, code in found if code} <= {refused}
    assert sum(code == 0 for _, code in found) >= ROOM
    after = time.monotonic()
    status, told = post(f"{guest.url}/federation/v1/inference", asked(3))
    assert (status, told["retcode"]) == (200, 0)
    assert time.monotonic() - after < 2
    for serving, held in zip(pair, before, strict=True):
        assert memory_mb(serving) < held + GROWTH_MB
