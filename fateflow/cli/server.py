"""``flow init``, and the groups of few commands: server, provider, resource, queue and so on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from fateflow.cli import command, output
from fateflow.cli.client import settings_file
from fateflow.cli.command import Group, here, option, simple
from fateflow.cli.output import rows_of


@click.command("init", cls=command.Command)
@option("-c", "--server-conf-path", type=command.FILE, help="A FATE service_conf.yaml.")
@option("--ip", help="The server's address.")
@option("--port", type=int, help="The server's port.")
@option("--app-key", help="Sign requests with this key,")
@option("--secret-key", help="and this secret.")
@option("--reset", is_flag=True, help="Forget what was set.")
def init(
    server_conf_path: Path | None,
    ip: str | None,
    port: int | None,
    app_key: str | None,
    secret_key: str | None,
    reset: bool,
) -> None:
    """Remember which server to talk to. Without it: 127.0.0.1:9380."""
    path = settings_file()
    if reset:
        path.unlink(missing_ok=True)
        done = "Fate Flow CLI has been reset successfully. Please do initialization again."
        output.reply({"retcode": 0, "retmsg": done}, as_json=here().as_json)
        return
    if server_conf_path:
        ip, port = _from_service_conf(server_conf_path)
    if not ip or not port:
        output.fail("give --ip and --port, or --server-conf-path", status=2)
    kept = {"server": f"{ip}:{port}"}
    if app_key and secret_key:
        kept |= {"app_key": app_key, "secret_key": secret_key}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.chmod(0o600)
    path.write_text(json.dumps(kept) + "\n", encoding="utf-8")
    done = "Fate Flow CLI has been initialized successfully."
    output.reply({"retcode": 0, "retmsg": done}, as_json=here().as_json)


def _from_service_conf(path: Path) -> tuple[str | None, int | None]:
    """``fateflow.host`` and ``fateflow.http_port`` of the YAML, read without a YAML library: the
    two indented keys below the top-level ``fateflow:``."""
    found: dict[str, str] = {}
    inside = False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line[0].isspace() and not line.startswith("#"):
            inside = line.rstrip() == "fateflow:"
        elif inside and ":" in line and not line.lstrip().startswith("#"):
            key, _, value = line.strip().partition(":")
            found.setdefault(key, value.split(" #")[0].strip().strip("'\""))
    port = found.get("http_port", "")
    return found.get("host"), int(port) if port.isdecimal() else None


@click.group(cls=Group)
def server() -> None:
    """The server itself."""


@click.group(cls=Group)
def service() -> None:
    """Services that belong to the server."""


@click.group(cls=Group)
def provider() -> None:
    """Which components the server has."""


@click.group(cls=Group)
def privilege() -> None:
    """What other parties may use here."""


@click.group(cls=Group)
def key() -> None:
    """Public keys of other parties."""


@click.group(cls=Group)
def resource() -> None:
    """Cores that jobs hold."""


@click.group(cls=Group)
def queue() -> None:
    """Jobs that wait."""


@click.group(cls=Group)
def template() -> None:
    """Examples to start from."""


@provider.command("list")
@option("-n", "--provider-name", help="Only this one.")
def list_providers(provider_name: str | None) -> None:
    """Providers with their versions and components."""
    path = f"provider/{provider_name}/get" if provider_name else "provider/get"
    command.send(path, {}, _show_providers)


@template.command("download")
@option("--min-data", type=int, help="Accepted for FATE's scripts.")
@command.output_path()
def download_template(min_data: int | None, output_path: Path) -> None:
    """Small examples: data, DSL and configurations."""
    command.unpack("template/download", {"min_data": min_data}, output_path)


def _show_providers(data: Any) -> None:
    cells = []
    for name, versions in data.items():
        default = versions["default"]["version"]
        cells.append((name, default, " ".join(versions[default]["components"])))
    output.table(("provider", "version", "components"), cells)


def _show_resources(data: Any) -> None:
    engine = data["computing_engine_resource"]
    click.echo(f"{engine['f_remaining_cores']} of {engine['f_cores']} cores are free")
    rows_of("job_id", "role", "party_id", "core")(data["use_resource_job"])


simple(server, "versions", "server/version/get", "Versions of the server and of its contract.")
simple(server, "reload", "server/reload", "Settings that are in force.")
simple(server, "info", "server/fateflow/info", "Addresses of the server.")
simple(service, "registry", "server/service/get", "Services that belong to the server.")
simple(provider, "list-components", "component/get", "Modules with their providers and roles.")
simple(provider, "register", "provider/register", "Not needed here.", [command.conf_path()])
simple(privilege, "grant", "permission/grant", "Allow.", [command.conf_path()])
simple(privilege, "delete", "permission/delete", "Allow no longer.", [command.conf_path()])
simple(
    privilege,
    "query",
    "permission/query",
    "What a party may use.",
    [command.party_id(required=True)],
)
simple(key, "save", "key/public/save", "Keep a party's public key.", [command.conf_path()])
simple(key, "delete", "key/public/delete", "Forget it.", [command.party_id(required=True)])
simple(key, "query", "key/query", "Show it.", [command.party_id(required=True)])
simple(resource, "query", "resource/query", "Cores, and who holds them.", show=_show_resources)
simple(resource, "return", "resource/return", "Free a job's cores.", [command.job_id()])
simple(queue, "clean", "job/clean/queue", "Cancel every waiting job.")
