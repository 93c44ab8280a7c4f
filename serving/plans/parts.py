"""What a host contributes to rows of a guest, and its forms on the way.

Level 0 is FATE-Serving's: for each row ``{component: {"score": partial}}``, and for trees
``{component: {"<tree>": {"<node>": goes left}}}`` of all nodes of the host. Level 1 is ours, for
guests that say they read it: trees as masks of the leaves within reach, and whole batches as
columns (little-endian, base64).
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.plans.faults import BadPart, Problem

LEVEL_1 = "leafmask"
"""How a guest asks for level 1: an entry of the request's ``x_cap``."""

MASK, SCORE, CIPHER, DISTANCES, KEY = "mask", "score", "cipher", "distances", "key"

Floats = NDArray[np.float64]
Masks = NDArray[np.uint64]
Answers = NDArray[np.uint8]


@dataclass(frozen=True)
class Sums:
    """(n, c) what is added to a score."""

    values: Floats


@dataclass(frozen=True)
class Distances:
    """(n, k) squared distances to the centroids, over the host's columns."""

    values: Floats


@dataclass(frozen=True)
class Ways:
    """answers (n, q): 1 where a row goes left at a node of the host's, in the order of ``nodes``:
    (tree, node) of each."""

    answers: Answers
    nodes: Sequence[tuple[int, int]]
    masks: Masks
    """(n, T, W): the same, as bits of the leaves within reach."""


@dataclass(frozen=True)
class Sealed:
    """(n, c) ciphertexts, row after row, under the guest's key of this fingerprint."""

    values: list[int]
    width: int
    key: str


Contribution = Sums | Distances | Ways | Sealed


@dataclass(frozen=True)
class HostPart:
    """One host's answer for n rows. problems: by row; what it says of such a row is void."""

    n_rows: int
    components: dict[str, Contribution]
    problems: dict[int, Problem] = field(default_factory=dict)


@dataclass(frozen=True)
class Expected:
    """What a guest's component takes of a host: kind of contribution, numbers a row, and for trees
    the shape of masks and the host's nodes as level 0 names them, with the column of answers."""

    kind: type
    width: int
    shape: tuple[int, int] = (0, 0)
    nodes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    n_nodes: int = 0


@dataclass(frozen=True)
class Received:
    """A component's part of one host's answer, read. values: (n, c) floats, (n, T, W) masks, (n, q)
    answers or a list of ciphertexts; rows that the host could not answer hold zeros."""

    kind: str
    values: Any


# A host's answer, row by row and as columns.


def row(part: HostPart, i: int, *, compact: bool) -> dict[str, Any]:
    """The contributions to one row, as FATE-Serving sends them; compact: as level 1."""
    found: dict[str, Any] = {}
    for name, of in part.components.items():
        if isinstance(of, Sums):
            values = of.values[i].tolist()
            found[name] = {SCORE: values[0] if len(values) == 1 else values}
        elif isinstance(of, Distances):
            found[name] = {DISTANCES: of.values[i].tolist()}
        elif isinstance(of, Sealed):
            own = of.values[i * of.width : (i + 1) * of.width]
            found[name] = {CIPHER: [str(value) for value in own], KEY: of.key}
        elif compact:
            found[name] = {MASK: _packed(of.masks[i])}
        else:
            trees: dict[str, dict[str, bool]] = {}
            for (tree, node), left in zip(of.nodes, of.answers[i].tolist(), strict=True):
                trees.setdefault(str(tree), {})[str(node)] = bool(left)
            found[name] = trees
    return found


def columns(part: HostPart) -> dict[str, Any]:
    """All rows at once: level 1 for batches."""
    found: dict[str, Any] = {}
    for name, of in part.components.items():
        if isinstance(of, Sums):
            found[name] = {SCORE: _packed(of.values)}
        elif isinstance(of, Distances):
            found[name] = {DISTANCES: _packed(of.values)}
        elif isinstance(of, Sealed):
            found[name] = {CIPHER: [str(value) for value in of.values], KEY: of.key}
        else:
            found[name] = {MASK: _packed(of.masks)}
    return found


# The guest's reading of it: everything may be wrong.


def read_rows(
    expected: Mapping[str, Expected], rows: Sequence[Mapping[str, Any] | None]
) -> dict[str, Received]:
    """Rows of either level; None where the host could not answer. Raises BadPart."""
    found = {}
    for name, of in expected.items():
        given: list[Any] = []
        for one in rows:
            own = None if one is None else one.get(name)
            if one is not None and not isinstance(own, Mapping):
                raise BadPart(name, "the host's answer has nothing of it; are both parties' models "
                              "of one training?")  # fmt: skip
            given.append(own)
        found[name] = _READERS[of.kind](name, of, given)
    return found


def read_columns(
    expected: Mapping[str, Expected], columns: Mapping[str, Any], n_rows: int
) -> dict[str, Received]:
    """Columns of level 1. Raises BadPart."""
    found = {}
    for name, of in expected.items():
        own = columns.get(name)
        if not isinstance(own, Mapping):
            raise BadPart(name, "the host's answer has nothing of it")
        if of.kind is Sealed:
            found[name] = Received(CIPHER, _ciphers(name, own.get(CIPHER), n_rows * of.width))
            continue
        if of.kind is Ways:
            shape: tuple[int, ...] = (n_rows, *of.shape)
            found[name] = Received(MASK, _unpacked(name, own.get(MASK), "<u8", shape))
            continue
        key = SCORE if of.kind is Sums else DISTANCES
        values = _unpacked(name, own.get(key), "<f8", (n_rows, of.width))
        found[name] = Received(key, _finite(name, values))
    return found


def constant(expected: Mapping[str, Expected], n_rows: int, value: float) -> dict[str, Received]:
    """A constant in place of what a host would add. Raises BadPart where none can stand for it."""
    found = {}
    for name, of in expected.items():
        if of.kind is not Sums:
            raise BadPart(name, "no constant can stand for a host's part of this model")
        found[name] = Received(SCORE, np.full((n_rows, of.width), value))
    return found


def _sums(name: str, of: Expected, rows: Sequence[Any]) -> Received:
    return Received(SCORE, _numbers(name, of.width, SCORE, rows))


def _distances(name: str, of: Expected, rows: Sequence[Any]) -> Received:
    return Received(DISTANCES, _numbers(name, of.width, DISTANCES, rows))


def _numbers(name: str, width: int, key: str, rows: Sequence[Any]) -> Floats:
    out = np.zeros((len(rows), width))
    for i, given in enumerate(rows):
        if given is None:
            continue
        told = given.get(key)
        values = told if isinstance(told, list) else [told]
        if len(values) != width or any(
            isinstance(v, bool) or not isinstance(v, (int, float)) for v in values
        ):
            raise BadPart(name, f"the host's answer has not {width} numbers for a row")
        try:
            out[i] = values
        except OverflowError:
            raise BadPart(name, "the host's answer has numbers that are not finite") from None
    return _finite(name, out)


def _ways(name: str, of: Expected, rows: Sequence[Any]) -> Received:
    there = [r for r in rows if r is not None]
    if there and all(MASK in r for r in there):
        masks = np.zeros((len(rows), *of.shape), dtype=np.uint64)
        for i, given in enumerate(rows):
            if given is not None:
                masks[i] = _unpacked(name, given[MASK], "<u8", of.shape)
        return Received(MASK, masks)
    answers = np.zeros((len(rows), of.n_nodes), dtype=np.uint8)
    for i, given in enumerate(rows):
        if given is None:
            continue
        for tree, nodes in of.nodes.items():
            told = given.get(tree)
            if not isinstance(told, Mapping):
                raise BadPart(name, f"the host's answer has nothing of tree {tree}")
            for node, at in nodes.items():
                left = told.get(node)
                if not isinstance(left, bool):
                    raise BadPart(
                        name, f"the host does not say where node {node} of tree {tree} goes"
                    )
                answers[i, at] = left
    return Received(SCORE, answers)


def _sealed(name: str, of: Expected, rows: Sequence[Any]) -> Received:
    flat: list[int | None] = []
    for given in rows:
        if given is None:
            flat += [None] * of.width
        else:
            flat += _ciphers(name, given.get(CIPHER), of.width)
    return Received(CIPHER, flat)


def _ciphers(name: str, given: Any, n: int) -> list[int]:
    if not isinstance(given, list) or len(given) != n:
        raise BadPart(name, f"the host's answer has not {n} ciphertexts")
    if any(not isinstance(v, str) or len(v) > 4000 or not v.isdecimal() for v in given):
        raise BadPart(name, "the host's answer has ciphertexts that are no numbers")
    return [int(v) for v in given]


def _finite(name: str, values: Floats) -> Floats:
    if not math.isfinite(float(np.abs(values).max(initial=0.0))):
        raise BadPart(name, "the host's answer has numbers that are not finite")
    return values


def _packed(values: NDArray[Any]) -> str:
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode()


def _unpacked(name: str, given: Any, kind: str, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        content = base64.b64decode(given, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise BadPart(name, "the host's answer is no base64") from None
    dtype = np.dtype(kind)
    if len(content) != dtype.itemsize * math.prod(shape):
        raise BadPart(
            name, f"the host's answer has {len(content)} bytes, not those of {shape} numbers"
        )
    return np.frombuffer(content, dtype).astype(dtype.newbyteorder("=")).reshape(shape)


_READERS = {Sums: _sums, Distances: _distances, Ways: _ways, Sealed: _sealed}
