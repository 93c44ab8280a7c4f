"""Calls of peers, handed to this site's fateflow: by name, from an allow-list, with the caller's
party vouched for. Nothing else that a peer says reaches an HTTP server."""

from __future__ import annotations

import asyncio
import http.client
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from federation.errors import GatewayRefused, Unreachable

_LARGEST_ANSWER = 4 << 20
_AT_ONCE = 32

_log = logging.getLogger(__name__)


class Forwarder:
    """calls_file: a JSON list of names, written by the supervisor; read again when it changes."""

    def __init__(
        self, flow_url: str, secret: str, allowed: frozenset[str], calls_file: Path
    ) -> None:
        self._url, self._secret = urlsplit(flow_url), secret
        self._given, self._file = allowed, calls_file
        self._listed: frozenset[str] = frozenset()
        self._stamp = 0
        self._threads = ThreadPoolExecutor(_AT_ONCE, "call to fateflow")

    def allowed(self) -> frozenset[str]:
        try:
            stamp = self._file.stat().st_mtime_ns
            if stamp != self._stamp:
                names = json.loads(self._file.read_text())
                if not isinstance(names, list) or not all(isinstance(n, str) for n in names):
                    raise ValueError("a list of names is expected")
                self._listed, self._stamp = frozenset(names), stamp
        except FileNotFoundError:
            self._listed = frozenset()
        except (OSError, ValueError) as error:
            _log.error("%s not taken: %s", self._file, error)
        return self._given | self._listed

    async def call(self, source: str, name: str, body: bytes, timeout_s: float) -> bytes:
        """fateflow's answer to ``POST /v1/party/<name>`` from party ``source``.

        Raises GatewayRefused for a name that is not allowed, Unreachable when fateflow does not
        answer in time or answers with an HTTP error.
        """
        if name not in self.allowed():
            raise GatewayRefused(f"call {name[:64]!r}", "it is not one that a peer may make")
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._post, source, name, body, timeout_s)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _post(self, source: str, name: str, body: bytes, timeout_s: float) -> bytes:
        where = f"its fateflow at {self._url.netloc}"
        connection = http.client.HTTPConnection(self._url.netloc, timeout=timeout_s)
        headers = {
            "Content-Type": "application/json",
            "X-Gateway-Secret": self._secret,
            "X-Source-Party": source,
        }
        try:
            connection.request("POST", f"/v1/party/{name}", body, headers)
            response = connection.getresponse()
            answer = response.read(_LARGEST_ANSWER + 1)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(source, f"{where}: {type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if response.status != 200:
            raise Unreachable(source, f"{where}: HTTP {response.status} to {name}")
        if len(answer) > _LARGEST_ANSWER:
            raise Unreachable(source, f"{where}: an answer to {name} larger than 4 MiB")
        return answer
