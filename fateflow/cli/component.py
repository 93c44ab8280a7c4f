"""``flow component`` and ``flow tracking``: what a component reported and put out."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from fateflow.cli import command, output
from fateflow.cli.command import Group, here, simple
from fateflow.cli.output import rows_of


@click.group(cls=Group)
def component() -> None:
    """What components of a job reported and put out."""


@click.group(cls=Group)
def tracking() -> None:
    """The same as `flow component`."""


def _show_names(data: Any) -> None:
    cells = [(namespace, name) for namespace, names in data.items() for name in names]
    output.table(("namespace", "metric"), cells)


def _show_metrics(data: Any) -> None:
    """Single values as they are; of a curve the number of points."""
    cells = []
    for namespace, metrics in data.items():
        for name, metric in metrics.items():
            points = metric["data"]
            if points and all(isinstance(key, str) for key, _ in points):
                cells += [(namespace, name, key, value) for key, value in points]
            else:
                last = f"last {points[-1]}" if points else ""
                cells.append((namespace, name, f"{len(points)} points", last))
    output.table(("namespace", "metric", "key", "value"), cells)


def _output_data(**given: Any) -> None:
    """Download the output tables of a component as CSV."""
    folder = Path(given.pop("output_path")).absolute()
    body = command.merged(given)
    name = "job_{job_id}_{component_name}_{role}_{party_id}_output_data".format(**body)
    asked = {**body, "output_path": str(folder)}
    path = "tracking/component/output/data/download"
    command.unpack(path, asked, folder / name, "GET", word="Download")


def _summary(**given: Any) -> None:
    """The summary of a component; with -o as a file."""
    folder = given.pop("output_path")
    body = command.merged(given)
    if folder:
        stamp = time.strftime("%Y%m%d%H%M%S")
        body["filename"] = f"summary_{body['component_name']}_{stamp}.json"
    found, fetched = here().client.fetch("tracking/component/summary/download", body)
    if fetched:
        path = fetched.save(Path(folder).absolute())
        found = {
            "retcode": 0,
            "retmsg": f"The summary of component <{body['component_name']}> has been stored "
            f"successfully. File path is: {path}.",
        }
    output.reply(found, as_json=here().as_json)


def _with(options: list[command.Option], run: Any) -> Any:
    def copy(**given: Any) -> None:
        run(**given)

    copy.__doc__ = run.__doc__
    for add in reversed(options):
        copy = add(copy)
    return copy


def _fill(group: click.Group) -> None:
    of_task = command.task_options()
    plain: list[tuple[str, str, str, output.Show | None]] = [
        ("metrics", "metrics", "Names of a component's metrics.", _show_names),
        ("metric-all", "metric/all", "All metrics of a component.", _show_metrics),
        ("parameters", "parameters", "All parameters of a component, with defaults.", None),
        ("output-model", "output/model", "The fitted model.", _as_text),
        (
            "output-data-table",
            "output/data/table",
            "Names of the output tables.",
            rows_of("data_name", "table_namespace", "table_name"),
        ),
    ]
    for name, path, text, show in plain:
        simple(group, name, f"tracking/component/{path}", text, of_task, show=show)
    limit = command.option("-l", "--limit", type=int, default=-1, help="Rows; -1 for all.")
    group.command("output-data")(_with([*of_task, command.output_path(), limit], _output_data))
    optional = command.output_path(required=False)
    group.command("get-summary")(_with([*of_task, optional], _summary))


def _as_text(data: Any) -> None:
    click.echo(json.dumps(data, indent=4, ensure_ascii=False))


@component.command("hetero-model-merge")
@command.option("--model-id", required=True)
@command.option("--model-version", required=True)
@command.option("--guest-party-id", required=True)
@command.option("--host-party-ids", required=True, help="One, or several separated by commas.")
@command.component_name(required=True)
@command.option("--model-type", required=True)
@command.option("--output-format", required=True)
@command.option("--target-name")
@command.option("--host-rename/--no-host-rename", default=None)
@command.option("--include-guest-coef/--no-include-guest-coef", default=None)
@command.option("-o", "--output-path", type=click.Path(path_type=Path), required=True)
def merge(output_path: Path, host_party_ids: str, **given: Any) -> None:
    """One model for local use from the parts of guest and hosts."""
    body = {**command.merged(given), "host_party_ids": host_party_ids.split(",")}
    found = here().client.call("component/hetero/merge", body)
    if found.get("retcode") == 0:
        try:
            output_path.parent.mkdir(parents=True, exist_ok=True)
            output_path.write_text(str(found.pop("data")), encoding="utf-8")
        except OSError as error:
            raise click.ClickException(f"{output_path}: {error.strerror}") from None
        note = found["retmsg"].partition("; ")[2]
        found["retmsg"] = f"The model has been written to {output_path}{note and f'; {note}'}."
    output.reply(found, as_json=here().as_json)


@component.command("metric-delete")
@command.option("-d", "--date", help="A day of eight digits: 20240131.")
@command.job_id(required=False)
def metric_delete(date: str | None, job_id: str | None) -> None:
    """Forget the metrics of a job, or of all jobs of a day."""
    if bool(date) == bool(job_id):
        raise click.UsageError("give exactly one of --date and --job-id")
    command.send("tracking/component/metric/delete", {"job_id": job_id, "date": date})


simple(
    component,
    "list",
    "tracking/component/list",
    "Components of a job, in the order of its DSL.",
    [command.job_id()],
)
_fill(component)
_fill(tracking)
