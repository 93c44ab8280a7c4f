"""The union of all clients' entries for the clients themselves, by an arbiter who reads none.

Parties  clients: guest and hosts, who share a key; the arbiter, who puts ciphertexts together.
Maths    deterministic encryption (AES-SIV): equal entries have equal ciphertexts, and nothing else
         of an entry shows but its length, padded to a multiple of PAD.
Round    (1) host -> guest        a public key for messages
         (2) guest -> host        the key of the entries, readable to the receiver
         (3) client -> arbiter    its entries, encrypted, in the order of their ciphertexts
         (4) arbiter -> clients   every ciphertext that came, once, in their order
Trusts   everyone to follow the protocol (semi-honest), and no client to collude with the arbiter:
         one alone could read everybody's entries, and who has which.
Source   Rogaway and Shrimpton 2006, RFC 5297 (AES-SIV); the arbiter's role is FATE 1.x's, where it
         reads the entries.
"""

from __future__ import annotations

from collections.abc import Collection

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESSIV, ChaCha20Poly1305

from federatedml.crypto import masking
from federatedml.protocols.roll_call import CLIENTS, arbiter_of
from federation import ARBITER, GUEST, HOST, Context, Message, Party
from federation.errors import ProtocolViolation

PUBLIC_BYTES = 32
"""Of an X25519 public key."""

KEY_BITS = 512
"""Two keys of 256 bits: one for the tag, one for the cipher."""

PAD = 64
"""Bytes: entries of up to 63 bytes look alike in length."""


class Wire:
    """All that leaves a party."""

    channel = Message[bytes]({HOST}, {GUEST}, kind="plain", reveals="nothing")
    secret = Message[bytes](
        {GUEST}, {HOST}, kind="ciphertext", reveals="to the receiver: the key of the entries"
    )
    sealed = Message[list[bytes]](
        CLIENTS,
        {ARBITER},
        kind="ciphertext",
        reveals="how many entries the sender has, about how long they are, and which of them "
        "(without reading them) other clients have too",
    )
    union = Message[list[bytes]](
        {ARBITER},
        CLIENTS,
        kind="ciphertext",
        reveals="to clients: all entries of all clients, and of more than two not whose they are",
    )


def client(ctx: Context, entries: Collection[bytes]) -> list[bytes]:
    """A client's side: the entries of all clients, each once, sorted.

    Raises ProtocolViolation for a union that is none of the clients' entries, or lacks an own one.
    Cost: some microseconds and PAD + 16 bytes an entry, each way.
    """
    cipher = AESSIV(_made(ctx) if ctx.role == GUEST else _received(ctx))
    about = [f"union|{_task(ctx)}".encode()]
    mine = sorted({cipher.encrypt(_padded(entry), about) for entry in entries})
    ctx.remote(Wire.sealed, mine)  # (3)
    told, arbiter = ctx.get(Wire.union), arbiter_of(ctx)  # (4)
    if not set(mine) <= set(told):
        raise ProtocolViolation(arbiter, Wire.union.name, "entries of this client are not in it")
    try:
        return sorted({_unpadded(cipher.decrypt(sealed, about)) for sealed in told})
    except (InvalidTag, ValueError):
        raise ProtocolViolation(arbiter, Wire.union.name, "not entries of the clients") from None


def server(ctx: Context) -> int:
    """The arbiter's side; how many entries all clients have together."""
    union = {sealed for entries in ctx.gather(Wire.sealed).values() for sealed in entries}  # (3)
    ctx.remote(Wire.union, sorted(union))  # (4)
    return len(union)


def _made(ctx: Context) -> bytes:
    secret = AESSIV.generate_key(KEY_BITS)
    for host, theirs in ctx.gather(Wire.channel).items():  # (1)
        mine = X25519PrivateKey.generate()
        key = _agreed(ctx, mine, theirs, host, host)
        sealed = ChaCha20Poly1305(key).encrypt(bytes(12), secret, None)
        ctx.remote(Wire.secret, mine.public_key().public_bytes_raw() + sealed, to=host)  # (2)
    return secret


def _received(ctx: Context) -> bytes:
    mine = X25519PrivateKey.generate()
    ctx.remote(Wire.channel, mine.public_key().public_bytes_raw())  # (1)
    body = ctx.get(Wire.secret)  # (2)
    key = _agreed(ctx, mine, body[:PUBLIC_BYTES], ctx.guest, ctx.me)
    try:
        secret = ChaCha20Poly1305(key).decrypt(bytes(12), body[PUBLIC_BYTES:], None)
    except InvalidTag:
        raise ProtocolViolation(ctx.guest, Wire.secret.name, "not a key for us") from None
    if 8 * len(secret) != KEY_BITS:
        raise ProtocolViolation(ctx.guest, Wire.secret.name, "a key of another length")
    return secret


def _agreed(ctx: Context, mine: X25519PrivateKey, theirs: bytes, peer: Party, host: Party) -> bytes:
    """A key for one message, known to the guest and this host. peer: whose ``theirs`` is."""
    try:
        return masking.shared_key(mine, theirs, f"union key|{_task(ctx)}|{host}".encode())
    except ValueError:
        raise ProtocolViolation(peer, Wire.channel.name, "not a public key") from None


def _task(ctx: Context) -> str:
    return f"{ctx.job_id}|{ctx.component}|{ctx.version}"


def _padded(entry: bytes) -> bytes:
    """One bit and zeros to a multiple of PAD bytes."""
    return entry + b"\x80" + bytes(-(len(entry) + 1) % PAD)


def _unpadded(padded: bytes) -> bytes:
    """Raises ValueError if there is no padding."""
    return padded[: padded.rindex(b"\x80")]
