"""Talk to the parties of a job: the ones that live here directly, the others by the gateway."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from fateflow.errors import FlowError, PeerError, PeerUnreachable
from fateflow.scheduler import handlers
from fateflow.site import Site
from fateflow.wire.control import CALLS, Answer, CreateJob
from federation.errors import FederationError, Unreachable

log = logging.getLogger(__name__)

_NAMES = {request: name for name, request in CALLS.items()}


class Parties:
    """Calls to any party by its id; who is asked is told by the request's own fields."""

    def __init__(self, site: Site) -> None:
        self.site = site
        # Only leaf calls run here: none of the handlers calls call_all, so it cannot starve.
        self._pool = ThreadPoolExecutor(max_workers=16, thread_name_prefix="parties")

    def call(self, party_id: str, request: msgspec.Struct, timeout_s: float = 30.0) -> Any:
        """Ask one party and return its reply as JSON builtins.

        request: any struct of ``fateflow.wire.control.CALLS``.
        Raises PeerError if the party refused or failed, PeerUnreachable naming the route tried.
        """
        name = _NAMES[type(request)]
        if self.site.settings.hosts(party_id):
            return self._here(party_id, name, request)
        reply = self._there(party_id, name, request, timeout_s)
        if isinstance(request, CreateJob):
            handlers.remember_peer(self.site, request)
        return reply

    def call_all(
        self, calls: Sequence[tuple[str, msgspec.Struct]], timeout_s: float = 30.0
    ) -> list[Any]:
        """Ask many parties at once; replies in the order of the calls.

        A call that failed has its PeerError or PeerUnreachable in its place: nothing is raised,
        since one party's failure says nothing about the others'.
        """
        if len(calls) == 1:
            return [self._outcome(*calls[0], timeout_s)]
        futures = [self._pool.submit(self._outcome, p, r, timeout_s) for p, r in calls]
        return [future.result() for future in futures]

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _outcome(self, party_id: str, request: msgspec.Struct, timeout_s: float) -> Any:
        try:
            return self.call(party_id, request, timeout_s)
        except (PeerError, PeerUnreachable) as error:
            return error

    def _here(self, party_id: str, name: str, request: msgspec.Struct) -> Any:
        answer = answered(self.site, name, request)
        return _data(party_id, answer)

    def _there(self, party_id: str, name: str, request: msgspec.Struct, timeout_s: float) -> Any:
        gateway = self.site.gateway
        if gateway is None:
            raise PeerUnreachable(
                f"party {party_id} is not hosted by this site and the site has no gateway"
            )
        try:
            raw = gateway.call(party_id, name, msgspec.json.encode(request), timeout_s)
            answer = msgspec.json.decode(raw, type=Answer)
        except (Unreachable, TimeoutError, ConnectionError) as error:
            raise PeerUnreachable(f"{error}") from error
        except (FederationError, msgspec.DecodeError) as error:
            raise PeerError(f"party {party_id}: {error}") from error
        return _data(party_id, answer)


def answered(site: Site, name: str, request: msgspec.Struct) -> Answer:
    """Run the handler of a call for a party of this site; every failure becomes an answer."""
    try:
        return Answer(data=msgspec.to_builtins(handlers.HANDLERS[name](site, request)))
    except FlowError as error:
        return Answer(int(error.retcode), str(error), error.data)
    except FederationError as error:  # its text is ours; some of them are OSErrors, too
        log.exception("%s failed", name)
        return Answer(100, f"{name} failed: {error}")
    except OSError as error:
        log.exception("%s failed", name)
        return Answer(100, f"{name} failed: {error.strerror or type(error).__name__}")
    except Exception as error:  # its text may quote a row, secrets included: it stays in our log
        log.exception("%s failed", name)
        return Answer(100, f"{name} failed: {type(error).__name__}; the site's log has the trace")


def _data(party_id: str, answer: Answer) -> Any:
    if answer.retcode:
        raise PeerError(f"party {party_id}: {answer.retmsg}", data=answer.data)
    return answer.data
