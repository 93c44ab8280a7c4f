"""Which stored model can become a model of which other library, and its file.

A horizontal model is whole at every client. A vertical one is in parts, and is put together only
where all parts are at hand: who holds a part has handed it over.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from federatedml import archive, boosting_export, linear_export, pmml
from federatedml.boosting_model import BoostingModel
from federatedml.component import Model
from federatedml.errors import BadModel
from federatedml.lightgbm_text import model_text
from federatedml.linear_export import Linear
from federatedml.lr_model import LRModel
from federatedml.tree_ensemble import Ensemble

M = TypeVar("M", bound=Model)

ALIASES = {
    "scikit-learn": "sklearn",
    "lgb": "lightgbm",
    "torch": "pytorch",
    "tree": "secureboost",
    "sbt": "secureboost",
    "lr": "logistic_regression",
}
"""Other words for frameworks, formats and kinds of models, lower case."""


def _lightgbm(model: Model, file: Path) -> None:
    file.write_text(_said(model_text, boosting_export.whole(_as(BoostingModel, model))), "utf-8")


def _tree_pmml(model: Model, file: Path) -> None:
    file.write_text(_said(pmml.of_trees, boosting_export.whole(_as(BoostingModel, model))), "utf-8")


def _sklearn(model: Model, file: Path) -> None:
    """A pickle, which is what users of scikit-learn load; nothing here ever reads it."""
    import joblib

    joblib.dump(linear_export.estimator(linear_export.whole(_as(LRModel, model))), file)


def _linear_pmml(model: Model, file: Path) -> None:
    file.write_text(_said(pmml.of_linear, linear_export.whole(_as(LRModel, model))), "utf-8")


Write = Callable[[Model, Path], None]

HORIZONTAL: dict[str, dict[str, tuple[str, Write]]] = {
    "HomoLR": {
        "sklearn": ("sklearn.joblib", _sklearn),
        "pmml": ("model.pmml", _linear_pmml),
    },
    "HomoSecureBoost": {
        "lightgbm": ("lgb.txt", _lightgbm),
        "pmml": ("model.pmml", _tree_pmml),
    },
}
"""Module -> framework -> file name and who writes it; the first framework is the automatic one."""

VERTICAL: dict[str, dict[str, tuple[str, ...]]] = {
    "secureboost": {
        "modules": ("HeteroSecureBoost", "HeteroFastSecureBoost"),
        "formats": ("lightgbm", "pmml"),
    },
    "logistic_regression": {
        "modules": ("HeteroLR", "HeteroSSHELR"),
        "formats": ("sklearn", "pmml"),
    },
}


def convert(
    models: list[tuple[str, str, str]], framework: str | None, folder: str
) -> list[dict[str, str]]:
    """Write what can be converted of a horizontal model's components.

    models: (component, alias, file). folder: gets ``<component>/<alias>/<file>``. framework: the
    one wanted, else each component's own. The list has component_name, model_alias, module and
    converted_model_path. Raises BadModel if nothing of the model can be converted (so).
    """
    wanted = _word(framework)
    modules = [archive.module_of(Path(path)) for _, _, path in models]
    done = []
    for (component, alias, path), module in zip(models, modules, strict=True):
        ways = HORIZONTAL.get(module, {})
        way = ways.get(wanted or next(iter(ways), ""))
        if way is None:
            continue
        name, write = way
        target = Path(folder) / component / alias / name
        _written(archive.load(Path(path)), target, write)
        done.append(
            {
                "component_name": component,
                "model_alias": alias,
                "module": module,
                "converted_model_path": str(target),
            }
        )
    if not done:
        raise BadModel(_nothing(modules, framework))
    return done


def merge(
    guest: str, hosts: dict[str, str], model_type: str, output_format: str, options: dict[str, Any]
) -> str:
    """A vertical model as one text. guest: file of its part; hosts: those of theirs by party id.

    options: target_name (of PMML's target), host_rename, include_guest_coef. Raises BadModel saying
    what does not fit and what would.
    """
    kind, form = check_kind(model_type, output_format)
    parts = {party: Path(path) for party, path in {"": guest, **hosts}.items()}
    for party, path in parts.items():
        _check_module(kind, path, f"host {party}" if party else "the guest")
    target = str(options.get("target_name") or "y")
    rename = options.get("host_rename")
    first, others = archive.load(parts.pop("")), {p: archive.load(f) for p, f in parts.items()}
    if kind == "secureboost":
        trees = boosting_export.merged(
            _as(BoostingModel, first), _each(BoostingModel, others), rename=rename
        )
        return _said(_trees_text, trees, form, target)
    include = options.get("include_guest_coef")
    linear = linear_export.merged(
        _as(LRModel, first),
        _each(LRModel, others),
        rename=rename,
        include_guest=include is None or bool(include),
    )
    return _said(_linear_text, linear, form, target)


def check_kind(model_type: str, output_format: str) -> tuple[str, str]:
    """The two words as ``VERTICAL`` has them. Raises BadModel."""
    kind, form = _word(model_type), _word(output_format)
    if kind not in VERTICAL:
        raise BadModel(f"model_type {model_type!r} is none of {', '.join(VERTICAL)}")
    formats = VERTICAL[kind]["formats"]
    if form not in formats:
        raise BadModel(
            f"output_format {output_format!r} does not fit: a {kind} model becomes "
            f"{' or '.join(formats)}"
        )
    return kind, form


def _trees_text(ensemble: Ensemble, form: str, target: str) -> str:
    return model_text(ensemble) if form == "lightgbm" else pmml.of_trees(ensemble, target)


def _linear_text(linear: Linear, form: str, target: str) -> str:
    if form == "sklearn":
        return linear_export.as_json(linear)
    return pmml.of_linear(linear, target)


def _check_module(kind: str, path: Path, whose: str) -> None:
    module, allowed = archive.module_of(path), VERTICAL[kind]["modules"]
    if module not in allowed:
        raise BadModel(
            f"the component is a {module} at {whose}; a {kind} model comes from "
            f"{' or '.join(allowed)}"
        )


def _written(model: Model, target: Path, write: Write) -> None:
    """Write a file that appears whole, readable by this user only."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, draft = tempfile.mkstemp(dir=target.parent, prefix=".")  # of mode 0600
    os.close(handle)
    try:
        write(model, Path(draft))
        Path(draft).rename(target)
    except BaseException:
        Path(draft).unlink()
        raise


def _nothing(modules: list[str], framework: str | None) -> str:
    """Why no component can be converted."""
    can = {module: ways for module, ways in HORIZONTAL.items() if module in modules}
    shown = ", ".join(f"{module} to {' or '.join(ways)}" for module, ways in can.items())
    if can:
        return f"framework_name {framework!r} does not fit: this model converts {shown}"
    every = "; ".join(f"{module} to {' or '.join(ways)}" for module, ways in HORIZONTAL.items())
    held = ", ".join(sorted(set(modules))) or "no fitted component"
    return f"nothing of this model can be converted: it holds {held}; possible: {every}"


def _word(given: str | None) -> str:
    word = (given or "").strip().lower()
    return ALIASES.get(word, word)


def _as(kind: type[M], model: Model) -> M:
    if not isinstance(model, kind):
        raise BadModel(f"the stored model is no {kind.__name__}")
    return model


def _each(kind: type[M], models: Mapping[str, Model]) -> dict[str, M]:
    return {party: _as(kind, model) for party, model in models.items()}


def _said(write: Callable[..., str], *given: Any) -> str:
    """What a writer makes of a model; its ValueError is about the model."""
    try:
        return write(*given)
    except ValueError as error:
        raise BadModel(str(error)) from None
