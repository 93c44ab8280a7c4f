"""Signatures between servings where no certificate says who calls: FATE-Serving's, and a stronger.

Version 1 is FATE-Serving's: base64(HMAC-SHA1(secret, timestamp LF header LF body)), header and body
as proto3 JSON without white space. Version 2, between two of ours, takes SHA-256 and covers the
nonce too. Nonces are remembered while their packets could still be replayed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import secrets
import time
from pathlib import Path

import msgspec
from google.protobuf import json_format
from google.protobuf.message import Message

from federation.fate_serving import proxy_pb2 as pb
from serving.codes import Code, ServingFault
from serving.routes import Routes

_log = logging.getLogger(__name__)

EXPIRY_S = 10
MOST_NONCES = 100_000
STRONG = "2"
"""In ``auth.version`` of packets whose signature is of version 2."""


class Access(msgspec.Struct, frozen=True):
    """What two parties agreed on. Repr hides the secret."""

    party_id: str
    app_key: str
    app_secret: str
    strong: bool = False

    def __repr__(self) -> str:
        return f"Access(party_id={self.party_id!r}, app_key={self.app_key!r})"


class Config(msgspec.Struct, frozen=True):
    """FATE-Serving's ``auth_config.json``."""

    self_party_id: str = ""
    apply_id: str = ""
    if_use_auth: bool = False
    request_expire_seconds: int = EXPIRY_S
    access_keys: tuple[Access, ...] = ()


def read(path: Path | None) -> Config:
    """Raises ValueError naming the file. No file: no signatures."""
    if path is None or not path.exists():
        return Config()
    try:
        return msgspec.json.decode(path.read_bytes(), type=Config)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: {error}") from None


class Signer:
    """Signs what leaves and checks what comes. path: of the file, whose changes are taken up; that
    signatures are required is lifted by a restart alone."""

    def __init__(self, config: Config, *, required: bool, path: Path | None = None) -> None:
        self.required = required
        self._path, self._stamp = path, _stamp(path)
        self._seen: dict[str, float] = {}
        self._take(config)

    def refresh(self) -> None:
        """Look at the file again. One that is gone or has a fault is not taken."""
        stamp = _stamp(self._path)
        if stamp == self._stamp or self._path is None:
            return
        self._stamp = stamp
        try:
            if not stamp:
                raise ValueError(f"{self._path} is not there any more")
            self._take(read(self._path))
        except (OSError, ValueError) as error:
            _log.error("the secrets in force stay: %s", error)
            return
        _log.info("%s was read again", self._path)

    def _take(self, config: Config) -> None:
        self.config = config
        self.required = self.required or config.if_use_auth
        self._by_party = {access.party_id: access for access in config.access_keys}
        self._by_key = {access.app_key: access for access in config.access_keys}

    def sign(self, packet: pb.Packet, party_id: str) -> None:
        """Sign for a party that we share a secret with."""
        access = self._by_party.get(party_id)
        if access is None:
            return
        packet.auth.timestamp = int(time.time() * 1000)
        packet.auth.appKey = access.app_key
        if access.strong:
            packet.auth.version = STRONG
            packet.auth.nonce = f"{packet.auth.nonce}.{secrets.token_hex(8)}"
        packet.auth.signature = _signature(packet, access)

    def check(self, packet: pb.Packet) -> str:
        """The party that signed, "" if nothing is asked for.

        Raises ServingFault (129): no or a wrong signature, an old packet, one seen before.
        """
        if not self.required:
            return ""
        access = self._by_key.get(packet.auth.appKey)
        if access is None:
            raise ServingFault(Code.AUTHENTICATION, "authentication failed: unknown app key")
        age = abs(time.time() - packet.auth.timestamp / 1000)
        if age > self.config.request_expire_seconds:
            raise ServingFault(
                Code.AUTHENTICATION,
                "authentication failed: the packet is too old; check the clocks",
            )
        expected = _signature(packet, access)
        if not hmac.compare_digest(expected.encode(), packet.auth.signature.encode()):
            raise ServingFault(Code.AUTHENTICATION, "authentication failed: wrong signature")
        self._once(packet.auth.signature)
        return access.party_id

    def _once(self, signature: str) -> None:
        now = time.monotonic()
        if len(self._seen) > MOST_NONCES:
            kept = self.config.request_expire_seconds * 2
            self._seen = {k: at for k, at in self._seen.items() if now - at < kept}
        if signature in self._seen and (
            now - self._seen[signature] < self.config.request_expire_seconds * 2
        ):
            raise ServingFault(Code.AUTHENTICATION, "authentication failed: seen before")
        self._seen[signature] = now


def admit_source(
    signer: Signer, routes: Routes, packet: pb.Packet, certified: str, *, proof: bool
) -> None:
    """Whether a packet is of the party that it names, and that party may call the one it is for.
    certified: the party in the connection's certificate, "" in plaintext. proof: a certificate or a
    signature must say whose it is. Raises ServingFault (129)."""
    source, target = packet.header.src.partyId, packet.header.dst.partyId
    proofs = (signer.check(packet), certified)
    if proof and not any(proofs):
        raise ServingFault(
            Code.AUTHENTICATION, "authentication failed: the certificate names no one party"
        )
    for proven in proofs:
        if proven and proven != source:
            raise ServingFault(
                Code.AUTHENTICATION,
                f"authentication failed: party {proven} says it is {source[:40]}",
            )
    if not routes.allows(source, target):
        raise ServingFault(Code.AUTHENTICATION, f"party {source} may not call party {target}")


def _stamp(path: Path | None) -> int:
    return path.stat().st_mtime_ns if path is not None and path.is_file() else 0


def _signature(packet: pb.Packet, access: Access) -> str:
    lines = [str(packet.auth.timestamp), _json(packet.header), _json(packet.body)]
    algorithm = hashlib.sha1
    if access.strong:
        lines.append(packet.auth.nonce)
        algorithm = hashlib.sha256
    text = "\n".join(lines).encode()
    return base64.b64encode(hmac.new(access.app_secret.encode(), text, algorithm).digest()).decode()


def _json(message: Message) -> str:
    found = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return json.dumps(found, separators=(",", ":"), ensure_ascii=False)
