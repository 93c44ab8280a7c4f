"""Calls that arrive faster than they can be worked on are taken in first and worked on second.

gRPC's asyncio server takes in one call for each turn of the event loop. When every turn does a
call's whole work, calls that should be refused wait unseen in gRPC's core behind those that are
worked on, until they are late or the core drops them. So, while the core holds calls back, work
waits at this gate: what is over ``in_flight`` gets its refusal at once, and work goes on in slices
between which the core is emptied.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # nothing public tells the number

from serving.limits import overloaded

OPTIONS = (
    ("grpc.enable_channelz", 1),
    ("grpc.server.max_pending_requests", 4_000),
    ("grpc.server.max_pending_requests_hard_limit", 8_000),
)
"""The core counts calls, and drops (CANCELLED) what even refusals cannot keep up with."""

LOOK_CALLS, LOOK_S, FEW_CALLS = 16, 0.05, 4
"""After so many calls, or so long a time with more than a few, the core is asked how many it holds
back: that costs as much as a refusal."""

CROWD = 4
"""Calls held back from which work waits."""

WORK_S, EMPTY_S = 0.025, 0.1
"""Work goes on for the first, then the core is emptied, for the second at most, and so on: however
many are refused, time is left for those that are not."""

STILL_S = 0.03
"""Without any arrival nothing is held back, whatever the counts say."""


class Gate(grpc.GenericRpcHandler):
    """Of one server; the first of its handlers, of which it is none: it only counts."""

    def __init__(self) -> None:
        self.arrived = 0
        self._server, self._gone = 0, 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._letting_in: asyncio.Task[None] | None = None
        self._calls, self._since = 0, 0.0
        self._each_s = 0.0

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return len(self._waiting)

    def service(self, _: Any) -> None:
        self.arrived += 1

    def watch(self) -> None:
        """The server that was made last is this gate's."""
        found = json.loads(cygrpc.channelz_get_servers(0))["server"]
        self._server = max(int(one["ref"]["serverId"]) for one in found)

    async def turn(self, left_s: float | None) -> None:
        """Returns when a call may be worked on: at once, unless calls are held back. left_s: to its
        deadline. Raises ServingFault (124) if that is before its turn."""
        if self._letting_in is None and not self._crowded():
            return
        if left_s is not None and len(self._waiting) * self._each_s > left_s:
            raise overloaded("the call's deadline is before its turn")
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        if self._letting_in is None:
            self._letting_in = asyncio.ensure_future(self._let_in())
        await mine

    def held_back(self) -> int:
        """Calls that the core has and this process has not seen yet."""
        told = json.loads(cygrpc.channelz_get_server(self._server))
        started = int(told["server"]["data"].get("callsStarted", 0))
        held = started - self.arrived - self._gone
        if held < 0:  # one that was taken for gone has come
            self._gone += held
        return max(held, 0)

    def _crowded(self) -> bool:
        self._calls += 1
        if self._calls < FEW_CALLS:
            return False
        now = time.perf_counter()
        if self._calls < LOOK_CALLS and now - self._since < LOOK_S:
            return False
        self._calls, self._since = 0, now
        return self.held_back() > CROWD

    async def _let_in(self) -> None:
        try:
            while self._waiting:
                await self._emptied()
                await self._worked()
        finally:
            self._letting_in = None

    async def _worked(self) -> None:
        """A slice of work."""
        began, count = time.perf_counter(), 0
        while self._waiting and time.perf_counter() - began < WORK_S:
            first = self._waiting.popleft()
            if not first.done():
                first.set_result(None)
                count += 1
            await asyncio.sleep(0)
        if count:
            self._each_s = (time.perf_counter() - began) / count

    async def _emptied(self) -> None:
        """Until what the core held back has arrived. Calls that were given up there never do."""
        until = time.perf_counter() + EMPTY_S
        while (held := self.held_back()) > CROWD:
            due, last, still = self.arrived + held, self.arrived, time.perf_counter() + STILL_S
            while self.arrived < due:
                await asyncio.sleep(0.001)
                now = time.perf_counter()
                if self.arrived > last:
                    last, still = self.arrived, now + STILL_S
                    if now > until:
                        return
                elif now > still:
                    self._gone += due - self.arrived
                    break
