"""How commands are made: options under FATE's names, an endpoint, a way to show its answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from fateflow.cli import output
from fateflow.cli.client import Client, chosen_server, saved_keys

Json = dict[str, Any]
HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
ROLES = click.Choice(["local", "guest", "arbiter", "host"])
STATES = click.Choice(
    ["success", "failed", "running", "waiting", "timeout", "canceled", "partial", "deleted"]
)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@dataclass
class Surroundings:
    """What every command needs: the server, and how to print."""

    server: str | None = None
    output: str | None = None

    @property
    def client(self) -> Client:
        return Client(chosen_server(self.server), keys=saved_keys())

    @property
    def as_json(self) -> bool:
        return output.wants_json(self.output)


class Command(click.Command):
    """A command that takes ``--server`` and ``--output`` itself, as its groups do."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings = {**HELP, **self.context_settings}
        self.params.extend((_server_option(), _output_option()))


class Group(click.Group):
    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context_settings = {**HELP, **self.context_settings}

    def main(self, *args: Any, **kwargs: Any) -> NoReturn:
        """As click's, but every error is one line."""
        try:
            status = super().main(*args, **{**kwargs, "standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            raise SystemExit(error.exit_code) from None
        except click.ClickException as error:
            context = error.ctx if isinstance(error, click.UsageError) else None
            hint = f"; see `{context.command_path} --help`" if context else ""
            output.fail(f"{error.format_message().rstrip('.')}{hint}", error.exit_code)
        except click.Abort:
            output.fail("aborted")
        raise SystemExit(status if isinstance(status, int) else 0)


def _remember(context: click.Context, param: click.Parameter, value: Any) -> Any:
    here = context.ensure_object(Surroundings)
    if value is not None:
        setattr(here, str(param.name), value)
    return value


def _server_option() -> click.Option:
    return click.Option(
        ["--server"],
        metavar="HOST:PORT",
        callback=_remember,
        expose_value=False,
        help="The server to talk to.",
    )


def _output_option() -> click.Option:
    return click.Option(
        ["--output"],
        type=click.Choice(["table", "json"]),
        callback=_remember,
        expose_value=False,
        help="Tables for people (on a terminal), or FATE's JSON (elsewhere).",
    )


def here() -> Surroundings:
    """The server and the way of showing that the running command was given."""
    return click.get_current_context().ensure_object(Surroundings)


Option = Callable[[Any], Any]


def option(*names: str, **about: Any) -> Option:
    return click.option(*names, **about)


def job_id(*, required: bool = True) -> Option:
    return option("-j", "--job-id", required=required, help="A job id.")


def role(*, required: bool = False) -> Option:
    return option("-r", "--role", type=ROLES, required=required, help="A role.")


def party_id(*, required: bool = False) -> Option:
    return option("-p", "--party-id", required=required, help="A party id.")


def component_name(*, required: bool = False) -> Option:
    return option("-cpn", "--component-name", required=required, help="A component's name.")


def status() -> Option:
    return option("-s", "--status", type=STATES, help="A state.")


def limit(default: int = 10) -> Option:
    return option("-l", "--limit", type=int, default=default, show_default=True, help="At most.")


def conf_path() -> Option:
    return option("-c", "--conf-path", type=FILE, required=True, help="A JSON file.")


def output_path(*, required: bool = True) -> Option:
    return option(
        "-o", "--output-path", type=click.Path(path_type=Path), required=required, help="A folder."
    )


def task_options() -> list[Option]:
    return [
        job_id(),
        role(required=True),
        party_id(required=True),
        component_name(required=True),
    ]


def simple(
    group: click.Group,
    name: str,
    path: str,
    help_text: str,
    options: Sequence[Option] = (),
    *,
    show: output.Show | None = None,
    defaults: Json | None = None,
) -> None:
    """A command that sends its options (those given; a ``-c`` file is merged in) to an endpoint
    and prints the answer."""

    def run(**given: Any) -> None:
        body = {**(defaults or {}), **merged(given)}
        send(path, body, show)

    for add in reversed(options):
        run = add(run)
    group.command(name, help=help_text)(run)


def send(path: str, body: Json, show: output.Show | None = None) -> None:
    """Ask the server and show its answer; a retcode other than 0 ends the command with status 1."""
    output.reply(here().client.call(path, body), show, as_json=here().as_json)


def unpack(
    path: str, body: Json, folder: Path, method: str = "POST", word: str = "download"
) -> None:
    """Ask for an archive, unpack it into ``folder``, and say so in FATE's words.

    A reply that is no archive (a fault, with its retcode) is shown as it is.
    """
    found, fetched = here().client.fetch(path, body, method)
    if fetched:
        fetched.unpack(folder)
        found = {
            "retcode": 0,
            "directory": str(folder),
            "retmsg": f"{word} successfully, please check {folder} directory",
        }
    output.reply(found, as_json=here().as_json)


def merged(given: Json) -> Json:
    """Options that were given, over the contents of the ``-c`` file if there is one."""
    found = {k: v for k, v in given.items() if v is not None}
    conf = found.pop("conf_path", None)
    return {**(read_json(conf) if conf else {}), **{k: _plain(v) for k, v in found.items()}}


def read_json(path: Path) -> Json:
    """The object in a JSON file. Raises ClickException naming the file if there is none in it."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise click.ClickException(f"{path} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.ClickException(f"{path} must hold a JSON object")
    return found


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
