"""What each component shows: pure functions from a Context to typed blocks.

A page is what a module's own builders make, then every metric that they do not take, by its
type. So a component that nobody knows shows its metrics. Packages bring a page for their module
by an entry point of the group ``fateboard.views`` (docs/howto/board-plugin.md).
"""

from __future__ import annotations

import functools
import importlib.metadata
from typing import cast

import msgspec

from fateboard.blocks import Block, EveryOption, Label, Notice, Path, Tree, View, msg
from fateboard.views import (
    binning,
    boosting,
    clustering,
    confusion,
    correlation,
    curves,
    inputs,
    linear,
    loaders,
    losses,
    neural,
    one_vs_rest,
    performance,
    sampling,
    scores,
    selection,
    stability,
    statistics,
    stepwise,
    transforms,
)
from fateboard.views.context import Builder, Context, Group, Need, Page, read
from fateboard.views.generic import raw, unknown

__all__ = ["Context", "Page", "build", "needs", "read", "tree"]

_PAGES: dict[str, Page] = {
    **inputs.PAGES,
    **transforms.PAGES,
    **sampling.PAGES,
    **statistics.PAGES,
    **correlation.PAGES,
    **binning.PAGES,
    **selection.PAGES,
    **clustering.PAGES,
    **linear.PAGES,
    **boosting.PAGES,
    **neural.PAGES,
    **loaders.PAGES,
}
"""By module. Each file of builders has a dict PAGES, joined here."""

_GROUPS: list[Group] = [
    *clustering.GROUPS,
    *losses.GROUPS,
    *scores.GROUPS,
    *confusion.GROUPS,
    *one_vs_rest.GROUPS,
    *performance.GROUPS,
    *stability.GROUPS,
    *stepwise.GROUPS,
    *loaders.GROUPS,
]
"""What shows metrics by type, in the order of a page. Each file's GROUPS are joined here."""

_BY_NAME = {module.casefold(): page for module, page in _PAGES.items()}
_ENDED_EARLY = ("failed", "canceled", "timeout")
_BY_LABELS = ("evaluation", "positiveunlabeled")
_NOT_ENDED = ("waiting", "ready", "running")
_STATUSES: dict[str, Label] = {
    "failed": msg("status.failed"),
    "canceled": msg("status.canceled"),
    "timeout": msg("status.timeout"),
    "waiting": msg("status.waiting"),
    "ready": msg("status.ready"),
    "running": msg("status.running"),
}


def needs(module: str) -> frozenset[Need]:
    """What ``build`` looks at for this module, beside metrics and parameters."""
    return _page(module).needs


def build(context: Context, path: Path) -> View:
    """The page of a component. Whatever is in the context, it can be encoded and drawn. A path
    of every option is a report's: its curves have all their points."""
    with curves.whole(isinstance(path, EveryOption)):
        return _built(context, path)


def _built(context: Context, path: Path) -> View:
    page = _page(context.module)
    notices: list[Notice] = _state(context)
    blocks: list[Block] = []
    shown = set(page.metrics)
    for builder in page.builders:
        blocks += _guarded(builder, context, path, notices)
    for types, builder in _GROUPS:
        left = types - shown
        shown |= types
        if any(metric.type in left for metric in context.metrics):
            part = msgspec.structs.replace(context, metrics=context.of_type(*left))
            blocks += _guarded(builder, part, path, notices)
    rest = [metric for metric in context.metrics if metric.type not in shown]
    if rest:
        part = msgspec.structs.replace(context, metrics=rest)
        blocks += _guarded(unknown, part, path, notices)
    if not blocks and not notices:
        notices.append(_nothing(context))
    return View(
        component=context.component,
        module=context.module,
        role=context.role,
        party_id=context.party_id,
        blocks=blocks,
        notices=notices,
    )


def tree(context: Context, index: int) -> Tree:
    """One tree of a forest, by its index in the model."""
    lister = _page(context.module).tree
    if lister is None:
        return Tree(
            index=index,
            nodes=[],
            notices=[Notice(level="info", text=msg("view.no_trees", module=context.module))],
        )
    try:
        found = lister(context, index)
        msgspec.json.encode(found)
    except Exception as e:  # noqa: BLE001 (whatever a model holds, the page stays)
        notice = Notice(level="error", text=msg("view.tree_failed", tree=index, reason=_reason(e)))
        return Tree(index=index, nodes=[], notices=[notice])
    return found


def _page(module: str) -> Page:
    installed = _plugins().get(module.casefold())
    if installed is not None:
        return Page(builders=[_loaded(installed)], needs=frozenset({"model", "summary", "data"}))
    return _BY_NAME.get(module.casefold(), Page())


@functools.cache
def _plugins() -> dict[str, importlib.metadata.EntryPoint]:
    points = importlib.metadata.entry_points(group="fateboard.views")
    return {point.name.casefold(): point for point in points}


def _loaded(point: importlib.metadata.EntryPoint) -> Builder:
    """The builder of an entry point. It is imported when it is called, so that one which cannot
    be imported costs its own blocks only."""

    def built(context: Context, path: Path) -> list[Block]:
        return cast("Builder", point.load())(context, path)

    return built


def _guarded(builder: Builder, context: Context, path: Path, notices: list[Notice]) -> list[Block]:
    """A builder's blocks; if it fails, what it would have shown as it is, and a notice."""
    try:
        blocks = list(builder(context, path))
        msgspec.json.encode(blocks)
    except Exception as e:  # noqa: BLE001 (a builder's border: it costs its own blocks only)
        notices.append(Notice(level="error", text=msg("view.metric_failed", reason=_reason(e))))
        return [raw(context)]
    return blocks


def _reason(error: Exception) -> str:
    """What went wrong, without the message: it may quote what another party sent."""
    return type(error).__name__


def _state(context: Context) -> list[Notice]:
    """What to know of a task that has not succeeded: its page is not complete."""
    status = _STATUSES.get(context.status, context.status)
    if context.status in _NOT_ENDED:
        return [Notice(level="info", text=msg("view.not_ended", status=status))]
    if context.status in _ENDED_EARLY:
        return [Notice(level="warn", text=msg("view.ended_early", status=status))]
    if context.status == "not_reached":
        return [Notice(level="info", text=msg("view.not_reached"))]
    return []


def _nothing(context: Context) -> Notice:
    """Why a page is empty, and where to look instead."""
    if context.role == "arbiter":
        return Notice(level="info", text=msg("view.arbiter_has_no_output"))
    if context.role == "host" and context.module.casefold() in _BY_LABELS:
        return Notice(level="info", text=msg("view.host_has_no_labels"))
    if not context.model and "model" in _page(context.module).needs:
        return Notice(level="info", text=msg("view.model_missing"))
    return Notice(level="info", text=msg("view.nothing"))
