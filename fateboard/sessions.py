"""Who is signed in: random tokens whose hashes are kept in ``<home>/board/sessions.json``, so that
a restart signs nobody out; and how failures to sign in are slowed."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import secrets
import threading
import time
from pathlib import Path

import msgspec

from fateboard.accounts import write_private
from fateboard.errors import Refused

MOST = 2_000
WRITTEN_EVERY_S = 60.0
FREE_FAILURES = 5
LONGEST_WAIT_S = 300.0
FORGOTTEN_S = 3_600.0
MOST_COUNTED = 10_000


class Record(msgspec.Struct, kw_only=True):
    """mark: of the account's password, or of the secret of share links, when it began. job: all
    that a share link shows, as job/role/party. until: when a share link ends, else 0. Times are
    seconds since 1970."""

    user: str
    mark: str
    seen: float
    job: str = ""
    until: float = 0.0


class Sessions:
    def __init__(self, folder: Path, idle_s: float) -> None:
        self._path, self._idle_s = folder / "sessions.json", idle_s
        self._lock = threading.Lock()
        self._written_at = time.time()
        self._records: dict[str, Record] = {}
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            self._records = msgspec.json.decode(self._path.read_bytes(), type=dict[str, Record])

    def begin(self, user: str, mark: str, *, job: str = "", until: float = 0.0) -> str:
        """A new session's token."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._drop_ended()
            while len(self._records) >= MOST:
                self._records.pop(min(self._records, key=self._worth))
            record = Record(user=user, mark=mark, seen=time.time(), job=job, until=until)
            self._records[_key(token)] = record
            self._write()
        return token

    def find(self, token: str, *, touch: bool = True) -> Record | None:
        """``touch``: being used keeps a session from ending."""
        now = time.time()
        with self._lock:
            record = self._records.get(_key(token))
            if record is None or self._ended(record, now):
                return None
            if touch:
                record.seen = now
                if now - self._written_at > WRITTEN_EVERY_S:
                    self._drop_ended()
                    self._write()
        return record

    def end(self, token: str) -> None:
        with self._lock:
            if self._records.pop(_key(token), None):
                self._write()

    def expires(self, record: Record) -> float:
        """When it ends if it is not used."""
        idle = record.seen + self._idle_s
        return min(idle, record.until) if record.until else idle

    def _worth(self, key: str) -> tuple[bool, float]:
        """Whoever opens a share link again and again must sign out nobody who has an account."""
        record = self._records[key]
        return not record.job, record.seen

    def _ended(self, record: Record, now: float) -> bool:
        return now >= self.expires(record)

    def _drop_ended(self) -> None:
        now = time.time()
        self._records = {k: r for k, r in self._records.items() if not self._ended(r, now)}

    def _write(self) -> None:
        """A full disk signs nobody out: the sessions are then kept in memory alone."""
        self._written_at = time.time()
        with contextlib.suppress(OSError):
            write_private(self._path, msgspec.json.encode(self._records))


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Throttle:
    """Slows guessing: after five failures each more doubles the wait, for a user name and for an
    address alike, whichever is longer."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, str], tuple[int, float]] = {}
        self._lock = threading.Lock()

    def attempt(self, user: str, address: str) -> None:
        """Counts as a failure until ``succeeded``, so that guesses side by side gain nothing.
        Raises Refused (429)."""
        now = time.monotonic()
        keys = _counted(user, address)
        with self._lock:
            wait_s = max(self._wait_s(key, now) for key in keys)
            if wait_s > 0:
                raise Refused(
                    429, "sign_in_slowed", retry_after_s=round(wait_s, 1), seconds=int(wait_s) + 1
                )
            if len(self._failures) > MOST_COUNTED:
                recent = [kv for kv in self._failures.items() if now - kv[1][1] < FORGOTTEN_S]
                recent.sort(key=lambda kv: kv[1])  # a flood of names must not hide a guessed one
                self._failures = dict(recent[-MOST_COUNTED // 2 :])
            for key in keys:
                self._failures[key] = (self._failures.get(key, (0, now))[0] + 1, now)

    def succeeded(self, user: str, address: str) -> None:
        with self._lock:
            for key in _counted(user, address):
                self._failures.pop(key, None)

    def _wait_s(self, key: tuple[str, str], now: float) -> float:
        count, last = self._failures.get(key, (0, now))
        if count < FREE_FAILURES or now - last > FORGOTTEN_S:
            return 0.0
        pause_s = min(LONGEST_WAIT_S, 2.0 ** min(count - FREE_FAILURES + 1, 20))
        return last + pause_s - now


def _counted(user: str, address: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("user", user[:200]), ("address", _network(address))


def _network(address: str) -> str:
    """Of IPv6 the /64: all its addresses belong to one subscriber."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4 or found.ipv4_mapped:
        return address
    return str(ipaddress.ip_network((int(found) >> 64 << 64, 64)))
