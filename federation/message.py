"""A message that may leave a party: who sends it, to whom, its type, and what it reveals."""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from federation.party import Role

T = TypeVar("T")

Kind = Literal["plain", "ciphertext", "share", "masked"]
"""What an onlooker sees: readable values, encryptions, secret shares, or blinded values."""


class Message(Generic[T]):
    """One declared message of a component's ``Wire``.

    Its name on the wire is ``<module>.<attribute>``, so it is spelt once. ``T`` is enforced:
    a value of another type is refused at the sender and at the receiver.

    >>> class Wire:
    ...     size = Message[int]({Role.GUEST}, {Role.HOST}, kind="plain", reveals="number of rows")
    >>> Wire.size.name.endswith(".size")
    True
    """

    def __init__(
        self, src: Iterable[Role], dst: Iterable[Role], *, kind: Kind, reveals: str
    ) -> None:
        self.src, self.dst = frozenset(src), frozenset(dst)
        self.kind, self.reveals = kind, reveals
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        # A message listed again, in the Wire of a component that uses a protocol, keeps its name.
        self.name = self.name or f"{owner.__module__.rpartition('.')[2]}.{name}"

    @property
    def type(self) -> Any:
        """The declared ``T`` (``Any`` where none was given)."""
        declared = getattr(self, "__orig_class__", None)
        return typing.get_args(declared)[0] if declared else Any

    def __repr__(self) -> str:
        return f"Message({self.name})"


def conforms(value: object, declared: Any) -> bool:  # noqa: PLR0911 (a dispatch)
    """Whether a decoded value has the declared type; containers are checked in depth."""
    if declared is Any or isinstance(declared, TypeVar):
        return True
    origin = typing.get_origin(declared)
    if origin is np.ndarray:
        return isinstance(value, np.ndarray) and _dtype_fits(value, declared)
    if origin is typing.Annotated:
        return conforms(value, typing.get_args(declared)[0])
    if origin in (typing.Union, types.UnionType):
        return any(conforms(value, option) for option in typing.get_args(declared))
    if origin is Literal:
        return value in typing.get_args(declared)
    if declared is None or declared is type(None):
        return value is None
    if origin is None:
        return _plain_fits(value, declared)
    if not isinstance(value, origin):
        return False
    return _items_fit(value, origin, typing.get_args(declared))


def _plain_fits(value: object, declared: type) -> bool:
    if declared is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if declared is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, declared)


def _dtype_fits(value: np.ndarray, declared: Any) -> bool:
    dtype_args = typing.get_args(typing.get_args(declared)[1])
    if not dtype_args or dtype_args[0] is Any or isinstance(dtype_args[0], TypeVar):
        return True
    wanted = dtype_args[0]
    return isinstance(wanted, type) and issubclass(value.dtype.type, wanted)


def _items_fit(value: Any, origin: type, args: tuple[Any, ...]) -> bool:
    if not args:
        return True
    if issubclass(origin, dict):
        return all(conforms(k, args[0]) and conforms(v, args[1]) for k, v in value.items())
    if issubclass(origin, tuple) and args[-1:] != (Ellipsis,):
        return len(value) == len(args) and all(map(conforms, value, args))
    if issubclass(origin, (list, tuple, set, frozenset)):
        return all(conforms(item, args[0]) for item in value)
    return True
