"""``flow data``: files to tables and back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from fateflow.cli import command, output, watching
from fateflow.cli.command import Group, here, simple


@click.group(cls=Group)
def data() -> None:
    """Upload and download tables."""


@data.command("upload")
@command.conf_path()
@command.option(
    "--verbose", is_flag=True, help="Accepted for FATE's scripts; progress is shown anyway."
)
@command.option("--drop", is_flag=True, help="Replace a table of that name.")
@command.option("--wait", is_flag=True, help="Wait until the table is there.")
def upload(conf_path: Path, verbose: bool, drop: bool, wait: bool) -> None:
    """Make a table of a CSV file; the configuration says which file and how it is called."""
    conf = {**command.read_json(conf_path), "verbose": int(verbose), "drop": int(drop)}
    if str(conf.get("use_local_data", 1)) == "0":
        found = here().client.call("data/upload", conf)
    else:
        file = _file(conf, conf_path)
        with _bar(file) as told:
            found = here().client.upload("data/upload", conf, file, told)
    if wait and found.get("retcode") == 0:
        ended = watching.until_end(here().client, found["jobId"])
        if ended["status"] != "success":
            watching.failed(ended)
    output.reply(found, output.started, as_json=here().as_json)


def _file(conf: dict[str, Any], conf_path: Path) -> Path:
    """As given, or relative to the configuration's folder."""
    named = conf.get("file")
    if not named:
        raise click.ClickException(f"{conf_path} has no key `file`")
    found = next((p for p in (Path(named), conf_path.parent / named) if p.is_file()), None)
    if not found:
        raise click.ClickException(f"the file to upload does not exist: {named}")
    return found


@contextmanager
def _bar(file: Path) -> Iterator[Callable[[int], None]]:
    if not sys.stderr.isatty() or file.stat().st_size < 1 << 22:
        yield lambda _sent: None
        return
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TransferSpeedColumn

    columns = (*Progress.get_default_columns(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(file.name, total=file.stat().st_size)
        yield lambda sent: bars.update(task, completed=sent)


@data.command("download")
@command.conf_path()
def download(conf_path: Path) -> None:
    """Write a table as CSV to a path of the server."""
    conf = command.read_json(conf_path)
    if conf.get("output_path"):
        conf["output_path"] = str(Path(conf["output_path"]).absolute())
    command.send("data/download", conf)


def _show_history(listed: Any) -> None:
    rows = [(job_id, about) for entry in listed for job_id, about in entry.items()]
    names = ("namespace", "table_name", "upload_count", "partition")
    cells = [(job_id, *(about["upload_info"].get(n) for n in names)) for job_id, about in rows]
    output.table(("job_id", *names), cells)


simple(data, "writer", "data/writer", "Copy a table to another name.", [command.conf_path()])
simple(
    data,
    "upload-history",
    "data/upload/history",
    "Finished uploads, newest first.",
    [command.limit(), command.job_id(required=False)],
    show=_show_history,
)
