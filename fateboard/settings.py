"""Where the board listens and whom it asks.

Options of the command line come before ``FATEBOARD_*`` variables, these before FATE-Board's
``application.properties``, that before the defaults.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

PROPERTIES = ("conf/application.properties", "config/application.properties")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_KEYS = {
    "server.port": "port",
    "server.address": "host",
    "fateflow.url": "flow_url",
    "fateflow.url-list": "flow_urls",
    "fateflow.http_app_key": "app_key",
    "fateflow.http_secret_key": "secret_key",
    "server.board.login.username": "username",
    "server.board.login.password": "password",
    "server.board.encrypt.private_key": "private_key",
    "server.board.encrypt.enable": "encrypted",
    "server.servlet.session.timeout": "session_timeout",
    "feign.client.config.default.connectTimeout": "connect_timeout_ms",
    "feign.client.config.default.readTimeout": "read_timeout_ms",
    "fateboard.frame_ancestors": "frame_ancestors",
}


class SettingsError(Exception):
    """A setting that cannot be used; its text says where it stands and what is allowed."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """flow_urls: FATE's ``url-list``, separated by ``;``: the first that answers is asked.
    username, password: FATE-Board's one account, beside those of ``<home>/board/users.json``.
    trusted_proxy: the address of a proxy whose X-Forwarded-* headers are believed."""

    home: str
    host: str = "127.0.0.1"
    port: int = 8080
    flow_url: str = "http://127.0.0.1:9380"
    flow_urls: str = ""
    app_key: str = ""
    secret_key: str = ""
    username: str = ""
    password: str = ""
    private_key: str = ""
    encrypted: bool = False
    session_timeout: str = "4h"
    connect_timeout_ms: int = 5_000
    read_timeout_ms: int = 10_000
    frame_ancestors: str = "'none'"
    trusted_proxy: str = ""

    def __repr__(self) -> str:
        return f"Settings(home={self.home!r}, host={self.host!r}, port={self.port})"

    @property
    def folder(self) -> Path:
        """The board's own files: accounts, sessions, secret, audit log."""
        return Path(self.home) / "board"

    @property
    def flows(self) -> list[str]:
        listed = [url.strip() for url in self.flow_urls.split(";") if url.strip()]
        return [url if "://" in url else f"http://{url}" for url in listed or [self.flow_url]]

    @property
    def session_s(self) -> int:
        found = re.fullmatch(r"\s*(\d+)\s*([smhd]?)\s*", self.session_timeout)
        if not found or not int(found[1]):
            raise SettingsError(
                f"server.servlet.session.timeout is {self.session_timeout!r}; "
                "give a number with s, m, h or d, such as 4h"
            )
        return int(found[1]) * _UNITS[found[2]]

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the board."""
        if self.trusted_proxy:
            return False
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def read(
    given: Mapping[str, Any],
    *,
    properties: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Settings:
    """``given`` over the environment over ``application.properties``. Raises SettingsError."""
    home = Path(str(given["home"]))
    path = properties or next(filter(Path.is_file, (home / name for name in PROPERTIES)), None)
    values: dict[str, Any] = {}
    if path:
        try:
            found = parsed(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} cannot be read: {error}") from None
        values |= {_KEYS[key]: value for key, value in found.items() if key in _KEYS and value}
    fields = {field.name for field in msgspec.structs.fields(Settings)}
    for name in fields - {"home"}:
        if f"FATEBOARD_{name.upper()}" in environment:
            values[name] = environment[f"FATEBOARD_{name.upper()}"]
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        settings = msgspec.convert({**values, "home": str(home)}, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path or 'the options'}: {error}") from None
    _check(settings)
    return settings


def parsed(text: str) -> dict[str, str]:
    """Java's properties: ``key=value`` or ``key: value``, comments by # or !, lines that go on
    after a backslash."""
    found: dict[str, str] = {}
    for line in re.sub(r"\\\r?\n[ \t]*", "", text).splitlines():
        stripped = line.strip()
        if stripped and stripped[0] not in "#!":
            key, _, value = re.sub(r"\s*[=:]\s*|\s+", "\0", stripped, count=1).partition("\0")
            found[key] = value
    return found


def _check(settings: Settings) -> None:
    if not 0 <= settings.port <= 65_535:
        raise SettingsError(f"the port is {settings.port}; allowed are 1 to 65535")
    for url in settings.flows:
        if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", url):
            raise SettingsError(
                f"{url!r} is no address of fateflow; give one such as http://127.0.0.1:9380"
            )
    if re.search(r"[;,\r\n]", settings.frame_ancestors):
        raise SettingsError("frame_ancestors names origins separated by spaces")
    _ = settings.session_s
