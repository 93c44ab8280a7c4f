"""The trees of a boosting model: how large they are, whose they are, one by one."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from fateboard.blocks import Notice, Tree, TreeNode, msg
from fateboard.views.cells import finite, mapping, names, numbers, sequence, text, whole
from fateboard.views.context import Context

_SITE = re.compile(r"(guest|host|arbiter)[:_](\S{1,64})", re.ASCII)
_PLAN = re.compile(r"(?P<kind>\d)[_-](?P<party>\S{1,64})", re.ASCII)
_GUEST_ONLY, _HOST_ONLY = "0", "1"
_BOX = -1
"""Id of a box that stands for another party's splits."""


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """A node as the model has it. left, right: ids, -1 where there is none."""

    id: int
    site: str
    left: int
    right: int
    leaf: bool
    entry: dict[str, Any]


def homogeneous(context: Context) -> bool:
    """Whether all parties hold all of every tree."""
    kind = text(context.model.get("modelName")) or context.module
    return kind.casefold().startswith("homo")


def me(context: Context) -> str:
    return f"{context.role}:{context.party_id}"


def owner(context: Context, site: str) -> str:
    """A site's name as "role:party", however it is written; ours where every tree is ours."""
    if site == "hostLocal" or (site and homogeneous(context)):
        return me(context)
    found = _SITE.fullmatch(site)
    return f"{found[1]}:{found[2]}" if found else site


def spoken(owner: str) -> str:
    """As the board writes parties."""
    return owner.replace(":", " ", 1)


def per_round(context: Context) -> int:
    """Trees of a round: one per class, but one alone where each leaf has all the weights."""
    stored = sequence(context.model.get("trees"))
    dimension = whole(context.model.get("treeDim")) or 1
    if dimension < 2 or len(stored) % dimension:
        return 1
    first = sequence(mapping(stored[0]).get("tree")) if stored else []
    several = any(len(sequence(mapping(node).get("moWeight"))) > 1 for node in first)
    return 1 if several else dimension


def splits(stored: Any) -> dict[int, Split]:
    """The nodes of a stored tree by id; children that are not there, or are called the child
    of an earlier node too, are left out, so that what remains is a tree."""
    entries = [mapping(entry) for entry in sequence(mapping(stored).get("tree"))]
    by_id: dict[int, dict[str, Any]] = {}
    for entry in entries:
        at = whole(entry.get("id"))
        if at is not None and at >= 0:
            by_id.setdefault(at, entry)
    taken: set[int] = set()
    found = {}
    for at, entry in by_id.items():
        leaf = entry.get("isLeaf") is True
        children = []
        for side in ("leftNodeid", "rightNodeid"):
            child = whole(entry.get(side))
            known = not leaf and child is not None and child in by_id and child > at
            if known and child not in taken and child is not None:
                taken.add(child)
                children.append(child)
            else:
                children.append(-1)
        found[at] = Split(
            id=at, site=text(entry.get("sitename")), left=children[0], right=children[1],
            leaf=leaf, entry=entry,
        )  # fmt: skip
    return found


def depth(nodes: dict[int, Split]) -> int:
    """Levels below the root. Children have larger ids than their parents."""
    below = dict.fromkeys(nodes, 0)
    for at in sorted(nodes, reverse=True):
        children = [child for child in (nodes[at].left, nodes[at].right) if child >= 0]
        below[at] = 1 + max((below[child] for child in children), default=-1)
    return max(below.values(), default=0)


def guest(context: Context) -> str:
    """The guest as "role:party", as far as the model tells."""
    if context.role == "guest":
        return me(context)
    for stored in sequence(context.model.get("trees")):
        for node in sequence(mapping(stored).get("tree")):
            site = owner(context, text(mapping(node).get("sitename")))
            if site.startswith("guest:"):
                return site
    return "guest"


def planned(context: Context, index: int, guest: str) -> str:
    """Whose alone a tree is by the plan of a fast mode, as "role:party"; "" of nobody."""
    plan = names(context.model.get("treePlan"))
    at = (
        index
        if len(plan) == len(sequence(context.model.get("trees")))
        else index // per_round(context)
    )
    if at >= len(plan):
        return ""
    found = _PLAN.fullmatch(plan[at])
    if found is None or found["kind"] not in (_GUEST_ONLY, _HOST_ONLY):
        return ""
    return guest if found["kind"] == _GUEST_ONLY else f"host:{found['party']}"


def tree(context: Context, index: int) -> Tree:
    """One tree as this party sees it: its own splits in words, of others' who asks."""
    stored = sequence(context.model.get("trees"))
    if not 0 <= index < len(stored):
        unknown = msg("tree.unknown", tree=index, count=len(stored))
        return Tree(index=index, nodes=[], notices=[Notice(level="warn", text=unknown)])
    nodes = splits(stored[index])
    whose = planned(context, index, guest(context))
    notices: list[Notice] = []
    if whose and whose != me(context):
        notices.append(Notice(level="info", text=msg("tree.of_other", party=spoken(whose))))
    elif not nodes:
        notices.append(Notice(level="info", text=msg("tree.empty")))
    if not nodes:
        return Tree(index=index, nodes=[], notices=notices)
    children = {child for node in nodes.values() for child in (node.left, node.right)}
    roots = [at for at in nodes if at not in children]
    known = mapping(stored[index])
    shown = [_node(context, known, nodes[at]) for at in _ordered(nodes, roots)]
    if len(roots) > 1:
        several = msg("tree.several_splits", party=spoken(whose) or "?")
        box = TreeNode(id=_BOX, owner=whose, text=several, children=roots)
        shown.insert(0, box)
    return Tree(index=index, nodes=shown, notices=notices)


def _ordered(nodes: dict[int, Split], roots: list[int]) -> list[int]:
    """Level by level."""
    order = list(roots)
    for at in order:
        order += [child for child in (nodes[at].left, nodes[at].right) if child >= 0]
    return order


def _node(context: Context, stored: dict[str, Any], node: Split) -> TreeNode:
    whose = owner(context, node.site)
    mine = not node.leaf and whose == me(context)
    feature, condition = _question(context, stored, node) if mine else ("", "")
    missing = mine and _missing_goes_left(context, stored, node)
    weights: list[float | None] = []
    if node.leaf and (context.role == "guest" or homogeneous(context)):
        weights = numbers(node.entry.get("moWeight")) or [finite(node.entry.get("weight"))]
    counts = mapping(stored.get("leafCount"))
    return TreeNode(
        id=node.id,
        owner=whose,
        left=node.left,
        right=node.right,
        leaf=node.leaf,
        mine=mine,
        feature=feature,
        condition=condition,
        weights=weights,
        count=whole(counts.get(str(node.id))) if node.leaf else None,
        text=msg("tree.missing_left") if missing else "",
    )


def _question(context: Context, stored: dict[str, Any], node: Split) -> tuple[str, str]:
    """The column, and which of its values go left."""
    fid = text(node.entry.get("fid"))
    feature = text(mapping(context.model.get("featureNameFidMapping")).get(fid)) or f"[{fid}]"
    if homogeneous(context):
        value = finite(node.entry.get("bid"))
    else:
        value = finite(mapping(stored.get("splitMaskdict")).get(str(node.id)))
    if value is None:
        return feature, ""
    return feature, f"≤ {f'{value:.6f}'.rstrip('0').rstrip('.') if abs(value) < 1e15 else value}"


def _missing_goes_left(context: Context, stored: dict[str, Any], node: Split) -> bool:
    if homogeneous(context):
        return whole(node.entry.get("missingDir")) == -1
    return whole(mapping(stored.get("missingDirMaskdict")).get(str(node.id))) == -1
