"""``flow``: FATE's command line, with the same commands and options, and some more."""

from __future__ import annotations

import click

from fateflow.cli import component, data, job, model, server, table, task, testing
from fateflow.cli.command import HELP, Group, Surroundings, _output_option, _server_option

_PARAMS: list[click.Parameter] = [_server_option(), _output_option()]


@click.group(cls=Group, context_settings=HELP, params=_PARAMS)
@click.pass_context
def main(context: click.Context) -> None:
    """Submit and follow jobs, move data, and use the models of a Distaff server."""
    context.ensure_object(Surroundings)


for _group in (
    job.job,
    task.task,
    component.component,
    component.tracking,
    data.data,
    table.table,
    model.model,
    model.tag,
    model.checkpoint,
    server.server,
    server.service,
    server.provider,
    server.privilege,
    server.key,
    server.resource,
    server.queue,
    server.template,
    testing.test,
):
    main.add_command(_group)
main.add_command(server.init)


if __name__ == "__main__":
    main()
