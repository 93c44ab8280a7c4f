"""What one party's fateflow asks of another's: a closed list of typed calls.

They travel through the gateways (never to a port of fateflow itself), which vouch for the
sender's party id. A co-located party is called directly with the same structs.
"""

from __future__ import annotations

from typing import Any

import msgspec


class TaskPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A component as one party runs it. Components that its role does not run are left out.

    roles: every role that runs it. parameters: as configured for this party, merged.
    shown: all parameters with defaults (``ComponentParam`` of FATE). source: the component whose
    configuration they came from (``ComponentParameterSource``). code_path: FATE's class name.
    """

    component: str
    module: str
    position: int
    roles: list[str]
    parameters: dict[str, Any] = {}
    shown: dict[str, Any] = {}
    source: str = ""
    need_run: bool = True
    code_path: str = ""


class CreateJob(msgspec.Struct, frozen=True, kw_only=True):
    """Make the rows of one (role, party). ``roles``: role to party ids, in order.

    dsl: the DSL to execute (a predict job's is the inference DSL). runtime_conf: completed.
    parallelism: components at once as the submitter gave it; 0: as many as there are cores.
    """

    job_id: str
    role: str
    party_id: str
    position: int
    initiator_role: str
    initiator_party_id: str
    roles: dict[str, list[str]]
    dsl: dict[str, Any]
    runtime_conf: dict[str, Any]
    runtime_conf_on_party: dict[str, Any]
    train_runtime_conf: dict[str, Any] = {}
    job_type: str = "train"
    model_id: str = ""
    model_version: str = ""
    job_token: str
    create_time: int
    cores: int = 0
    parallelism: int = 0
    user: dict[str, Any] = {}
    inheritance_info: dict[str, Any] = {}
    tasks: list[TaskPlan] = []


class OnJob(msgspec.Struct, frozen=True, kw_only=True):
    """Base of calls about a job at one (role, party)."""

    job_id: str
    role: str
    party_id: str


class DropJob(OnJob, frozen=True, kw_only=True):
    """Undo ``create_job``: another party refused, so the job never was. Unknown job: success."""


class ApplyResource(OnJob, frozen=True, kw_only=True):
    """Reserve the job's cores here. Reply: Granted."""


class Granted(msgspec.Struct, frozen=True):
    granted: bool
    reason: str = ""


class ReturnResource(OnJob, frozen=True, kw_only=True):
    pass


class UpdateJob(OnJob, frozen=True, kw_only=True):
    """State as the initiator decided it; ``tasks``: federated status by component."""

    status: str
    progress: int = 0
    reason: str = ""
    tasks: dict[str, str] = {}


class StartTask(OnJob, frozen=True, kw_only=True):
    component: str
    version: int


class StopTask(OnJob, frozen=True, kw_only=True):
    """Kill the worker if it runs, and set the task to ``status``."""

    component: str
    version: int
    status: str
    reason: str = ""


class StopJob(OnJob, frozen=True, kw_only=True):
    """Stop all unfinished tasks here with ``status``."""

    status: str
    reason: str = ""


class ResetTasks(OnJob, frozen=True, kw_only=True):
    """Rerun: these components get a new version, waiting; their metrics and outputs go."""

    versions: dict[str, int]


class CollectTasks(OnJob, frozen=True, kw_only=True):
    """Ask for the state of all tasks here (after a restart). Reply: list of TaskReport."""


class TaskReport(OnJob, frozen=True, kw_only=True):
    """Party to initiator: the task's state at that party. error: one line, no data values.

    interrupted: it failed because its site went down under it, so it costs no automatic retry.
    """

    component: str
    version: int
    status: str
    progress: int = 0
    error: str = ""
    interrupted: bool = False
    start_time: int | None = None
    end_time: int | None = None
    elapsed: int | None = None


class AskStop(msgspec.Struct, frozen=True, kw_only=True):
    """Any party to the initiator: stop the job everywhere."""

    job_id: str
    status: str = "canceled"
    reason: str = ""


class AskRerun(msgspec.Struct, frozen=True, kw_only=True):
    job_id: str
    components: list[str] = []
    force: bool = False


class EndJob(OnJob, frozen=True, kw_only=True):
    """The job is over: save the pipeline model if it succeeded, free what it held."""

    status: str


class DeployModel(msgspec.Struct, frozen=True, kw_only=True):
    role: str
    party_id: str
    model_id: str
    parent_version: str
    model_version: str
    inference_dsl: dict[str, Any]
    components_checkpoint: dict[str, Any] = {}


class OnServing(msgspec.Struct, frozen=True, kw_only=True):
    """About a model and the servings of its parties. servings: addresses to tell, of requests of
    this site alone; another party's are dropped."""

    role: str
    party_id: str
    model_id: str
    model_version: str
    service_id: str = ""
    servings: list[str] = []


class LoadModel(OnServing, frozen=True, kw_only=True):
    """Serve a model: load it, or bind it to ``service_id`` if there is one."""


class ForgetModel(OnServing, frozen=True, kw_only=True):
    """No longer serve a model: unbind it from ``service_id``, or unload it if that is ""."""


class Answer(msgspec.Struct, frozen=True):
    """Reply to every call. ``data`` is the call's own reply as JSON builtins."""

    retcode: int = 0
    retmsg: str = "success"
    data: Any = None


CALLS: dict[str, type[msgspec.Struct]] = {
    "create_job": CreateJob,
    "drop_job": DropJob,
    "apply_resource": ApplyResource,
    "return_resource": ReturnResource,
    "update_job": UpdateJob,
    "start_task": StartTask,
    "stop_task": StopTask,
    "stop_job": StopJob,
    "reset_tasks": ResetTasks,
    "collect_tasks": CollectTasks,
    "task_report": TaskReport,
    "ask_stop": AskStop,
    "ask_rerun": AskRerun,
    "end_job": EndJob,
    "deploy_model": DeployModel,
    "load_model": LoadModel,
    "forget_model": ForgetModel,
}
"""The allow-list: nothing else can be called by a peer."""
