"""Hosts' earlier answers, for services whose policy lets them be used again.

``reuse_s``: an answer of that age is taken instead of asking. ``fallback`` ``cache``: one of up to
``fallback_s`` is taken when the host does not answer, and the answer says so. Otherwise nothing is
kept. What is kept goes with its model, when that is unloaded or loaded anew.

The keys are digests under a key of this process: what ids were asked for cannot be read from them.
"""

from __future__ import annotations

import hashlib
import secrets
from typing import Protocol
from weakref import WeakKeyDictionary

import msgspec

from serving.cache import MISSING_S, Kept, Lookups
from serving.calls import Call, HostAnswer, Part, Row
from serving.codes import ABSENT, Code, ServingFault
from serving.registry import Loaded, Policy, Remote


class Peers(Protocol):
    """Other parties' servings."""

    async def ask(
        self,
        model: Loaded,
        remote: Remote,
        call: Call,
        rows: list[Row],
        *,
        batching: bool,
        columns: bool = True,
    ) -> HostAnswer:
        """What a host contributes to each row, in their order. columns: all rows' at once.

        Raises ServingFault: 105 if it did not answer in time, 2xxx with the host's code.
        """


class KeptAnswers:
    """Asks hosts. entries: of each model, at most."""

    def __init__(self, peers: Peers, entries: int) -> None:
        self.peers, self._entries = peers, entries
        self.lookups = Lookups()
        self._secret = secrets.token_bytes(32)
        self._of: WeakKeyDictionary[Loaded, Kept[Part]] = WeakKeyDictionary()

    async def ask(self, model: Loaded, remote: Remote, call: Call, policy: Policy) -> HostAnswer:
        """See ``Peers.ask``; of the whole call."""
        batching = policy.micro_batching
        if not policy.reuse_s and policy.fallback != "cache":
            return await self.peers.ask(model, remote, call, call.rows, batching=batching)
        kept = self._of.setdefault(model, Kept(self._entries, self.lookups))
        keys = [self._key(remote, row) for row in call.rows]

        async def look_up(positions: list[int]) -> list[Part]:
            rows = [call.rows[i] for i in positions]
            told = await self.peers.ask(model, remote, call, rows, batching=batching, columns=False)
            return told.rows

        def lasting(part: Part) -> float:
            if part.code:
                return min(policy.reuse_s, MISSING_S) if part.code == Code.NO_FEATURES else 0.0
            return policy.reuse_s

        try:
            if policy.reuse_s:
                return HostAnswer(rows=await kept.through(keys, look_up, lasting))
            found = await look_up(list(range(len(keys))))
        except ServingFault as fault:
            if policy.fallback != "cache" or fault.code not in ABSENT:
                raise
            return _earlier(kept, keys, policy, fault)
        for key, part in zip(keys, found, strict=True):
            if not part.code:
                kept.put(key, part)
        return HostAnswer(rows=found)

    def _key(self, remote: Remote, row: Row) -> bytes:
        asked = [remote.party_id, remote.key, row.check, row.remote]
        content = msgspec.json.encode(asked, order="sorted")
        return hashlib.blake2b(content, digest_size=16, key=self._secret).digest()


def _earlier(
    kept: Kept[Part], keys: list[bytes], policy: Policy, fault: ServingFault
) -> HostAnswer:
    """Rows without an earlier answer keep the fault. Raises it if that is all of them."""
    oldest = policy.fallback_s
    found = [kept.find(key, lambda part: 0.0 if part.code else oldest) for key in keys]
    if not any(found):
        raise fault
    lost = Part(code=fault.code, message=str(fault), is_ours=True)
    return HostAnswer(rows=[part or lost for part in found], is_earlier=True)
