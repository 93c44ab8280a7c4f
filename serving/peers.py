"""Asking other parties' servings: one gRPC hop, grouped while the way is busy.

Grouping is work-conserving: with no call to a (party, model) under way a row is sent at once; rows
that arrive meanwhile travel together when it returns, or after ``micro_batch_ms``. A host sees
FATE-Serving's single command for one row and its batch command for several.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import time
from typing import Any

import msgspec

from federation.fate_serving import proxy_pb2 as pb
from serving import packets, scoring
from serving.calls import REPLY_MARGIN_S, Call, HostAnswer, Part, Row
from serving.certificates import Certificates
from serving.codes import Code, ServingFault, of_host
from serving.inference import host_fault
from serving.measures import Measures
from serving.party_auth import Signer
from serving.party_link import CALLS_END_S, PartyLink
from serving.plans import parts as forms
from serving.registry import Loaded, ModelKey, Remote
from serving.routes import RouteFile
from serving.settings import Settings

_log = logging.getLogger(__name__)

LARGE_CALL = 64 << 10
"""Bytes of a request from which it travels by itself: a group must not grow over a packet."""


class Waiting(msgspec.Struct):
    """A row on its way into a group."""

    call: Call
    row: Row
    future: asyncio.Future[Part]


class Peers:
    """Every other party, as this process sees it."""

    def __init__(
        self,
        settings: Settings,
        routes: RouteFile,
        certificates: Certificates,
        measures: Measures,
        signer: Signer,
    ) -> None:
        self.settings, self.routes, self.measures = settings, routes, measures
        self._certificates, self._signer = certificates, signer
        self._links: dict[str, PartyLink] = {}
        self._lanes: dict[tuple[ModelKey, ModelKey], Lane] = {}
        self._closing: set[asyncio.Task[None]] = set()

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
        """See ``kept_answers.Peers``."""
        alone = len(rows) > 1 or call.size > LARGE_CALL or self.settings.micro_batch_rows < 2
        if batching and not alone:
            return HostAnswer(rows=[await self._lane(model, remote).put(call, rows[0])])
        return await self.send(model, remote, call, rows, columns=columns and len(rows) > 1)

    async def send(
        self,
        model: Loaded,
        remote: Remote,
        call: Call,
        rows: list[Row],
        *,
        columns: bool = False,
        cases: list[str] | None = None,
    ) -> HostAnswer:
        """One call over the wire. columns: all rows' answers may come as columns. cases: the rows'
        own case ids, where they are of several requests.

        Raises ServingFault: 105, 106, 124, 2xxx.
        """
        offered = [*([scoring.COLUMNS] if columns else []), forms.LEVEL_1]
        extra: dict[str, Any] = {packets.CAPABILITIES: offered} if self.settings.compact else {}
        if cases:
            extra[packets.CASES] = cases
        packet = await self._sent(model, remote, call, rows, extra)
        try:
            return packets.answer(packet, len(rows))
        except ServingFault as fault:
            raise host_fault(fault.code, str(fault)) from None

    async def kept_part(
        self, model: Loaded, remote: Remote, deadline: float
    ) -> dict[str, Any] | None:
        """A host's part of its kept rows; None of one that kept none.

        Raises ServingFault as ``send`` does.
        """
        rows = [Row(index=0, features={}, remote={})]
        call = Call(case_id="bind-probe", service_id="", rows=rows, deadline=deadline)
        extra: dict[str, Any] = {packets.KEPT: True}
        limit_s = deadline - asyncio.get_running_loop().time()
        packet = await self._sent(model, remote, call, rows, extra, limit_s)
        try:
            return packets.kept_part(packet)
        except ServingFault as fault:
            raise host_fault(fault.code, str(fault)) from None

    async def knows(self, model: Loaded, remote: Remote, deadline: float) -> str:
        """Why a host would not answer for a model, "" if it would: it refuses a batch of no rows
        only after it has found the model."""
        call = Call(case_id="ready-probe", service_id="", rows=[], deadline=deadline)
        try:
            packets.answer(await self._called(model, remote, call, [], {}), 0)
        except ServingFault as fault:
            if fault.code not in (Code.BAD_PARAMETER, Code.SYSTEM):  # 110: FATE-Serving's words
                return f"{remote.role} {remote.party_id} is not ready: {fault}"
        return ""

    async def _sent(
        self,
        model: Loaded,
        remote: Remote,
        call: Call,
        rows: list[Row],
        extra: dict[str, Any],
        limit_s: float | None = None,
    ) -> pb.Packet:
        """The host's answer, after it has had this guest's key if it asked for one."""
        key, setup = model.plan.setup(remote.party_id)
        if key:
            extra[packets.KEY] = key
        answer = await self._called(model, remote, call, rows, extra, limit_s)
        if not key or not packets.needs_setup(answer):
            return answer
        extra[packets.SETUP] = {
            name: base64.b64encode(content).decode() for name, content in setup.items()
        }
        return await self._called(model, remote, call, rows, extra, limit_s)

    async def _called(
        self,
        model: Loaded,
        remote: Remote,
        call: Call,
        rows: list[Row],
        extra: dict[str, Any],
        limit_s: float | None = None,
    ) -> pb.Packet:
        """limit_s: instead of the option party_ms. Raises ServingFault: 105, 106, 124."""
        link = self.link(remote.party_id)
        loop = asyncio.get_running_loop()
        left = call.deadline - loop.time() - REPLY_MARGIN_S
        timeout = min(left, limit_s or self.settings.party_ms / 1000)
        if timeout <= 0:
            raise _late(remote.party_id)
        packet = packets.request(
            call,
            rows,
            model.party_id,
            remote.party_id,
            remote.key,
            extra,
        )
        self._signer.sign(packet, remote.party_id)
        started = time.perf_counter()
        try:
            answer = await link.call(packet, timeout)
        except ServingFault:
            self.measures.host_up.labels(remote.party_id).set(link.is_up)
            raise
        self.measures.host_up.labels(remote.party_id).set(1)
        self.measures.remote.labels(remote.party_id).observe(time.perf_counter() - started)
        return answer

    def link(self, party_id: str) -> PartyLink:
        """The way to a party, made anew when its routes or our certificate have changed.

        Raises ServingFault (106) without a route.
        """
        found = self.routes.routes.to(party_id)
        own = self._certificates.identity
        kept = self._links.get(party_id)
        if kept is not None and kept.addresses == found and kept.identity is own:
            return kept
        if kept is not None:
            del self._links[party_id]
            task = asyncio.ensure_future(kept.close(CALLS_END_S))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        if not found:
            raise ServingFault(
                Code.GUEST_ROUTE,
                f"no route to the serving of party {party_id}: add it to route_table.json under "
                f'"{party_id}": {{"serving": [{{"ip": ..., "port": ...}}]}}',
            )
        made = PartyLink(party_id, found, own, self.settings.in_flight_per_party)
        self._links[party_id] = made
        return made

    def forget(self, key: ModelKey) -> None:
        """A model was unloaded: nothing of it is kept for calls to come."""
        self._lanes = {pair: lane for pair, lane in self._lanes.items() if pair[0] != key}

    @property
    def waiting(self) -> int:
        """Rows that wait for their group."""
        return sum(len(lane.waiting) for lane in self._lanes.values())

    def states(self) -> dict[str, bool]:
        """Which parties that were asked answer."""
        return {party: link.is_up for party, link in self._links.items()}

    async def close(self) -> None:
        for link in self._links.values():
            await link.close()
        for task in self._closing:
            task.cancel()

    def _lane(self, model: Loaded, remote: Remote) -> Lane:
        key = (model.key, remote.key)
        lane = self._lanes.get(key)
        if lane is None or lane.model is not model:
            lane = self._lanes[key] = Lane(self, model, remote)
        return lane


class Lane:
    """Rows of one model for one host, sent in groups while calls are under way."""

    def __init__(self, peers: Peers, model: Loaded, remote: Remote) -> None:
        self.peers, self.model, self.remote = peers, model, remote
        self._most = min(peers.settings.micro_batch_rows, peers.settings.most_rows)
        self.waiting: list[Waiting] = []
        self._under_way = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def put(self, call: Call, row: Row) -> Part:
        """The host's part of a row. Raises ServingFault."""
        loop = asyncio.get_running_loop()
        waiting = Waiting(call, row, loop.create_future())
        self.waiting.append(waiting)
        settings = self.peers.settings
        if not self._under_way or len(self.waiting) >= self._most:
            self._flush()
        elif self._timer is None:
            self._timer = loop.call_later(settings.micro_batch_ms / 1000, self._flush)
        late = loop.call_at(call.deadline, _fail, waiting, _late(self.remote.party_id))
        try:
            return await waiting.future
        finally:
            late.cancel()

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        there = [waiting for waiting in self.waiting if not waiting.future.done()]
        group, self.waiting = there[: self._most], there[self._most :]
        if not group:
            return
        self._under_way += 1
        task = asyncio.ensure_future(self._sent(group))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sent(self, group: list[Waiting]) -> None:
        first = group[0].call
        call = msgspec.structs.replace(
            first, deadline=max(waiting.call.deadline for waiting in group)
        )
        rows = [waiting.row for waiting in group]
        try:
            cases = [waiting.call.case_id for waiting in group] if len(group) > 1 else None
            found = await self.peers.send(self.model, self.remote, call, rows, cases=cases)
        except ServingFault as fault:
            if len(group) > 1 and fault.code == of_host(Code.BAD_PARAMETER):
                # One bad row must not cost the others theirs: each is asked for by itself.
                await asyncio.gather(*(self._sent_alone(waiting) for waiting in group))
            else:
                for waiting in group:
                    _fail(waiting, fault)
        except BaseException as error:  # every waiting request must get its answer
            _log.exception("a group of requests failed")
            for waiting in group:
                _fail(waiting, ServingFault(Code.SYSTEM, type(error).__name__))
            if not isinstance(error, Exception):
                raise
        else:
            for waiting, part in zip(group, found.rows, strict=True):
                if not waiting.future.done():
                    waiting.future.set_result(part)
        finally:
            self._under_way -= 1
            if self.waiting:
                self._flush()

    async def _sent_alone(self, waiting: Waiting) -> None:
        try:
            found = await self.peers.send(self.model, self.remote, waiting.call, [waiting.row])
        except ServingFault as fault:
            _fail(waiting, fault)
        else:
            if not waiting.future.done():
                waiting.future.set_result(found.rows[0])


def _fail(waiting: Waiting, fault: ServingFault) -> None:
    if not waiting.future.done():
        waiting.future.set_exception(ServingFault(fault.code, str(fault)))
        waiting.future.exception()  # a request that has gone leaves nobody to look at it


def _late(party_id: str) -> ServingFault:
    return ServingFault(Code.NETWORK, f"host {party_id} remote error : no answer in time")
