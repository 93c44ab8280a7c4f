"""fateflow over HTTP: one pool of connections, signed where keys are set.

Everything that goes wrong becomes a ``Refused`` that says what to do. Reads that many viewers ask
for at once are made once (``shared``).
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from fateboard.errors import Refused

CONNECT_S, READ_S = 5.0, 10.0
POOL = 32
SHARED_S = 0.9
SHARED_MOST = 256
LARGEST_SHARED = 64 << 20
CHOOSE_AGAIN_S = 30.0
LARGEST_REPLY = 128 << 20
LONGEST_REPLY_S = 120.0
"""An answer is held in memory, and in a thread: one without an end must take neither."""


class Reply(msgspec.Struct, frozen=True):
    """FATE's envelope; ``meta`` only where an endpoint has one."""

    retcode: int | None = None
    retmsg: str = ""
    data: Any = None
    meta: Any = None


class FlowRefused(Refused):
    """fateflow answered, with a retcode other than 0."""

    def __init__(self, retcode: int, retmsg: str) -> None:
        super().__init__(422, "flow_refused", retcode=retcode, retmsg=retmsg[:2_000])
        self.retcode, self.retmsg = retcode, retmsg


class Signer(msgspec.Struct, frozen=True):
    app_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Signer(app_key={self.app_key!r})"

    def headers(self, path: str, body: bytes) -> dict[str, str]:
        """What FATE's clients send: a time, a nonce, and the HMAC over both, path and body."""
        stamp, nonce = str(int(time.time() * 1000)), str(uuid.uuid4())
        signed = b"" if body in (b"", b"{}") else body
        message = b"\n".join(
            [stamp.encode(), nonce.encode(), self.app_key.encode(), path.encode(), signed, b""]
        )
        digest = hmac.new(self.secret_key.encode(), message, hashlib.sha1).digest()
        return {
            "TIMESTAMP": stamp,
            "NONCE": nonce,
            "APP_KEY": self.app_key,
            "SIGNATURE": base64.b64encode(digest).decode(),
        }


class SiteKeys:
    """The keys of the site that the board is part of, read at each request as fateflow reads
    them: they may come, change and go."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def headers(self, path: str, body: bytes) -> dict[str, str]:
        try:
            keys = msgspec.json.decode(self._path.read_bytes(), type=Signer)
        except (OSError, msgspec.MsgspecError):
            return {}
        return keys.headers(path, body)


class Flow:
    """Of several ``urls`` the first that answers is used, and chosen anew when it fails."""

    def __init__(
        self,
        urls: list[str],
        *,
        signer: Signer | SiteKeys | None = None,
        connect_s: float = CONNECT_S,
        read_s: float = READ_S,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._urls = [url.rstrip("/") for url in urls]
        self._signer = signer
        self._current, self._chosen_at = self._urls[0], 0.0
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._lock = threading.Lock()
        self._looking, self._looked_at, self._there = threading.Lock(), -SHARED_S, False
        self.requests = 0
        limits = httpx.Limits(max_connections=POOL, max_keepalive_connections=POOL)
        timeout = httpx.Timeout(read_s, connect=connect_s)
        self._http = httpx.Client(
            timeout=timeout, limits=limits, transport=transport, trust_env=False
        )

    @property
    def url(self) -> str:
        return self._current

    def close(self) -> None:
        self._http.close()

    def data(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """``data`` of a successful answer. Raises FlowRefused, Refused."""
        return self.reply(path, body).data

    def reply(self, path: str, body: Mapping[str, Any] | None = None) -> Reply:
        """A whole successful answer of POST /v1/<path>. Raises FlowRefused, Refused."""
        return self._sized(path, body)[0]

    def _sized(self, path: str, body: Mapping[str, Any] | None) -> tuple[Reply, int]:
        content = self._post(path, body or {})
        reply = self._decoded(path, content)
        if reply.retcode != 0:
            raise FlowRefused(-1 if reply.retcode is None else reply.retcode, reply.retmsg)
        return reply, len(content)

    def shared(
        self, path: str, body: Mapping[str, Any] | None = None, *, keep_s: float = SHARED_S
    ) -> Reply:
        """``reply`` of a read; all who ask the same within ``keep_s`` get one answer."""
        key = f"{path} {keep_s} ".encode() + msgspec.json.encode(body or {}, order="sorted")
        with self._lock:
            self._kept = OrderedDict((k, kept) for k, kept in self._kept.items() if kept.fresh())
            kept = self._kept.setdefault(key, _Kept(keep_s))
            self._kept.move_to_end(key)
            size = sum(kept.size for kept in self._kept.values())
            while len(self._kept) > 1 and (size > LARGEST_SHARED or len(self._kept) > SHARED_MOST):
                size -= self._kept.popitem(last=False)[1].size
        return kept.get(lambda: self._sized(path, body))

    def forget(self) -> None:
        """What was shared may be out of date: something was changed."""
        with self._lock:
            self._kept.clear()

    @contextlib.contextmanager
    def stream(self, path: str, body: Mapping[str, Any]) -> Iterator[httpx.Response]:
        """An answer that is a file, read piece by piece. Raises FlowRefused where it is none."""
        content = msgspec.json.encode(body)
        with self._faults(), self._http.stream(**self._request(path, content)) as response:
            if "json" in response.headers.get("content-type", "json"):
                reply = self._decoded(path, self._whole(path, response))
                raise FlowRefused(reply.retcode or response.status_code, reply.retmsg)
            yield response

    def answers(self) -> bool:
        """Whether it is there, within a second. Looked at once a second, whoever asks: those who
        ask need no account."""
        with self._looking:
            if time.monotonic() - self._looked_at > SHARED_S:
                self._there = self._answers(self._choose())
                self._looked_at = time.monotonic()
            return self._there

    def _post(self, path: str, body: Mapping[str, Any]) -> bytes:
        content = msgspec.json.encode(body)
        with self._faults(), self._http.stream(**self._request(path, content)) as response:
            found = self._whole(path, response)
        self.requests += 1
        if response.status_code >= 500:
            raise Refused(502, "flow_failed", url=self._current, http_status=response.status_code)
        return found

    def _whole(self, path: str, response: httpx.Response) -> bytes:
        found, until = bytearray(), time.monotonic() + LONGEST_REPLY_S
        for piece in response.iter_bytes():
            found += piece
            if len(found) > LARGEST_REPLY or time.monotonic() > until:
                most = LARGEST_REPLY >> 20
                raise Refused(502, "flow_too_much", url=self._current, path=path, most=most)
        return bytes(found)

    def _request(self, path: str, content: bytes) -> dict[str, Any]:
        headers = {"content-type": "application/json"}
        if self._signer:
            headers |= self._signer.headers(f"/v1/{path}", content)
        url = f"{self._choose()}/v1/{path}"
        return {"method": "POST", "url": url, "content": content, "headers": headers}

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            self._chosen_at = 0.0
            raise Refused(503, "flow_down", url=self._current, retry_after_s=2.0) from None
        except httpx.TimeoutException:
            raise Refused(504, "flow_slow", url=self._current, retry_after_s=2.0) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._chosen_at = 0.0
            why = type(error).__name__
            raise Refused(503, "flow_broken", url=self._current, why=why) from None

    def _decoded(self, path: str, content: bytes) -> Reply:
        try:
            return msgspec.json.decode(content, type=Reply)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
        try:
            return msgspec.convert(_as_python_writes(content), Reply)
        except (ValueError, RecursionError):
            raise Refused(502, "flow_garbled", url=self._current, path=path) from None

    def _choose(self) -> str:
        """The first url that accepts a connection, looked at every half minute and after a
        failure. With one url there is nothing to choose."""
        now = time.monotonic()
        if len(self._urls) > 1 and now - self._chosen_at > CHOOSE_AGAIN_S:
            self._chosen_at = now
            self._current = next(filter(self._answers, self._urls), self._urls[0])
        return self._current

    def _answers(self, url: str) -> bool:
        try:
            self._http.post(f"{url}/v1/version/get", json={"module": "FATEFlow"}, timeout=1.0)
        except httpx.HTTPError:
            return False
        return True


def _as_python_writes(content: bytes) -> Any:
    """JSON as FATE's own server writes it: with NaN and -Infinity, and with halves of characters
    (a lone ``\\ud800``), which nobody could write on. Raises ValueError, RecursionError."""
    found = json.loads(content, parse_constant=str)
    if b"\\ud" in content.lower():
        whole = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace")
        found = json.loads(whole, parse_constant=str)
    return found


class _Kept:
    """One answer, or the failure, for all who ask while it is made or fresh. A failure is kept
    but a moment, lest it outlive its cause."""

    def __init__(self, keep_s: float) -> None:
        self.size = 0
        self._keep_s = keep_s
        self._lock = threading.Lock()
        self._made_at: float | None = None
        self._made: Reply | Refused | None = None

    def fresh(self) -> bool:
        return self._made_at is None or time.monotonic() - self._made_at < self._keep_s

    def get(self, make: Callable[[], tuple[Reply, int]]) -> Reply:
        with self._lock:
            if self._made is None:
                try:
                    self._made, self.size = make()
                except Refused as error:
                    self._made = error
                    self._keep_s = min(self._keep_s, SHARED_S)
                finally:
                    self._made_at = time.monotonic()
        if isinstance(self._made, Reply):
            return self._made
        raise self._made or Refused(500, "internal")
