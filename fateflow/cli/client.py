"""Talking to a server: JSON calls, streamed uploads, archives unpacked as they are meant."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import io
import json
import os
import tarfile
import time
import urllib.parse
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import click

DEFAULT_SERVER = "127.0.0.1:9380"
CHUNK = 1 << 16
Json = dict[str, Any]


class NoServer(click.ClickException):
    def __init__(self, server: str, why: str) -> None:
        super().__init__(
            f"no server answers at {server} ({why}); start one with `distaff up`, or name "
            "another with --server, DISTAFF_SERVER or `flow init`"
        )


def settings_file() -> Path:
    """Where ``flow init`` keeps the server's address."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "distaff" / "flow.json"


def chosen_server(option: str | None) -> str:
    """The first of: option, DISTAFF_SERVER, ``flow init``'s file, the default."""
    named = option or os.environ.get("DISTAFF_SERVER")
    if not named:
        try:
            named = json.loads(settings_file().read_text(encoding="utf-8"))["server"]
        except (OSError, ValueError, KeyError):
            named = DEFAULT_SERVER
    return str(named).removeprefix("http://").rstrip("/")


def saved_keys() -> tuple[str, str] | None:
    """App key and secret key that ``flow init`` was given, or those of DISTAFF_APP_KEY and
    DISTAFF_SECRET_KEY."""
    found = {"app_key": os.environ.get("DISTAFF_APP_KEY")}
    found["secret_key"] = os.environ.get("DISTAFF_SECRET_KEY")
    if not all(found.values()):
        try:
            found = json.loads(settings_file().read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
    key, secret = found.get("app_key"), found.get("secret_key")
    return (str(key), str(secret)) if key and secret else None


def signed(keys: tuple[str, str], path: str, body: bytes, form: str) -> dict[str, str]:
    """FATE's four headers over time, nonce, key name, path, body and form fields."""
    key, secret = keys
    stamp, nonce = str(int(time.time() * 1000)), uuid.uuid4().hex
    head = [part.encode() for part in (stamp, nonce, key, path)]
    message = b"\n".join([*head, body, form.encode()])
    digest = hmac.new(secret.encode(), message, hashlib.sha1).digest()
    signature = base64.b64encode(digest).decode()
    return {"TIMESTAMP": stamp, "NONCE": nonce, "APP_KEY": key, "SIGNATURE": signature}


class Client:
    """One server. Every call is a request of its own, signed if there are keys."""

    def __init__(
        self, server: str, timeout_s: float = 60.0, keys: tuple[str, str] | None = None
    ) -> None:
        self.server, self.timeout_s, self.keys = server, timeout_s, keys

    def call(self, path: str, body: Json | None = None) -> Json:
        """POST, and the JSON that came back, whatever its status.

        Raises NoServer.
        """
        with self._exchange("POST", path, _encoded(body)) as reply:
            return _json(reply)

    def fetch(self, path: str, body: Json, method: str = "POST") -> tuple[Json, Fetched | None]:
        """A call that may answer with a file: (error JSON, None), or ({}, the file)."""
        with self._exchange(method, path, _encoded(body)) as reply:
            if reply.status != 200 or "Content-Disposition" not in reply.headers:
                return _json(reply), None
            name = reply.headers["Content-Disposition"].partition("filename=")[2]
            return {}, Fetched(Path(name).name, reply.read())

    def upload(
        self, path: str, conf: Json, file: Path, told: Callable[[int], None] = lambda _: None
    ) -> Json:
        """Send one file, streamed, with its configuration in the query as FATE's client does.

        told: gets the number of bytes sent, again and again.
        """
        query = urllib.parse.quote(json.dumps(conf), safe="")
        return self._send_file(f"{path}?{query}", {}, file, told)

    def send_form(self, path: str, fields: Json, file: Path) -> Json:
        """Send one file with form fields."""
        return self._send_file(path, fields, file, lambda _: None)

    def _send_file(self, path: str, fields: Json, file: Path, told: Callable[[int], None]) -> Json:
        boundary = uuid.uuid4().hex
        head = b"".join(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode()
            for k, v in fields.items()
        )
        name = file.name.replace('"', "%22")
        head += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode()
        tail = f"\r\n--{boundary}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + file.stat().st_size + len(tail)),
        }
        with file.open("rb") as stream:
            parts = _parts(head, stream, tail, told)
            with self._exchange("POST", path, parts, headers, fields) as reply:
                return _json(reply)

    def _exchange(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes],
        headers: dict[str, str] | None = None,
        fields: Json | None = None,
    ) -> http.client.HTTPResponse:
        headers = headers or {"Content-Type": "application/json"}
        if self.keys:
            form = urllib.parse.urlencode(
                sorted((fields or {}).items()), quote_via=urllib.parse.quote, safe="-._~"
            )
            content = body if isinstance(body, bytes) else b""
            headers = {**headers, **signed(self.keys, f"/v1/{path}", content, form)}
        connection = http.client.HTTPConnection(self.server, timeout=self.timeout_s)
        try:
            connection.request(method, f"/v1/{path}", body, headers)
            return connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise NoServer(self.server, str(error) or type(error).__name__) from None


class Fetched:
    """A file that a server sent."""

    def __init__(self, name: str, content: bytes) -> None:
        self.name, self.content = name, content

    def save(self, folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / self.name
        path.write_bytes(self.content)
        return path

    def unpack(self, folder: Path) -> None:
        """A tar.gz into ``folder``: plain files and folders that stay inside it, nothing else."""
        for name, content in self.members():
            path = (folder / name).resolve()
            if path.is_relative_to(folder.resolve()):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)

    def members(self) -> Iterator[tuple[str, bytes]]:
        """Names and contents of the plain files in a tar.gz."""
        with tarfile.open(fileobj=io.BytesIO(self.content), mode="r:gz") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream:
                    yield member.name, stream.read()


def _encoded(body: Json | None) -> bytes:
    return json.dumps(body or {}).encode()


def _json(reply: http.client.HTTPResponse) -> Json:
    text = reply.read().decode("utf-8", "replace")
    try:
        found = json.loads(text)
    except ValueError:
        return {"retcode": 100, "retmsg": text.strip() or f"empty answer, HTTP {reply.status}"}
    return found if isinstance(found, dict) else {"retcode": 0, "retmsg": "success", "data": found}


def _parts(
    head: bytes, stream: IO[bytes], tail: bytes, told: Callable[[int], None]
) -> Iterator[bytes]:
    yield head
    sent = 0
    while chunk := stream.read(CHUNK):
        yield chunk
        sent += len(chunk)
        told(sent)
    yield tail
