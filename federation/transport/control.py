"""fateflow's side of its gateway: which jobs may pass, what is over, calls to other sites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from federation.errors import GatewayRefused, Unreachable
from federation.transport import wire
from federation.transport.client import Client


class GatewayControl:
    """Implements ``fateflow.site.Gateway``. Thread-safe.

    secret: the site's gateway secret (``federation.token.site_secret``).
    patience_s: how long an absent gateway is waited for before Unreachable is raised.
    """

    def __init__(self, socket_path: str | Path, secret: str, *, patience_s: float = 30.0) -> None:
        self._client = Client(str(socket_path), secret, patience_s=patience_s)

    def register_job(self, job_id: str, token: str, parties: list[tuple[str, str]]) -> None:
        """Let messages of this job pass between these (role, party id) pairs.

        Again with the same token: the parties are added. Raises GatewayRefused with another one.
        """
        self._client.ask(wire.Register(job_id, token, [(r, p) for r, p in parties]))

    def cancel_job(self, job_id: str, reason: str) -> None:
        """Every waiting ``receive`` of the job at this site ends with Cancelled, now."""
        self._client.ask(wire.Cancel(job_id, reason))

    def end_job(self, job_id: str) -> None:
        """Forget the job and free its spool. Messages that come later are dropped and counted."""
        self._client.ask(wire.End(job_id))

    def drop_task(self, job_id: str, component: str, version: int) -> None:
        """Free the messages of an ended task version; later ones are dropped and counted."""
        self._client.ask(wire.DropTask(job_id, component, version))

    def call(self, party_id: str, name: str, body: bytes, timeout_s: float = 30.0) -> bytes:
        """Ask another site's fateflow, and give back its answer's body.

        Raises Unreachable naming every endpoint tried and why it failed, and GatewayRefused when
        the name is not allowed there. Not repeated once it may have arrived, which the error says.
        """
        if len(body) > wire.LARGEST_BODY:
            raise ValueError(
                f"call {name} to party {party_id}: a body of {len(body)} bytes; "
                f"at most {wire.LARGEST_BODY} are carried"
            )
        request = wire.PartyCall(party_id, name, timeout_s)
        try:
            reply, answer = self._client.ask(
                request, body, repeatable=False, timeout_s=timeout_s + 15.0
            )
        except (GatewayRefused, Unreachable):
            raise
        except OSError as error:
            raise Unreachable(
                party_id,
                f"this site's own gateway, which went away before the answer ({error}); "
                "the call may have been carried out",
            ) from error
        if not isinstance(reply, wire.Payload):
            raise Unreachable(party_id, f"own gateway answered {type(reply).__name__}")
        return answer

    def status(self) -> dict[str, Any]:
        """What the gateway says of itself: party, port, tls, jobs, waiting, counters, peers."""
        reply, _ = self._client.ask(wire.AskStatus())
        if not isinstance(reply, wire.Status):
            raise wire.Broken(f"{type(reply).__name__} instead of a status")
        return reply.values

    def close(self) -> None:
        self._client.close()
