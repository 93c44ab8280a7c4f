"""The blocking side of the local socket: connections of one process to its site's gateway.

A call that finds the gateway away is asked again when it is back: every request but a control
call may be repeated. Thread-safe; a thread that waits holds a connection of its own.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from federation import token
from federation.errors import FederationError, Unreachable
from federation.transport import wire

_READ = 1 << 18


class NotSent(ConnectionError):
    """The gateway is away, and the request did not reach it."""


class Connection:
    """One greeted connection. Raises OSError when the gateway is not there or goes away."""

    def __init__(self, socket_path: str, secret: str, job_id: str) -> None:
        self._frames = wire.Frames()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(10.0)
            self._socket.connect(socket_path)
            challenge, _ = self._read()
            if not isinstance(challenge, wire.Challenge):
                raise wire.Broken("no challenge")
            self.drafts = challenge.drafts
            proof = token.greeting_mac(secret, challenge.nonce)
            self.ask(wire.Hello(job_id, proof))
            self._socket.settimeout(None)
        except BaseException:
            self._socket.close()
            raise

    def ask(
        self, request: wire.ToGateway, payload: bytes = b"", timeout_s: float | None = None
    ) -> tuple[wire.FromGateway, bytes]:
        """One request, one reply. Raises what a Failed stands for."""
        self.tell(request, payload)
        if timeout_s is not None:
            self._socket.settimeout(timeout_s)
        reply, content = self._read()
        if timeout_s is not None:
            self._socket.settimeout(None)
        if isinstance(reply, wire.Failed):
            raise wire.raised(reply)
        return reply, content

    def tell(self, request: wire.ToGateway, payload: bytes = b"") -> None:
        """Raises NotSent: a frame of which a part is missing is not served."""
        try:
            self._socket.sendall(wire.frame(request, payload))
        except OSError as error:
            raise NotSent(str(error)) from error

    def wait_for_end(self) -> None:
        """Block until the gateway goes away or ``close`` is called in another thread."""
        try:
            while self._socket.recv(1):
                pass
        except OSError:
            return

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self) -> tuple[wire.FromGateway, bytes]:
        while (found := self._frames.next()) is None:
            data = self._socket.recv(_READ)
            if not data:
                raise ConnectionResetError("the gateway closed the connection")
            self._frames.feed(data)
        return wire.from_gateway(found[0]), found[1]


class Client:
    """A pool of connections. ``patience_s``: how long an absent gateway is waited for."""

    def __init__(
        self, socket_path: str, secret: str, *, job_id: str = "", patience_s: float
    ) -> None:
        self.socket_path, self.patience_s = str(socket_path), patience_s
        self._secret, self._job_id = secret, job_id
        self._idle: list[Connection] = []
        self._lock = threading.Lock()
        self._staying: set[Connection] = set()
        self.closed = threading.Event()
        self.drafts = ""

    def ask(
        self,
        request: wire.ToGateway,
        payload: bytes = b"",
        *,
        repeatable: bool = True,
        timeout_s: float | None = None,
    ) -> tuple[wire.FromGateway, bytes]:
        """As Connection.ask, repeated while the gateway is away.

        repeatable: false for what must not be done twice; it is then repeated only while it surely
        did not arrive. Raises Unreachable when the gateway stays away for ``patience_s``.
        """
        deadline, pause = time.monotonic() + self.patience_s, 0.02
        while True:
            try:
                return self._ask_once(request, payload, timeout_s)
            except OSError as error:
                if _answered(error) or not (repeatable or isinstance(error, NotSent)):
                    raise
                if time.monotonic() > deadline or self.closed.wait(pause):
                    raise self._absent(error) from error
                pause = min(pause * 2, 1.0)

    def _ask_once(
        self, request: wire.ToGateway, payload: bytes, timeout_s: float | None
    ) -> tuple[wire.FromGateway, bytes]:
        connection = self.borrow()
        try:
            reply = connection.ask(request, payload, timeout_s)
        except OSError as error:
            if _answered(error):
                self.give_back(connection)
            else:
                connection.close()
            raise
        except FederationError:
            self.give_back(connection)
            raise
        self.give_back(connection)
        return reply

    def borrow(self) -> Connection:
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return self.connect()

    def connect(self) -> Connection:
        try:
            connection = Connection(self.socket_path, self._secret, self._job_id)
        except OSError as error:
            if _answered(error):
                raise
            raise NotSent(str(error)) from error
        self.drafts = connection.drafts
        return connection

    def tell(self, request: wire.ToGateway) -> None:
        """A request without a reply; lost if the gateway is away."""
        try:
            connection = self.borrow()
            connection.tell(request)
        except OSError:
            return
        self.give_back(connection)

    def stay(self, greeting: wire.ToGateway) -> None:
        """Keep a connection of its own open, with this request said on it, until ``close``.

        Made again when the gateway comes back, so the gateway knows that this process lives even
        while it computes for hours. Raises as ``ask`` if it cannot be made the first time.
        """
        deadline, pause = time.monotonic() + self.patience_s, 0.02
        while (connection := self._try_to_stay(greeting)) is None:
            if time.monotonic() > deadline or self.closed.wait(pause):
                raise self._absent(OSError("not there"))
            pause = min(pause * 2, 1.0)
        keeper = threading.Thread(
            target=self._keep, args=(connection, greeting), name="gateway presence", daemon=True
        )
        keeper.start()

    def _keep(self, connection: Connection | None, greeting: wire.ToGateway) -> None:
        while not self.closed.is_set():
            if connection is not None:
                connection.wait_for_end()
                with self._lock:
                    self._staying.discard(connection)
                connection.close()
            elif self.closed.wait(0.5):
                return
            try:
                connection = self._try_to_stay(greeting)
            except FederationError:  # the job is over here: nobody asks for this worker any more
                return

    def _try_to_stay(self, greeting: wire.ToGateway) -> Connection | None:
        try:
            connection = self.connect()
            connection.ask(greeting)
        except OSError as error:
            if _answered(error):
                raise
            return None
        with self._lock:
            self._staying.add(connection)
        if self.closed.is_set():
            connection.close()
        return connection

    def give_back(self, connection: Connection) -> None:
        with self._lock:
            if not self.closed.is_set():
                self._idle.append(connection)
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            self.closed.set()
            open_ones = [*self._idle, *self._staying]
            self._idle = []
        for connection in open_ones:
            connection.close()

    def _absent(self, error: OSError) -> Unreachable:
        return Unreachable("here", f"this site's own gateway at {self.socket_path}: {error}")


def _answered(error: OSError) -> bool:
    """Whether the gateway said no, as opposed to not being there (both are OSErrors)."""
    return isinstance(error, FederationError) and not isinstance(error, wire.Broken)
