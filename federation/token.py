"""Secrets between processes and parties, and what is proved with them.

A job's token is known to the parties of that job only; every message proves it with an HMAC over
its identity and digest, so a gateway stores nothing for a job it was not told of. The site's
gateway secret is known to the processes of one site only: a file of mode 0600.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import msgspec

from federation.envelope import Envelope


def identity_bytes(envelope: Envelope) -> bytes:
    """The identity in one canonical spelling, the same at every party."""
    job, component, version, message, number, src, dst = envelope.identity
    sides = (src.role.value, src.party_id, dst.role.value, dst.party_id)
    return msgspec.msgpack.encode((job, component, version, message, number, *sides))


def identity_key(envelope: Envelope) -> str:
    """32 hexadecimal characters that name the identity: file names, dictionary keys."""
    return hashlib.blake2b(identity_bytes(envelope), digest_size=16).hexdigest()


def message_mac(token: str, envelope: Envelope, digest: bytes) -> bytes:
    """Proof that the sender knows the job's token: HMAC-SHA256 of identity, purpose and digest.

    Kind, reveals and shape are proved too: what the receiver's audit log says of a message is
    what the sender declared.
    """
    told = msgspec.msgpack.encode((envelope.kind, envelope.reveals, envelope.shape))
    return hmac.digest(token.encode(), identity_bytes(envelope) + told + digest, "sha256")


def greeting_mac(secret: str, nonce: bytes) -> bytes:
    """Answer to the challenge with which the gateway's local socket greets."""
    return hmac.digest(secret.encode(), b"distaff greeting" + nonce, "sha256")


def same(one: bytes, other: bytes) -> bool:
    """Whether two proofs are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(one, other)


def site_secret(path: Path) -> str:
    """The site's gateway secret, made (mode 0600) by whoever asks first.

    Linked into place complete, so that two processes that start together agree.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()
