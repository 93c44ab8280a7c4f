"""What a gateway decides, without a network."""

import time

import pytest
from federation_sites import GUEST_, HOST_, JOB, TOKEN, envelope

from federation.errors import GatewayRefused, PeerFailed, PeerSilent
from federation.transport import mailbox as box
from federation.transport.mailbox import Mailbox, task_of
from federation.transport.spool import Record, Spool


@pytest.fixture
def outgoing():
    return []


@pytest.fixture
def mailbox(tmp_path, outgoing):
    return make(tmp_path, outgoing)


def make(folder, outgoing):
    mailbox = Mailbox(
        folder / "jobs", Spool(folder / "spool"), lambda p: p == "10000", outgoing.append
    )
    mailbox.load()
    if JOB not in mailbox.jobs:
        mailbox.register(JOB, TOKEN, [("guest", "9999"), ("host", "10000")])
    return mailbox


@pytest.fixture
def clock(monkeypatch):
    """Moves time on: returns a function of seconds."""
    ahead = [0.0]
    real = time.monotonic
    monkeypatch.setattr(box.time, "monotonic", lambda: real() + ahead[0])

    def move(seconds):
        ahead[0] += seconds

    return move


def wait(mailbox, about, idle=600.0):
    found = []
    mailbox.wait(about, idle, found.append)
    return found


GUESTS = task_of(envelope(), sender=True)


def test_signs_of_life_and_bytes_put_off_the_idle_timeout(mailbox, clock):
    found = wait(mailbox, envelope())
    clock(500)
    mailbox.heard(GUESTS, "alive")
    clock(500)
    mailbox.progress(envelope())
    clock(500)
    mailbox.heard(GUESTS, "unknown")
    mailbox.expire()
    assert found == []
    clock(101)
    mailbox.expire()
    assert [type(f) for f in found] == [PeerSilent]


def test_a_task_is_gone_only_some_seconds_after_its_last_connection(mailbox, clock):
    mine = task_of(envelope(0, HOST_, GUEST_), sender=True)
    assert mailbox.state_of(mine) == "unknown"
    mailbox.came(mine)
    mailbox.left(mine)
    assert mailbox.state_of(mine) == "alive"
    clock(60)
    assert mailbox.state_of(mine) == "gone"
    mailbox.came(mine)
    assert mailbox.state_of(mine) == "alive"


def test_a_task_with_messages_still_to_deliver_is_not_gone(mailbox, clock, outgoing):
    about = envelope(0, HOST_, GUEST_)
    mine = task_of(about, sender=True)
    mailbox.came(mine)
    kept = mailbox.spool.keep(Record(about, 1, bytes(32), b""), b"x", "out")
    mailbox.put(mailbox.jobs[JOB], kept)
    assert outgoing == [kept]
    mailbox.left(mine)
    clock(60)
    assert mailbox.state_of(mine) == "alive"
    mailbox.spool.release(kept, 1000)
    assert mailbox.state_of(mine) == "gone"


def test_a_gone_peer_fails_the_wait_at_once(mailbox):
    found = wait(mailbox, envelope())
    mailbox.heard(GUESTS, "gone")
    assert isinstance(found[0], PeerFailed)


def test_undelivered_messages_are_delivered_after_a_restart_and_delivered_ones_are_not(
    mailbox, tmp_path
):
    for number in range(3):
        record = Record(envelope(number, HOST_, GUEST_), 1, bytes(32), b"")
        kept = mailbox.spool.keep(record, b"x", "out")
        mailbox.put(mailbox.jobs[JOB], kept)
        if number == 1:
            mailbox.spool.release(kept, 1000)
    again = []
    make(tmp_path, again)
    assert sorted(k.record.envelope.number for k in again) == [0, 2]


def test_a_spoilt_file_is_set_aside_at_start(mailbox, tmp_path):
    kept = mailbox.spool.keep(Record(envelope(), 3, bytes(32), b""), b"abc", "in")
    with open(kept.path, "r+b") as file:  # noqa: PTH123
        file.truncate(20)
    again = make(tmp_path, [])
    assert again.jobs[JOB].messages == {}


def test_a_large_payload_taken_twice_is_refused_and_a_small_one_is_given_again(mailbox):
    for number, size in ((0, 10), (1, 300_000)):
        record = Record(envelope(number), size, bytes(32), b"")
        kept = mailbox.spool.keep(record, bytes(size), "in")
        mailbox.put(mailbox.jobs[JOB], kept)
        mailbox.spool.release(kept, 256 * 1024)
    assert len(wait(mailbox, envelope(0))) == 1
    with pytest.raises(GatewayRefused, match="taken already"):
        wait(mailbox, envelope(1))
