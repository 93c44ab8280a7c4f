"""Where other parties' servings are: FATE-Serving's ``route_table.json``, read again on change.

    {"route_table": {"10000": {"serving": [{"ip": "10.2.0.7", "port": 8869, "useSSL": true}]},
                     "default": {"default": [{"ip": "203.0.113.9", "port": 8869}]}},
     "permission": {"default_allow": true, "allow": [...], "deny": [...]}}

Party id, else ``default``; in it the role ``serving``, else ``default``.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import msgspec

_log = logging.getLogger(__name__)

ROLES = ("serving", "default")


class Endpoint(msgspec.Struct, frozen=True):
    ip: str
    port: int
    secure: bool = False
    url: str = ""

    def __str__(self) -> str:
        return self.url or f"{self.ip}:{self.port}"

    @property
    def target(self) -> str:
        """As gRPC wants it."""
        return f"[{self.ip}]:{self.port}" if ":" in self.ip else f"{self.ip}:{self.port}"


def address(text: str, option: str) -> Endpoint:
    """Of ``host:port``. Raises ValueError naming the option."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{option}: expected host:port, such as 127.0.0.1:8000, not {text!r}")
    return Endpoint(host.strip("[]"), int(port))


class Rule(msgspec.Struct, frozen=True):
    """Who may ask whom; "*" is anyone."""

    source: str
    target: str

    def matches(self, source: str, target: str) -> bool:
        return self.source in ("*", source) and self.target in ("*", target)


class Routes(msgspec.Struct, frozen=True):
    """Endpoints by party, and who may call."""

    parties: dict[str, tuple[Endpoint, ...]] = {}
    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()
    default_allow: bool = True

    def to(self, party_id: str) -> tuple[Endpoint, ...]:
        """In the order of trying; empty if there is no way."""
        return self.parties.get(party_id) or self.parties.get("default", ())

    def allows(self, source: str, target: str) -> bool:
        """Denials first, then permissions, then the default."""
        if any(rule.matches(source, target) for rule in self.deny):
            return False
        return self.default_allow or any(rule.matches(source, target) for rule in self.allow)


def parse(text: bytes | str, where: str = "route_table.json") -> Routes:
    """Raises ValueError naming what is wrong and where."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: not JSON: {error}") from None
    table = raw.get("route_table") if isinstance(raw, dict) else None
    if not isinstance(table, dict):
        raise ValueError(f'{where}: the key "route_table" must hold an object')
    parties = {
        party: _endpoints(roles, f"{where}: route_table.{party}")
        for party, roles in table.items()
        if isinstance(roles, dict)
    }
    permission = raw.get("permission") or {}
    if not isinstance(permission, dict):
        raise ValueError(f'{where}: "permission" must be an object with allow and deny')
    return Routes(
        {party: found for party, found in parties.items() if found},
        _rules(permission.get("allow"), f"{where}: permission.allow"),
        _rules(permission.get("deny"), f"{where}: permission.deny"),
        permission.get("default_allow", True) is True,
    )


def _endpoints(roles: dict[str, Any], where: str) -> tuple[Endpoint, ...]:
    found: Any = next((roles[role] for role in ROLES if roles.get(role)), [])
    if not isinstance(found, list):
        raise ValueError(f"{where}: expected a list of endpoints")
    endpoints = []
    for position, given in enumerate(found):
        if not isinstance(given, dict):
            raise ValueError(f"{where}[{position}]: expected an object with ip and port")
        url = given.get("url")
        if url:
            if not isinstance(url, str) or not url.startswith(("http://", "https://")):
                raise ValueError(f"{where}[{position}]: url must start with http:// or https://")
            endpoints.append(Endpoint("", 0, url=url))
            continue
        ip, port = given.get("ip") or given.get("hostname"), given.get("port")
        if not isinstance(ip, str) or type(port) is not int or not 0 < port < 65536:
            raise ValueError(f"{where}[{position}]: ip must be text, port a number to 65535")
        secure = any(given.get(key) is True for key in ("useSSL", "is_secure"))
        endpoints.append(Endpoint(ip, port, secure or given.get("negotiationType") == "TLS"))
    return tuple(endpoints)


def _rules(given: Any, where: str) -> tuple[Rule, ...]:
    """A rule with a fault must not turn into one for everybody."""
    if given is None:
        return ()
    if not isinstance(given, list):
        raise ValueError(f"{where}: expected a list")
    rules = []
    for position, rule in enumerate(given):
        ends = []
        for end in _ENDS:
            of = rule.get(end) if isinstance(rule, dict) else None
            party = of.get("coordinator") if isinstance(of, dict) else None
            if not isinstance(party, str | int) or isinstance(party, bool):
                raise ValueError(
                    f'{where}[{position}].{end}: expected {{"coordinator": a party id or "*"}}'
                )
            ends.append(str(party))
        rules.append(Rule(*ends))
    return tuple(rules)


_ENDS = ("from", "to")


class RouteFile:
    """A file's routes, looked at again when it changes. A file with a fault is not taken."""

    def __init__(self, path: Path | None, otherwise: Routes) -> None:
        self._path, self._routes = path, otherwise
        self._seen = 0
        self.refresh()

    @property
    def routes(self) -> Routes:
        return self._routes

    def refresh(self) -> None:
        if self._path is None:
            return
        try:
            changed = self._path.stat().st_mtime_ns
            if changed != self._seen:
                self._seen = changed
                self._routes = parse(self._path.read_bytes(), str(self._path))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            _log.error("the routes in force stay: %s", error)
