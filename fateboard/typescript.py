"""The structs of ``blocks`` and ``shapes`` as TypeScript, for ``tsc --checkJs`` and editors.

``python -m fateboard.typescript`` writes ``static/js/types.d.ts``; a test fails if it is stale.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from fateboard import blocks, shapes

TARGET = Path(__file__).parent / "static" / "js" / "types.d.ts"
_PRIMITIVE = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}


def declarations() -> str:
    """The whole file."""
    _, components = msgspec.json.schema_components(
        [blocks.View, blocks.Tree, *shapes.SHAPES], ref_template="{name}"
    )
    head = "// Written by `python -m fateboard.typescript`. Do not edit."
    parts = [head, *(_interface(name, components[name]) for name in sorted(components))]
    union = " | ".join(kind.__name__ for kind in blocks.Block.__args__)  # type: ignore[attr-defined]
    parts.append(f"export type Block = {union};")
    parts.append("export type Label = string | Text;")
    return "\n\n".join(parts) + "\n"


def _interface(name: str, schema: dict[str, Any]) -> str:
    """Omitted defaults are optional members."""
    required = set(schema.get("required", ()))
    lines = [f"export interface {name} {{"]
    for member, of in schema["properties"].items():
        mark = "" if member in required else "?"
        lines.append(f"  {member}{mark}: {_type(of)};")
    return "\n".join([*lines, "}"])


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return str(schema["$ref"])
    if "enum" in schema:
        return " | ".join(msgspec.json.encode(value).decode() for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    kind = schema.get("type")
    if kind == "array":
        if "prefixItems" in schema:
            return f"[{', '.join(_type(one) for one in schema['prefixItems'])}]"
        return f"({_type(schema['items'])})[]"
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"Record<string, {_type(values) if isinstance(values, dict) else 'any'}>"
    return _PRIMITIVE.get(str(kind), "any")


if __name__ == "__main__":
    TARGET.write_text(declarations())
