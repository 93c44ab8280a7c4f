"""More requests than there is room for: every door refuses with a code, at once, and goes on."""

import asyncio
import json

import grpc
import orjson
import pytest

from federation.fate_serving import inference_pb2 as pb
from serving import grpc_doors, grpc_gate
from serving.access_log import AccessLog
from serving.calls import Answer, RowAnswer
from serving.codes import Code, ServingFault
from serving.grpc_gate import Gate
from serving.http_door import FateDoor
from serving.limits import Limits
from serving.settings import Settings
from tests.unit.serving.test_serving_http_server import ASKED, http, served

MOST = 8


class Held:
    """Answers when it is told to; work_s: in which it holds up the event loop before."""

    def __init__(self, work_s=0.0):
        self.work_s, self.go = work_s, asyncio.Event()
        self.together = self.most_together = 0

    async def answer(self, call, name):
        self.together += 1
        self.most_together = max(self.together, self.most_together)
        until = asyncio.get_running_loop().time() + self.work_s
        while asyncio.get_running_loop().time() < until:
            pass
        await self.go.wait()
        self.together -= 1
        return Answer(rows=[RowAnswer(index=0, data={"score": 0.5})])


def door(tmp_path, inference):
    settings = Settings(home=str(tmp_path))
    made = FateDoor(settings, inference, Limits(MOST), AccessLog(tmp_path), str)
    made.starting = False
    return made


async def answers(port, content, count):
    """Of as many requests, one after the other over one connection, sent without waiting."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(content * count)
        return [await answer(reader) for _ in range(count)]
    finally:
        writer.close()


async def answer(reader):
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
    size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    return head, json.loads(await reader.readexactly(size))


async def all_of(burst, inference):
    """What a burst was answered, all that was refused before anything was let go."""
    waiting = [asyncio.ensure_future(one) for one in burst]
    while sum(one.done() for one in waiting) < len(waiting) - MOST:
        await asyncio.sleep(0.01)
    assert inference.together == MOST
    inference.go.set()
    return await asyncio.gather(*waiting)


def test_of_a_burst_as_many_as_have_room_are_answered_and_the_rest_refused(tmp_path):
    inference = Held()
    made = door(tmp_path, inference)

    async def run():
        async with served(made) as port:
            burst = (answers(port, http(ASKED), 1) for _ in range(300))
            found = await all_of(burst, inference)
            again = await answers(port, http(ASKED), 1)
            return [told[0] for told in found], again

    found, again = asyncio.run(run())
    codes = [told["retcode"] for _, told in found]
    assert codes.count(0) == inference.most_together == MOST
    assert set(codes) == {0, Code.OVERLOAD}
    assert all(b"retry-after: 1" in head for head, told in found if told["retcode"])
    assert again[0][1]["retcode"] == 0
    assert (made.limits.in_flight, made.limits.coming) == (0, 0)
    assert made.limits.refused == 300 - MOST


def test_a_refused_request_leaves_its_connection_as_it_should(tmp_path):
    inference = Held()
    inference.go.set()
    made = door(tmp_path, inference)
    closing = http(ASKED, headers="connection: close\r\n")

    async def run():
        async with served(made) as port:
            made.limits.in_flight = MOST
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(http(b"x" * 100_000))  # its body is dropped
            refused = await answer(reader)
            made.limits.in_flight = 0
            writer.write(http(ASKED))
            taken = await answer(reader)
            made.limits.in_flight = MOST
            writer.write(closing)
            last = await answer(reader)
            end = await asyncio.wait_for(reader.read(), 5)
            made.limits.in_flight = 0
            writer.close()
            return refused[1]["retcode"], taken[1]["retcode"], last, end

    refused, taken, last, end = asyncio.run(run())
    assert (refused, taken, last[1]["retcode"], end) == (Code.OVERLOAD, 0, Code.OVERLOAD, b"")
    assert b"connection: close" in last[0]


def test_thousands_of_requests_in_one_piece_are_answered_in_their_order(tmp_path):
    inference = Held()
    made = door(tmp_path, inference)

    async def run():
        async with served(made) as port:
            made.limits.in_flight = MOST - 1
            piece = asyncio.ensure_future(answers(port, http(ASKED), 3000))
            while not inference.together:
                await asyncio.sleep(0.01)
            made.limits.in_flight += 1  # the others wait behind the first, and find no room then
            inference.go.set()
            found = await piece
            made.limits.in_flight -= MOST
            return [told["retcode"] for _, told in found]

    codes = asyncio.run(run())
    assert codes[0] == 0
    assert codes[1:] == [Code.OVERLOAD] * 2999


@pytest.fixture
def asked_by_grpc(tmp_path):
    """(calls together, inference) -> the codes of the answers, or the names of statuses."""

    def asked(count, inference):
        return asyncio.run(_asked(tmp_path, count, inference))

    return asked


async def _asked(tmp_path, count, inference):
    settings, gate = Settings(home=str(tmp_path)), Gate()
    server = grpc.aio.server(options=grpc_gate.OPTIONS)
    gate.watch()
    service = grpc_doors.inference_service(
        settings, inference, Limits(MOST), AccessLog(tmp_path), gate
    )
    server.add_generic_rpc_handlers((gate, service))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    body = pb.InferenceMessage(body=b'{"serviceId": "a"}').SerializeToString()

    async def one(method):
        try:
            content = await method(body, timeout=30)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return orjson.loads(pb.InferenceMessage.FromString(content).body)["retcode"]

    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        method = channel.unary_unary("/com.webank.ai.fate.api.serving.InferenceService/inference")
        burst = (one(method) for _ in range(count))
        if inference.go.is_set():
            codes = await asyncio.gather(*burst)
        else:
            codes = await all_of(burst, inference)
        again = await one(method)
    await server.stop(0)
    return codes, again


def test_grpc_calls_that_have_no_room_get_a_code_and_none_is_cancelled(asked_by_grpc):
    inference = Held()
    codes, again = asked_by_grpc(600, inference)
    assert set(codes) == {0, Code.OVERLOAD}
    assert codes.count(0) == inference.most_together == MOST
    assert again == 0


def test_refusals_do_not_wait_for_the_work_of_the_calls_before_them(asked_by_grpc):
    """Worked on as they are taken in, none would ever find others at work."""
    inference = Held(work_s=0.005)
    inference.go.set()
    codes, again = asked_by_grpc(400, inference)
    assert set(codes) == {0, Code.OVERLOAD}
    assert again == 0


class Counted(Gate):
    """A gate whose core says that calls are held back."""

    def __init__(self, started):
        super().__init__()
        self.started = started

    def held_back(self):
        return max(self.started - self.arrived - self._gone, 0)


def test_calls_that_were_given_up_in_the_core_hold_nothing_up(monkeypatch):
    monkeypatch.setattr(grpc_gate, "FEW_CALLS", 1)
    monkeypatch.setattr(grpc_gate, "LOOK_CALLS", 1)
    gate = Counted(started=50)  # none of which ever arrives

    async def run():
        await asyncio.wait_for(asyncio.gather(*(gate.turn(None) for _ in range(20))), 5)
        assert gate.held_back() == 0
        await asyncio.wait_for(gate.turn(None), 1)

    asyncio.run(run())


def test_a_call_whose_deadline_is_before_its_turn_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(grpc_gate, "FEW_CALLS", 1)
    monkeypatch.setattr(grpc_gate, "LOOK_CALLS", 1)
    gate = Counted(started=50)
    gate._each_s = 0.01

    async def run():
        waiting = [asyncio.ensure_future(gate.turn(None)) for _ in range(30)]
        await asyncio.sleep(0)
        with pytest.raises(ServingFault, match="deadline") as caught:
            await gate.turn(0.1)
        assert caught.value.code == Code.OVERLOAD
        await asyncio.wait_for(asyncio.gather(gate.turn(5.0), *waiting), 5)

    asyncio.run(run())
