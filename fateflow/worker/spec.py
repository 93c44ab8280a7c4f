"""What fateflow and a worker say to each other. Imports no science: both sides read it.

A task has a folder, ``<home>/jobs/<job>/<role>/<party>/<component>/<version>/``, holding
``task.json`` (a TaskSpec, mode 0600), ``events.jsonl`` (one Event a line, appended by the worker)
and ``scratch/``. Events are durable before anyone is told; the worker then nudges fateflow with
``POST /v1/worker/<job>/<component>/<version>/<role>/<party>`` (header ``X-Task-Token``), and
fateflow reads on from the offset it keeps. A fateflow that was down misses nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec


class DataRef(msgspec.Struct, frozen=True):
    """A data input: which upstream output, and the stored table that holds it."""

    component: str
    output: str
    namespace: str
    name: str


class FileRef(msgspec.Struct, frozen=True):
    """A model or cache input: which upstream output, its module, and its path."""

    component: str
    output: str
    module: str
    path: str


class TaskSpec(msgspec.Struct, frozen=True, kw_only=True):
    """All that a worker needs. ``parties`` are (role, party id) pairs in configuration order,
    only of the roles that run this component."""

    job_id: str
    task_id: str
    version: int
    component: str
    module: str
    role: str
    party_id: str
    parties: list[tuple[str, str]]
    job_type: str = "train"
    job_parameters: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    need_run: bool = True
    data: dict[str, list[DataRef]] = {}
    model: FileRef | None = None
    isometric: list[FileRef] = []
    caches: list[FileRef] = []
    data_outputs: list[str] = []
    model_outputs: list[str] = []
    cache_outputs: list[str] = []
    output_namespace: str = ""
    model_folder: str = ""
    cores: int = 1
    folder: str = ""
    log_folder: str = ""
    tables_root: str = ""
    gateway_socket: str = ""
    job_token: str = ""
    flow_url: str = ""
    task_token: str = ""


class Started(msgspec.Struct, frozen=True, tag="started"):
    pid: int
    time_ms: int


class Progress(msgspec.Struct, frozen=True, tag="progress"):
    percent: int


class Metric(msgspec.Struct, frozen=True, tag="metric"):
    namespace: str
    name: str
    metric_type: str
    points: list[Any] = []
    meta: dict[str, Any] = {}


class Summary(msgspec.Struct, frozen=True, tag="summary"):
    values: dict[str, Any]


class OutputData(msgspec.Struct, frozen=True, tag="output_data"):
    """A stored output table. preview: {"header": [...], "rows": [[...]] <= 100}."""

    name: str
    position: int
    namespace: str
    table_name: str
    count: int
    partitions: int
    schema: dict[str, Any] = {}
    preview: dict[str, Any] = {}


class TableStored(msgspec.Struct, frozen=True, tag="table_stored"):
    """A table under a user's name came to be (Upload, Writer)."""

    namespace: str
    name: str
    count: int
    partitions: int
    schema: dict[str, Any] = {}
    preview: dict[str, Any] = {}
    options: dict[str, Any] = {}


class TableRead(msgspec.Struct, frozen=True, tag="table_read"):
    namespace: str
    name: str


class OutputModel(msgspec.Struct, frozen=True, tag="output_model"):
    """path: a JSON file {"module", "meta_name", "param_name", "meta": {...}, "param": {...}}."""

    name: str
    path: str


class OutputCache(msgspec.Struct, frozen=True, tag="output_cache"):
    name: str
    path: str
    key: str


class Checkpoint(msgspec.Struct, frozen=True, tag="checkpoint"):
    step_index: int
    step_name: str
    path: str


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The last event. status: success, failed, pass. error: one line for the job's owner;
    detail: the traceback, which goes to the log and to ``f_error_report`` of this party."""

    status: str
    time_ms: int
    error: str = ""
    detail: str = ""
    cpu_seconds: float = 0.0
    peak_memory: int = 0


Event = (
    Started
    | Progress
    | Metric
    | Summary
    | OutputData
    | TableStored
    | TableRead
    | OutputModel
    | OutputCache
    | Checkpoint
    | Ended
)


class Launch(msgspec.Struct, frozen=True, tag="launch"):
    """Fork a worker for the task in this folder. Reply: Launched."""

    folder: str


class Launched(msgspec.Struct, frozen=True, tag="launched"):
    folder: str
    pid: int


class Kill(msgspec.Struct, frozen=True, tag="kill"):
    """End the process group of the task in this folder. Reply: Done once it is gone."""

    folder: str


class ListWorkers(msgspec.Struct, frozen=True, tag="list"):
    """Reply: Workers."""


class Workers(msgspec.Struct, frozen=True, tag="workers"):
    """Live workers: folder to pid."""

    alive: dict[str, int]


class Call(msgspec.Struct, frozen=True, tag="call"):
    """Run a registered function of ``fateflow.worker.calls`` in a fork. Reply: Returned.

    Names: "catalog" (), "validate" (list of {where, module, parameters}), "export_csv"
    (namespace, name, path, limit, delimiter, head), "preview" (namespace, name, limit),
    "drop_table" (namespace, name), "link_table" (source_namespace, source_name, namespace, name),
    "convert_model" (models, framework, folder), "merge_model" (guest, hosts, model_type,
    output_format, options).
    """

    name: str
    arguments: dict[str, Any] = {}


class Returned(msgspec.Struct, frozen=True, tag="returned"):
    value: Any = None
    error: str = ""


class Done(msgspec.Struct, frozen=True, tag="done"):
    pass


class Watch(msgspec.Struct, frozen=True, tag="watch"):
    """From now on this connection gets a line per worker that ends (Exited)."""


class Exited(msgspec.Struct, frozen=True, tag="exited"):
    """A worker is gone. code: exit status, or -signal."""

    folder: str
    pid: int
    code: int
    cpu_seconds: float = 0.0
    peak_memory: int = 0


Request = Launch | Kill | ListWorkers | Call | Watch
Reply = Launched | Workers | Returned | Done | Exited
