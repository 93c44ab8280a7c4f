"""Writes docs/protocols.md: every message that any component declares, and what it reveals.

python docs/protocols.py            rewrite the page
python docs/protocols.py --check    exit 1 if it is not up to date
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

import federatedml
from federation import Message

PAGE = Path(__file__).with_name("protocols.md")
HEAD = """# Who learns what

Every message that may leave a party, as its component declares it; a message that is not declared cannot be sent. Written by
`python docs/protocols.py` from the code, and checked by a test.

*kind*: plain (readable), ciphertext, share, masked (blinded). *reveals*: what a receiver that follows the protocol learns.

"""


def wires() -> dict[str, list[Message]]:
    """Declared messages by the module that declares them."""
    found: dict[str, list[Message]] = {}
    for info in pkgutil.walk_packages(federatedml.__path__, "federatedml."):
        module = importlib.import_module(info.name)
        wire = getattr(module, "Wire", None)
        if wire is None or wire.__module__ != info.name:
            continue
        messages = [m for m in vars(wire).values() if isinstance(m, Message)]
        own = info.name.rpartition(".")[2]
        found[info.name] = [m for m in messages if m.name.startswith(f"{own}.")]
    return {name: messages for name, messages in found.items() if messages}


def page() -> str:
    """The page as it should be."""
    parts = [HEAD]
    for name, messages in sorted(wires().items()):
        parts.append(
            f"## {name}\n\n| message | from | to | kind | reveals |\n|---|---|---|---|---|\n"
        )
        parts += [
            f"| {m.name.partition('.')[2]} | {_roles(m.src)} | {_roles(m.dst)} | {m.kind} | "
            f"{m.reveals} |\n"
            for m in messages
        ]
        parts.append("\n")
    return "".join(parts).rstrip() + "\n"


def _roles(roles: frozenset) -> str:
    return ", ".join(sorted(role.value for role in roles))


def main() -> None:
    if "--check" not in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    elif PAGE.read_text(encoding="utf-8") != page():
        sys.exit(f"{PAGE} is not what the code declares: run python docs/protocols.py")


if __name__ == "__main__":
    main()
