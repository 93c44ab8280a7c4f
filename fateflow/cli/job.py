"""``flow job``: submit, follow, stop and look into jobs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from fateflow.cli import command, output, watching
from fateflow.cli.command import FILE, Group, here, send, simple
from fateflow.cli.output import rows_of

_JOB_COLUMNS = (
    "job_id",
    "role",
    "party_id",
    "status",
    "progress",
    "elapsed",
    "create_date",
    "reason",
)
_LIST_COLUMNS = ("job_id", "role", "party_id", "status", "progress", "elapsed", "create_date")


@click.group(cls=Group)
def job() -> None:
    """Submit, follow, stop and look into jobs."""


@job.command("submit")
@command.conf_path()
@command.option("-d", "--dsl-path", type=FILE, help="The DSL; a predict job needs none.")
@command.option("--wait", is_flag=True, help="Show progress until the job ends.")
def submit(conf_path: Path, dsl_path: Path | None, wait: bool) -> None:
    """Start a job. With --wait the exit status tells whether it succeeded."""
    body = {
        "job_dsl": command.read_json(dsl_path) if dsl_path else {},
        "job_runtime_conf": command.read_json(conf_path),
    }
    found = here().client.call("job/submit", body)
    if wait and found.get("retcode") == 0:
        if not here().as_json:
            click.echo(f"job {found['jobId']}")
        ended = watching.until_end(here().client, found["jobId"])
        if here().as_json:
            output.reply(found, as_json=True)
        watching.conclude(ended)
        return
    output.reply(found, output.started, as_json=here().as_json)


@job.command("watch")
@command.job_id()
@command.role()
@command.party_id()
def watch(job_id: str, role: str | None, party_id: str | None) -> None:
    """Live progress of a job, component by component; ends with the job."""
    watching.conclude(watching.until_end(here().client, job_id, role, party_id))


@job.command("query")
@command.job_id(required=False)
@command.role()
@command.party_id()
@command.status()
def query(**given: Any) -> None:
    """Jobs as each party sees them."""
    found = here().client.call("job/query", command.merged(given))
    for row in found.get("data") or []:
        row.pop("f_runtime_conf", None)
        row.pop("f_dsl", None)
    output.reply(found, rows_of(*_JOB_COLUMNS), as_json=here().as_json)


@job.command("config")
@command.job_id()
@command.role(required=True)
@command.party_id(required=True)
@command.output_path()
def config(output_path: Path, **given: Any) -> None:
    """Write a job's DSL and configurations as files."""
    found = here().client.call("job/config", command.merged(given))
    if found.get("retcode") == 0:
        folder = output_path.absolute() / f"job_{given['job_id']}_config"
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in found["data"].items():
            if name != "job_id":
                (folder / f"{name}.json").write_text(json.dumps(content, indent=4))
        for name in ("dsl", "runtime_conf"):
            found["data"].pop(name, None)
        found["directory"] = str(folder)
        found["retmsg"] = f"download successfully, please check {folder} directory"
    output.reply(found, _directory(found), as_json=here().as_json)


@job.command("log")
@command.job_id()
@command.output_path()
def log(job_id: str, output_path: Path) -> None:
    """Download all logs of a job."""
    folder = output_path / f"job_{job_id}_log"
    command.unpack("job/log/download", {"job_id": job_id}, folder)


@job.command("tail")
@command.job_id()
@command.role()
@command.party_id()
@command.component_name()
@command.option("--level", type=click.Choice(["Error", "Warning", "Info", "Debug"]), default="Info")
@command.option("-n", "--lines", type=int, default=100, show_default=True)
@command.option("-f", "--follow", is_flag=True, help="Go on until the job ends.")
def tail(level: str, follow: bool, **given: Any) -> None:
    """The last log lines of a job, a party or a component; with -f the ones to come, too."""
    body = command.merged(given)
    parts = {"component": "component_name" in body, "party": "role" in body}
    scope = next((name for name, there in parts.items() if there), "")
    body["log_type"] = f"{scope}{level}" if scope else "jobSchedule"
    found = here().client.call("log/tail", body)
    output.reply(found, _print_lines, as_json=here().output == "json")
    since = ""
    while follow:
        wanted = {"job_id": body["job_id"], "since": since, "timeout": 1.0}
        state = here().client.call("job/wait", wanted)
        follow = state.get("retcode") == 0 and not state["data"]["ended"]
        since = state["data"]["stamp"] if follow else ""
        if found.get("data"):
            body["begin"] = found["data"][-1]["line_num"] + 1
        more = here().client.call("log/cat", body)
        if more.get("data"):
            found = more
            _print_lines(found["data"])


@job.command("dsl")
@command.option("--cpn-list", help="Names of components: a,b,c")
@command.option("--cpn-path", type=FILE, help="A file with such a list.")
@command.option("--train-dsl-path", type=FILE, required=True, help="The DSL of the training.")
@command.output_path(required=False)
def dsl(
    cpn_list: str | None, cpn_path: Path | None, train_dsl_path: Path, output_path: Path | None
) -> None:
    """The DSL that predicts with some components of a training."""
    if bool(cpn_list) == bool(cpn_path):
        raise click.UsageError("give exactly one of --cpn-list and --cpn-path")
    body = {
        "cpn_str": cpn_list or (cpn_path.read_text() if cpn_path else ""),
        "train_dsl": train_dsl_path.read_text(encoding="utf-8"),
        "version": "2",
    }
    if output_path:
        body["filename"] = f"predict_dsl_{time.strftime('%Y%m%d%H%M%S')}.json"
    found, fetched = here().client.fetch("job/dsl/generate", body)
    if fetched and output_path:
        path = fetched.save(output_path.absolute())
        found = {
            "retcode": 0,
            "retmsg": f"New predict dsl file has been generated successfully. File path is: {path}",
        }
    output.reply(found, _as_text, as_json=here().as_json)


@job.command("parameter-update")
@command.job_id()
@command.conf_path()
def parameter_update(job_id: str, conf_path: Path) -> None:
    """Change parameters of components that have not run yet."""
    conf = command.read_json(conf_path)
    names = ("job_parameters", "component_parameters")
    send("job/parameter/update", {"job_id": job_id, **{n: conf[n] for n in names if n in conf}})


def _as_text(data: Any) -> None:
    click.echo(json.dumps(data, indent=4, ensure_ascii=False))


def _directory(found: dict[str, Any]) -> output.Show:
    return lambda _data: click.echo(found.get("retmsg", ""))


def _print_lines(data: Any) -> None:
    for line in data:
        click.echo(line["content"])


simple(
    job,
    "list",
    "job/list/job",
    "The newest jobs.",
    [command.limit()],
    show=rows_of(*_LIST_COLUMNS, at="jobs"),
)
simple(job, "stop", "job/stop", "Stop a job at all its parties.", [command.job_id()])
simple(
    job,
    "rerun",
    "job/rerun",
    "Run again what did not succeed.",
    [
        command.job_id(),
        command.option("--force", is_flag=True, help="Also what has succeeded."),
        command.component_name(),
    ],
)
simple(
    job,
    "view",
    "job/data/view/query",
    "Output tables of a job's components.",
    [command.job_id(required=False), command.role(), command.party_id(), command.status()],
    show=rows_of(
        "component_name", "data_name", "role", "party_id", "table_namespace", "table_name"
    ),
)
simple(
    job,
    "clean",
    "job/clean",
    "Delete the output tables of a job or of one component.",
    [command.job_id(), command.role(), command.party_id(), command.component_name()],
)
