"""Every component there is, found by listing the folder: there is no registry to edit."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import Any

import msgspec

from federatedml import component, components
from federatedml.component import Component
from federatedml.errors import UnknownModule


@cache
def catalog() -> dict[str, type[Component[Any]]]:
    """Components by lower-case module name, aliases included."""
    for found in pkgutil.iter_modules(components.__path__):
        importlib.import_module(f"{components.__name__}.{found.name}")
    return dict(component._CATALOG)


def find(module: str) -> type[Component[Any]]:
    """The component of a DSL ``module``, whatever its case. Raises UnknownModule."""
    try:
        return catalog()[module.lower()]
    except KeyError:
        known = {cls.module for cls in catalog().values()}
        raise UnknownModule(module, known) from None


def description() -> dict[str, dict[str, Any]]:
    """The catalogue as JSON, for fateflow and the board: roles, whether training needs an arbiter,
    code paths, parameter schema."""
    return {
        cls.module: {
            "roles": sorted(role.value for role in cls.roles()),
            "needs_arbiter": hasattr(cls, "fit_arbiter"),
            "code_path": dict(cls.code_path),
            "schema": msgspec.json.schema(cls.Params),
        }
        for cls in set(catalog().values())
    }
