"""What can go wrong between parties.

FederationError
├── UndeclaredType        a value whose type may not cross a border (raised at the sender)
├── RoleMayNotSend        a role tried to send or receive what its component does not declare
├── ProtocolViolation     a peer sent something malformed, undeclared or out of turn (its fault)
├── DuplicateMessage      one identity, two different payloads
├── PeerFailed            the peer's task ended without sending what we wait for
├── Cancelled             the job was stopped while we waited
├── PeerSilent            nothing, not even a heartbeat, for the idle time-out
├── PeerLate              the peer lives, but did not send within the time it was given
├── Unreachable           no route, or every endpoint of the route refused
└── GatewayRefused        a gateway does not let this pass: unknown job, wrong token, wrong party
"""

from __future__ import annotations


class FederationError(Exception):
    """Root of this package's errors."""


class UndeclaredType(FederationError, TypeError):
    def __init__(self, where: str, found: type) -> None:
        super().__init__(
            f"{where}: a {found.__module__}.{found.__qualname__} may not leave a party; "
            "send numbers, text, bytes, arrays or a type registered with federation.codec"
        )


class RoleMayNotSend(FederationError, PermissionError):
    def __init__(self, party: object, message: str, verb: str, allowed: object) -> None:
        super().__init__(f"{party} may not {verb} {message!r}: declared for {allowed}")


class ProtocolViolation(FederationError):
    def __init__(self, peer: object, message: str, problem: str) -> None:
        super().__init__(f"{peer} broke the protocol at {message!r}: {problem}")


class DuplicateMessage(FederationError, ValueError):
    def __init__(self, identity: object) -> None:
        super().__init__(f"{identity} was sent before with another payload")


class PeerFailed(FederationError):
    def __init__(self, peer: object, cause: str) -> None:
        super().__init__(f"{peer} failed: {cause}")


class Cancelled(FederationError):
    def __init__(self, job_id: str, reason: str = "") -> None:
        super().__init__(f"job {job_id} was stopped" + (f": {reason}" if reason else ""))


class PeerSilent(FederationError, TimeoutError):
    def __init__(self, peer: object, message: str, seconds: float) -> None:
        super().__init__(f"no sign of {peer} for {seconds:.0f} s while waiting for {message!r}")


class PeerLate(FederationError, TimeoutError):
    def __init__(self, peer: object, message: str, seconds: float) -> None:
        super().__init__(f"{peer} did not send {message!r} within {seconds:.0f} s")


class Unreachable(FederationError, ConnectionError):
    def __init__(self, party_id: str, tried: str) -> None:
        super().__init__(f"party {party_id} cannot be reached; tried {tried}")


class GatewayRefused(FederationError, PermissionError):
    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"the gateway refused {what}: {why}")
