"""CacheLoader: a cache that an earlier job kept (Intersection's) enters the job.

Parties: guest, host; each loads its own part. Maths: none.
Round: none; nothing leaves a party.
Trusts: nobody. fateflow finds the folder by the parameters; only this party's caches are looked at.
Source: FATE 1.x behaviour.
"""

from __future__ import annotations

import shutil

from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.errors import BadData
from federatedml.params import Params
from federation import GUEST, HOST


class CacheLoaderParam(Params, frozen=True, kw_only=True):
    """cache_key as the job that made the cache shows it, or job_id, component_name and
    cache_name (the component's first cache if absent)."""

    cache_key: str | None = None
    job_id: str | None = None
    component_name: str | None = None
    cache_name: str | None = None
    need_run: bool = True

    def __post_init__(self) -> None:
        if not self.cache_key and not (self.job_id and self.component_name):
            raise ValueError("give cache_key, or job_id and component_name")


@register("CacheLoader")
class CacheLoader(Component[CacheLoaderParam]):
    """Outputs a copy of the cache, so that it outlives the job that made it."""

    Params = CacheLoaderParam
    ROLES = frozenset({GUEST, HOST})

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData if there is nothing to load at this party."""
        if not inputs.caches:
            raise BadData(f"{ctx.name}: no cache was found to load at this party")
        found = next(iter(inputs.caches.values()))
        kept = ctx.folder / "loaded_cache"
        shutil.copytree(found, kept)
        return Outputs(cache=kept)
