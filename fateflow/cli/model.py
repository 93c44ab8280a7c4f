"""``flow model``, ``flow tag`` and ``flow checkpoint``."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from fateflow.cli import command, output
from fateflow.cli.command import FILE, Group, here, option, send, simple
from fateflow.cli.output import rows_of

_SHORT = (
    "create_date",
    "role",
    "party_id",
    "roles",
    "model_id",
    "model_version",
    "loaded_times",
    "size",
    "description",
    "parent",
    "parent_info",
)
_COLUMNS = ("model_version", "role", "party_id", "create_date", "parent", "model_id")
_ID = option("--model-id", required=True, help="A model id.")
_VERSION = option("--model-version", required=True, help="A model version.")


@click.group(cls=Group)
def model() -> None:
    """Deploy, serve, export and tag models."""


@click.group(cls=Group)
def tag() -> None:
    """Names for models."""


@click.group(cls=Group)
def checkpoint() -> None:
    """Models that a training kept on its way."""


@model.command("deploy")
@_ID
@_VERSION
@option("--cpn-list", help="Components to keep: a,b,c (all by default).")
@option("--cpn-path", type=FILE, help="A file with such a list.")
@option("--dsl-path", type=FILE, help="The predict DSL to use.")
@option("--cpn-step-index", multiple=True, help="Take a checkpoint: component:12.")
@option("--cpn-step-name", multiple=True, help="Take a checkpoint: component:name.")
def deploy(
    model_id: str,
    model_version: str,
    cpn_list: str | None,
    cpn_path: Path | None,
    dsl_path: Path | None,
    cpn_step_index: Sequence[str],
    cpn_step_name: Sequence[str],
) -> None:
    """Make a trained model ready for prediction, under a new version."""
    if sum(map(bool, (cpn_list, cpn_path, dsl_path))) > 1:
        raise click.UsageError("give at most one of --cpn-list, --cpn-path and --dsl-path")
    names = cpn_list or (cpn_path.read_text(encoding="utf-8") if cpn_path else "")
    body: dict[str, Any] = {"model_id": model_id, "model_version": model_version}
    if names:
        body["cpn_list"] = [name for name in names.replace(",", " ").split() if name]
    if dsl_path:
        body["dsl"] = dsl_path.read_text(encoding="utf-8")
    steps = {}
    for given, key, kind in (
        (cpn_step_index, "step_index", int),
        (cpn_step_name, "step_name", str),
    ):
        for entry in given:
            name, _, step = entry.rpartition(":")
            if not name:
                raise click.UsageError(f"a checkpoint is named component:step, not {entry!r}")
            try:
                steps[name] = {key: kind(step)}
            except ValueError:
                raise click.UsageError(f"{entry!r}: the step must be an integer") from None
    send("model/deploy", {**body, "components_checkpoint": steps})


@model.command("get-model-info")
@option("--model-id", help="A model id.")
@_VERSION
@command.role()
@command.party_id()
@option("--detail", is_flag=True, help="All that is known.")
def info(detail: bool, **given: Any) -> None:
    """What is known of a model."""
    body = command.merged(given)
    if not detail:
        body["query_filters"] = list(_SHORT)
    send("model/query", body, _each_in_full if detail else rows_of(*_COLUMNS))


def _each_in_full(listed: Any) -> None:
    for row in listed:
        output.pairs(row)
        click.echo()


def _file_command(name: str, path: str, prefix: str, text: str) -> None:
    @model.command(name, help=text)
    @_ID
    @_VERSION
    @command.output_path()
    def run(model_id: str, model_version: str, output_path: Path) -> None:
        filename = f"{prefix}_{time.strftime('%Y%m%d%H%M%S')}.json"
        body = {"model_id": model_id, "model_version": model_version, "filename": filename}
        found, fetched = here().client.fetch(path, body)
        if fetched:
            saved = fetched.save(output_path.absolute())
            found = {
                "retcode": 0,
                "retmsg": f"{prefix} file has been written successfully. File path is: {saved}",
            }
        output.reply(found, as_json=here().as_json)


_file_command("get-predict-dsl", "model/get/predict/dsl", "predict_dsl", "The DSL that predicts.")
_file_command(
    "get-predict-conf",
    "model/get/predict/conf",
    "predict_conf",
    "A configuration to predict with; fill in the tables.",
)


@model.command("load")
@command.job_id(required=False)
@option("-c", "--conf-path", type=FILE, help="A JSON file.")
def load(job_id: str | None, conf_path: Path | None) -> None:
    """Have a deployed model loaded by the parties' serving."""
    if bool(job_id) == bool(conf_path):
        raise click.UsageError("give exactly one of --job-id and --conf-path")
    send("model/load", {"job_id": job_id} if job_id else command.merged({"conf_path": conf_path}))


@model.command("export")
@command.conf_path()
@option("--to-database", is_flag=True, help="Into the configured model store.")
def export(conf_path: Path, to_database: bool) -> None:
    """A party's model as a zip file, in `output_path` of the configuration (default: here)."""
    conf = command.read_json(conf_path)
    if to_database:
        send("model/store", conf)
        return
    found, fetched = here().client.fetch("model/export", conf, "GET")
    if fetched:
        saved = fetched.save(Path(conf.get("output_path") or ".").absolute())
        found = {
            "retcode": 0,
            "file": str(saved),
            "retmsg": f"download successfully, please check {saved}",
        }
    output.reply(found, as_json=here().as_json)


@model.command("import")
@command.conf_path()
@option("--from-database", is_flag=True, help="From the configured model store.")
def import_(conf_path: Path, from_database: bool) -> None:
    """Take in a model that was exported."""
    conf = command.read_json(conf_path)
    if from_database:
        send("model/restore", conf)
        return
    file = Path(str(conf.get("file") or ""))
    if not file.is_file():
        raise click.ClickException(f"{conf_path}: `file` must name the exported zip")
    fields = {k: v for k, v in conf.items() if k != "file" and not isinstance(v, (dict, list))}
    fields |= {k: json.dumps(v) for k, v in conf.items() if isinstance(v, (dict, list))}
    fields["force_update"] = int(conf.get("force_update") or 0)
    found = here().client.send_form("model/import", fields, file)
    output.reply(found, as_json=here().as_json)


@model.command("tag-model")
@command.job_id()
@option("-t", "--tag-name", required=True)
@option("--remove", is_flag=True, help="Take the tag away.")
def tag_model(job_id: str, tag_name: str, remove: bool) -> None:
    """Put a tag on the model of a job."""
    verb = "remove" if remove else "create"
    send(f"model/model_tag/{verb}", {"job_id": job_id, "tag_name": tag_name})


@checkpoint.command("get")
@command.role(required=True)
@command.party_id(required=True)
@_ID
@_VERSION
@command.component_name(required=True)
@option("--step-index", type=int)
@option("--step-name")
def get_checkpoint(step_index: int | None, step_name: str | None, **given: Any) -> None:
    """One checkpoint with its models."""
    if (step_index is None) == (step_name is None):
        raise click.UsageError("give exactly one of --step-index and --step-name")
    wanted = {"step_index": step_index, "step_name": step_name}
    send("checkpoint/get", command.merged({**given, **wanted}))


_TAG = option("-t", "--tag-name", required=True, help="A tag.")
_FILLED = [command.conf_path()]
simple(
    model,
    "bind",
    "model/bind",
    "Give a loaded model a service id.",
    [command.conf_path(), command.job_id(required=False)],
)
simple(
    model,
    "unbind",
    "model/unbind",
    "Take a service id from its model.",
    [command.conf_path(), command.job_id(required=False)],
)
simple(
    model,
    "unload",
    "model/unload",
    "Have all parties' servings forget a model.",
    [command.conf_path(), command.job_id(required=False)],
)
simple(model, "migrate", "model/migrate", "Give a model other party ids.", _FILLED)
simple(
    model,
    "homo-convert",
    "model/homo/convert",
    "Convert a horizontal model for another library.",
    _FILLED,
    show=rows_of("component_name", "model_alias", "converted_model_path"),
)
simple(model, "homo-deploy", "model/homo/deploy", "Deploy to another system.", _FILLED)
simple(
    model,
    "tag-list",
    "model/model_tag/retrieve",
    "Tags of a job's model.",
    [command.job_id()],
    show=rows_of("name", "description", at="tags"),
)
simple(
    tag,
    "create",
    "model/tag/create",
    "Make a tag.",
    [_TAG, option("-d", "--tag-desc", help="What it is for.")],
)
simple(
    tag,
    "query",
    "model/tag/retrieve",
    "Tags whose name contains this.",
    [_TAG, option("--with-model", is_flag=True, help="The models that have it.")],
)
simple(
    tag,
    "update",
    "model/tag/update",
    "Rename or describe a tag.",
    [_TAG, option("--new-tag-name"), option("--new-tag-desc")],
)
simple(tag, "delete", "model/tag/destroy", "Delete a tag.", [_TAG])
simple(
    tag,
    "list",
    "model/tag/list",
    "All tags.",
    [command.limit()],
    show=rows_of("name", "description", "model_count", at="tags"),
)
simple(
    checkpoint,
    "list",
    "checkpoint/list",
    "Checkpoints of a component.",
    [
        command.role(required=True),
        command.party_id(required=True),
        _ID,
        _VERSION,
        command.component_name(required=True),
    ],
    show=rows_of("step_index", "step_name", "create_time"),
)
