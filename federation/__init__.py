"""Declared messages between parties: codec, context, transports, gateway and audit log.

Names are loaded when first asked for: the gateway and fateflow import parts of this package, and
neither may pay for numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from federation.context import Context, Transport
    from federation.envelope import Envelope
    from federation.message import Kind, Message
    from federation.party import ARBITER, GUEST, HOST, LOCAL, Party, Role

__all__ = [
    "ARBITER",
    "GUEST",
    "HOST",
    "LOCAL",
    "Context",
    "Envelope",
    "Kind",
    "Message",
    "Party",
    "Role",
    "Transport",
]

_HOMES = {"Context": "context", "Transport": "context", "Envelope": "envelope"}
_HOMES |= dict.fromkeys(["Kind", "Message"], "message")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'federation' has no attribute {name!r}")
    return getattr(importlib.import_module(f"federation.{_HOMES.get(name, 'party')}"), name)
