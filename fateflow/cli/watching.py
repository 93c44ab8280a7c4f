"""Following a job to its end: progress bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

import click

from fateflow.cli import output
from fateflow.cli.client import Client

Json = dict[str, Any]
POLL_S = 20.0
CALM_S = 1.0
"""A server with too many who wait answers at once; then ask no faster than this."""


def until_end(
    client: Client, job_id: str, role: str | None = None, party_id: str | None = None
) -> Json:
    """Show progress until the job has ended; its last progress. Ctrl-C leaves the job running."""
    body = {"job_id": job_id, "role": role, "party_id": party_id, "timeout": POLL_S}
    if sys.stderr.isatty():
        return _with_bars(client, body)
    return _polled(client, body, _lines())


def conclude(ended: Json) -> None:
    """Say how it ended; exit status 1 unless it was success."""
    if ended["status"] == "success":
        click.echo(f"job {ended['job_id']} success in {output.seconds(ended['elapsed'])}", err=True)
        return
    failed(ended)


def failed(ended: Json) -> NoReturn:
    """End the command with the causes of a job that did not succeed."""
    errors = [c for c in ended["components"] if c["error"]]
    causes = [f"{c['component_name']} at {c['error']}" for c in errors]
    why = ended["reason"] or "; ".join(causes) or "no cause is recorded; see `flow job log`"
    output.fail(f"job {ended['job_id']} {ended['status']}: {why}")


def _polled(client: Client, body: Json, show: Callable[[Json], None]) -> Json:
    since = ""
    while True:
        asked = time.monotonic()
        found = client.call("job/wait", {**body, "since": since})
        if found.get("retcode") != 0:
            output.fail(str(found.get("retmsg")))
        shown: Json = found["data"]
        if shown["stamp"] == since and time.monotonic() - asked < CALM_S:
            time.sleep(CALM_S)
        since = shown["stamp"]
        show(shown)
        if shown["ended"]:
            return shown


def _lines() -> Callable[[Json], None]:
    """A line to stderr whenever the job or a component changes its state."""
    seen: dict[str, tuple[str, str]] = {}

    def show(shown: Json) -> None:
        states = {"job": (shown["status"], shown["reason"])}
        states |= {c["component_name"]: (c["status"], c["error"]) for c in shown["components"]}
        for name, state in states.items():
            if seen.get(name) != state and not (name != "job" and state[0] == "waiting"):
                click.echo(" ".join((name, *state)).rstrip(), err=True)
            seen[name] = state

    return show


def _with_bars(client: Client, body: Json) -> Json:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[state]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        known: dict[str, Any] = {}

        def show(shown: Json) -> None:
            job = {"component_name": "job", "percent": shown["progress"], **_job(shown)}
            for part in (job, *shown["components"]):
                name, state = part["component_name"], part["status"]
                if name not in known:
                    known[name] = bars.add_task(name, total=100, state="", start=False)
                if state != "waiting":
                    bars.start_task(known[name])
                colour = output.COLOURS.get(state, "default")
                text = f"[{colour}]{state}[/] {part['error']}"
                bars.update(known[name], completed=part["percent"], state=text)
                if state in ("success", "failed", "canceled", "timeout", "pass"):
                    bars.stop_task(known[name])

        return _polled(client, body, show)


def _job(shown: Json) -> Json:
    return {"status": shown["status"], "error": shown["reason"]}
