"""How much work is taken on: in flight at once, and per second. What is over is refused at once.

Everything here runs on one event loop, so nothing is locked.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serving.codes import Code, ServingFault

UNLIMITED = 0.0
LONGEST_SOURCE = 1000
MOST_SOURCES = 1000
MOST_READING = 256 << 20
"""Bytes of unfinished requests that are held together."""


class TokenBucket:
    """Allows ``rate`` rows a second on average and that many at once. A batch of more rows passes
    when none were taken for a while, and those after it wait for it."""

    def __init__(self, rate: float) -> None:
        self.rate, self._most = rate, max(rate, 1.0)
        self._tokens, self._at = self._most, time.monotonic()

    def take(self, rows: int) -> bool:
        now = time.monotonic()
        self._tokens = min(self._most, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < min(rows, self._most):
            return False
        self._tokens -= rows
        return True


class Limits:
    """Counters of a process. in_flight: most requests that are worked on together. ``coming`` are
    those whose turn on the event loop is still to come.

    Rates are per source: ``I_<service>`` of a call name, ``M_<version>_<namespace>`` of a model,
    ``S_<service id>`` of a service, as FATE-Serving names the first two.
    """

    def __init__(self, in_flight: int) -> None:
        self.most = in_flight
        self.in_flight = 0
        self.coming = 0
        self.refused = 0
        self.reading = 0
        self._buckets: dict[str, TokenBucket] = {}

    @property
    def full(self) -> bool:
        return self.in_flight + self.coming >= self.most

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count a request in and out. Raises ServingFault (124) if there is no room."""
        if self.in_flight >= self.most:
            self.refused += 1
            raise self.fault()
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def fault(self) -> ServingFault:
        """The refusal of what there is no room for."""
        return overloaded(f"{self.most} requests are being answered")

    @contextmanager
    def read(self) -> Iterator[Callable[[int], None]]:
        """Count the bytes of a request that is still coming in. Raises ServingFault (124) if all
        together are too many."""
        mine = 0

        def came(size: int) -> None:
            nonlocal mine
            if self.reading + size > MOST_READING:
                self.refused += 1
                raise overloaded("too much is being received")
            mine += size
            self.reading += size

        try:
            yield came
        finally:
            self.reading -= mine

    def check_rate(self, source: str, rows: int) -> None:
        """Raises ServingFault (124) over the allowed rate. Batches count their rows."""
        bucket = self._buckets.get(source)
        if bucket is not None and not bucket.take(rows):
            self.refused += 1
            raise overloaded(f"{source} may take {bucket.rate:g} rows a second")

    def set_rate(self, source: str, rate: float) -> None:
        """rate: rows a second; 0 or less lifts the limit. Raises ServingFault (100) for what can
        be none."""
        if not math.isfinite(rate):  # and JSON could not keep it over a restart
            raise ServingFault(Code.BAD_PARAMETER, "the rate must be a number of rows a second")
        if rate <= UNLIMITED:
            self._buckets.pop(source, None)
        elif source[:2] not in ("I_", "M_", "S_") or len(source) > LONGEST_SOURCE:
            raise ServingFault(
                Code.BAD_PARAMETER,
                "the source must be I_<call>, S_<service id> or M_<version>_<namespace>",
            )
        elif len(self._buckets) >= MOST_SOURCES and source not in self._buckets:
            raise ServingFault(
                Code.BAD_PARAMETER, f"{MOST_SOURCES} sources are limited already; lift some"
            )
        else:
            self._buckets[source] = TokenBucket(rate)

    def rates(self) -> dict[str, float]:
        return {source: bucket.rate for source, bucket in self._buckets.items()}


def overloaded(why: str) -> ServingFault:
    return ServingFault(Code.OVERLOAD, f"overload: {why}; try again later")
