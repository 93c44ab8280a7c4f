"""Fitted models on disk: one JSON file per component, never a pickle.

``{"module", "meta_name", "param_name", "meta": {...}, "param": {...}}``, where meta and param are
the JSON that FATE shows. Private to the party: mode 0600.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from federatedml.catalog import find
from federatedml.component import Model
from federatedml.errors import BadModel


class ModelFile(msgspec.Struct, kw_only=True):
    module: str
    meta_name: str
    param_name: str
    meta: dict[str, Any]
    param: dict[str, Any]


def save(path: Path, module: str, model: Model) -> None:
    """Write a model where nobody sees half of it."""
    fields = msgspec.to_builtins(model)
    content = ModelFile(
        module=module,
        meta_name=type(model).meta_name,
        param_name=type(model).param_name,
        meta=fields["meta"],
        param=fields["param"],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.encode(content))
    draft.rename(path)


def module_of(path: Path) -> str:
    """The module that made the model in a file. Raises BadModel if the file is damaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ModelFile).module
    except msgspec.DecodeError as error:
        raise BadModel(f"the model file {path} is damaged: {error}") from None


def load(path: Path) -> Model:
    """Read a model back as its component's struct. Raises BadModel saying what does not fit."""
    try:
        content = msgspec.json.decode(path.read_bytes(), type=ModelFile)
    except FileNotFoundError:
        raise BadModel(f"the model file {path} is gone: rerun the component that made it") from None
    except msgspec.DecodeError as error:
        raise BadModel(f"the model file {path} is damaged: {error}") from None
    struct = find(content.module).Model
    if struct is None:
        raise BadModel(f"{content.module} keeps no model, but {path} holds one")
    kinds = [struct, *struct.__subclasses__()]  # of a component whose roles keep different ones
    struct = next((kind for kind in kinds if kind.meta_name == content.meta_name), struct)
    try:
        return msgspec.convert(
            {"meta": content.meta, "param": content.param}, struct, str_keys=True
        )
    except msgspec.ValidationError as error:
        raise BadModel(f"the model of {content.module} in {path} does not fit: {error}") from None
