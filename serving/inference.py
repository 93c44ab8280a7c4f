"""The guest's side of a request: its own part at once, every host's meanwhile, then one score.

1. the service's model is taken from the snapshot (one version for the whole request)
2. every host is asked with ``sendToRemoteFeatureData``, never with features of the guest
3. the guest's own part is computed while they answer
4. parts are merged; a host that fails costs the rows it failed for, or all of them
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from serving import codes, scoring
from serving.calls import Answer, Call, HostAnswer
from serving.codes import Code, ServingFault, of_host
from serving.kept_answers import KeptAnswers, Peers
from serving.limits import Limits
from serving.measures import Measures
from serving.registry import Binding, Loaded, Registry

LONG_ROWS = 2000
"""Rows from which a computation leaves the event loop, so that others are not held up."""


MOST_KEPT = 10_000

MOST_SHADOWS = 64
"""Comparisons with shadow versions under way together."""


def of_several(last: ServingFault, hosts: dict[str, dict[str, Any]]) -> ServingFault:
    """Some of several hosts failed; code and words are the last one's, as FATE-Serving's are.
    hosts: retcode and retmsg of each."""
    failed = ", ".join(party for party, told in hosts.items() if told["retcode"])
    told = f"{last} (of {len(hosts)} hosts failed: {failed})"
    return ServingFault(last.code, told, hosts)


class Inference:
    """Answers requests of one process."""

    def __init__(
        self,
        registry: Registry,
        peers: Peers,
        limits: Limits,
        measures: Measures,
        kept_answers: int = MOST_KEPT,
    ) -> None:
        """kept_answers: of hosts, for each model whose service may use them again."""
        self.registry, self.peers = registry, peers
        self.kept = KeptAnswers(peers, kept_answers)
        self.limits, self.measures = limits, measures
        self._shadows: set[asyncio.Task[None]] = set()

    async def answer(self, call: Call, interface: str) -> Answer:
        """Never raises ServingFault: the code is in the answer, or in a row's. interface: the call
        name, ``inference`` or ``batchInference``, for limits and counters."""
        started = time.perf_counter()
        version = ""
        try:
            self.limits.check_rate(f"I_{interface}", len(call.rows))
            snapshot = self.registry.snapshot
            model = snapshot.serving(call.service_id, call.apply_id, call.version, exact=call.exact)
            version = model.key.table
            self.limits.check_rate(f"S_{call.service_id}", len(call.rows))
            self.limits.check_rate(f"M_{model.key.table}_{model.key.namespace}", len(call.rows))
            found = await self._scored(model, snapshot.services[call.service_id], call)
        except ServingFault as fault:
            found = Answer(rows=[], code=fault.code, message=str(fault), hosts=fault.hosts)
        if version:
            found.model_id, found.model_version = model.key.namespace, version
            found.loaded_ms = model.loaded_ms
        seconds = time.perf_counter() - started
        self._count(call, found, interface, seconds)
        return found

    async def _scored(self, model: Loaded, binding: Binding, call: Call) -> Answer:
        policy = binding.policy
        asking = [
            asyncio.ensure_future(self.kept.ask(model, remote, call, policy))
            for remote in model.remotes
        ]
        started = time.perf_counter()
        try:
            quick = len(call.rows) < LONG_ROWS
            own = await _computed(scoring.local, model, call.rows, policy, quick=quick)
        except BaseException:
            for task in asking:
                task.cancel()
            raise
        self.measures.stages.labels("local").observe(time.perf_counter() - started)
        parts, fault = await self._gathered(model, asking)
        if fault is not None and (
            policy.fallback in ("fail", "cache") or fault.code not in codes.ABSENT
        ):
            raise fault
        quick = quick and not model.plan.is_sealed
        started = time.perf_counter()
        answer: Answer = await _computed(
            scoring.merged, model, binding, own, call.rows, parts, quick=quick
        )
        self.measures.stages.labels("merge").observe(time.perf_counter() - started)
        if answer.fallback:
            self.measures.fallbacks.labels(call.service_id, answer.fallback).inc()
        hit_rate = self.measures.hit_rate.labels(call.service_id)
        for rate in own.hits:
            hit_rate.observe(rate)
        if binding.shadow is not None:
            self._compare(binding, call, answer)
        return answer

    async def _gathered(
        self, model: Loaded, asking: Sequence[Awaitable[HostAnswer]]
    ) -> tuple[list[HostAnswer | None], ServingFault | None]:
        """Every host's parts, None for one that failed, and the last failure (FATE-Serving
        reports the last one too)."""
        results = await asyncio.gather(*asking, return_exceptions=True)
        fault: ServingFault | None = None
        told: dict[str, dict[str, Any]] = {}
        parts: list[HostAnswer | None] = []
        for remote, result in zip(model.remotes, results, strict=True):
            if isinstance(result, ServingFault):
                fault = result
                told[remote.party_id] = {"retcode": result.code, "retmsg": str(result)}
                self.measures.remote_errors.labels(remote.party_id, codes.label(result.code)).inc()
                parts.append(None)
            elif isinstance(result, BaseException):
                raise result
            else:
                told[remote.party_id] = {"retcode": 0, "retmsg": ""}
                parts.append(result)
        if fault is not None and len(model.remotes) > 1:
            fault = of_several(fault, told)
        return parts, fault

    def _compare(self, binding: Binding, call: Call, answer: Answer) -> None:
        """Have the shadow version compute the same rows, after the answer has been given."""
        model = self.registry.snapshot.models.get(binding.shadow) if binding.shadow else None
        if model is None or len(self._shadows) >= MOST_SHADOWS:
            return  # a comparison less is better than requests that wait for comparisons
        task = asyncio.ensure_future(self._shadowed(model, binding, call, answer))
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    async def _shadowed(self, model: Loaded, binding: Binding, call: Call, answer: Answer) -> None:
        try:
            parts = [
                await self.peers.ask(model, remote, call, call.rows, batching=True)
                for remote in model.remotes
            ]
            own = scoring.local(model, call.rows, binding.policy)
            other = scoring.merged(model, binding, own, call.rows, list(parts))
        except ServingFault as fault:
            self.measures.remote_errors.labels("shadow", codes.label(fault.code)).inc()
            return
        for ours, theirs in zip(answer.rows, other.rows, strict=True):
            difference = scoring.difference(ours, theirs)
            if difference is not None:
                self.measures.shadow.labels(call.service_id).observe(difference)

    def _count(self, call: Call, answer: Answer, interface: str, seconds: float) -> None:
        code = answer.code or (answer.rows[0].code if len(answer.rows) == 1 else 0)
        # A service id that nobody bound is the client's text: it must not become a label.
        service = call.service_id if answer.model_version else ""
        self.measures.answered(service, answer.model_version, code, seconds, len(call.rows))
        blocked = answer.code == Code.OVERLOAD
        self.measures.record(f"I_{interface}", code, seconds, blocked=blocked)
        if answer.model_version:
            source = f"M_{answer.model_version}_{answer.model_id}"
            self.measures.record(source, code, seconds, blocked=blocked)
            self.measures.record(f"S_{call.service_id}", code, seconds, blocked=blocked)


async def _computed(work: Callable[..., Any], *arguments: Any, quick: bool) -> Any:
    if quick:
        return work(*arguments)
    return await asyncio.to_thread(work, *arguments)


def host_fault(code: int, message: str) -> ServingFault:
    """A host's own error, as its guest reports it."""
    return ServingFault(of_host(code), f"host return code {code} host msg :{message}")
