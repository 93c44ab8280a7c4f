"""A metric's pairs as points of a curve, thinned where there are more than a screen shows."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from fateboard.views.cells import finite
from fateboard.views.context import Metric

Point = tuple[float, float | None]

MOST_POINTS = 2000
_CANDIDATES = 4
"""Triangles are sought among so many times the points that are kept."""
_WHOLE: ContextVar[bool] = ContextVar("whole", default=False)


@contextlib.contextmanager
def whole(wanted: bool) -> Iterator[None]:
    """Within it, if wanted, curves are not thinned: they are written to files."""
    token = _WHOLE.set(wanted)
    try:
        yield
    finally:
        _WHOLE.reset(token)


def points(metric: Metric) -> list[Point]:
    """Those without a number to stand at are left out."""
    read = ((_number(x), _number(y)) for x, y in metric.data)
    return [(x, y) for x, y in read if x is not None]


def _number(value: Any) -> float | None:
    """As ``finite``; most are floats already, and there may be a million."""
    if type(value) is float:
        return value if math.isfinite(value) else None
    return finite(value)


def thin(points: Sequence[Point], most: int = MOST_POINTS) -> list[int]:
    """Which points to draw: all of up to ``most``; else those that keep the curve's shape
    (largest triangle three buckets), with the first, the last, the lowest and the highest."""
    count = len(points)
    if count <= most or _WHOLE.get():
        return list(range(count))
    heights = [0.0 if y is None else y for _, y in points]
    known = [index for index, (_, y) in enumerate(points) if y is not None]
    kept = {0, count - 1}
    if known:
        kept |= {min(known, key=heights.__getitem__), max(known, key=heights.__getitem__)}
    among = _extremes(heights, most * _CANDIDATES) if count > most * _CANDIDATES * 2 else None
    places = list(range(count)) if among is None else among
    return sorted(kept | _triangles(points, heights, places, most - 4))


def _extremes(heights: list[float], most: int) -> list[int]:
    """The lowest and the highest of equal stretches: all that triangles need look at."""
    count, stretches = len(heights), most // 2
    edges = [count * at // stretches for at in range(stretches + 1)]
    found = {0, count - 1}
    for low, high in itertools.pairwise(edges):
        here = range(low, high)
        found |= {min(here, key=heights.__getitem__), max(here, key=heights.__getitem__)}
    return sorted(found)


def _triangles(
    points: Sequence[Point], heights: list[float], places: list[int], buckets: int
) -> set[int]:
    """Of each bucket the place that makes the largest triangle with the place kept before it
    and the mean of the next bucket."""
    inner = len(places) - 2
    edges = [1 + inner * bucket // buckets for bucket in range(buckets + 1)] + [len(places)]
    kept: set[int] = set()
    last = 0
    for bucket in range(buckets):
        after = places[edges[bucket + 1] : edges[bucket + 2]]
        ahead = (
            sum(points[index][0] for index in after) / len(after),
            sum(heights[index] for index in after) / len(after),
        )
        here = places[edges[bucket] : edges[bucket + 1]]
        before = (points[last][0], heights[last])
        sizes = [_area(*before, points[i][0], heights[i], *ahead) for i in here]
        last = here[sizes.index(max(sizes))]
        kept.add(last)
    return kept


def _area(ax: float, ay: float, bx: float, by: float, cx: float, cy: float) -> float:
    """Twice the triangle of the point kept last, this one, and the mean of the next bucket."""
    size = abs((ax - cx) * (by - ay) - (ax - bx) * (cy - ay))
    return 0.0 if math.isnan(size) else size
