"""What a gateway decides, without a network."""

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from federation_sites import GUEST_, HOST_, JOB, TOKEN, envelope

from federation.errors import (
    Cancelled,
    GatewayRefused,
    PeerFailed,
    PeerLate,
    PeerSilent,
    Unreachable,
)
from federation.route import Endpoint
from federation.transport import mailbox as box
from federation.transport import wire
from federation.transport.local_door import LocalDoor
from federation.transport.mailbox import Mailbox, task_of
from federation.transport.outbound import Link
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


def wait(mailbox, about, idle=600.0, within=None):
    found = []
    mailbox.wait(about, idle, found.append, within)
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


def test_signs_of_life_do_not_put_off_a_limit(mailbox, clock):
    found = wait(mailbox, envelope(), within=100.0)
    clock(99)
    mailbox.expire()
    assert found == []
    clock(1.5)
    mailbox.heard(GUESTS, "alive")
    mailbox.expire()
    assert [type(f) for f in found] == [PeerLate]
    assert list(mailbox.waiters()) == []


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
    with open(kept.path, "r+b") as file:  # noqa: PTH123 (a test of the file itself)
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


def test_a_job_file_that_a_power_cut_emptied_does_not_keep_the_gateway_from_starting(tmp_path):
    make(tmp_path, [])
    (tmp_path / "jobs" / f"{JOB}.json").write_bytes(b"")
    again = make(tmp_path, [])
    assert list(again.jobs) == [JOB]
    assert (tmp_path / "jobs" / f"{JOB}.broken").exists()


def test_a_full_disk_does_not_keep_an_ended_job_from_being_freed(mailbox, monkeypatch):
    kept = mailbox.spool.keep(Record(envelope(), 3, bytes(32), b""), b"abc", "in")
    found = wait(mailbox, envelope(1))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mailbox, "_write", full)
    with pytest.raises(OSError, match="No space"):
        mailbox.end(JOB)
    assert not Path(kept.path).exists()
    assert [type(f) for f in found] == [Cancelled]


def test_a_large_message_killed_while_it_was_made_one_goes_on_where_its_payload_ends(mailbox):
    record = Record(envelope(), 5, bytes(32), b"")
    part = mailbox.spool.part(record)
    part.write_bytes(b"bytes and half a foot")
    assert mailbox.spool.part(record).stat().st_size == 5
    part.write_bytes(b"bytes and half a foot")
    assert mailbox.spool.read(mailbox.spool.adopt(record, part, "in")) == b"bytes"


def test_a_worker_that_outlives_its_job_is_forgotten_when_it_leaves(mailbox):
    mailbox.came(GUESTS)
    mailbox.end(JOB)
    mailbox.left(GUESTS)
    assert mailbox.tasks == {}


def test_word_that_a_message_was_taken_has_no_answer_even_on_a_full_disk(mailbox, monkeypatch):
    record = Record(envelope(), 300_000, bytes(32), b"")
    mailbox.put(mailbox.jobs[JOB], mailbox.spool.keep(record, bytes(300_000), "in"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(mailbox.spool, "keep", full)
    replies = []
    door = LocalDoor(SimpleNamespace(mailbox=mailbox))
    monkeypatch.setattr(door, "_reply", replies.append)
    door._job_id = JOB
    door._serve(wire.Taken(envelope()), b"")
    assert replies == []


def test_a_dial_that_fails_in_an_unforeseen_way_is_told_and_tried_again():
    dialled = []

    class Site:
        routes = SimpleNamespace(
            table=SimpleNamespace(lookup=lambda *_: (Endpoint("127.0.0.1", 1),))
        )

        async def dial(self, *_):
            dialled.append(1)
            raise FileNotFoundError("party.key")

    async def call_twice():
        link = Link(Site(), "10000", "default")
        for _ in range(2):
            with pytest.raises(Unreachable, match="FileNotFoundError"):
                await link.call("collect_tasks", b"", 5.0)
        await link.close()

    asyncio.run(call_twice())
    assert len(dialled) == 2
