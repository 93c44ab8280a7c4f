"""What a command prints: tables for people, FATE's JSON envelope for scripts."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click

Json = dict[str, Any]
Show = Callable[[Any], None]
COLOURS = {
    "success": "green",
    "pass": "green",
    "running": "cyan",
    "waiting": "yellow",
    "failed": "red",
    "timeout": "red",
    "canceled": "magenta",
}
_LONGEST_CELL = 60
_PIPED_WIDTH = 200
_SHORT = ("role", "progress", "elapsed", "count", "partition")


def wants_json(option: str | None) -> bool:
    """``--output``, else DISTAFF_OUTPUT, else tables if a person looks on."""
    chosen = option or os.environ.get("DISTAFF_OUTPUT")
    return chosen == "json" if chosen else not sys.stdout.isatty()


def reply(found: Json, show: Show | None = None, *, as_json: bool) -> None:
    """Print a server's answer. One that tells of a failure ends the command with status 1."""
    failed = found.get("retcode") != 0
    if as_json:
        click.echo(json.dumps(found, indent=4, ensure_ascii=False) + "\n")
    elif not failed:
        data = found.get("data")
        if data in (None, [], {}):
            click.echo(found.get("retmsg", "success"))
        else:
            (show or anything)(data)
    if failed:
        fail(str(found.get("retmsg", "failed without a message")))


def fail(message: str, status: int = 1) -> NoReturn:
    """One line to stderr, and out."""
    click.echo(f"Error: {' '.join(message.split())}", err=True)
    raise SystemExit(status)


def anything(data: Any) -> None:
    """Data of any shape, as well as it goes."""
    if isinstance(data, list) and data and all(isinstance(row, dict) for row in data):
        names = list(dict.fromkeys(name for row in data for name in row))
        rows_of(*names)(data)
    elif isinstance(data, dict):
        pairs(data)
    elif isinstance(data, list):
        for item in data:
            click.echo(_cell(item))
    else:
        click.echo(data)


def rows_of(*names: str, at: str | None = None) -> Show:
    """A table with these columns, FATE's ``f_`` or not; ``at``: the key that holds the list.
    Columns that are empty in every row are left out."""

    def show(data: Any) -> None:
        listed = data[at] if at else data
        if at and "count" in data:
            click.echo(f"{len(listed)} of {data['count']}")
        cells = [[_value(row, name) for name in names] for row in listed]
        kept = [i for i in range(len(names)) if any(row[i] not in (None, "", {}) for row in cells)]
        table([names[i] for i in kept], [[row[i] for i in kept] for row in cells])

    return show


def pairs(data: Json) -> None:
    """Keys and values, one a line; inner keys are dotted."""
    table(("", ""), list(_flat(data)), header=False)


def started(data: Json) -> None:
    """A job that was just made: its id, where to look, and how to follow it."""
    made = data.get("job_id", "")
    told = [("job", made)]
    if data.get("table_name"):
        told.append(("table", f"{data.get('namespace')}.{data['table_name']}"))
    told += [("logs", data.get("logs_directory"))]
    for name, value in (*told, ("follow", f"flow job watch -j {made}")):
        if value:
            click.echo(f"{name:<8}{value}")


def table(names: Sequence[str], cells: Sequence[Sequence[Any]], *, header: bool = True) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(show_header=header, box=None, pad_edge=False, header_style="bold")
    for name in names:
        whole = (
            name.endswith(("job_id", "party_id", "_version", "_date", "status")) or name in _SHORT
        )
        shown.add_column(name.replace("_", " "), overflow="fold", no_wrap=whole)
    for row in cells:
        texts = [_cell(value) for value in row]
        shown.add_row(*(Text(text, style=COLOURS.get(text, "")) for text in texts))
    Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH).print(shown)


def _flat(data: Json, prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            found.extend(_flat(value, f"{name}."))
        else:
            found.append((name, value))
    return found


def _value(row: Json, name: str) -> Any:
    value = row.get(f"f_{name}", row.get(name))
    if name == "elapsed" and isinstance(value, int):
        return seconds(value)
    if name == "error_report" and value:
        return str(value).strip().partition("\n")[0]
    return value


def seconds(elapsed_ms: int | None) -> str:
    """1745 as ``1.7 s``, longer ones as ``12:34``."""
    if elapsed_ms is None:
        return ""
    whole = elapsed_ms / 1000
    return f"{whole:.1f} s" if whole < 100 else f"{int(whole) // 60}:{int(whole) % 60:02d}"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_CELL else f"{text[: _LONGEST_CELL - 1]}…"
