"""``flow table``: records of named tables."""

from __future__ import annotations

import click

from fateflow.cli import command
from fateflow.cli.command import Group, option, simple
from fateflow.cli.output import rows_of


@click.group(cls=Group)
def table() -> None:
    """Look at, bind and delete tables."""


def _preview(data: dict[str, list[list[object]]]) -> None:
    names = [str(name) for name in data["header"]]
    rows_of(*names)([dict(zip(names, row, strict=False)) for row in data["data"]])


def _named(*, required: bool) -> list[command.Option]:
    return [
        option("-n", "--namespace", required=required, help="A namespace."),
        option("-t", "--table-name", required=required, help="A table's name."),
    ]


_NAME = _named(required=True)
simple(table, "info", "table/table_info", "What is known of a table.", _NAME)
simple(
    table,
    "delete",
    "table/delete",
    "Delete a table by name, or the outputs of a job's component.",
    [
        *_named(required=False),
        command.job_id(required=False),
        command.role(),
        command.party_id(),
        command.component_name(),
    ],
)
simple(table, "disable", "table/disable", "Keep jobs from reading a table.", _NAME)
simple(table, "enable", "table/enable", "Let jobs read a table again.", _NAME)
simple(table, "disable-delete", "table/disable/delete", "Delete all disabled tables.")
simple(table, "add", "table/add", "The same as bind.", [command.conf_path()])
simple(
    table,
    "bind",
    "table/bind",
    "Give rows that are already on the server a table's name.",
    [command.conf_path(), option("--drop", is_flag=True, help="Replace a table of that name.")],
)
simple(
    table,
    "connector-create",
    "table/connector/create",
    "Keep the address of a data source under a name.",
    [command.conf_path()],
)
simple(
    table,
    "connector-query",
    "table/connector/query",
    "Show such an address.",
    [option("--connector-name", required=True)],
)
simple(table, "tracking-source", "table/tracking/source", "What a table was made from.", _NAME)
simple(table, "tracking-job", "table/tracking/job", "Jobs that used a table.", _NAME)
simple(
    table,
    "preview",
    "table/preview",
    "The first rows of a table.",
    _NAME,
    show=_preview,
)
