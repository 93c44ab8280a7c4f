"""Models of this site: kept after training, deployed for prediction, described to clients."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import msgspec

from fateflow.domain import conf as confs
from fateflow.domain import dsl as dsls
from fateflow.domain import ids, inference
from fateflow.domain.conf import ROLES
from fateflow.domain.dsl import Dag
from fateflow.errors import ArgumentError, DownloadError, FlowError, NotThere, Refused, RetCode
from fateflow.scheduler import inputs, kept_rows, model_files, model_service, planning
from fateflow.scheduler.model_service import load_here
from fateflow.site import Site
from fateflow.store import jobs, models, outputs, queries, tasks
from fateflow.store.database import now_ms
from fateflow.store.orm import JobRow, ModelRow
from fateflow.wire import rows
from fateflow.wire.control import DeployModel

CHILD = "Child model could not be deployed."


def save_pipeline(site: Site, job_id: str, role: str, party_id: str) -> None:
    """Keep a party's model at the end of a training job that succeeded. Doing it twice is fine.

    Jobs of one site (uploads) and predict jobs make no model.
    """
    with site.database.read() as session:
        job = jobs.one(session, job_id, role, party_id)
        made = _model_outputs(session, job) if job else {}
    if job is None:
        raise NotThere(f"no job {job_id} for {role} {party_id} here")
    parameters = inputs.job_parameters(job)
    model_id = str(parameters.get("model_id") or "")
    if not model_id or role == ids.LOCAL_ROLE or parameters.get("job_type") == "predict":
        return
    version = inputs.own_model_version(job)
    at = model_files.folder(site.settings, role, party_id, model_id, version)
    model_files.drop_converted(at)
    for (component, alias), path in made.items():
        kept = model_files.model_file(at, component, alias)
        if path.is_file() and path != kept:  # inherited from an earlier job
            model_files.copy(path, kept)
    deduced = inference.predict_dsl(dsls.parse(job.dsl))
    now = now_ms()
    row = ModelRow(
        role=role,
        party_id=party_id,
        model_id=model_id,
        model_version=version,
        job_id=job_id,
        roles=job.roles,
        initiator_role=job.initiator_role,
        initiator_party_id=job.initiator_party_id,
        runtime_conf=job.runtime_conf,
        train_dsl=job.dsl,
        train_runtime_conf=job.runtime_conf,
        runtime_conf_on_party=job.runtime_conf_on_party,
        inference_dsl=inference.with_code_paths(deduced, role, planning.catalog(site)),
        parent=True,
        parent_info={},
        create_time=now,
        update_time=now,
    )
    _keep(site, row, at)


def deploy(
    site: Site,
    model_id: str,
    model_version: str,
    *,
    cpn_list: Sequence[str] | str | None = None,
    dsl: Any = None,
    predict_dsl: Any = None,
    components_checkpoint: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Deploy a trained model at all its parties under a new version; FATE's reply data.

    The inference DSL is the given one (an object or its JSON text), or deduced from the
    components kept; without either all are kept. components_checkpoint: {component:
    {"step_index": 12}} or {"step_name": ...}: deploy that step instead of the last one.

    Raises DownloadError (404) if the model is not here, ArgumentError or BadDsl for the request,
    FlowError (101, with the same data) if a party refused.
    """
    row = _trained(site, model_id, model_version)
    train = dsls.parse(row.train_dsl)
    chosen = _inference_dsl(site, train, cpn_list, dsl, predict_dsl)
    checkpoints = dict(components_checkpoint or {})
    unknown = [name for name in checkpoints if name not in train.components]
    if unknown:
        raise ArgumentError(f"components_checkpoint: the model has no component {unknown}")
    _check_kept(site, row, {ref for refs in _read(chosen).values() for ref in refs}, checkpoints)
    version = ids.new_job_id()
    calls = [
        DeployModel(
            role=role,
            party_id=str(party),
            model_id=model_id,
            parent_version=model_version,
            model_version=version,
            inference_dsl=chosen,
            components_checkpoint=checkpoints,
        )
        for role, parties in row.roles.items()
        for party in parties
    ]
    results = site.parties.call_all([(call.party_id, call) for call in calls])
    data: dict[str, Any] = {"model_id": model_id, "model_version": version, "detail": {}}
    failed = []
    for call, result in zip(calls, results, strict=True):
        code, text = model_service.outcome(
            call.party_id, result, f"deploy model of role {call.role} {call.party_id} success"
        )
        data.setdefault(call.role, {})[call.party_id] = code
        detail = {"retcode": code, "retmsg": text}
        data["detail"].setdefault(call.role, {})[call.party_id] = detail
        if code:
            failed.append(f"{call.role} {call.party_id}: {text}")
    if failed:
        text = f"failed: {'; '.join(failed)}"
        raise FlowError(text, retcode=RetCode.ARGUMENT_ERROR, data=data)
    return data


def deploy_here(site: Site, request: DeployModel) -> dict[str, str]:
    """One party's part of a deployment: its models under the new version. Asked twice, the second
    time changes nothing. Raises NotThere, Refused."""
    key = (request.role, request.party_id, request.model_id)
    with site.database.read() as session:
        parent = models.one(session, *key, request.parent_version)
        done = models.one(session, *key, request.model_version)
    if parent is None:
        raise NotThere(f"model {request.model_id} version {request.parent_version} is not here")
    if parent.parent is False:
        raise Refused(CHILD)
    if done is None:
        source = model_files.folder(site.settings, *key, request.parent_version)
        target = model_files.folder(site.settings, *key, request.model_version)
        _copy_models(source, target, request)
        kept_rows.keep(site, parent, request, target)
        _keep(site, _deployed_row(site, parent, request), target)
    return {"retmsg": f"deploy model of role {request.role} {request.party_id} success"}


def predict_dsl(site: Site, model_id: str, model_version: str) -> dict[str, Any]:
    """The inference DSL of a model, as this site's guest or host holds it.

    Raises DownloadError (210) if there is none.
    """
    found: dict[str, Any] = _own(site, model_id, model_version).inference_dsl
    return found


def predict_conf(site: Site, model_id: str, model_version: str) -> dict[str, Any]:
    """The configuration of a predict job with gaps for the tables. Raises DownloadError (210)."""
    row = _own(site, model_id, model_version)
    return inference.predict_conf(row.train_runtime_conf, row.inference_dsl, model_version)


def query(site: Site, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Models by column values as clients see them, each version's guest first; ``query_filters``
    names the keys to show.

    Raises FlowError (100) if none is found.
    """
    filters = {k: v for k, v in given.items() if k != "query_filters"}
    found = queries.models(site.database, filters)
    if not found:
        raise FlowError("Query model info failed, cannot find model from db.")
    only = given.get("query_filters") or ()
    ordered = sorted(found, key=lambda row: (row.model_version, ROLES.index(row.role)))
    return [rows.prefixed(rows.model(row, only)) for row in ordered]


def deduced(train_dsl: Any, cpn_list: Sequence[str] | str | None) -> dict[str, Any]:
    """The predict DSL of a training DSL (object or JSON text): `flow job dsl`. Raises BadDsl."""
    return inference.predict_dsl(dsls.parse(_decoded(train_dsl, "train_dsl")), _names(cpn_list))


def _model_outputs(session: Any, job: JobRow) -> dict[tuple[str, str], Path]:
    """Files of the fitted models of a job at its party, by component and alias."""
    mine = {"role": job.role, "party_id": job.party_id}
    return {
        (task.component_name, row.name): Path(row.path)
        for task in tasks.latest(session, job.job_id, **mine)
        for row in outputs.of_task(session, tasks.key(task), "model")
    }


def _keep(site: Site, row: ModelRow, at: Path) -> None:
    """Write the version's ``pipeline.json`` and its row."""
    columns = (
        "role party_id model_id model_version job_id roles initiator_role initiator_party_id "
        "runtime_conf train_dsl train_runtime_conf runtime_conf_on_party inference_dsl "
        "fate_version parent parent_info"
    )
    row.fate_version = row.fate_version or "1.11.4"
    content = {name: getattr(row, name) for name in columns.split()}
    model_files.write_json(at / model_files.PIPELINE, content)
    row.size = model_files.size_bytes(at)
    with site.database.write() as session:
        models.put(session, row)


def _trained(site: Site, model_id: str, version: str) -> ModelRow:
    """The model as its initiator holds it. Raises DownloadError (404, with data)."""
    with site.database.read() as session:
        found = models.find(session, model_id=model_id, model_version=version)
    data = {"model_id": model_id, "model_version": version, "detail": {}}
    if not found:
        raise DownloadError(
            f"no model {model_id} version {version} here; deploy it at the site that trained it",
            status=404,
            data=data,
        )
    for row in found:
        if (row.role, row.party_id) == (row.initiator_role, row.initiator_party_id):
            return row
    raise DownloadError(
        f"deploy this model at its initiator's site: "
        f"{found[0].initiator_role} {found[0].initiator_party_id}",
        status=404,
        data=data,
    )


def _inference_dsl(
    site: Site, train: Dag, cpn_list: Sequence[str] | str | None, dsl: Any, predict_dsl: Any
) -> dict[str, Any]:
    given = predict_dsl or dsl
    if not given:
        return inference.predict_dsl(train, _names(cpn_list))
    if cpn_list:
        raise ArgumentError("give either the components to keep (cpn_list) or a DSL, not both")
    found = dsls.without_providers(_checked(_decoded(given, "dsl")))
    dag = dsls.parse(found)
    faults = inference.deployable(dag, train)
    known = planning.catalog(site)
    faults.extend(
        f"component {node.name!r}: unknown module {node.module!r}"
        for node in dag.components.values()
        if node.module.lower() not in known
    )
    if faults:
        raise dsls.BadDsl(faults)
    return found


def _check_kept(
    site: Site, row: ModelRow, refs: Set[dsls.Ref], checkpoints: Mapping[str, Any]
) -> None:
    """Raises ArgumentError if a model is to be read that the training did not keep: it was a
    cross-validation."""
    key = (row.role, row.party_id, row.model_id, row.model_version)
    at = model_files.folder(site.settings, *key)
    conf = confs.parse(row.train_runtime_conf)
    parties = conf.roles.get(row.role, ())
    if row.party_id not in parties:  # brought here from other parties
        return
    for ref in sorted(refs, key=str):
        kept = model_files.model_file(at, ref.component, ref.output).exists()
        if kept or ref.component in checkpoints:
            continue
        index = parties.index(row.party_id)
        given = confs.component_parameters(conf, ref.component, row.role, index)
        crossed = given.get("cv_param")
        if isinstance(crossed, dict) and crossed.get("need_cv") is True:
            raise ArgumentError(
                f"{ref.component}: cross-validation keeps no model; train with cv_param.need_cv "
                "false, or leave the component out of cpn_list"
            )


def _read(dsl: dict[str, Any]) -> dict[str, tuple[dsls.Ref, ...]]:
    return inference.pipeline_models(dsls.parse(dsl))


def _checked(dsl: dict[str, Any]) -> dict[str, Any]:
    dsls.parse(dsl)
    return dsl


def _decoded(given: Any, where: str) -> Any:
    """A DSL given as an object or as JSON text."""
    if not isinstance(given, str):
        return given
    try:
        return msgspec.json.decode(given)
    except msgspec.DecodeError as error:
        raise ArgumentError(f"{where} is not JSON: {error}") from None


def _names(cpn_list: Sequence[str] | str | None) -> list[str] | None:
    """Component names given as a list, or as text with commas; None for all."""
    if not cpn_list:
        return None
    names = cpn_list.split(",") if isinstance(cpn_list, str) else list(cpn_list)
    return [str(name).strip() for name in names if str(name).strip()]


def _copy_models(source: Path, target: Path, request: DeployModel) -> None:
    """Fill the new version's folder; it appears whole or not at all."""
    draft = target.with_name(f".{target.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    wanted = {
        (ref.component, ref.output)
        for refs in _read(request.inference_dsl).values()
        for ref in refs
    }
    for component, alias, path in model_files.models(source):
        if (component, alias) not in wanted:
            continue
        step = request.components_checkpoint.get(component)
        if step:
            found = model_files.checkpoint(source, component, step)
            if found is None:
                raise Refused(_no_step(source, component, step))
            path = found  # noqa: PLW2901 (the step stands in for the final model)
        model_files.copy(path, model_files.model_file(draft, component, alias))
    shutil.rmtree(target, ignore_errors=True)
    draft.rename(target)


def _no_step(source: Path, component: str, wanted: dict[str, Any]) -> str:
    steps = [f"{i}#{name}" for i, name, _ in model_files.checkpoints(source, component)]
    asked = ", ".join(f"{name} {value}" for name, value in wanted.items())
    there = ", ".join(steps) or "none"
    return f"components_checkpoint: {component} has no checkpoint with {asked} (there are: {there})"


def _deployed_row(site: Site, parent: ModelRow, request: DeployModel) -> ModelRow:
    now = now_ms()
    version = request.model_version
    conf_on_party = dict(parent.runtime_conf_on_party)
    on_party = {**conf_on_party.get("job_parameters", {}), "model_version": version}
    return ModelRow(
        role=parent.role,
        party_id=parent.party_id,
        model_id=parent.model_id,
        model_version=version,
        job_id=version,
        roles=parent.roles,
        initiator_role=parent.initiator_role,
        initiator_party_id=parent.initiator_party_id,
        runtime_conf=_with_version(parent.runtime_conf, version),
        train_dsl=parent.train_dsl,
        train_runtime_conf=parent.train_runtime_conf,
        runtime_conf_on_party={**conf_on_party, "job_parameters": on_party},
        inference_dsl=inference.with_code_paths(
            request.inference_dsl, parent.role, planning.catalog(site)
        ),
        fate_version=parent.fate_version,
        parent=False,
        parent_info={
            "parent_model_id": parent.model_id,
            "parent_model_version": parent.model_version,
        },
        create_time=now,
        update_time=now,
    )


def _with_version(conf: dict[str, Any], version: str) -> dict[str, Any]:
    job = conf.get("job_parameters", {})
    common = {**job.get("common", {}), "model_version": version}
    return {**conf, "job_parameters": {**job, "common": common}}


def _own(site: Site, model_id: str, version: str) -> ModelRow:
    """The model as this site's guest, else a host, holds it. Raises DownloadError (210)."""
    with site.database.read() as session:
        found = models.find(session, model_id=model_id, model_version=version)
    held = [row for role in ("guest", "host") for row in found if row.role == role]
    if not held:
        raise DownloadError(f"no model {model_id} version {version} of a guest or host is here")
    return held[0]


__all__ = [
    "deduced",
    "deploy",
    "deploy_here",
    "load_here",
    "predict_conf",
    "predict_dsl",
    "query",
    "save_pipeline",
]
