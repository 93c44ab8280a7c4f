"""Which models are loaded and which service they answer for: an immutable snapshot, replaced whole.

A request takes the snapshot once, so a bind in the middle changes nothing for it: no request sees
two versions, and none sees a half-made change.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from federatedml.kept_rows import KeptRows
from serving.codes import Code, ServingFault


class ModelKey(msgspec.Struct, frozen=True, order=True):
    """namespace: ``role#party#model_id``. table: the model's version."""

    namespace: str
    table: str

    def __str__(self) -> str:
        return f"{self.table} of {self.namespace}"


class Remote(msgspec.Struct, frozen=True):
    """The same model at another party."""

    role: str
    party_id: str
    key: ModelKey


class Loaded(msgspec.Struct, frozen=True, kw_only=True, eq=False, weakref=True):
    """A model ready to answer. plan: a compiled ``serving.plans`` plan. tested: what its self-test
    compared, in words. kept: rows of the training, for the comparison when it is bound."""

    key: ModelKey
    role: str
    party_id: str
    plan: Any
    remotes: tuple[Remote, ...]
    loaded_ms: int
    sha256: str
    tested: str
    kept: KeptRows | None = None
    components: tuple[str, ...] = ()


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How a service treats what is missing.

    fallback: what to answer when a host does not: ``fail``; ``cache`` takes its last answer for the
    same ids if that is no older than ``fallback_s``; ``guest_only`` takes ``host_constant`` for
    every host's part; ``default`` answers ``default_score``. reuse_s: so long a host's answer is
    taken again without asking. missing: features of the guest
    that a request lacks: ``offline`` treats them as training's predict does, ``error`` refuses the
    row, ``threshold`` refuses it below ``least_hit_rate``. pin: requests may name a version.
    """

    fallback: Literal["fail", "cache", "guest_only", "default"] = "fail"
    fallback_s: float = 300.0
    reuse_s: float = 0.0
    host_constant: float = 0.0
    default_score: float = 0.0
    missing: Literal["offline", "error", "threshold"] = "offline"
    least_hit_rate: float = 0.0
    pin: bool = False
    micro_batching: bool = True


class Share(msgspec.Struct, frozen=True):
    """A version and its part of the traffic."""

    key: ModelKey
    weight: int = 100


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """shadow: a version that computes too, and whose scores are only compared. previous: what was
    bound before, for a rollback."""

    service_id: str
    shares: tuple[Share, ...]
    shadow: ModelKey | None = None
    previous: tuple[Share, ...] = ()
    policy: Policy = Policy()


class Snapshot(msgspec.Struct, frozen=True):
    models: Mapping[ModelKey, Loaded] = {}
    services: Mapping[str, Binding] = {}
    generation: int = 0

    def with_model(self, model: Loaded) -> Snapshot:
        """Loading again replaces."""
        return Snapshot({**self.models, model.key: model}, self.services, self.generation + 1)

    def without_model(self, key: ModelKey) -> Snapshot:
        """Unload, with every binding that names it."""
        models = {k: model for k, model in self.models.items() if k != key}
        services = {}
        for service_id, binding in self.services.items():
            shares = tuple(share for share in binding.shares if share.key != key)
            if not shares:
                continue
            services[service_id] = msgspec.structs.replace(
                binding,
                shares=shares,
                shadow=None if binding.shadow == key else binding.shadow,
                previous=tuple(share for share in binding.previous if share.key != key),
            )
        return Snapshot(models, services, self.generation + 1)

    def with_binding(self, binding: Binding) -> Snapshot:
        """Raises ServingFault (104) if a model it names is not loaded."""
        shadow = () if binding.shadow is None else (binding.shadow,)
        for key in (*(share.key for share in binding.shares), *shadow):
            if key not in self.models:
                raise ServingFault(Code.NO_MODEL, f"model {key} is not loaded here; load it first")
        services = {**self.services, binding.service_id: binding}
        return Snapshot(self.models, services, self.generation + 1)

    def without_binding(self, service_id: str) -> Snapshot:
        services = {k: v for k, v in self.services.items() if k != service_id}
        return Snapshot(self.models, services, self.generation + 1)

    def serving(
        self, service_id: str, apply_id: str = "", version: str = "", *, exact: bool = False
    ) -> Loaded:
        """The model that answers. exact: the version must be one that the service is bound to,
        or any loaded one where its policy lets requests choose.

        Raises ServingFault (104) saying what there is.
        """
        binding = self.services.get(service_id)
        if binding is None:
            known = ", ".join(sorted(self.services)[:10]) or "none"
            raise ServingFault(
                Code.NO_MODEL,
                f"no model is bound to service id {service_id!r}; bound here: {known}",
            )
        if version and binding.policy.pin:
            for key in self.models:
                if key.table == version and key.namespace == binding.shares[0].key.namespace:
                    return self.models[key]
            raise ServingFault(Code.NO_MODEL, f"version {version!r} is not loaded here")
        if version and exact:
            for share in binding.shares:
                if share.key.table == version:
                    return self.models[share.key]
            told = ", ".join(share.key.table for share in binding.shares)
            raise ServingFault(
                Code.NO_MODEL, f"service {service_id!r} is bound to {told}, not to this version"
            )
        return self.models[chosen(binding.shares, apply_id)]

    def services_of(self, key: ModelKey) -> list[str]:
        return sorted(
            service_id
            for service_id, binding in self.services.items()
            if any(share.key == key for share in binding.shares)
        )


def chosen(shares: tuple[Share, ...], apply_id: str) -> ModelKey:
    """The share that an applicant falls into: by a hash of the apply id, so that one applicant
    always meets the same version."""
    if len(shares) == 1:
        return shares[0].key
    total = sum(share.weight for share in shares)
    digest = hashlib.sha256(apply_id.encode()).digest()
    point = int.from_bytes(digest[:8], "big") % total
    for share in shares:
        point -= share.weight
        if point < 0:
            return share.key
    return shares[-1].key


class Registry:
    """Holds the snapshot of a process. One thread replaces it; anyone reads it."""

    def __init__(self, snapshot: Snapshot | None = None) -> None:
        self.snapshot = snapshot or Snapshot()
        self._leaving: dict[ModelKey, Loaded] = {}

    def leave(self, model: Loaded, seconds: float) -> None:
        """A host's model goes: requests of guests are answered for some seconds yet."""
        self._leaving[model.key] = model
        asyncio.get_running_loop().call_later(seconds, self._leaving.pop, model.key, None)

    def for_guests(self, key: ModelKey) -> Loaded | None:
        """The model that a guest's request names, if it is here or has just gone."""
        return self.snapshot.models.get(key) or self._leaving.get(key)
