"""Clients that are slow, endless, many, or gone: the HTTP doors on a real socket."""

import asyncio
import contextlib
import json
import time

import pytest

from serving import http_door, http_server
from serving.access_log import AccessLog
from serving.calls import Answer, RowAnswer
from serving.codes import Code, ServingFault
from serving.http_door import FateDoor, check_key
from serving.inference import Inference
from serving.limits import Limits
from serving.measures import Measures
from serving.registry import Registry
from serving.settings import Settings


class Scores:
    """Answers every call; what: an error to raise instead."""

    def __init__(self, what=None):
        self.what, self.calls = what, []

    async def answer(self, call, name):
        self.calls.append(call)
        if self.what:
            raise self.what
        return Answer(rows=[RowAnswer(index=0, data={"score": 0.5})])


def door(tmp_path, inference=None, **options):
    made = FateDoor(
        Settings(home=str(tmp_path), **options),
        inference or Scores(),
        Limits(8),
        AccessLog(tmp_path),
        lambda: "token",
    )
    made.starting = False
    return made


@contextlib.asynccontextmanager
async def served(app):
    server = http_server.server(app, "127.0.0.1", 0, 64)
    task = asyncio.ensure_future(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.stop()
        await task


async def sent(port, content, until_closed=False):
    """What comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(content)
        if until_closed:
            return await asyncio.wait_for(reader.read(), 5)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
        size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        return await reader.readexactly(size)
    finally:
        writer.close()


def http(body, method="POST", path="/federation/v1/inference", headers="", length=None):
    length = len(body) if length is None else length
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{headers}\r\n"
    return head.encode() + body


ASKED = b'{"head": {"serviceId": "a"}}'


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_get_and_post_are_answered_and_the_headers_case_id_is_taken(tmp_path, method):
    inference = Scores()

    async def run():
        async with served(door(tmp_path, inference)) as port:
            return await sent(port, http(ASKED, method, headers="caseId: c-9\r\n"))

    assert json.loads(asyncio.run(run()))["data"] == {"score": 0.5}
    assert inference.calls[0].case_id == "c-9"


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("PUT", "/federation/v1/inference", 100),
        ("POST", "/federation/v1/getInferenceResult", 122),
        ("POST", "/federation/inference", 122),
        ("POST", "/federation/v1/x/inference", 122),
    ],
)
def test_other_calls_and_verbs_are_codes(tmp_path, method, path, code):
    async def run():
        async with served(door(tmp_path)) as port:
            return await sent(port, http(ASKED, method, path))

    assert json.loads(asyncio.run(run()))["retcode"] == code


def test_what_nobody_foresaw_is_an_answer_without_its_text(tmp_path):
    async def run():
        async with served(door(tmp_path, Scores(KeyError("secret")))) as port:
            return await sent(port, http(ASKED))

    told = asyncio.run(run())
    assert json.loads(told)["retcode"] == Code.SYSTEM
    assert b"secret" not in told


def test_slow_and_endless_heads_end_and_others_are_answered(tmp_path, monkeypatch):
    monkeypatch.setattr(http_server, "HEAD_S", 0.2)
    monkeypatch.setattr(http_server, "LARGEST_HEAD", 100_000)

    async def endless(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            writer.write(b"GET / HTTP/1.1\r\nx: ")
            for _ in range(100):
                writer.write(b"a" * 10_000)
                await writer.drain()
            await reader.read()
        writer.close()

    async def run():
        async with served(door(tmp_path)) as port:
            started = time.monotonic()
            slow = [
                asyncio.ensure_future(sent(port, b"POST /federation", until_closed=True))
                for _ in range(20)
            ]
            told = await sent(port, http(ASKED))
            await endless(port)
            results = await asyncio.gather(*slow, return_exceptions=True)
            return told, results, time.monotonic() - started

    told, results, seconds = asyncio.run(run())
    assert json.loads(told)["retcode"] == 0
    assert all(one == b"" or isinstance(one, ConnectionError) for one in results)
    assert seconds < 4


def test_a_body_that_does_not_come_is_given_up_and_frees_what_it_held(tmp_path, monkeypatch):
    monkeypatch.setattr(http_door, "BODY_S", 0.2)
    made = door(tmp_path)

    async def run():
        async with served(made) as port:
            return await sent(port, http(ASKED, length=1000))

    assert "did not come" in json.loads(asyncio.run(run()))["retmsg"]
    assert made.limits.reading == 0


def test_more_connections_than_allowed_are_cut(tmp_path, monkeypatch):
    monkeypatch.setattr(http_server, "MOST_CONNECTIONS", 5)

    async def run():
        async with served(door(tmp_path)) as port:
            held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
            with contextlib.suppress(ConnectionError):
                assert await sent(port, http(ASKED), until_closed=True) == b""
            for _, writer in held:
                writer.close()
            await asyncio.sleep(0.1)
            return await sent(port, http(ASKED))

    assert json.loads(asyncio.run(run()))["retcode"] == 0


def test_a_client_that_goes_away_leaves_nothing(tmp_path):
    made = door(tmp_path)

    async def run():
        async with served(made) as port:
            for _ in range(50):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(http(ASKED, length=500))
                await writer.drain()
                writer.close()
            await asyncio.sleep(0.2)
            return len(asyncio.all_tasks())

    assert asyncio.run(run()) < 10
    assert (made.limits.in_flight, made.limits.reading) == (0, 0)


def test_overload_and_restoring_are_told_at_once(tmp_path):
    made = door(tmp_path)

    async def run():
        async with served(made) as port:
            made.limits.in_flight = made.limits.most
            full = await sent(port, http(ASKED))
            made.limits.in_flight, made.starting = 0, True
            return full, await sent(port, http(ASKED))

    full, starting = (json.loads(told) for told in asyncio.run(run()))
    assert full["retcode"] == Code.OVERLOAD
    assert starting["retcode"] == Code.STOPPING


def test_the_key_or_the_admins_token_opens():
    check_key("Bearer k", "k")
    check_key("Bearer token", "k", lambda: "token")
    check_key("", "")
    for given in ("", "Bearer", "Bearer x", "Bearer \xe9"):
        with pytest.raises(ServingFault) as caught:
            check_key(given, "k", lambda: "")
        assert caught.value.code == Code.AUTHENTICATION


def test_an_unknown_service_makes_no_label(tmp_path):
    measures = Measures()
    inference = Inference(Registry(), None, Limits(8), measures)
    made = door(tmp_path, inference)

    async def run():
        async with served(made) as port:
            for i in range(20):
                body = json.dumps({"head": {"serviceId": f"guess-{i}"}}).encode()
                assert json.loads(await sent(port, http(body)))["retcode"] == Code.NO_MODEL

    asyncio.run(run())
    assert b"guess" not in measures.exposition()
