"""What every transport does, run on each of them: in process, and through a gateway's socket."""

import contextlib

import numpy as np
import pytest
from numpy.typing import NDArray

from federation import ARBITER, GUEST, HOST, Context, Envelope, Message, Party
from federation.errors import Cancelled, DuplicateMessage, PeerLate, PeerSilent, RoleMayNotSend
from federation.transport.embedded import EmbeddedGateway
from federation.transport.gateway import Options
from federation.transport.inproc import Hub
from federation.transport.local import GatewayTransport
from tests.threads import in_thread

G, H, A = Party(GUEST, "9999"), Party(HOST, "10000"), Party(ARBITER, "9999")
JOB, TOKEN = "202611210001", "t" * 32


class Wire:
    x = Message[NDArray[np.float64]]({GUEST}, {HOST}, kind="plain", reveals="x")


class InProcess:
    def __init__(self, timeout_s):
        self._hub = Hub(timeout_s)

    def transport(self, party):
        return self._hub

    def cancel(self):
        self._hub.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._hub.stop()


class ThroughGateway:
    def __init__(self, home, timeout_s):
        self._home, self._timeout_s = home, timeout_s

    def transport(self, party):
        return self._stack.enter_context(
            GatewayTransport(self._home / "run/gateway.sock", TOKEN, idle_timeout_s=self._timeout_s)
        )

    def cancel(self):
        self._control.cancel_job(JOB, "the user asked")

    def __enter__(self):
        self._stack = contextlib.ExitStack()
        gateway = self._stack.enter_context(EmbeddedGateway(Options(self._home, port=0)))
        self._control = gateway.control()
        self._stack.callback(self._control.close)
        self._control.register_job(JOB, TOKEN, [(p.role.value, p.party_id) for p in (G, H, A)])
        return self

    def __exit__(self, *_):
        self._stack.close()


@pytest.fixture(params=["inproc", "gateway"])
def make_network(request, tmp_path, monkeypatch):
    monkeypatch.setattr("federation.transport.gateway._WATCH_S", 0.05)  # a second, by itself

    def make(timeout_s=30.0):
        if request.param == "inproc":
            return InProcess(timeout_s)
        return ThroughGateway(tmp_path, timeout_s)

    return make


@pytest.fixture
def network(make_network):
    with make_network() as network:
        yield network


def envelope(number=0, src=G, dst=H, message="test.x"):
    return Envelope(JOB, "component_0", 0, message, number, src, dst, "plain", "x")


def test_a_message_arrives_whether_it_is_sent_or_asked_for_first(network):
    guest, host = network.transport(G), network.transport(H)
    guest.send(envelope(0), b"early")
    assert host.receive(envelope(0)) == b"early"
    late = in_thread(lambda: host.receive(envelope(1)))
    guest.send(envelope(1), b"late")
    assert late() == b"late"


def test_messages_are_matched_by_number_in_whatever_order_they_are_asked_for(network):
    guest, host = network.transport(G), network.transport(H)
    for i in range(10):
        guest.send(envelope(i), str(i).encode())
    assert [host.receive(envelope(i)) for i in (9, 0, 5)] == [b"9", b"0", b"5"]


def test_direction_role_and_name_are_part_of_the_identity(network):
    guest, host = network.transport(G), network.transport(H)
    guest.send(envelope(src=G, dst=H), b"to host")
    host.send(envelope(src=H, dst=G), b"to guest")
    host.send(envelope(src=H, dst=A), b"to arbiter")
    guest.send(envelope(message="test.y"), b"y")
    assert host.receive(envelope(src=G, dst=H)) == b"to host"
    assert guest.receive(envelope(src=H, dst=G)) == b"to guest"
    assert network.transport(A).receive(envelope(src=H, dst=A)) == b"to arbiter"
    assert host.receive(envelope(message="test.y")) == b"y"


def test_the_same_bytes_again_are_taken_silently_and_others_are_refused(network):
    guest, host = network.transport(G), network.transport(H)
    guest.send(envelope(), b"once")
    guest.send(envelope(), b"once")
    with pytest.raises(DuplicateMessage):
        guest.send(envelope(), b"twice")
    assert host.receive(envelope()) == b"once"
    assert host.receive(envelope()) == b"once"


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, 9_000_001])
def test_payloads_of_every_size_arrive_whole(network, size):
    payload = np.random.default_rng(size).bytes(size)
    network.transport(G).send(envelope(), payload)
    assert network.transport(H).receive(envelope()) == payload


def test_a_stopped_job_ends_every_wait(network):
    guest, host = network.transport(G), network.transport(H)
    guest.send(envelope(99), b"so that the guest is there")
    waits = [in_thread(lambda i=i: host.receive(envelope(i))) for i in range(3)]
    assert host.receive(envelope(99))
    network.cancel()
    assert [type(wait()) for wait in waits] == [Cancelled] * 3


def test_a_peer_of_whom_nothing_is_heard_is_silent(make_network):
    with make_network(0.2) as network, pytest.raises(PeerSilent, match=r"guest 9999.*test\.x"):
        network.transport(H).receive(envelope())


def test_a_peer_that_lives_but_does_not_send_in_time_is_late(network):
    guest, host = network.transport(G), network.transport(H)
    guest.send(envelope(99), b"so that the guest is there")
    assert host.receive(envelope(99), within_s=30.0)
    with pytest.raises(PeerLate, match=r"guest 9999.*test\.x"):
        host.receive(envelope(), within_s=0.05)


def test_a_message_that_came_too_late_is_passed_over(network):
    guest = Context(G, [G, H], network.transport(G), job_id=JOB)
    host = Context(H, [G, H], network.transport(H), job_id=JOB)
    with pytest.raises(PeerLate):
        host.get(Wire.x, within_s=0.0)
    guest.remote(Wire.x, np.zeros(1))
    guest.remote(Wire.x, np.ones(1))
    np.testing.assert_array_equal(host.get(Wire.x, within_s=30.0), np.ones(1))


def test_many_threads_share_a_transport(network):
    guest, host = network.transport(G), network.transport(H)
    waits = [in_thread(lambda i=i: host.receive(envelope(i))) for i in range(16)]
    sends = [in_thread(lambda i=i: guest.send(envelope(i), bytes([i]))) for i in range(16)]
    assert [send() for send in sends] == [None] * 16
    assert [wait() for wait in waits] == [bytes([i]) for i in range(16)]


def test_a_context_over_it_sends_what_is_declared_and_nothing_else(network):
    guest = Context(G, [G, H], network.transport(G), job_id=JOB)
    host = Context(H, [G, H], network.transport(H), job_id=JOB)
    guest.remote(Wire.x, np.arange(3.0))
    np.testing.assert_array_equal(host.get(Wire.x), np.arange(3.0))
    with pytest.raises(RoleMayNotSend):
        host.remote(Wire.x, np.arange(3.0))
