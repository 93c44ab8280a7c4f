"""Who may load and bind models over gRPC: FATE's ModelService has no login of its own.

This machine always may; other addresses only where the option ``managers`` lists their networks.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from serving.codes import Code, ServingFault


class Managers:
    """Raises ValueError for what is no network."""

    def __init__(self, networks: Sequence[str]) -> None:
        try:
            self._networks = [ipaddress.ip_network(text, strict=False) for text in networks]
        except ValueError as error:
            raise ValueError(f"managers: {error}; expected such as 10.0.0.0/8") from None

    def admit(self, context: Any) -> None:
        """Raises ServingFault (127) for a caller from elsewhere."""
        caller = address_of(context.peer())
        if caller is None or caller.is_loopback:
            return
        if not any(caller in network for network in self._networks):
            raise ServingFault(
                Code.TOKEN,
                f"{caller} may not manage this serving: call from its own machine, or list the "
                "network in the option managers",
            )


def address_of(peer: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Of gRPC's ``ipv4:127.0.0.1:5``, ``ipv6:%5B::1%5D:5``; None of a Unix socket."""
    kind, _, rest = unquote(peer).partition(":")
    if kind == "unix":
        return None
    found = ipaddress.ip_address(rest.rpartition(":")[0].strip("[]").partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return mapped or found
