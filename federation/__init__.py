"""Declared messages between parties: codec, context, transports, gateway and audit log."""

from federation.context import Context, Envelope, Transport
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
