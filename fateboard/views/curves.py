"""A metric's pairs as points of a curve, thinned where there are more than a screen shows."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from contextvars import ContextVar

from fateboard.views.cells import finite
from fateboard.views.context import Metric

Point = tuple[float, float | None]

MOST_POINTS = 2000
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
    read = ((finite(x), finite(y)) for x, y in metric.data)
    return [(x, y) for x, y in read if x is not None]


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
    buckets = most - 4
    edges = [1 + (count - 2) * bucket // buckets for bucket in range(buckets + 1)] + [count]
    last = 0
    for bucket in range(buckets):
        after = range(edges[bucket + 1], edges[bucket + 2])
        ahead = (
            sum(points[index][0] for index in after) / len(after),
            sum(heights[index] for index in after) / len(after),
        )
        here = range(edges[bucket], edges[bucket + 1])
        sizes = [
            _area(points[last][0], heights[last], points[i][0], heights[i], *ahead) for i in here
        ]
        last = here[sizes.index(max(sizes))]
        kept.add(last)
    return sorted(kept)


def _area(ax: float, ay: float, bx: float, by: float, cx: float, cy: float) -> float:
    """Twice the triangle of the point kept last, this one, and the mean of the next bucket."""
    size = abs((ax - cx) * (by - ay) - (ax - bx) * (cy - ay))
    return 0.0 if math.isnan(size) else size
