"""Where other parties' gateways are: FATE's ``route_table.json``, read as it is.

    {"route_table": {"10000": {"default": [{"ip": "10.2.0.7", "port": 9370, "is_secure": true}]},
                     "default": {"default": [{"ip": "203.0.113.9", "port": 9370}]}},
     "permission": {"default_allow": true}}

Party id, else ``default``; inside it the destination role, else ``default``. Every endpoint of a
list is tried in order (FATE uses the first only). ``pin`` is ours: SHA-256 of the certificate that
alone is accepted there. The file is read again when it changes; a table with a fault is not taken,
and the one in force stays.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
from pathlib import Path
from typing import Any

import msgspec

from federation.errors import FederationError

DEFAULT = "default"
FILE = "route_table.json"

_ROLES = ("default", "guest", "host", "arbiter", "local", "fateflow", "eggroll", "serving")
_KEYS = ("ip", "port", "is_secure", "is_polling", "pin", "hostname", "description")
_PIN = re.compile(r"[0-9a-f]{64}")

_log = logging.getLogger(__name__)


class RouteFault(FederationError, ValueError):
    """The table cannot be used; says where and what is allowed."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")


class Endpoint(msgspec.Struct, frozen=True):
    """A gateway's address. pin: hexadecimal SHA-256 of its certificate (DER), "" for any of the
    party's."""

    ip: str
    port: int
    is_secure: bool = False
    pin: str = ""

    def __str__(self) -> str:
        return f"{self.ip}:{self.port}"


class RouteTable(msgspec.Struct, frozen=True):
    """Party id to role to endpoints."""

    parties: dict[str, dict[str, tuple[Endpoint, ...]]] = {}
    default_allow: bool = True

    def lookup(self, party_id: str, role: str = DEFAULT) -> tuple[Endpoint, ...]:
        """The endpoints to try, in order; empty if there is no route."""
        roles = self.parties.get(party_id)
        if roles is None and self.default_allow:
            roles = self.parties.get(DEFAULT)
        if roles is None:
            return ()
        return roles.get(role) or roles.get(DEFAULT, ())

    def missing(self, party_id: str) -> str:
        """Why there is no route to a party, and what the table offers instead."""
        known = sorted(p for p in self.parties if p != DEFAULT)
        if DEFAULT in self.parties and not self.default_allow:
            more = "and permission.default_allow forbids the default"
        else:
            more = "and no default"
        near = difflib.get_close_matches(party_id, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return f"the route table has no entry for it ({', '.join(known) or 'empty'}) {more}{hint}"


def parse(text: bytes | str, where: str = FILE) -> RouteTable:
    """A table from FATE's JSON. Raises RouteFault naming the path of the first fault."""
    try:
        raw = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise RouteFault(where, f"not JSON: {error}") from None
    _object(raw, where, ("route_table", "permission"))
    if "route_table" not in raw:
        raise RouteFault(where, 'the key "route_table" is missing')
    table = _object(raw["route_table"], f"{where}: route_table")
    permission = _object(raw.get("permission", {}), f"{where}: permission", ("default_allow",))
    allow = permission.get("default_allow", True)
    if not isinstance(allow, bool):
        raise RouteFault(f"{where}: permission.default_allow", "must be true or false")
    parties = {
        party: {
            role: _endpoints(found, f"{where}: route_table.{party}.{role}")
            for role, found in _object(roles, f"{where}: route_table.{party}").items()
        }
        for party, roles in table.items()
    }
    for party, roles in parties.items():
        if not roles:
            raise RouteFault(f"{where}: route_table.{party}", 'needs a role or "default"')
        for role in roles.keys() - set(_ROLES):
            raise RouteFault(
                f"{where}: route_table.{party}.{role}", f"no such role; one of {', '.join(_ROLES)}"
            )
    return RouteTable(parties, allow)


def load(path: Path) -> RouteTable:
    """The table in a file; an empty one if there is no file. Raises RouteFault."""
    try:
        return parse(path.read_bytes(), path.name)
    except FileNotFoundError:
        return RouteTable()


class Routes:
    """The table in force for one site. ``table`` looks whether the file changed; cost: a stat."""

    def __init__(self, path: Path) -> None:
        self.path, self.fault = path, ""
        self._stamp = _stamp(path)
        self._table = load(path)

    @property
    def table(self) -> RouteTable:
        stamp = _stamp(self.path)
        if stamp != self._stamp:
            self._stamp = stamp
            self._reload()
        return self._table

    def _reload(self) -> None:
        try:
            fresh = load(self.path)
        except (RouteFault, OSError) as error:
            self.fault = str(error)
            _log.error("route table not taken, the former stays in force: %s", error)
            return
        before, self._table, self.fault = self._table, fresh, ""
        for party in sorted(before.parties.keys() | fresh.parties.keys()):
            if before.parties.get(party) != fresh.parties.get(party):
                _log.info("route of party %s is now %s", party, shown(fresh, party))


def shown(table: RouteTable, party: str) -> str:
    """A party's endpoints in one line."""
    roles = table.parties.get(party)
    if not roles:
        return "none"
    return "; ".join(f"{role} {', '.join(map(str, ends))}" for role, ends in roles.items())


def _endpoints(found: Any, where: str) -> tuple[Endpoint, ...]:
    if not isinstance(found, list) or not found:
        raise RouteFault(where, 'must be a list of at least one {"ip": ..., "port": ...}')
    return tuple(_endpoint(item, f"{where}[{i}]") for i, item in enumerate(found))


def _endpoint(item: Any, where: str) -> Endpoint:
    _object(item, where, _KEYS)
    ip, port = item.get("ip"), item.get("port")
    if not isinstance(ip, str) or not ip.strip():
        raise RouteFault(f"{where}.ip", "must be an address or a host name")
    if isinstance(port, bool) or not isinstance(port, int) or not 0 < port < 65536:
        raise RouteFault(f"{where}.port", "must be a number from 1 to 65535")
    for flag in ("is_secure", "is_polling"):
        if not isinstance(item.get(flag, False), bool):
            raise RouteFault(f"{where}.{flag}", "must be true or false")
    if item.get("is_polling"):
        raise RouteFault(
            f"{where}.is_polling",
            "parties that only dial out are not served yet: give them an address to be dialled at",
        )
    pin = item.get("pin", "")
    if not isinstance(pin, str) or not (pin == "" or _PIN.fullmatch(pin.lower().replace(":", ""))):
        raise RouteFault(f"{where}.pin", "must be 64 hexadecimal digits (distaff cert show)")
    return Endpoint(ip.strip(), port, item.get("is_secure", False), pin.lower().replace(":", ""))


def _object(found: Any, where: str, allowed: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise RouteFault(where, f"must be a JSON object, not {type(found).__name__}")
    for key in found:
        if allowed and key not in allowed:
            near = difflib.get_close_matches(key, allowed, 1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; allowed: {', '.join(allowed)}"
            raise RouteFault(where, f"unknown key {key!r}{hint}")
    return found


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 (on the way of every message)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
