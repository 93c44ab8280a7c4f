"""Parameters of components: FATE's names and defaults as typed structs.

A struct states each parameter once; from it come validation with the path of the fault, the
defaults shown by ``parameters``, the JSON Schema of the board's forms and the documentation.
"""

from __future__ import annotations

import difflib
import re
import types
import typing
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from federatedml.errors import BadParameters

PositiveInt = Annotated[int, msgspec.Meta(ge=1)]
NonNegativeInt = Annotated[int, msgspec.Meta(ge=0)]
PositiveFloat = Annotated[float, msgspec.Meta(gt=0)]
NonNegativeFloat = Annotated[float, msgspec.Meta(ge=0)]
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Params(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every parameter struct. Cross-field rules go to ``__post_init__`` as ValueError."""


P = TypeVar("P", bound=Params)

_BOUND = re.compile(r"Expected `(?:int|float)` ([<>]=?) ")
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]+)`(?: - at `([^`]+)`)?")


def parse(struct: type[P], given: dict[str, Any], where: str) -> P:
    """The struct from a configuration's JSON; case of enumerated words does not matter.

    where: ``MODULE#component`` for messages.
    Raises BadParameters naming the path, what is allowed, and the nearest known name.
    """
    try:
        return msgspec.convert(_respelt(given, struct), struct, strict=True, str_keys=True)
    except msgspec.ValidationError as error:
        raise BadParameters(f"cpn `{where}`{_explained(str(error), struct)}") from None


def _respelt(given: Any, declared: Any) -> Any:
    """The same JSON, its enumerated words in our spelling where only their case differs.

    A null where only a list may stand is an empty list: FATE's own examples write it so.
    """
    options = [declared, *typing.get_args(declared)] if _is_union(declared) else [declared]
    if given is None and typing.get_origin(declared) is list:
        return []
    if isinstance(given, str):
        words = [w for o in options if typing.get_origin(o) is Literal for w in typing.get_args(o)]
        same = [w for w in words if isinstance(w, str) and w.lower() == given.lower()]
        return same[0] if same and given not in words else given
    if isinstance(given, dict):
        struct = next((o for o in options if isinstance(o, type) and issubclass(o, Params)), None)
        fields = {f.encode_name: f.type for f in msgspec.structs.fields(struct)} if struct else {}
        return {k: _respelt(v, fields.get(k)) for k, v in given.items()}
    if isinstance(given, list):
        items = [a for o in options if typing.get_origin(o) is list for a in typing.get_args(o)]
        return [_respelt(v, items[0]) for v in given] if items else given
    return given


def _is_union(declared: Any) -> bool:
    return typing.get_origin(declared) in (typing.Union, types.UnionType)


def shown(params: Params) -> dict[str, Any]:
    """All parameters with their values as JSON builtins, for `component parameters`."""
    return msgspec.to_builtins(params)  # type: ignore[no-any-return]


def _explained(problem: str, struct: type[Params]) -> str:
    unknown = _UNKNOWN.search(problem)
    if not unknown:
        text, _, path = problem.partition(" - at ")
        text = _as_number(text, struct, path.strip("`"))
        words = _words_at(struct, path.strip("`")) if text.startswith("Invalid enum") else []
        allowed = f"; allowed: {', '.join(map(str, words))}" if words else ""
        return f", {path or '`$`'}: {text[:1].lower()}{text[1:]}{allowed}"
    name, path = unknown.group(1), (unknown.group(2) or "$").strip("`")
    known = _names_at(struct, path)
    near = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean `{near[0]}`?" if near else f"; known: {', '.join(sorted(known))}"
    return f" has redundant parameters: `[['{name}']]` at `{path}`{hint}"


def _words_at(struct: type, path: str) -> list[Any]:
    """What an enumerated parameter, or the entries of a list of them, may be."""
    options = _options_at(struct, path)
    return [w for o in options if typing.get_origin(o) is Literal for w in typing.get_args(o)]


def _as_number(text: str, struct: type, path: str) -> str:
    """The same text, where it states the bound of an int though a float may stand there too.

    The bound is then that of floats: above 0 is at least 1 for ints alone.
    """
    if not (refused := _BOUND.match(text)):
        return text
    for option in _options_at(struct, path):
        if typing.get_origin(option) is Annotated and option.__origin__ is float:
            meta = option.__metadata__[0]
            signs = {"ge": ">=", "gt": ">"} if ">" in refused.group(1) else {"le": "<=", "lt": "<"}
            bounds = [(sign, getattr(meta, name)) for name, sign in signs.items()]
            return "".join(f"Expected a number {s} {b}" for s, b in bounds if b is not None) or text
    return text


def _options_at(struct: type, path: str) -> list[Any]:
    """The types that may stand at a path such as ``$.callback_param.callbacks[0]``."""
    inside, _, name = path.rpartition(".")
    name, *entry = name.split("[")
    found = next((f for f in _fields_at(struct, inside) if f.encode_name == name), None)
    options = _alternatives(found.type) if found else []
    lists = [o for o in options if typing.get_origin(o) is list]
    return [a for o in lists for a in _alternatives(*typing.get_args(o))] if entry else options


def _alternatives(declared: Any) -> list[Any]:
    return list(typing.get_args(declared)) if _is_union(declared) else [declared]


def _names_at(struct: type, path: str) -> list[str]:
    """Parameter names of the struct nested at a path such as ``$.encrypt_param``."""
    return [f.encode_name for f in _fields_at(struct, path)]


def _fields_at(struct: type, path: str) -> tuple[Any, ...]:
    at: Any = struct
    for step in path.split(".")[1:]:
        found = next((f for f in msgspec.structs.fields(at) if f.encode_name == step), None)
        options = [found.type, *getattr(found.type, "__args__", ())] if found else []
        nested = [t for t in options if isinstance(t, type) and issubclass(t, msgspec.Struct)]
        if not nested:
            break
        at = nested[0]
    return msgspec.structs.fields(at)
