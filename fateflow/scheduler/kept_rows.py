"""Rows of a training that are kept beside its deployed model, for the serving's self-test.

Every party decides by the same rule which component scores and which rows it was trained on, so
that all keep the same rows without a message.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fateflow.domain import dsl as dsls
from fateflow.domain import ids
from fateflow.domain.dsl import Dag
from fateflow.errors import DownloadError
from fateflow.scheduler import model_files
from fateflow.site import Site
from fateflow.store import models, queries
from fateflow.store.orm import ModelRow
from fateflow.wire.control import DeployModel

log = logging.getLogger(__name__)

FILE = "kept_rows.json"
TRAINED_ON = "train_data"
LOCAL = "localbaseline"


def scoring_component(train: Dag, inference: Mapping[str, Any]) -> str:
    """The component whose scores a serving gives: the last one written in the inference DSL that
    was trained on ``train_data`` and is no LocalBaseline, which is at one party alone; "" without
    one."""
    trained: list[str] = [
        name
        for name in inference["components"]
        if name in train.components and train.components[name].data.get(TRAINED_ON)
    ]
    shared = [name for name in trained if train.components[name].module.lower() != LOCAL]
    return (shared or trained or [""])[-1]


def keep(site: Site, parent: ModelRow, request: DeployModel, at: Path) -> None:
    """Keep a party's rows in the folder of a deployed model. Without them the model is as good; its
    serving then says that nothing was compared."""
    train = dsls.parse(parent.train_dsl)
    component = scoring_component(train, request.inference_dsl)
    if not component:
        return
    upstream = train.components[component].data[TRAINED_ON]
    raw = [
        table
        for name, node in train.components.items()
        if node.module.lower() == "reader"
        for table in _tables(site, parent, name)
    ]
    trained_on = [
        table for ref in upstream for table in _tables(site, parent, ref.component, ref.output)
    ]
    predicted = _tables(site, parent, component) if parent.role == "guest" else []
    if len(trained_on) != 1 or not raw or (parent.role == "guest" and len(predicted) != 1):
        log.info("no rows kept with %s: its tables are not here any more", request.model_version)
        return
    try:
        told = site.launcher.call(
            "keep_rows",
            raw=raw,
            trained_on=trained_on[0],
            predicted=predicted[0] if predicted else None,
            component=component,
            version=parent.model_version,
            path=str(at / FILE),
        )
    except RuntimeError as error:
        told = {"error": str(error)}
    if told.get("error"):
        log.info("no rows kept with %s: %s", request.model_version, told["error"])


def content(site: Site, party_model: str, version: str) -> bytes:
    """The kept rows of a deployed model as JSON. Raises DownloadError (404) without any."""
    role, _, rest = ids.from_path(party_model).partition("#")
    party_id, _, model_id = rest.partition("#")
    with site.database.read() as session:
        row = models.one(session, role, party_id, model_id, version)
    if row is not None:
        path = model_files.folder(site.settings, role, party_id, model_id, version) / FILE
        if path.is_file():
            return path.read_bytes()
    raise DownloadError(f"no rows are kept with {party_model} version {version}", status=404)


def _tables(site: Site, parent: ModelRow, component: str, name: str = "") -> list[tuple[str, str]]:
    """(namespace, name) of a component's data outputs in the training job at this party."""
    at = queries.At(
        job_id=parent.job_id, role=parent.role, party_id=parent.party_id, component=component
    )
    return [
        (table.table_namespace, table.table_name)
        for table in queries.outputs(site.database, at, "data")
        if not name or table.name == name
    ]
