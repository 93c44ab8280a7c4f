"""Parties that answer or ask what they should not, over real connections of one process."""

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format

from federation.fate_serving import proxy_pb2 as pb
from serving import codes
from serving.calls import Call, Row
from serving.certificates import Certificates
from serving.codes import ServingFault
from serving.measures import Measures
from serving.party_auth import Config, Signer
from serving.peers import Peers
from serving.registry import Loaded, ModelKey, Remote
from serving.routes import Endpoint, Routes
from serving.settings import Settings

KEY = ModelKey("host#10000#m", "1")
REMOTE = Remote("host", "10000", KEY)


class Plan:
    """Of a guest whose models need nothing sent before."""

    is_sealed = False

    def setup(self, host):
        return "", {}


MODEL = Loaded(
    key=ModelKey("guest#9999#m", "1"),
    role="guest",
    party_id="9999",
    plan=Plan(),
    remotes=(REMOTE,),
    loaded_ms=1,
    sha256="",
    tested="",
)


class RouteTable:
    def __init__(self, *endpoints):
        self.routes = Routes({"10000": endpoints})


def guest(table):
    settings = Settings(home="/nowhere", party_ms=1500)
    nobody = Certificates(Path("/nowhere"))
    return Peers(settings, table, nobody, Measures(), Signer(Config(), required=False))


def call(limit_s=2.0):
    row = Row(index=0, features={}, remote={"id": "1"})
    deadline = asyncio.get_running_loop().time() + limit_s
    return Call(case_id="c", service_id="loan", rows=[row], deadline=deadline)


async def host(answer):
    """A gRPC server whose every answer has the body that ``answer`` gives; (server, port)."""

    async def unary(_, __):
        return pb.Packet(body=pb.Data(value=await answer()))

    handler = grpc.unary_unary_rpc_method_handler(
        unary,
        request_deserializer=pb.Packet.FromString,
        response_serializer=pb.Packet.SerializeToString,
    )
    name = "com.webank.ai.fate.api.networking.proxy.DataTransferService"
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(name, {"unaryCall": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port


HOSTILE = [
    b"",
    b"[]",
    b"nothing",
    b"[" * 100_000,
    b'{"retcode": -7}',
    b'{"retcode": 123456789}',
    b'{"retcode": "%s"}' % (b"9" * 5000),
    b'{"retcode": 0, "data": {"retcode": -3}}',
    b'{"retcode": 0, "batchDataList": [{"index": -1}]}',
    b'{"retcode": 0, "batchDataList": [{"index": 0, "retcode": {}}]}',
    b'{"retcode": 0, "data": 3}',
    b'{"x_needs_setup":true}',
]


@pytest.mark.parametrize("body", HOSTILE)
@pytest.mark.parametrize("batching", [True, False])
def test_a_hostile_answer_is_a_code_for_whoever_waits(body, batching):
    async def run():
        async def at_once():
            return body

        server, port = await host(at_once)
        peers = guest(RouteTable(Endpoint("127.0.0.1", port)))
        asked = [call() for _ in range(5)]
        found = await asyncio.gather(
            *(peers.ask(MODEL, REMOTE, one, one.rows, batching=batching) for one in asked),
            return_exceptions=True,
        )
        await peers.close()
        await server.stop(0)
        return found

    for one in asyncio.run(run()):
        code = one.code if isinstance(one, ServingFault) else one.rows[0].code
        assert 0 < code <= int(f"2{codes.LARGEST}")


def test_routes_that_change_cut_no_call_and_leave_no_probe():
    async def run():
        going, slow = asyncio.Event(), asyncio.Event()

        async def late():
            going.set()
            await slow.wait()
            return b'{"retcode": 0, "data": {"lr": {"score": 1}}}'

        server, port = await host(late)
        table = RouteTable(Endpoint("127.0.0.1", port))
        peers = guest(table)
        one = call(5)
        asking = asyncio.ensure_future(peers.ask(MODEL, REMOTE, one, one.rows, batching=False))
        await going.wait()
        old = peers.link("10000")
        table.routes = Routes({"10000": (Endpoint("127.0.0.1", port, url="http://127.0.0.1:1"),)})
        assert peers.link("10000") is not old
        await asyncio.sleep(0.1)
        slow.set()
        found = await asking
        for _ in range(10):  # what fails on the old way later starts no probing
            old.endpoints[0]._failed()
        assert not old.endpoints[0].is_open
        await peers.close()
        await server.stop(0)
        return found

    assert asyncio.run(run()).rows[0].data == {"lr": {"score": 1}}


class Unary(BaseHTTPRequestHandler):
    """``/unary`` of another party."""

    answers: bytes = b""

    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", str(len(self.answers)))
        self.end_headers()
        self.wfile.write(self.answers)

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("answers", ["score", "nonsense", "down"])
def test_a_route_may_be_a_url(answers):
    body = b'{"retcode": 0, "data": {"lr": {"score": 0.5}}}'
    packet = json_format.MessageToJson(pb.Packet(body=pb.Data(value=body))).encode()

    class Handler(Unary):
        pass

    Handler.answers = packet if answers == "score" else b"{}x"
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}/unary"
    if answers == "down":
        server.shutdown()
        server.server_close()

    async def run():
        peers = guest(RouteTable(Endpoint("", 0, url=url)))
        one = call()
        try:
            return await peers.ask(MODEL, REMOTE, one, one.rows, batching=True)
        except ServingFault as fault:
            return fault
        finally:
            await peers.close()

    found = asyncio.run(run())
    if answers != "down":
        server.shutdown()
        server.server_close()
    thread.join(5)
    if answers == "score":
        assert found.rows[0].data == {"lr": {"score": 0.5}}
    else:
        assert found.code == 105
        assert "{}x" not in json.dumps(str(found))
