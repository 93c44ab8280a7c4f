"""Predict jobs: the deployed model's own DSL, its training's parameters, and the new tables."""

from __future__ import annotations

from fateflow.domain import conf as confs
from fateflow.domain import dsl as dsls
from fateflow.domain.conf import Conf
from fateflow.domain.parameters import of_predict, strangers, without_idle_arbiter
from fateflow.errors import Refused
from fateflow.scheduler.planning import Plan
from fateflow.site import Site
from fateflow.store import models
from fateflow.store.orm import ModelRow


def plan(site: Site, job_id: str, conf: Conf) -> Plan:
    """A predict job of a deployed model.

    Raises Refused if the model is missing or not deployed (naming the versions that are), or if
    a party took no part in the training.
    """
    row = deployed(site, conf)
    trained = confs.parse(row.train_runtime_conf)
    conf = without_idle_arbiter(conf, trained)
    faults = strangers(conf, trained)
    if faults:
        raise Refused("; ".join(faults))
    return Plan(
        job_id=job_id,
        conf=conf,
        dag=dsls.parse(row.inference_dsl),
        dsl=row.inference_dsl,
        own=lambda role, index: of_predict(conf, trained, role, index),
        model_id=row.model_id,
        model_version=row.model_version,
        train_runtime_conf=row.train_runtime_conf,
    )


def deployed(site: Site, conf: Conf) -> ModelRow:
    """The deployed model that a predict job names, as the initiator holds it."""
    model_id, version = conf.common.get("model_id"), conf.common.get("model_version")
    absent = [n for n, v in (("model_id", model_id), ("model_version", version)) if not v]
    if absent:
        raise Refused(f"job_parameters.common: a predict job needs {' and '.join(absent)}")
    role, party = conf.initiator
    with site.database.read() as session:
        row = models.one(session, role, party, str(model_id), str(version))
        versions = models.deployed_versions(session, str(model_id), role, party)
    there = f"deployed versions: {', '.join(versions)}" if versions else "none is deployed"
    if row is None:
        raise Refused(f"model {model_id} version {version} is not found at {role} {party}; {there}")
    if row.parent is not False:
        raise Refused(
            f"model {model_id} version {version} is not deployed; {there}; "
            "deploy it first (flow model deploy) and predict with the version that gives"
        )
    return row
