"""Products of ciphertexts over the rows of each bin, for many features at once.

A product for every row and feature is what encrypted histograms cost. Features share most of it:
rows that agree in the bins of several features (a *cell*) are multiplied once, and each of those
features then goes on with cells in place of rows. Two features of 32 bins have about 1,000 cells,
so that 30,000 rows cost hardly more for both than for one; ten features of two bins have 1,024.
Which features are taken together follows from how many cells they leave, node by node.

Not constant in time: bins are the caller's own data, on the caller's own machine.
Shapes: n rows, k features, u cells, t features of a group.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from federatedml.crypto import parallel

Ints = NDArray[np.int64]

NOWHERE = -1
"""The bin of rows that no sum asks for."""

Products = dict[int, dict[int, mpz]]
"""Feature -> bin -> the product of the rows in it; bins without a row are not there."""


@dataclass(frozen=True)
class Cells:
    """Rows of a node, sorted by cell of a group of features.

    rows: (r,) positions of ciphertexts. ends: (u,) where each cell's rows end. features: (t,).
    bins: (t, u) bin of each cell at each feature, or NOWHERE.
    """

    rows: Ints
    ends: Ints
    features: list[int]
    bins: Ints

    @property
    def costs(self) -> Ints:
        """(u,) products for each cell and those before it."""
        return self.ends + np.arange(1, len(self.ends) + 1) * len(self.features)

    def part(self, start: int, stop: int) -> Cells:
        """Some cells, by their numbers."""
        skipped = int(self.ends[start - 1]) if start else 0
        ends = self.ends[start:stop] - skipped
        rows = self.rows[skipped : skipped + (int(ends[-1]) if len(ends) else 0)]
        return Cells(rows, ends, self.features, self.bins[:, start:stop])


@dataclass(frozen=True)
class _Group:
    """columns: feature -> (r,) its bins. label: (r,) each row's cell, of ``count``."""

    columns: dict[int, Ints]
    label: Ints
    count: int

    @property
    def cost(self) -> int:
        """Products: rows to cells, and cells to each feature's bins."""
        return len(self.label) - self.count + len(self.columns) * self.count

    @property
    def cost_each(self) -> float:
        return self.cost / len(self.columns)


def cells(codes: NDArray[np.unsignedinteger], wanted: NDArray[np.bool_], rows: Ints) -> list[Cells]:
    """The rows of a node for all features, grouped so that few products are left.

    codes: (k, n) bins. wanted: (k, b) whether any sum asks for the bin. rows: (r,) positions.
    Returns groups that hold each feature of which a bin is wanted once. A group takes features in,
    those of few bins first, as long as that lowers what each costs.
    Cost: about two sorts of the rows a feature.
    """
    found: list[Cells] = []
    groups: list[_Group] = []  # the last two, which may still change
    order = np.argsort(wanted.sum(axis=1), kind="stable")
    for j in order[wanted[order].any(axis=1)].tolist():
        code = codes[j][rows]
        column = np.where(wanted[j][code], code.astype(np.int64), NOWHERE)
        alone = _Group({j: column}, *_numbered(column - NOWHERE))
        both = _joined(groups[-1], alone) if groups else alone
        if groups and both.cost_each < groups[-1].cost_each:
            groups[-1] = both
        else:
            found += [_sorted(rows, group) for group in groups[:-1]]
            groups = [*groups[-1:], alone]
    if len(groups) > 1:  # the last one may be left with too little to do
        both = _joined(*groups[-2:])
        if both.cost < groups[-2].cost + groups[-1].cost:
            groups[-2:] = [both]
    return found + [_sorted(rows, group) for group in groups]


def _joined(a: _Group, b: _Group) -> _Group:
    return _Group({**a.columns, **b.columns}, *_numbered(a.label * b.count + b.label))


def _numbered(label: Ints) -> tuple[Ints, int]:
    """Labels replaced by numbers from 0 without gaps; and how many there are."""
    if not len(label):
        return label, 0
    size = int(label.max()) + 1
    if size > 8 * len(label) + 4096:
        distinct, inverse = np.unique(label, return_inverse=True)
        return inverse.astype(np.int64), len(distinct)
    number = np.cumsum(np.bincount(label, minlength=size) > 0) - 1
    return number[label], int(number[-1]) + 1


def _sorted(rows: Ints, group: _Group) -> Cells:
    held = np.stack(list(group.columns.values()))
    kept = np.flatnonzero((held != NOWHERE).any(axis=0))
    label = group.label[kept]
    # Numbers of 16 bits are sorted by their digits: several times as fast.
    narrow = label.astype(np.uint16) if label.max(initial=0) < 1 << 16 else label
    order = kept[np.argsort(narrow, kind="stable")]
    counts = np.bincount(label)
    counts = counts[counts > 0]
    ends = np.cumsum(counts)
    return Cells(rows[order], ends, list(group.columns), held[:, order[ends - counts]])


def by_bin(
    values: list[mpz], nodes: Sequence[list[Cells]], modulus: mpz, *, cores: int, least: int
) -> list[Products]:
    """The products of every node, feature and bin that holds a row and is wanted.

    values: (n,) below the modulus. nodes: each one's ``cells``. least: products worth a core.
    Cost: a product for each row and group, and for each cell and feature.
    """
    tasks = [cell for node in nodes for cell in node]
    total = sum(int(task.costs[-1]) for task in tasks if len(task.ends))
    pieces = max(1, min(cores, total // max(1, least)))
    parts = list(zip(*(_cut(task, pieces) for task in tasks), strict=True)) or [()]
    held = [[_held(part) for part in piece] for piece in parts]
    bits = int(modulus.bit_length())

    def work(start: int, stop: int) -> list[mpz]:
        return [
            gmpy2.pack([v for part in piece for v in _multiplied(values, part, modulus)], bits)
            for piece in parts[start:stop]
        ]

    most = max(sum(len(bins) for part in piece for bins in part) for piece in held)
    packed = parallel.spread(work, len(parts), cores=pieces, width=(most * bits + 7) // 8, least=1)
    found: list[Products] = [{} for _ in nodes]
    owner = [node for node, group in enumerate(nodes) for _ in group]
    for piece, raw in zip(held, packed, strict=True):
        given = iter(gmpy2.unpack(raw, bits) if raw else [])
        for node, task, part in zip(owner, tasks, piece, strict=True):
            for feature, bins in zip(task.features, part, strict=True):
                _merge(found[node].setdefault(feature, {}), bins.tolist(), given, modulus)
    return found


def _cut(task: Cells, pieces: int) -> list[Cells]:
    """A task in pieces of equal cost."""
    costs = task.costs
    goals = np.arange(1, pieces) / pieces * (costs[-1] if len(costs) else 0)
    at = [0, *np.searchsorted(costs, goals).tolist(), len(costs)]
    return [task.part(start, stop) for start, stop in itertools.pairwise(at)]


def _held(part: Cells) -> list[Ints]:
    """Of each feature the bins for which ``_multiplied`` gives a product, in its order."""
    return [np.unique(column[column != NOWHERE]) for column in part.bins]


def _multiplied(values: list[mpz], part: Cells, modulus: mpz) -> list[mpz]:
    """The product of every bin of every feature, features and bins ascending."""
    cell = _runs([values[row] for row in part.rows.tolist()], part.ends, modulus)
    found: list[mpz] = []
    for column in part.bins:
        order = np.argsort(column, kind="stable")
        order = order[np.searchsorted(column[order], 0) :]
        _, counts = np.unique(column[order], return_counts=True)
        found += _runs([cell[i] for i in order.tolist()], np.cumsum(counts), modulus)
    return found


def _runs(values: list[mpz], ends: Ints, modulus: mpz) -> list[mpz]:
    """The product of each run of values."""
    found, start = [], 0
    for end in ends.tolist():
        total = values[start]
        for value in values[start + 1 : end]:
            total = total * value % modulus
        found.append(total)
        start = end
    return found


def _merge(into: dict[int, mpz], bins: list[int], given: Iterator[mpz], modulus: mpz) -> None:
    for b, value in zip(bins, itertools.islice(given, len(bins)), strict=True):
        into[b] = into[b] * value % modulus if b in into else value
