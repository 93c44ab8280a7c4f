"""``flow task``: components of a job as each party runs them."""

from __future__ import annotations

import click

from fateflow.cli import command
from fateflow.cli.command import Group, simple
from fateflow.cli.output import rows_of

_COLUMNS = (
    "component_name",
    "role",
    "party_id",
    "status",
    "party_status",
    "task_version",
    "elapsed",
)


@click.group(cls=Group)
def task() -> None:
    """Components of jobs as each party runs them."""


simple(
    task,
    "list",
    "job/list/task",
    "All tasks, oldest first.",
    [command.limit()],
    show=rows_of("job_id", *_COLUMNS, at="tasks"),
)
simple(
    task,
    "query",
    "job/task/query",
    "Tasks of a job, in their latest version.",
    [
        command.job_id(required=False),
        command.role(),
        command.party_id(),
        command.component_name(),
        command.status(),
    ],
    show=rows_of(*_COLUMNS, "error_report"),
)
