"""``flow test``: does this installation work, alone and with the other parties?"""

from __future__ import annotations

import time
from typing import Any

import click

from fateflow.cli import output, watching
from fateflow.cli.client import Client
from fateflow.cli.command import Group, here, option

Json = dict[str, Any]
_TOY = "secure_add_example_0"
_ENDS = ("success", "failed", "canceled", "timeout")


@click.group(cls=Group)
def test() -> None:
    """Small jobs that show whether the parties can work together."""


@test.command("toy")
@option("-gid", "--guest-party-id", required=True)
@option("-hid", "--host-party-id", required=True)
@option("--timeout", type=int, default=300, show_default=True, help="Seconds to wait.")
@option("--task-cores", type=int, default=2, show_default=True)
def toy(guest_party_id: str, host_party_id: str, timeout: int, task_cores: int) -> None:
    """Add secret numbers of a guest and a host: the sum is 2000."""
    client = here().client
    submitted = client.call("job/submit", _toy_job(guest_party_id, host_party_id, task_cores))
    if submitted.get("retcode") != 0:
        output.fail(str(submitted.get("retmsg")))
    job_id = submitted["jobId"]
    ended = _followed(client, job_id, timeout)
    level = "ERROR" if ended["status"] == "failed" else "INFO"
    _, fetched = client.fetch("job/log/download", {"job_id": job_id})
    logs = dict(fetched.members()) if fetched else {}
    for line in logs.get(f"guest/{guest_party_id}/{level}.log", b"").decode().splitlines():
        if level == "ERROR" or "secure_add_guest" in line:
            click.echo(line)
    if ended["status"] != "success":
        watching.failed(ended)


def _toy_job(guest: str, host: str, task_cores: int) -> Json:
    return {
        "job_dsl": {"components": {_TOY: {"module": "SecureAddExample"}}},
        "job_runtime_conf": {
            "dsl_version": 2,
            "initiator": {"role": "guest", "party_id": guest},
            "role": {"guest": [guest], "host": [host]},
            "job_parameters": {"common": {"task_cores": task_cores}},
            "component_parameters": {
                "role": {
                    "guest": {"0": {_TOY: {"seed": 123}}},
                    "host": {"0": {_TOY: {"seed": 321}}},
                },
                "common": {_TOY: {"partition": 4, "data_num": 1000}},
            },
        },
    }


def _followed(client: Client, job_id: str, timeout: int) -> Json:
    """Say each state as it comes; the last progress when the job ended or time is over."""
    deadline, since, told = time.monotonic() + timeout, "", ""
    while True:
        left = max(0.0, min(20.0, deadline - time.monotonic()))
        found = client.call("job/wait", {"job_id": job_id, "since": since, "timeout": left})
        if found.get("retcode") != 0:
            output.fail(str(found.get("retmsg")))
        shown: Json = found["data"]
        since = shown["stamp"]
        if shown["status"] != told:
            told = shown["status"]
            click.echo(f"toy test job {job_id} is {told}")
        if told in _ENDS:
            return shown
        if time.monotonic() >= deadline:
            output.fail(f"job {job_id} is still {told} after {timeout} s: {shown['reason']}")


@test.command("min")
@option(
    "-t",
    "--data-type",
    type=click.Choice(["fast", "normal"]),
    default="fast",
    show_default=True,
    help="breast (fast) or default_credit (normal); upload both parties' tables first.",
)
@option("--sbt/--no-sbt", default=True, show_default=True, help="Also SecureBoost.")
@option("-gid", "--guest-party-id", type=int, required=True)
@option("-hid", "--host-party-id", type=int, required=True)
@option("-aid", "--arbiter-party-id", type=int, required=True)
def minimum(
    data_type: str, sbt: bool, guest_party_id: int, host_party_id: int, arbiter_party_id: int
) -> None:
    """Train, deploy and predict with logistic regression and SecureBoost."""
    client = here().client
    tables = "breast" if data_type == "fast" else "default_credit"
    least = 0.98 if data_type == "fast" else 0.69
    parties = {"guest": guest_party_id, "host": host_party_id, "arbiter": arbiter_party_id}
    _trial(client, "hetero_lr_0", _LR, parties, tables, least)
    if not sbt:
        return
    if not _has(client, "heterosecureboost"):
        click.echo("hetero_secureboost_0: skipped, this server has no HeteroSecureBoost")
        return
    del parties["arbiter"]
    _trial(client, "hetero_secureboost_0", _TREES, parties, tables, least)


_LR: Json = {
    "module": "HeteroLR",
    "penalty": "L2",
    "tol": 0.0001,
    "alpha": 0.01,
    "optimizer": "rmsprop",
    "batch_size": -1,
    "learning_rate": 0.15,
    "init_param": {"init_method": "zeros", "fit_intercept": True},
    "max_iter": 30,
    "early_stop": "diff",
    "encrypt_param": {"key_length": 1024},
}
_TREES: Json = {
    "module": "HeteroSecureBoost",
    "task_type": "classification",
    "objective_param": {"objective": "cross_entropy"},
    "num_trees": 3,
    "tree_param": {"max_depth": 3},
    "encrypt_param": {"method": "Paillier"},
}


def _trial(
    client: Client, learner: str, about: Json, parties: dict[str, int], tables: str, least: float
) -> None:
    trained = _succeeded(client, learner, "train", _training(learner, about, parties, tables))
    guest = {"role": "guest", "party_id": parties["guest"]}
    wanted = {**guest, "job_id": trained["jobId"], "component_name": "evaluation_0"}
    summary = client.call("tracking/component/summary/download", wanted)
    auc = summary.get("data", {}).get(learner, {}).get("train", {}).get("auc")
    if auc is None:
        output.fail(f"{learner}: evaluation_0 reports no auc: {summary.get('retmsg')}")
    verdict = "good" if auc >= least else f"LOW, {least} is expected"
    click.echo(f"{learner}: auc {auc:.5f} ({verdict})")
    model = trained["data"]["model_info"]
    kept = ["data_transform_0", "intersection_0", learner]
    deployed = client.call("model/deploy", {**model, "cpn_list": ["reader_0", *kept]})
    if deployed.get("retcode") != 0:
        output.fail(f"{learner}: deploy failed: {deployed.get('retmsg')}")
    _succeeded(client, learner, "predict", _prediction(deployed["data"], parties, tables))
    click.echo(f"{learner}: predicts")


def _succeeded(client: Client, learner: str, what: str, body: Json) -> Json:
    submitted = client.call("job/submit", body)
    if submitted.get("retcode") != 0:
        output.fail(f"{learner}: {what} was refused: {submitted.get('retmsg')}")
    click.echo(f"{learner}: {what} job {submitted['jobId']}")
    ended = watching.until_end(client, submitted["jobId"])
    if ended["status"] != "success":
        watching.failed(ended)
    return submitted


def _training(learner: str, about: Json, parties: dict[str, int], tables: str) -> Json:
    parameters = {k: v for k, v in about.items() if k != "module"}
    one, out = {"data": ["data"]}, {"data": ["data"], "model": ["model"]}
    components = {
        "reader_0": {"module": "Reader", "output": one},
        "data_transform_0": {
            "module": "DataTransform",
            "input": {"data": {"data": ["reader_0.data"]}},
            "output": out,
        },
        "intersection_0": {
            "module": "Intersection",
            "input": {"data": {"data": ["data_transform_0.data"]}},
            "output": one,
        },
        learner: {
            "module": about["module"],
            "input": {"data": {"train_data": ["intersection_0.data"]}},
            "output": out,
        },
        "evaluation_0": {
            "module": "Evaluation",
            "input": {"data": {"data": [f"{learner}.data"]}},
            "output": one,
        },
    }
    own = {
        role: {
            "0": {
                "reader_0": {"table": _table(tables, role)},
                "data_transform_0": {"with_label": role == "guest", "output_format": "dense"},
            }
        }
        for role in ("guest", "host")
    }
    common = {learner: parameters, "evaluation_0": {"eval_type": "binary"}}
    conf = _conf(parties, {"job_type": "train"})
    conf["component_parameters"] = {"common": common, "role": own}
    return {"job_dsl": {"components": components}, "job_runtime_conf": conf}


def _prediction(model: Json, parties: dict[str, int], tables: str) -> Json:
    named = {k: model[k] for k in ("model_id", "model_version")}
    conf = _conf(parties, {"job_type": "predict", **named})
    conf["component_parameters"] = {
        "role": {
            role: {"0": {"reader_0": {"table": _table(tables, role)}}} for role in ("guest", "host")
        }
    }
    return {"job_dsl": {}, "job_runtime_conf": conf}


def _conf(parties: dict[str, int], common: Json) -> Json:
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": parties["guest"]},
        "role": {role: [party] for role, party in parties.items()},
        "job_parameters": {"common": common},
    }


def _table(tables: str, role: str) -> Json:
    return {"name": f"{tables}_hetero_{role}", "namespace": "experiment"}


def _has(client: Client, module: str) -> bool:
    found = client.call("provider/get", {}).get("data") or {}
    return any(
        module in version.get("components", [])
        for provider in found.values()
        for version in provider.values()
    )
