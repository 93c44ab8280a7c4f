"""The site's database: one class per table, FATE's column meanings, no ``f_`` prefix.

Times are milliseconds since the epoch. Party ids are text. JSON columns hold what clients see.
Only the fateflow process writes here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Index, Integer, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

Json = dict[str, Any] | list[Any] | None


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy's own idiom)
        str: String(255),
        int: Integer,
        bool: Boolean,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


class JobRow(Base):
    """A job as one (role, party) sees it."""

    __tablename__ = "job"

    job_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    party_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int] = mapped_column(default=0)  # guest, hosts, arbiter: order of creation
    user_id: Mapped[str] = mapped_column(default="")
    name: Mapped[str] = mapped_column(default="")
    description: Mapped[str] = mapped_column(Text, default="")
    tag: Mapped[str] = mapped_column(default="")
    dsl: Mapped[dict[str, Any]] = mapped_column(default=dict)
    runtime_conf: Mapped[dict[str, Any]] = mapped_column(default=dict)
    runtime_conf_on_party: Mapped[dict[str, Any]] = mapped_column(default=dict)
    train_runtime_conf: Mapped[dict[str, Any]] = mapped_column(default=dict)
    roles: Mapped[dict[str, Any]] = mapped_column(default=dict)
    initiator_role: Mapped[str] = mapped_column(String(16))
    initiator_party_id: Mapped[str] = mapped_column(String(32))
    is_initiator: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(String(16), default="ready")
    reason: Mapped[str] = mapped_column(Text, default="")  # why it waits, or why it failed
    warning: Mapped[str] = mapped_column(Text, default="")  # shown as reason while there is none
    user: Mapped[dict[str, Any]] = mapped_column(default=dict)
    progress: Mapped[int] = mapped_column(default=0)
    ready_signal: Mapped[bool] = mapped_column(default=False)
    ready_time: Mapped[int | None] = mapped_column(BigInteger)
    cancel_signal: Mapped[bool] = mapped_column(default=False)
    cancel_time: Mapped[int | None] = mapped_column(BigInteger)
    queued_time: Mapped[int | None] = mapped_column(BigInteger)  # of a rerun: since when it waits
    stop_status: Mapped[str] = mapped_column(String(16), default="")  # what a stop asked for
    rerun_signal: Mapped[bool] = mapped_column(default=False)
    end_scheduling_updates: Mapped[int] = mapped_column(default=0)
    engine_name: Mapped[str | None]
    engine_type: Mapped[str | None]
    cores: Mapped[int] = mapped_column(default=0)  # held now or last; 0 before the first start
    need_cores: Mapped[int] = mapped_column(default=0)  # to be asked for; never shown
    parallelism: Mapped[int] = mapped_column(default=0)  # components at once; 0: by the cores
    memory: Mapped[int] = mapped_column(default=0)
    remaining_cores: Mapped[int] = mapped_column(default=0)
    remaining_memory: Mapped[int] = mapped_column(default=0)
    resource_in_use: Mapped[bool] = mapped_column(default=False)
    apply_resource_time: Mapped[int | None] = mapped_column(BigInteger)
    return_resource_time: Mapped[int | None] = mapped_column(BigInteger)
    inheritance_info: Mapped[dict[str, Any]] = mapped_column(default=dict)
    inheritance_status: Mapped[str] = mapped_column(default="pass")
    job_token: Mapped[str] = mapped_column(String(64), default="")  # secret; never shown
    start_time: Mapped[int | None] = mapped_column(BigInteger)
    end_time: Mapped[int | None] = mapped_column(BigInteger)
    elapsed: Mapped[int | None] = mapped_column(BigInteger)
    create_time: Mapped[int] = mapped_column(BigInteger)
    update_time: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (Index("job_by_status", "status"), Index("job_by_time", "create_time"))


class TaskRow(Base):
    """A component run by one (role, party). At the initiator also for the other parties."""

    __tablename__ = "task"

    job_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    component_name: Mapped[str] = mapped_column(String(128), primary_key=True)
    task_version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    party_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    task_id: Mapped[str]
    component_module: Mapped[str] = mapped_column(String(128))
    position: Mapped[int] = mapped_column(default=0)  # topological order of the component
    party_position: Mapped[int] = mapped_column(default=0)  # order of the party in the job
    plan: Mapped[dict[str, Any]] = mapped_column(default=dict)  # its TaskPlan; never shown
    interrupted: Mapped[bool] = mapped_column(default=False)  # lost with its site, not failed
    retry_at: Mapped[int] = mapped_column(BigInteger, default=0)  # not to be started before
    initiator_role: Mapped[str] = mapped_column(String(16))
    initiator_party_id: Mapped[str] = mapped_column(String(32))
    federated_mode: Mapped[str] = mapped_column(String(16), default="SINGLE")
    federated_status_collect_type: Mapped[str] = mapped_column(String(8), default="PUSH")
    status: Mapped[str] = mapped_column(String(16), default="waiting")  # of all parties
    party_status: Mapped[str] = mapped_column(String(16), default="waiting")  # of this party
    run_on_this_party: Mapped[bool] = mapped_column(default=True)
    auto_retries: Mapped[int] = mapped_column(default=0)
    auto_retry_delay: Mapped[int] = mapped_column(default=1)
    worker_id: Mapped[str | None]
    cmd: Mapped[list[Any] | None] = mapped_column(JSON)
    run_ip: Mapped[str | None]
    run_port: Mapped[int | None]
    run_pid: Mapped[int | None]
    provider_info: Mapped[dict[str, Any]] = mapped_column(default=dict)
    component_parameters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    engine_conf: Mapped[dict[str, Any]] = mapped_column(default=dict)
    kill_status: Mapped[bool] = mapped_column(default=False)
    error_report: Mapped[str] = mapped_column(Text, default="")
    progress: Mapped[int] = mapped_column(default=0)  # percent, told by the worker
    cpu_seconds: Mapped[float | None]
    peak_memory: Mapped[int | None] = mapped_column(BigInteger)  # bytes
    task_token: Mapped[str] = mapped_column(String(64), default="")  # secret; never shown
    events_read: Mapped[int] = mapped_column(BigInteger, default=0)  # offset in events.jsonl
    elapsed: Mapped[int | None] = mapped_column(BigInteger)
    start_time: Mapped[int | None] = mapped_column(BigInteger)
    end_time: Mapped[int | None] = mapped_column(BigInteger)
    create_time: Mapped[int] = mapped_column(BigInteger)
    update_time: Mapped[int] = mapped_column(BigInteger)

    __table_args__ = (Index("task_by_status", "status"),)


class MetricRow(Base):
    """Points of a metric as logged: a row per report; the metric is all its rows in id order."""

    __tablename__ = "metric"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[str] = mapped_column(String(32))
    component_name: Mapped[str] = mapped_column(String(128))
    task_version: Mapped[int]
    role: Mapped[str] = mapped_column(String(16))
    party_id: Mapped[str] = mapped_column(String(32))
    namespace: Mapped[str]
    name: Mapped[str]
    metric_type: Mapped[str]
    points: Mapped[list[Any]] = mapped_column(default=list)
    meta: Mapped[dict[str, Any]] = mapped_column(default=dict)

    __table_args__ = (Index("metric_by_task", "job_id", "component_name", "role", "party_id"),)


class SummaryRow(Base):
    __tablename__ = "summary"

    job_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    component_name: Mapped[str] = mapped_column(String(128), primary_key=True)
    task_version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    party_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    values: Mapped[dict[str, Any]] = mapped_column(default=dict)


class OutputRow(Base):
    """A data, model or cache output of a task. kind: "data", "model", "cache"."""

    __tablename__ = "output"

    job_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    component_name: Mapped[str] = mapped_column(String(128), primary_key=True)
    task_version: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    party_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    name: Mapped[str] = mapped_column(String(64), primary_key=True)  # as the DSL names it
    task_id: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)
    table_namespace: Mapped[str] = mapped_column(default="")  # data
    table_name: Mapped[str] = mapped_column(default="")
    path: Mapped[str] = mapped_column(Text, default="")  # model file or cache folder
    cache_key: Mapped[str] = mapped_column(default="")
    info: Mapped[dict[str, Any]] = mapped_column(
        default=dict
    )  # data: preview {header, rows, total}
    create_time: Mapped[int] = mapped_column(BigInteger)
    update_time: Mapped[int] = mapped_column(BigInteger)


class TableRow(Base):
    """A table that users can name: uploaded, bound, read or put out by a job."""

    __tablename__ = "table_meta"

    namespace: Mapped[str] = mapped_column(String(128), primary_key=True)
    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    engine: Mapped[str] = mapped_column(default="STANDALONE")
    address: Mapped[dict[str, Any]] = mapped_column(default=dict)
    partitions: Mapped[int] = mapped_column(default=1)
    count: Mapped[int | None] = mapped_column(BigInteger)
    schema: Mapped[dict[str, Any]] = mapped_column(default=dict)
    preview: Mapped[dict[str, Any]] = mapped_column(default=dict)  # {header, rows <= 100}
    id_delimiter: Mapped[str] = mapped_column(String(16), default=",")
    have_head: Mapped[bool] = mapped_column(default=True)
    extend_sid: Mapped[bool] = mapped_column(default=False)
    auto_increasing_sid: Mapped[bool] = mapped_column(default=False)
    origin: Mapped[str] = mapped_column(default="upload")
    disable: Mapped[bool] = mapped_column(default=False)
    description: Mapped[str] = mapped_column(Text, default="")
    parent_namespace: Mapped[str] = mapped_column(default="")
    parent_name: Mapped[str] = mapped_column(default="")
    create_time: Mapped[int] = mapped_column(BigInteger)
    update_time: Mapped[int] = mapped_column(BigInteger)


class TableUseRow(Base):
    """Which job read or wrote which table."""

    __tablename__ = "table_use"

    id: Mapped[int] = mapped_column(primary_key=True)
    namespace: Mapped[str]
    name: Mapped[str]
    job_id: Mapped[str] = mapped_column(String(32))

    __table_args__ = (Index("table_use_by_table", "namespace", "name"),)


class ModelRow(Base):
    """A trained or deployed model as one party holds it."""

    __tablename__ = "model"

    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    party_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    model_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    model_version: Mapped[str] = mapped_column(String(64), primary_key=True)
    job_id: Mapped[str] = mapped_column(String(32), default="")
    roles: Mapped[dict[str, Any]] = mapped_column(default=dict)
    initiator_role: Mapped[str] = mapped_column(String(16), default="")
    initiator_party_id: Mapped[str] = mapped_column(String(32), default="")
    runtime_conf: Mapped[dict[str, Any]] = mapped_column(default=dict)
    train_dsl: Mapped[dict[str, Any]] = mapped_column(default=dict)
    train_runtime_conf: Mapped[dict[str, Any]] = mapped_column(default=dict)
    runtime_conf_on_party: Mapped[dict[str, Any]] = mapped_column(default=dict)
    inference_dsl: Mapped[dict[str, Any]] = mapped_column(default=dict)
    fate_version: Mapped[str] = mapped_column(default="1.11.4")
    parent: Mapped[bool | None]
    parent_info: Mapped[dict[str, Any]] = mapped_column(default=dict)
    loaded_times: Mapped[int] = mapped_column(default=0)
    imported: Mapped[int] = mapped_column(default=0)
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    archive_sha256: Mapped[str] = mapped_column(default="")
    archive_from_ip: Mapped[str] = mapped_column(default="")
    create_time: Mapped[int] = mapped_column(BigInteger)
    update_time: Mapped[int] = mapped_column(BigInteger)


class ModelServiceRow(Base):
    """What ``model load`` and ``model bind`` recorded: which service serves which version."""

    __tablename__ = "model_service"

    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    party_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    service_id: Mapped[str] = mapped_column(primary_key=True)  # "" for a load without bind
    model_id: Mapped[str]
    model_version: Mapped[str] = mapped_column(String(64))
    servings: Mapped[list[Any]] = mapped_column(default=list)
    update_time: Mapped[int] = mapped_column(BigInteger)


class TagRow(Base):
    __tablename__ = "tag"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    description: Mapped[str | None] = mapped_column(Text)
    create_time: Mapped[int] = mapped_column(BigInteger)
    update_time: Mapped[int] = mapped_column(BigInteger)


class ModelTagRow(Base):
    """A tag on the models of a training job."""

    __tablename__ = "model_tag"

    job_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    tag_name: Mapped[str] = mapped_column(String(128), primary_key=True)


class ConnectorRow(Base):
    __tablename__ = "connector"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    engine: Mapped[str]
    info: Mapped[dict[str, Any]] = mapped_column(default=dict)
