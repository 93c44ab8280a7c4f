"""A gateway killed with SIGKILL and started again loses nothing."""

import asyncio
import contextlib
import hashlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from federation_sites import GUEST_, HOST_, JOB, TOKEN, envelope

from federation import audit, token
from federation.errors import Unreachable
from federation.route import Endpoint
from federation.transport import dial, frames
from federation.transport import gateway_pb2 as pb
from federation.transport.control import GatewayControl
from federation.transport.local import GatewayTransport
from federation.transport.spool import Record
from tests.ports import free_port
from tests.threads import in_thread

PARTIES = [("guest", "9999"), ("host", "10000")]


class Process:
    """A gateway as a process of its own, in plaintext on loopback."""

    def __init__(self, home, party=""):
        self.home, self.port = home, free_port()
        self._arguments = ["--home", str(home), "--port", str(self.port)]
        self._arguments += ["--flow-url", f"http://127.0.0.1:{free_port()}"]
        self._arguments += ["--allow-call", "ask_stop"]
        self._arguments += ["--party", party] if party else []
        self._stack = contextlib.ExitStack()
        self._process = None

    def start(self):
        command = [sys.executable, "-m", "federation.transport.gateway", *self._arguments]
        self._process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        return self.control().status()

    def kill(self):
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait(60)

    def control(self):
        secret = token.site_secret(self.home / "run/gateway.secret")
        control = GatewayControl(self.home / "run/gateway.sock", secret)
        self._stack.callback(control.close)
        return control

    def transport(self):
        path = self.home / "run/gateway.sock"
        return self._stack.enter_context(GatewayTransport(path, TOKEN, idle_timeout_s=20))

    def close(self):
        self._stack.close()
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            assert self._process.wait(60) == 0


@pytest.fixture
def site(tmp_path):
    site = Process(tmp_path)
    site.start()
    site.control().register_job(JOB, TOKEN, PARTIES)
    yield site
    site.close()


@pytest.fixture
def host(tmp_path):
    host = Process(tmp_path, "10000")
    host.start()
    host.control().register_job(JOB, TOKEN, PARTIES)
    yield host
    host.close()


def test_what_was_sent_before_is_received_after_and_a_wait_outlives_it(site):
    guest, host = site.transport(), site.transport()
    small, large = b"small", bytes(2_000_000)
    guest.send(envelope(0), small)
    guest.send(envelope(1), large)
    waiting = in_thread(lambda: host.receive(envelope(2)))
    site.kill()
    sending = in_thread(lambda: guest.send(envelope(2), b"sent while it was away"))
    site.start()
    assert sending() is None
    assert waiting() == b"sent while it was away"
    assert host.receive(envelope(0)) == small
    assert host.receive(envelope(1)) == large
    assert not audit.verify(site.home).problem


def test_what_was_sent_is_known_again_and_what_was_stopped_stays_stopped(site):
    guest = site.transport()
    guest.send(envelope(0), b"x")
    site.kill()
    site.start()
    guest.send(envelope(0), b"x")
    site.control().cancel_job(JOB, "the user asked")
    site.kill()
    site.start()
    with pytest.raises(Exception, match="the user asked"):
        guest.send(envelope(1), b"x")


def test_a_call_made_while_the_own_gateway_restarts_waits_for_it(site):
    control = site.control()
    with pytest.raises(Unreachable, match="its fateflow"):
        control.call("10000", "ask_stop", b"{}")
    site.kill()
    calling = in_thread(lambda: control.call("10000", "ask_stop", b"{}"))
    site.start()
    assert "its fateflow" in str(calling())


def test_a_second_gateway_on_one_home_does_not_start(site):
    command = [sys.executable, "-m", "federation.transport.gateway", "--home", str(site.home)]
    second = subprocess.run([*command, "--port", "0"], capture_output=True, text=True, check=False)
    assert second.returncode == 1
    assert "another gateway answers" in second.stderr


async def speak(port, found, offset_of_first, payload, until):
    """Open a message, send chunks until the condition on a reply holds; the last reply."""
    endpoint = Endpoint("127.0.0.1", port)
    way = dial.channel(endpoint, "10000", None, dial.Reached(b"", 0.0))
    try:
        stream = await dial.greet(way, "there", "9999", "10000")
        await stream.write(pb.Frame(open=frames.open_message(7, found)))
        offset = (await stream.read()).ack.offset
        assert offset_of_first(offset)
        for start in range(offset, len(payload), frames.CHUNK):
            await stream.write(frames.chunk(7, start, payload[start : start + frames.CHUNK]))
            if start + frames.CHUNK >= until:
                break
        return (await stream.read()).ack
    finally:
        await way.close(None)


def test_a_transfer_goes_on_at_the_acknowledged_offset_after_sigkill(host):
    payload = np.random.default_rng(0).bytes(24 << 20)
    digest = hashlib.sha256(payload).digest()
    mac = token.message_mac(TOKEN, envelope(), digest)
    found = Record(envelope(), len(payload), digest, mac)
    ack = asyncio.run(speak(host.port, found, lambda o: o == 0, payload, until=16 << 20))
    assert (ack.state, ack.offset) == (pb.Ack.MORE, 16 << 20)
    host.kill()
    host.start()
    ack = asyncio.run(speak(host.port, found, lambda o: o == 16 << 20, payload, until=24 << 20))
    assert ack.state == pb.Ack.COMPLETE
    assert host.transport().receive(envelope()) == payload


def test_both_gateways_killed_during_large_transfers_lose_nothing(tmp_path):
    sites = {p: Process(tmp_path / p.party_id, p.party_id) for p in (GUEST_, HOST_)}
    guest, host = sites[GUEST_], sites[HOST_]
    for mine, other in ((guest, (HOST_, host)), (host, (GUEST_, guest))):
        mine.home.mkdir()
        end = {"ip": "127.0.0.1", "port": other[1].port}
        table = f'{{"route_table": {{"{other[0].party_id}": {{"default": [{end}]}}}}}}'
        (mine.home / "route_table.json").write_text(table.replace("'", '"'))
        mine.start()
        mine.control().register_job(JOB, TOKEN, PARTIES)
    payloads = [np.random.default_rng(i).bytes(12_000_000) for i in range(4)]
    try:
        receiver = host.transport()
        waits = [in_thread(lambda i=i: receiver.receive(envelope(i))) for i in range(4)]
        sender = guest.transport()
        for i in (0, 1):
            sender.send(envelope(i), payloads[i])
        host.kill()
        sender.send(envelope(2), payloads[2])
        host.start()
        sender.send(envelope(3), payloads[3])
        guest.kill()
        guest.start()
        assert [wait() for wait in waits] == payloads
    finally:
        for site in sites.values():
            site.close()
