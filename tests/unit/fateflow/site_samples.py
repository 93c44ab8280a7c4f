"""A site without processes: a real database and real parameter checks, other parties in lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from fateflow.errors import FlowError, PeerError
from fateflow.scheduler import models
from fateflow.settings import Settings
from fateflow.site import Site
from fateflow.store import outputs
from fateflow.store.database import now_ms
from fateflow.store.orm import JobRow, TaskRow
from fateflow.wire.control import CreateJob, DeployModel, DropJob, LoadModel
from federatedml.errors import ComponentError
from federatedml.params import Params, PositiveInt, parse, shown
from tests.site_database import database


class Encrypt(Params):
    method: str = "Paillier"
    key_length: PositiveInt = 1024


class ReaderParams(Params):
    table: dict[str, str] | None = None


class TransformParams(Params):
    with_label: bool = False
    need_run: bool = True


class LRParams(Params):
    alpha: float = 1.0
    max_iter: PositiveInt = 100
    encrypt_param: Encrypt = Encrypt()
    cv_param: dict[str, bool] | None = None


class NoParams(Params):
    pass


class UploadParams(Params):
    file: str = ""


class DownloadParams(Params):
    output_path: str


MODULES: dict[str, tuple[type[Params], list[str]]] = {
    "Reader": (ReaderParams, ["guest", "host"]),
    "DataTransform": (TransformParams, ["guest", "host"]),
    "Intersection": (NoParams, ["guest", "host"]),
    "HeteroLR": (LRParams, ["arbiter", "guest", "host"]),
    "HeteroSSHELR": (LRParams, ["guest", "host"]),
    "Upload": (UploadParams, ["local"]),
    "Download": (DownloadParams, ["local"]),
}


class InProcess:
    """A launcher that checks parameters where it stands."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def call(self, name: str, /, **arguments: Any) -> Any:
        self.calls.append(name)
        return {"catalog": self._catalog, "validate": self._validate}[name](**arguments)

    def _catalog(self) -> dict[str, Any]:
        return {
            name: {
                "roles": roles,
                "needs_arbiter": name == "HeteroLR",
                "code_path": {},
                "schema": msgspec.json.schema(params),
            }
            for name, (params, roles) in MODULES.items()
        }

    def _validate(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [self._one(**item) for item in items]

    def _one(self, where: str, module: str, parameters: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"parameters": shown(parse(MODULES[module][0], parameters, where))}
        except ComponentError as error:
            return {"error": str(error)}


class Listening:
    """Parties that agree to everything but what ``refusing`` says; models are really deployed."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.asked: list[Any] = []
        self.refusing: dict[str, FlowError] = {}

    def call_all(self, calls: list[tuple[str, Any]], timeout_s: float = 30.0) -> list[Any]:
        return [self._answer(party, request) for party, request in calls]

    def _answer(self, party: str, request: Any) -> Any:
        self.asked.append(request)
        if party in self.refusing and not isinstance(request, DropJob):
            return self.refusing[party]
        try:
            if isinstance(request, DeployModel):
                return models.deploy_here(self.site, request)
            if isinstance(request, LoadModel):
                return models.load_here(self.site, request)
        except FlowError as error:
            return PeerError(f"party {party}: {error}")
        return {}

    def created(self) -> list[CreateJob]:
        return [r for r in self.asked if isinstance(r, CreateJob)]

    def dropped(self) -> list[tuple[str, str]]:
        return [(r.role, r.party_id) for r in self.asked if isinstance(r, DropJob)]


class Awake:
    def __init__(self) -> None:
        self.times = 0

    def wake(self, *_: Any) -> None:
        self.times += 1


def site_at(home: Path, party: str = "") -> Site:
    home.mkdir(parents=True, exist_ok=True)
    settings = Settings(home=str(home), party=party)
    site = Site(settings, database(settings), InProcess())  # type: ignore[arg-type]
    site.parties, site.scheduler = Listening(site), Awake()
    return site


def lr_conf(**common: Any) -> dict[str, Any]:
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": {"guest": [9999], "host": [10000], "arbiter": [10000]},
        "job_parameters": {"common": common},
        "component_parameters": {
            "common": {"lr_0": {"alpha": 0.5}},
            "role": {
                "guest": {
                    "0": {
                        "reader_0": {"table": {"name": "g", "namespace": "e"}},
                        "transform_0": {"with_label": True},
                    }
                },
                "host": {"0": {"reader_0": {"table": {"name": "h", "namespace": "e"}}}},
            },
        },
    }


def finish(site: Site, requests: list[CreateJob]) -> None:
    """Make the rows and model files that a job which ran to its end leaves."""
    for request in requests:
        now = now_ms()
        with site.database.write() as session:
            session.add(_job(request, now))
            for plan in request.tasks:
                session.add(_task(request, plan, now))
                if plan.component in ("transform_0", "lr_0"):
                    _model(site, session, request, plan)
        models.save_pipeline(site, request.job_id, request.role, request.party_id)


def _job(request: CreateJob, now: int) -> JobRow:
    initiator = (request.initiator_role, request.initiator_party_id)
    return JobRow(
        job_id=request.job_id,
        role=request.role,
        party_id=request.party_id,
        position=request.position,
        dsl=request.dsl,
        runtime_conf=request.runtime_conf,
        runtime_conf_on_party=request.runtime_conf_on_party,
        roles={role: [int(p) for p in ids] for role, ids in request.roles.items()},
        initiator_role=request.initiator_role,
        initiator_party_id=request.initiator_party_id,
        is_initiator=(request.role, request.party_id) == initiator,
        status="success",
        create_time=now,
        update_time=now,
    )


def _task(request: CreateJob, plan: Any, now: int) -> TaskRow:
    return TaskRow(
        job_id=request.job_id,
        component_name=plan.component,
        task_version=0,
        role=request.role,
        party_id=request.party_id,
        task_id=f"{request.job_id}_{plan.component}",
        component_module=plan.module,
        position=plan.position,
        initiator_role=request.initiator_role,
        initiator_party_id=request.initiator_party_id,
        status="success",
        party_status="success",
        create_time=now,
        update_time=now,
    )


def _model(site: Site, session: Any, request: CreateJob, plan: Any) -> None:
    from fateflow.scheduler import model_files

    at = model_files.folder(
        site.settings, request.role, request.party_id, request.model_id, request.model_version
    )
    path = model_files.model_file(at, plan.component, "model")
    model_files.write_json(path, fitted(plan.module, f"{request.role} final"))
    key = (request.job_id, plan.component, 0, request.role, request.party_id)
    outputs.put(session, key, "model", "model", path=str(path))


def fitted(module: str, mark: str) -> dict[str, Any]:
    return {
        "module": module,
        "meta_name": f"{module}Meta",
        "param_name": f"{module}Param",
        "meta": {"mark": mark},
        "param": {"weight": {"x0": 1.5}},
    }
