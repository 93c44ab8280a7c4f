"""What is counted and timed, for Prometheus and for FATE-Serving's queryMetrics."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from serving import codes
from serving.cache import Lookups

BUCKETS_S = (0.001, 0.002, 0.003, 0.004, 0.006, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0)
KEPT_SECONDS = 3600


class Second:
    """What happened to one source in one second."""

    __slots__ = ("at", "blocked", "exceptions", "latency_ms", "passed", "successes")

    def __init__(self, at: int) -> None:
        self.at = at
        self.passed = self.blocked = self.successes = self.exceptions = 0
        self.latency_ms = 0.0


class Measures:
    """All of a process. Methods are called on the event loop alone."""

    _refused = 0

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._where: Any = {"registry": self.registry}
        self._measure_requests()
        self._measure_parties()
        self._measure_state()
        self._history: dict[str, deque[Second]] = {}
        self._looked_up: dict[str, Lookups] = {}

    def _measure_requests(self) -> None:
        self.requests = Counter(
            "serving_requests", "Requests answered", ["service", "version", "code"], **self._where
        )
        self.seconds = Histogram(
            "serving_request_seconds",
            "From the request's arrival to its answer",
            ["service", "version"],
            buckets=BUCKETS_S,
            **self._where,
        )
        self.rows = Histogram(
            "serving_batch_rows",
            "Rows of a request",
            ["service"],
            buckets=(1, 2, 5, 10, 20, 50, 100, 200, 300),
            **self._where,
        )
        self.stages = Histogram(
            "serving_stage_seconds",
            "Parts of a request",
            ["stage"],
            buckets=BUCKETS_S,
            **self._where,
        )
        self.refused = Counter("serving_refused", "Requests refused for overload", **self._where)
        self.hit_rate = Histogram(
            "serving_feature_hit_ratio",
            "Part of the model's features that a request brought",
            ["service"],
            buckets=(0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0),
            **self._where,
        )
        self.fallbacks = Counter(
            "serving_fallbacks", "Answers without a host", ["service", "kind"], **self._where
        )
        self.shadow = Histogram(
            "serving_shadow_difference",
            "Shadow version's score less the one answered, absolute",
            ["service"],
            buckets=(0.0, 1e-6, 1e-4, 1e-3, 0.01, 0.05, 0.1, 0.5, 1.0),
            **self._where,
        )

    def _measure_parties(self) -> None:
        self.party_requests = Counter(
            "serving_party_requests",
            "Calls of other parties answered",
            ["party", "version", "code"],
            **self._where,
        )
        self.party_seconds = Histogram(
            "serving_party_request_seconds",
            "From another party's call to its answer",
            ["party", "version"],
            buckets=BUCKETS_S,
            **self._where,
        )
        self.remote = Histogram(
            "serving_remote_seconds",
            "Calls to another party",
            ["party"],
            buckets=BUCKETS_S,
            **self._where,
        )
        self.remote_errors = Counter(
            "serving_remote_errors",
            "Failed calls to another party",
            ["party", "code"],
            **self._where,
        )
        self.host_up = Gauge(
            "serving_host_up", "1 while calls to the party succeed", ["party"], **self._where
        )
        self.certificate_ends = Gauge(
            "serving_certificate_ends_seconds",
            "When the certificate in force expires, since 1970; 0 without one",
            **self._where,
        )
        self.lookups = Counter(
            "serving_cache_lookups",
            "Features, or answers of hosts, that were at hand (hit) or were asked for (miss)",
            ["cache", "outcome"],
            **self._where,
        )

    def _measure_state(self) -> None:
        self.in_flight = Gauge("serving_in_flight", "Requests being answered", **self._where)
        self.waiting = Gauge(
            "serving_waiting",
            "Rows waiting for their group to be sent (group), calls for their turn (turn)",
            ["what"],
            **self._where,
        )
        self.loaded = Gauge(
            "serving_model_loaded",
            "Models ready to answer",
            ["namespace", "version"],
            **self._where,
        )
        self.swaps = Counter("serving_binds", "Binds carried out", ["service"], **self._where)

    def answered(self, service: str, version: str, code: int, seconds: float, rows: int) -> None:
        self.requests.labels(service, version, codes.label(code)).inc()
        self.seconds.labels(service, version).observe(seconds)
        self.rows.labels(service).observe(rows)

    def answered_party(self, party: str, version: str, code: int, seconds: float) -> None:
        """A call of another party; "" of one that may not ask."""
        self.party_requests.labels(party, version, codes.label(code)).inc()
        self.party_seconds.labels(party, version).observe(seconds)

    def record(self, source: str, code: int, seconds: float, *, blocked: bool = False) -> None:
        """One call of an interface (``I_...``) or a model (``M_...``), for queryMetrics."""
        second = self._second(source)
        if blocked:
            second.blocked += 1
            return
        second.passed += 1
        second.latency_ms += seconds * 1000
        if code:
            second.exceptions += 1
        else:
            second.successes += 1

    def history(self, source: str, begin_ms: int, end_ms: int) -> list[dict[str, Any]]:
        """Seconds with traffic between two times, as FATE-Serving spells them."""
        return [
            {
                "resource": source,
                "timestamp": second.at * 1000,
                "passQps": second.passed,
                "blockQps": second.blocked,
                "successQps": second.successes,
                "exceptionQps": second.exceptions,
                "rt": round(second.latency_ms / second.passed, 3) if second.passed else 0,
            }
            for second in self._history.get(source, ())
            if begin_ms <= second.at * 1000 <= end_ms
        ]

    def traffic(self, service: str) -> list[dict[str, Any]]:
        """The last minutes of a service, second by second, for the board."""
        source = f"S_{service}"
        now = int(time.time() * 1000)
        return self.history(source, now - 120_000, now)

    def looked_up_are(self, cache: str, total: Lookups) -> None:
        """total: since the start."""
        before = self._looked_up.get(cache, Lookups())
        self.lookups.labels(cache, "hit").inc(total.hits - before.hits)
        self.lookups.labels(cache, "miss").inc(total.misses - before.misses)
        self._looked_up[cache] = Lookups(total.hits, total.misses)

    def refused_are(self, total: int) -> None:
        """total: since the start."""
        self.refused.inc(max(total - self._refused, 0))
        self._refused = total

    def forget(self, namespace: str, version: str) -> None:
        """A model is gone: so are its gauge and its history. Its counters stay, they are sums."""
        with contextlib.suppress(KeyError):
            self.loaded.remove(namespace, version)
        self._history.pop(f"M_{version}_{namespace}", None)

    def sources(self) -> list[str]:
        return sorted(self._history)

    def exposition(self) -> bytes:
        """The Prometheus text format."""
        return bytes(generate_latest(self.registry))

    def _second(self, source: str) -> Second:
        kept = self._history.setdefault(source, deque(maxlen=KEPT_SECONDS))
        now = int(time.time())
        if not kept or kept[-1].at != now:
            kept.append(Second(now))
        return kept[-1]
