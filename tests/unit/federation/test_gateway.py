"""Two sites with mTLS: what passes between their gateways."""

import errno
import json
import os

import numpy as np
import pytest
from federation_sites import GUEST_, HOST_, JOB, TOKEN, envelope

from federation import audit
from federation.errors import Cancelled, GatewayRefused, PeerFailed, Unreachable
from federation.transport import mailbox
from tests.ports import free_port
from tests.threads import in_thread


def test_messages_of_every_size_cross_both_ways(sites):
    sites.start_both()
    guest, host = sites.transport(GUEST_), sites.transport(HOST_)
    for number, size in enumerate([0, 3, 256 * 1024 + 1, 20_000_000]):
        payload = np.random.default_rng(size).bytes(size)
        guest.send(envelope(number), payload)
        assert host.receive(envelope(number)) == payload
        host.send(envelope(number, HOST_, GUEST_), payload[::-1])
        assert guest.receive(envelope(number, HOST_, GUEST_)) == payload[::-1]


def test_both_audit_logs_tell_of_a_message_with_the_same_digest(sites):
    sites.start_both()
    sites.transport(GUEST_).send(envelope(), b"abc")
    assert sites.transport(HOST_).receive(envelope()) == b"abc"
    [came] = [e for e in sites.audit(HOST_) if e.what == "message"]
    assert (came.direction, came.src, came.dst, came.size) == ("in", "guest 9999", "host 10000", 3)
    assert (came.kind, came.reveals, came.shape) == ("plain", "a sum", "float64[3]")
    [left] = [e for e in sites.audit(GUEST_) if e.what == "message"]
    assert (left.direction, left.result, left.sha256) == ("out", "sent", came.sha256)
    assert not audit.verify(sites.home(GUEST_)).problem


def test_a_call_reaches_the_other_fateflow_with_the_callers_party(sites):
    sites.start_both()
    answer = json.loads(sites.control(GUEST_).call("10000", "ask_stop", b'{"job_id": "1"}'))
    assert answer["body"] == '{"job_id": "1"}'
    assert answer["secret"] == (sites.home(HOST_) / "run/gateway.secret").read_text()
    assert sites.flow.calls == [("/v1/party/ask_stop", "9999", '{"job_id": "1"}')]
    assert [e.message for e in sites.audit(HOST_) if e.what == "call"] == ["ask_stop"]


def test_a_call_that_is_not_on_the_list_is_refused_there(sites):
    sites.start_both()
    with pytest.raises(GatewayRefused, match="not one that a peer may make"):
        sites.control(GUEST_).call("10000", "../job/submit", b"{}")
    assert sites.flow.calls == []


def test_the_list_of_calls_is_read_from_the_home_too(sites):
    sites.start_both()
    (sites.home(HOST_) / "run/control_calls.json").write_text('["stop_job"]')
    assert sites.control(GUEST_).call("10000", "stop_job", b"{}")


def test_who_cannot_be_reached_is_named_with_every_endpoint_and_its_fault(sites):
    sites.start_both()
    closed = free_port()
    sites.route(GUEST_, {"10001": closed})
    with pytest.raises(Unreachable, match=rf"party 10001 .*127\.0\.0\.1:{closed}: .*refused"):
        sites.control(GUEST_).call("10001", "ask_stop", b"{}")
    with pytest.raises(Unreachable, match=r"no entry for it \(10001\)"):
        sites.control(GUEST_).call("9998", "ask_stop", b"{}")


def test_a_fateflow_that_is_down_is_told_apart_from_a_gateway_that_is_down(sites):
    sites.start(GUEST_)
    sites.start(HOST_, flow_url=f"http://127.0.0.1:{free_port()}")
    sites.connect()
    with pytest.raises(Unreachable, match=r"its fateflow at .*refused"):
        sites.control(GUEST_).call("10000", "ask_stop", b"{}")


def test_the_second_endpoint_serves_when_the_first_does_not(sites):
    sites.start_both()
    ends = [{"ip": "127.0.0.1", "port": p} for p in (free_port(), sites.gateway(HOST_).port)]
    table = {"route_table": {"10000": {"default": ends}}}
    (sites.home(GUEST_) / "route_table.json").write_text(json.dumps(table))
    assert sites.control(GUEST_).call("10000", "ask_stop", b"{}")


def test_a_call_to_a_gateway_that_restarts_waits_for_it(sites):
    sites.start_both()
    control, port = sites.control(GUEST_), sites.gateway(HOST_).port
    assert control.call("10000", "ask_stop", b"{}")
    sites.stop(HOST_)
    # a call that is written before the loss is noticed may have been carried out: it fails at once
    sites.until(lambda: control.status()["peers"]["10000"]["at"] == "")
    calling = in_thread(lambda: control.call("10000", "ask_stop", b"{}"))
    sites.start(HOST_, port)
    assert b"ask_stop" in calling()


def test_a_changed_route_is_followed_by_a_connection_that_stands(sites):
    sites.start_both()
    control = sites.control(GUEST_)
    assert control.call("10000", "ask_stop", b"{}")
    closed = free_port()
    sites.route(GUEST_, {"10000": closed})
    sites.until(lambda: control.status()["peers"]["10000"]["at"] == "")
    with pytest.raises(Unreachable, match=rf"127\.0\.0\.1:{closed}: Connection refused"):
        control.call("10000", "ask_stop", b"{}")


def test_a_full_disk_is_said_to_the_sender_and_nothing_is_kept(sites, monkeypatch):
    sites.start_both()
    here = sites.transport(HOST_)
    here.send(envelope(9, HOST_, GUEST_), b"the host is there")

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(sites.gateway(HOST_).mailbox.spool, "keep", full)
    guest = sites.transport(GUEST_)
    guest.send(envelope(), b"abc")
    with pytest.raises(PeerFailed, match=r"refused lr\.x: .*No space left"):
        guest.receive(envelope(0, HOST_, GUEST_))


def test_a_message_sent_while_the_other_gateway_is_down_arrives_when_it_is_up(sites):
    sites.start(GUEST_)
    port = free_port()
    sites.route(GUEST_, {"10000": port})
    sites.register(GUEST_)
    sites.transport(GUEST_).send(envelope(), b"patience")
    sites.start(HOST_, port)
    sites.route(HOST_, {"9999": sites.gateway(GUEST_).port})
    sites.register(HOST_)
    assert sites.transport(HOST_).receive(envelope()) == b"patience"


def test_cancel_ends_a_wait_here_and_stops_the_peers_wait_with_the_cause(sites):
    sites.start_both()
    sites.transport(GUEST_).send(envelope(5), b"there is a guest")
    host, guest = sites.transport(HOST_), sites.transport(GUEST_)
    assert host.receive(envelope(5))
    here = in_thread(lambda: host.receive(envelope(0)))
    there = in_thread(lambda: guest.receive(envelope(0, HOST_, GUEST_)))
    sites.control(HOST_).cancel_job(JOB, "the user asked")
    assert isinstance(here(), Cancelled)
    stopped = there()
    assert isinstance(stopped, PeerFailed)
    assert "stopped" in str(stopped)


def test_a_worker_that_ends_without_sending_fails_its_peer_with_the_message_named(
    sites, monkeypatch
):
    monkeypatch.setattr(mailbox, "_GRACE_S", 0.1)
    sites.start_both()
    guest, host = sites.transport(GUEST_), sites.transport(HOST_)
    guest.send(envelope(0), b"last")
    guest.close()
    assert host.receive(envelope(0)) == b"last"
    with pytest.raises(PeerFailed, match=r"guest 9999 failed: .*without sending lr\.x"):
        host.receive(envelope(1))


def test_messages_for_an_ended_job_are_dropped_and_counted(sites):
    sites.start_both()
    sites.control(HOST_).end_job(JOB)
    guest = sites.transport(GUEST_)
    guest.send(envelope(0), b"late")
    guest.send(envelope(1), bytes(300_000))
    sites.stop(GUEST_)
    sites.start(GUEST_)
    left = [e.result for e in sites.audit(GUEST_) if e.direction == "out"]
    late = [e.result for e in sites.audit(HOST_) if e.direction == "in"]
    assert set(left) <= {"sent", "sent after a restart", "dropped there"}
    assert all(r.startswith("dropped") for r in late)
    assert sites.stored(HOST_) == []


def test_ending_a_task_or_a_job_frees_its_files(sites):
    sites.start_both()
    guest, host = sites.transport(GUEST_), sites.transport(HOST_)
    guest.send(envelope(0), b"x")
    assert host.receive(envelope(0))
    assert sites.stored(HOST_)
    sites.control(HOST_).drop_task(JOB, "hetero_lr_0", 0)
    assert sites.stored(HOST_) == []
    sites.control(GUEST_).end_job(JOB)
    assert sites.stored(GUEST_) == []
    with pytest.raises(Cancelled):
        guest.send(envelope(1), b"x")


def test_a_large_payload_is_freed_once_it_was_read(sites):
    sites.start_both()
    guest, host = sites.transport(GUEST_), sites.transport(HOST_)
    guest.send(envelope(0), bytes(1_000_000))
    host.receive(envelope(0))
    guest.send(envelope(1), b"after")
    assert host.receive(envelope(1)) == b"after"
    spool = sites.home(HOST_) / "gateway/spool"
    assert sum(p.stat().st_size for p in spool.rglob("*.taken")) < 1000


def test_plaintext_between_two_sites_of_one_machine_works_too(plain_sites):
    plain_sites.start_both()
    plain_sites.transport(GUEST_).send(envelope(), b"on loopback")
    assert plain_sites.transport(HOST_).receive(envelope()) == b"on loopback"
    assert plain_sites.control(GUEST_).status()["tls"] is False
    assert TOKEN not in json.dumps(plain_sites.control(GUEST_).status())
