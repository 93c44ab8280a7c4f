"""Intersection: which samples all parties have, and their rows in one order everywhere.

Parties  guest: ids G; hosts, one or several: ids H_1, H_2, ... (match ids, where data has them).
Maths    I = G and H_1 and H_2 ...; rows ascend by the UTF-8 bytes of their sample id.
         How the parties compare ids is the method's: protocols.psi_commutative (ecdh, dh),
         psi_rsa, psi_cardinality (numbers only), psi_cache (the hosts' half ahead of time).
Round    (1) both -> other    number of ids, digest of the parameters
         (2) owner -> others  Bloom filter of its ids (only with run_preprocess)
         (3) both             the method's messages; the guest learns its ids that all hosts have
         (4) guest -> hosts   which of their ids are in I (only with sync_intersect_ids)
         (5) generator -> others   its sample ids of I (only with match ids)
Trusts   everyone to follow the protocol (semi-honest). The guest learns its intersection with
         each host, and the number of ids of each; a host learns the guest's number, and I if
         synced. What each message reveals stands in Wire; docs/security/intersection.md.
Source   see the protocols; parameters and results FATE 1.x's, docs/compat/intersection.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.crypto import hashing
from federatedml.data import rows as data_rows
from federatedml.data.frame import Frame, RawTable
from federatedml.errors import BadData
from federatedml.protocols import (
    psi,
    psi_bloom,
    psi_cache,
    psi_cardinality,
    psi_commutative,
    psi_keys,
    psi_oblivious,
    psi_rsa,
)
from federatedml.protocols.psi import Pairs, Rows
from federatedml.protocols.psi_keys import Keys
from federatedml.protocols.psi_params import IntersectParam
from federation import HOST, Party

LOG = logging.getLogger(__name__)

UNKNOWN = -1
"""FATE's number where a party was not told the intersection."""


class Wire:
    """All that may leave a party; each message is declared where it is sent."""

    opening = psi.Wire.opening
    filter = psi_bloom.Wire.filter
    blinded = psi_commutative.Wire.blinded
    doubled = psi_commutative.Wire.doubled
    public_key = psi_rsa.Wire.public_key
    tokens = psi_oblivious.Wire.tokens
    asked = psi_oblivious.Wire.asked
    evaluated = psi_oblivious.Wire.evaluated
    found = psi_rsa.Wire.found
    own = psi_cardinality.Wire.own
    sizes = psi_cardinality.Wire.sizes
    passing = psi_cardinality.Wire.passing
    passed = psi_cardinality.Wire.passed
    count = psi_cardinality.Wire.count
    cache_id = psi_cache.Wire.cache_id
    present = psi_cache.Wire.present
    common = psi.Wire.common
    samples = psi_keys.Wire.samples


@dataclass(frozen=True)
class Brought:
    """What a party brings. n: distinct keys before any filter. peers: their numbers of keys."""

    data: Frame | RawTable
    keys: Keys
    n: int
    peers: dict[Party, int]


@register("Intersection")
class Intersection(Component[IntersectParam]):
    """Outputs the rows in common, or with cardinality_only just their number."""

    Params = IntersectParam
    code_path: ClassVar[Mapping[str, str]] = {"guest": "IntersectGuest", "host": "IntersectHost"}

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        p, brought = self.params, self._brought(ctx, inputs, ctx.hosts)
        keys, sizes = brought.keys, brought.peers
        if p.cardinality_only:
            return self._count_guest(ctx, brought)
        if p.run_cache:
            folder = psi_cache.make_guest(ctx, p.rsa, p.meta(), sizes)  # (3)
            return self._cached(ctx, folder)
        if inputs.caches:
            cache = psi_cache.only(ctx, inputs.caches)
            pairs = psi_cache.use_guest(ctx, keys.texts, cache, p.method)  # (3)
        else:
            pairs = self._compare(ctx, keys, sizes)  # (3)
        common = psi.in_all(list(pairs.values()))
        if p.sync_intersect_ids:
            for host, found in pairs.items():
                psi.tell(ctx, host, found, common)  # (4)
        return self._result(ctx, brought, common)  # (5)

    def fit_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        p, brought = self.params, self._brought(ctx, inputs, (ctx.guest,))
        keys, size = brought.keys, brought.peers[ctx.guest]
        if p.cardinality_only:
            return self._count_host(ctx, brought)
        if p.run_cache:
            folder = psi_cache.make_host(ctx, keys.texts, p.rsa, p.meta())  # (3)
            return self._cached(ctx, folder)
        if inputs.caches:
            cache = psi_cache.only(ctx, inputs.caches)
            order = psi_cache.use_host(ctx, keys.texts, cache, p.method, size)  # (3)
        else:
            order = self._present(ctx, keys, size)  # (3)
        if not p.sync_intersect_ids:
            self._report(ctx, brought.n, None)
            return Outputs(data=[None])
        return self._result(ctx, brought, psi.told(ctx, order))  # (4), (5)

    def _brought(self, ctx: Ctx, inputs: Inputs, peers: tuple[Party, ...]) -> Brought:
        """Steps (1) and (2)."""
        p, data = self.params, inputs.one("data", "train_data", "test_data")
        if not isinstance(data, (Frame, RawTable)):
            raise BadData(f"{ctx.name}: needs an uploaded table or instances as input data")
        p.warn()
        keys = Keys.of(data, ctx.name)
        if p.join_method == "left_join" and not keys.matched:
            raise BadData(f"{ctx.name}: left_join needs match ids: DataTransform's with_match_id")
        agreed = [*p.agreed(), keys.matched, bool(inputs.caches)]
        sizes = psi.opened(ctx, peers, len(keys.texts), agreed)  # (1)
        n = len(keys.texts)
        if p.run_preprocess:
            keys = self._thinned(ctx, keys, peers)  # (2)
            sizes = psi.opened(ctx, peers, len(keys.texts), agreed)
        return Brought(data, keys, n, sizes)

    def _thinned(self, ctx: Ctx, keys: Keys, peers: tuple[Party, ...]) -> Keys:
        """Send a filter of the ids, or keep the ids that are in the others' filters."""
        filters = self.params.intersect_preprocess_params
        rows = hashing.digests(keys.texts, filters.preprocess_method, filters.preprocess_salt)
        if ctx.role.value == filters.filter_owner:
            for peer in peers:
                rate, seed = filters.false_positive_rate, filters.random_state
                psi_bloom.send(ctx, peer, rows, rate, seed)
            return keys
        kept = np.ones(len(rows), dtype=bool)
        for peer in peers:
            kept &= psi_bloom.receive(ctx, peer).contains(rows)
        return keys.take(np.flatnonzero(kept))

    def _compare(self, ctx: Ctx, keys: Keys, sizes: dict[Party, int]) -> dict[Party, Pairs]:
        p = self.params
        if p.method != "rsa":
            return psi_commutative.guest(ctx, keys.texts, p.group, sizes)
        if p.rsa_params.split_calculation:
            return psi_rsa.guest_split(ctx, keys.texts, p.rsa)
        return psi_rsa.guest(ctx, keys.texts, p.rsa, sizes)

    def _present(self, ctx: Ctx, keys: Keys, size: int) -> Rows:
        p = self.params
        if p.method != "rsa":
            return psi_commutative.host(ctx, keys.texts, p.group, size)
        if p.rsa_params.split_calculation:
            return psi_rsa.host_split(ctx, keys.texts, p.rsa)
        return psi_rsa.host(ctx, keys.texts, p.rsa, size)

    def _count_guest(self, ctx: Ctx, brought: Brought) -> Outputs:
        p, texts = self.params, brought.keys.texts
        if p.method == "rsa":
            count = psi_cardinality.estimate_guest(ctx, texts, p.rsa, brought.peers)  # (3)
        else:
            count = psi_cardinality.exact_guest(ctx, texts, p.group, brought.peers)
        if p.sync_cardinality:
            ctx.remote(Wire.count, count)  # (4)
        self._report(ctx, brought.n, count)
        return Outputs(data=[None])

    def _count_host(self, ctx: Ctx, brought: Brought) -> Outputs:
        p, texts = self.params, brought.keys.texts
        if p.method == "rsa":
            filters, size = p.intersect_preprocess_params, brought.peers[ctx.guest]
            rate, seed = filters.false_positive_rate, filters.random_state
            psi_cardinality.estimate_host(ctx, texts, p.rsa, size, rate, seed)  # (3)
        else:
            psi_cardinality.exact_host(ctx, texts, p.group)
        count = ctx.get(Wire.count) if p.sync_cardinality else None  # (4)
        self._report(ctx, brought.n, count)
        return Outputs(data=[None])

    def _cached(self, ctx: Ctx, folder: Any) -> Outputs:
        meta = self.params.meta()
        ctx.report.metric("train", "intersection_cache_meta", "INTERSECTION", **meta)
        return Outputs(data=[None], cache=folder)

    def _result(self, ctx: Ctx, brought: Brought, common: Rows) -> Outputs:
        """This party's rows; common: rows of its keys that all parties have."""
        p, data, keys = self.params, brought.data, brought.keys
        common = psi.ascending(keys.texts, common)
        result: Any
        if isinstance(data, Frame) and keys.matched and p.sync_intersect_ids:
            generator = self._generator(ctx)
            if ctx.me == generator:
                left = p.join_method == "left_join"
                fresh = p.new_sample_id
                result = psi_keys.generate(ctx, data, keys, common, left=left, fresh=fresh)  # (5)
            else:
                result = psi_keys.adopt(ctx, data, keys, common, generator)
        else:
            result = psi_keys.own(data, keys, common)
        if p.only_output_key:
            result = data_rows.keys_only(result)
        samples = result.n_rows if keys.matched else None
        self._report(ctx, brought.n, len(common), samples)
        return Outputs(data=[result])

    def _generator(self, ctx: Ctx) -> Party:
        if self.params.sample_id_generator == HOST.value:
            if len(ctx.hosts) == 1:
                return ctx.hosts[0]
            LOG.warning("sample_id_generator: with several hosts it is the guest")
        return ctx.guest

    def _report(self, ctx: Ctx, n: int, common: int | None, samples: int | None = None) -> None:
        """Metrics and summary. common: None if this party was not told."""
        p, known = self.params, common is not None
        count = common if common is not None else UNKNOWN
        rate = (count / n if n else 0.0) if known else float(UNKNOWN)
        points: list[tuple[str, Any]] = [("input_match_id_count", n)]
        if known:
            points += [
                ("intersect_count", count),
                ("intersect_rate", rate),
                ("unmatched_count", n - count),
                ("unmatched_rate", 1 - rate),
            ]
        if samples is not None:
            points.append(("intersect_sample_id_count", samples))
        meta = {"intersect_method": p.method, "join_method": p.join_method}
        ctx.report.metric("train", "intersection", "INTERSECTION", points, **meta)
        ctx.report.summary(
            {
                "intersect_num": count,
                "intersect_rate": rate,
                "cardinality_only": p.cardinality_only,
                "unique_id_num": n,
            }
        )
        LOG.info("%s of %d ids in common", count if known else "an untold number", n)
