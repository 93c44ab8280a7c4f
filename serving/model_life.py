"""A model's life in a serving: load, bind, swap, canary, shadow, roll back, unbind, unload.

Loading is the first phase of two: every party's serving fetches, compiles and tests its part and
says so. Binding is the second: the guest asks every host for the new version over the real way,
compares kept rows with training's scores, and only then replaces the snapshot, after it is on disk.
Changes are made one after the other; requests never wait for them.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from serving import scoring
from serving.codes import CannotLoad, Code, ServingFault, of_host
from serving.fetching import Source, fetch
from serving.limits import Limits
from serving.measures import Measures
from serving.model import PartyModel
from serving.peers import Peers
from serving.registry import Binding, Loaded, ModelKey, Policy, Registry, Remote, Share, Snapshot
from serving.settings import Settings
from serving.store import About, Damaged, State, Store

_log = logging.getLogger(__name__)

_FORBIDDEN = "?:/&"
PROBE_S = 3.0
SEALED_S = 25.0
"""For hundreds of rows under encryption; fateflow waits 60 s."""
DRAIN_S = 10.0
"""So long a host answers for a version that was unloaded: its guests are still about to swap."""
THERE = frozenset(
    of_host(code)
    for code in (Code.BAD_PARAMETER, Code.FEATURE, Code.NO_FEATURES, Code.ADAPTER, Code.FILL_RATE)
)
"""What FATE-Serving's hosts may say of a question for kept rows, which they take for one of an
unknown id: they have found the model."""


class LoadRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What fateflow or an operator asks for. remotes: the same model at the other parties."""

    key: ModelKey
    role: str
    party_id: str
    remotes: tuple[Remote, ...]
    source: Source


class ModelLife:
    """Changes the registry of one process."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        store: Store,
        peers: Peers,
        limits: Limits,
        measures: Measures,
    ) -> None:
        self.settings, self.registry, self.store = settings, registry, store
        self.peers, self.limits, self.measures = peers, limits, measures
        self._changing = asyncio.Lock()
        self._waiting: list[Binding] = []
        self.problems: list[str] = []
        self.restored = False

    async def restore(self) -> None:
        """Take up what was loaded and bound before. What cannot be is in ``problems``."""
        kept, self.problems = await asyncio.to_thread(self.store.all)
        for one in kept:
            about = one.about
            try:
                model = await asyncio.to_thread(scoring.stored, one.content)
                loaded = await self._made(model, about.key, about.remotes, one.rows)
            except ServingFault as fault:
                self.problems.append(f"{about.key}: {fault}")
                continue
            self._publish(self.registry.snapshot.with_model(loaded))
        try:
            state = self.store.state()
        except Damaged as error:
            self.problems.append(f"{error}; {self.store.put_aside()}")
            state = State()
        self._bind_waiting([*state.bindings, *state.waiting])
        for binding in self._waiting:
            self.problems.append(f"service {binding.service_id}: a model of it is not here")
        for source, rate in state.rates.items():
            self.limits.set_rate(source, rate)
        for problem in self.problems:
            _log.error("not restored: %s", problem)
        self.restored = True

    async def load(self, request: LoadRequest) -> Loaded:
        """Fetch, compile, test and keep a model. Raises ServingFault: 104 and 123 with the reason;
        what was there before stays."""
        if self.settings.party and self.settings.party != request.party_id:
            raise ServingFault(
                Code.LOAD,
                f"this serving is of party {self.settings.party}, the model of {request.party_id}",
            )
        folder = Path(self.settings.import_folder or self.settings.home)
        fetched = await fetch(request.source, request.key, self.settings.transfer_url, folder)
        model = fetched.model
        pipeline = model.pipeline
        if (model.role, model.party_id) != (request.role, request.party_id):
            raise CannotLoad(
                f"what was fetched is of {model.role} {model.party_id}, not of "
                f"{request.role} {request.party_id}"
            )
        named = (f"{model.role}#{model.party_id}#{pipeline.model_id}", pipeline.model_version)
        if named != (request.key.namespace, request.key.table):
            raise CannotLoad(f"what was fetched is {ModelKey(*named)}, not {request.key}")
        content = scoring.storable(model)
        async with self._changing:
            loaded = await self._made(model, request.key, request.remotes, fetched.rows)
            about = About(
                key=request.key,
                role=model.role,
                party_id=model.party_id,
                remotes=request.remotes,
                source=str(request.source),
                sha256=scoring.digest(content),
            )
            try:
                await asyncio.to_thread(self.store.put, about, content, fetched.rows)
            except OSError as error:
                raise _not_kept(error) from None
            self._publish(self.registry.snapshot.with_model(loaded))
            self._bind_waiting(self._waiting)
        _log.info("loaded %s (%s)", request.key, loaded.tested)
        return loaded

    async def bind(
        self,
        service_id: str,
        shares: Sequence[Share],
        *,
        shadow: ModelKey | None = None,
        policy: Policy | None = None,
        force: bool = False,
    ) -> Binding:
        """Give a service its versions. force: also if a host does not answer for them.

        Raises ServingFault: 110 (service id), 104 (not loaded), 109 (a host does not have the
        version, or the kept rows do not give training's scores). The old binding then stays.
        """
        check_service_id(service_id)
        async with self._changing:
            before = self.registry.snapshot.services.get(service_id)
            kept = policy or (before.policy if before else Policy())
            binding = Binding(
                service_id=service_id,
                shares=tuple(shares),
                shadow=shadow,
                previous=_previous(before, tuple(shares)),
                policy=kept,
            )
            snapshot = self.registry.snapshot.with_binding(binding)
            for share in binding.shares:
                told = "" if force else await self.check_hosts(snapshot.models[share.key])
                _log.info("%s: %s", share.key, told or "no kept rows were compared")
            self._waiting = [one for one in self._waiting if one.service_id != service_id]
            await self._commit(snapshot)
            self.measures.swaps.labels(service_id).inc()
        _log.info("service %s is bound to %s", service_id, ", ".join(str(s.key) for s in shares))
        return binding

    async def roll_back(self, service_id: str) -> Binding:
        """Bind what was bound before. Raises ServingFault (109) if there is nothing."""
        binding = self.registry.snapshot.services.get(service_id)
        if binding is None or not binding.previous:
            raise ServingFault(Code.BIND, f"service {service_id!r} has no earlier version here")
        return await self.bind(service_id, binding.previous)

    async def unbind(self, service_ids: Sequence[str], key: ModelKey | None = None) -> None:
        """Raises ServingFault (126) if a service is not bound, or not to the model; then none is
        changed."""
        async with self._changing:
            snapshot = self.registry.snapshot
            waiting = {one.service_id for one in self._waiting} & set(service_ids)
            for service_id in service_ids:
                if service_id in waiting:
                    continue
                if service_id not in snapshot.services:
                    raise ServingFault(Code.UNREGISTER, f"service {service_id!r} is not bound")
                if key is not None and service_id not in snapshot.services_of(key):
                    raise ServingFault(
                        Code.UNREGISTER, f"service {service_id!r} is not bound to model {key}"
                    )
                snapshot = snapshot.without_binding(service_id)
            self._waiting = [one for one in self._waiting if one.service_id not in waiting]
            await self._commit(snapshot)

    async def unload(self, key: ModelKey) -> None:
        """Forget a model with its bindings. Raises ServingFault (104)."""
        async with self._changing:
            model = self.registry.snapshot.models.get(key)
            if model is None:
                raise ServingFault(Code.NO_MODEL, f"model {key} is not loaded here")
            if model.role != "guest":
                self.registry.leave(model, DRAIN_S)
            await self._commit(self.registry.snapshot.without_model(key))
            await asyncio.to_thread(self.store.remove, key)
            self.measures.forget(key.namespace, key.table)
            self.peers.forget(key)

    async def set_rate(self, source: str, rate: float) -> None:
        """Rows a second of a service or model; 0 lifts the limit. Raises ServingFault (100)."""
        async with self._changing:
            self.limits.set_rate(source, rate)
            await self._commit(self.registry.snapshot)

    async def check_hosts(self, model: Loaded) -> str:
        """Ask every host for the model over the real way, and for its part of the kept rows; what
        their comparison says. Raises ServingFault (109)."""
        if model.role != "guest" or not model.remotes:
            return ""
        limit_s = SEALED_S if model.plan.is_sealed else PROBE_S
        deadline = asyncio.get_running_loop().time() + limit_s
        answers = {}
        for remote in model.remotes:
            try:
                answers[remote.party_id] = await self.peers.kept_part(model, remote, deadline)
            except ServingFault as fault:
                if fault.code not in THERE:
                    raise ServingFault(
                        Code.BIND,
                        f"{remote.role} {remote.party_id} does not answer for this version: "
                        f"{fault}; load it there first (`flow model load`), or bind with force",
                    ) from None
                answers[remote.party_id] = None
        return await asyncio.to_thread(scoring.compared, model, answers)

    async def unready_hosts(self, model: Loaded) -> str:
        """Which hosts do not answer for a model, in words; "" if all do. They are asked for no
        row, which costs them nothing."""
        deadline = asyncio.get_running_loop().time() + PROBE_S
        remotes = model.remotes if model.role == "guest" else ()
        asked = await asyncio.gather(*(self.peers.knows(model, one, deadline) for one in remotes))
        return "; ".join(told for told in asked if told)

    async def _made(
        self, model: PartyModel, key: ModelKey, remotes: tuple[Remote, ...], rows: bytes
    ) -> Loaded:
        started = time.perf_counter()
        loaded = await asyncio.to_thread(
            scoring.compiled,
            model,
            key,
            remotes,
            rows,
            reveal_distances=self.settings.reveal_distances,
        )
        _log.info("compiled %s in %.0f ms", key, (time.perf_counter() - started) * 1000)
        self.measures.loaded.labels(key.namespace, key.table).set(1)
        return loaded

    async def _commit(self, snapshot: Snapshot) -> None:
        """On disk first, then in force."""
        state = State(
            waiting=self._waiting,
            bindings=list(snapshot.services.values()),
            rates=self.limits.rates(),
        )
        try:
            await asyncio.to_thread(self.store.write_state, state)
        except OSError as error:
            raise _not_kept(error) from None
        self._publish(snapshot)

    def _bind_waiting(self, bindings: Sequence[Binding]) -> None:
        """Take up bindings of an earlier run as far as their models are here; the others wait for
        their models to be loaded again."""
        left = []
        for binding in bindings:
            if binding.service_id in self.registry.snapshot.services:
                continue
            try:
                self._publish(self.registry.snapshot.with_binding(binding))
            except ServingFault:
                left.append(binding)
        self._waiting = left

    def _publish(self, snapshot: Snapshot) -> None:
        self.registry.snapshot = snapshot


def _previous(before: Binding | None, shares: tuple[Share, ...]) -> tuple[Share, ...]:
    """What a rollback leads to; binding the same once more does not change that."""
    if before is None:
        return ()
    return before.previous if before.shares == shares else before.shares


def _not_kept(error: OSError) -> ServingFault:
    told = f"it cannot be kept on disk ({error.strerror or type(error).__name__}); nothing changed"
    return ServingFault(Code.SYSTEM, told)


def check_service_id(service_id: str) -> None:
    """Raises ServingFault (110) as FATE-Serving words it."""
    if not service_id.strip():
        raise ServingFault(Code.SYSTEM, "param service id is blank")
    found = [mark for mark in _FORBIDDEN if mark in service_id]
    if found or len(service_id) > 128:
        raise ServingFault(
            Code.SYSTEM, f"service id must be without {_FORBIDDEN} and of 128 characters at most"
        )
