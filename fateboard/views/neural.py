"""Neural networks: how training went, and the layers as the parameters define them."""

from __future__ import annotations

from typing import Any

from fateboard.blocks import Block, Column, Item, KeyValues, Path, msg
from fateboard.views import linear, losses
from fateboard.views.cells import finite, item, mapping, numbers, sequence, tabulate, text
from fateboard.views.context import Context, Page

_DEFINES = ("bottom_nn_define", "interactive_layer_define", "top_nn_define", "nn_define")
_NAMES = ("layer", "class_name", "op", "name")
"""Members that name a layer, in torch's and in keras' spelling."""

Layer = tuple[str, str, str, str]
"""Part of the network, position, kind, settings."""


def training(context: Context, _path: Path) -> list[Block]:
    """How far training came; its history where no loss was logged."""
    model = context.model
    if not model:
        return []
    facts: list[Item] = []
    epochs = _first(model, "iterEpoch", "epochIdx")
    if epochs is not None:
        facts.append(item(msg("neural.epochs"), epochs, "integer"))
    best = _first(model, "bestIteration", "bestEpoch")
    if best is not None and best >= 0:
        facts.append(item(msg("linear.best"), best, "integer"))
    converged = model.get("isConverged", model.get("convergeStatus"))
    if isinstance(converged, bool):
        facts.append(item(msg("linear.converged"), converged, "yes_no"))
    blocks: list[Block] = []
    if facts:
        blocks.append(KeyValues(id="model", items=facts, export_name="model_summary"))
    history = numbers(model.get("historyLoss")) or numbers(model.get("lossHistory"))
    if history and not context.of_type("LOSS"):
        blocks.append(linear.history(history))
    return blocks


def _first(model: dict[str, Any], *keys: str) -> float | None:
    return next((found for key in keys if (found := finite(model.get(key))) is not None), None)


def layers(context: Context, _path: Path) -> list[Block]:
    """The network of this party, layer by layer."""
    rows: list[Layer] = []
    for part in _DEFINES:
        rows += [
            (part.removesuffix("_define"), *one) for one in _defined(context.parameters.get(part))
        ]
    if not rows:
        return []
    columns = [
        Column(id="part", label=msg("neural.part"), frozen=True),
        Column(id="position", label=msg("neural.position")),
        Column(id="layer", label=msg("neural.layer")),
        Column(id="settings", label=msg("neural.settings"), sortable=False),
    ]
    return [tabulate("layers", columns, rows, title=msg("neural.network"), page_size=0)]


def _defined(define: Any) -> list[tuple[str, str, str]]:
    """Layers of a definition: torch's is a dict of them or one itself, keras' has a list."""
    found = mapping(define)
    config = mapping(found.get("config"))
    stacked = sequence(config.get("layers")) or sequence(found.get("layers"))
    if stacked:
        named = [(str(at), mapping(layer)) for at, layer in enumerate(stacked)]
    elif any(isinstance(found.get(name), str) for name in _NAMES):
        named = [("0", found)]
    else:
        named = [(text(key), layer) for key, layer in found.items() if isinstance(layer, dict)]
    return [(position, _kind(layer), _settings(layer)) for position, layer in named]


def _kind(layer: dict[str, Any]) -> str:
    return next((text(layer[name]) for name in _NAMES if isinstance(layer.get(name), str)), "")


def _settings(layer: dict[str, Any]) -> str:
    """What else is said of a layer, on one line."""
    inner = mapping(layer.get("config")) or layer
    rest = {key: value for key, value in inner.items() if key not in _NAMES}
    return ", ".join(f"{text(key)}={text(value)}" for key, value in rest.items())


_PAGE = Page(
    builders=[training, losses.losses, layers],
    metrics=frozenset({"LOSS"}),
    needs=frozenset({"model", "siblings"}),
)

PAGES: dict[str, Page] = dict.fromkeys(("HeteroNN", "HomoNN", "FTL"), _PAGE)
