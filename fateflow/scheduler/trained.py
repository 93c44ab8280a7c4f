"""What a successful training leaves at a party: the record of its model."""

from __future__ import annotations

from fateflow.domain.conf import party_text
from fateflow.scheduler import inputs
from fateflow.site import Site
from fateflow.store import models
from fateflow.store.database import now_ms
from fateflow.store.orm import JobRow, ModelRow
from federation.party import Role


def save(site: Site, job: JobRow) -> None:
    """Record the model of a training job at this party; it can be deployed from then on."""
    parameters = inputs.job_parameters(job)
    model_id = str(parameters.get("model_id") or "")
    if not model_id or parameters.get("job_type") == "predict" or job.role == Role.LOCAL.value:
        return
    version = inputs.own_model_version(job)
    folder = inputs.model_folder(site.settings, job, version)
    now = now_ms()
    row = ModelRow(
        role=job.role,
        party_id=party_text(job.party_id),
        model_id=model_id,
        model_version=version,
        job_id=job.job_id,
        roles=job.roles,
        initiator_role=job.initiator_role,
        initiator_party_id=job.initiator_party_id,
        runtime_conf=job.runtime_conf,
        train_dsl=job.dsl,
        train_runtime_conf=job.runtime_conf,
        runtime_conf_on_party=job.runtime_conf_on_party,
        parent=True,
        size=sum(file.stat().st_size for file in folder.rglob("*.json")),
        create_time=now,
        update_time=now,
    )
    with site.database.write() as session:
        models.put(session, row)
