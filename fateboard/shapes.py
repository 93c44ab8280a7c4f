"""What ``/api/v1`` answers, beside blocks. Times are milliseconds since 1970, durations
milliseconds, ids text. ``python -m fateboard.typescript`` writes them as TypeScript."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from fateboard.blocks import Block, Cell, Label, Notice

Access = Literal["viewer", "operator", "admin"]


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """local: no login is asked for. job: all that a share link shows, as job/role/party."""

    user: str
    access: Access
    local: bool = False
    expires_ms: int | None = None
    job: str = ""
    notices: list[Notice] = []


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a request failed: answers of status 400 and above are {"error": Fault}."""

    code: str
    message: str
    hint: str = ""
    retry_after_s: float = 0.0


class JobKey(msgspec.Struct, frozen=True, kw_only=True):
    job_id: str
    role: str
    party_id: str


class JobRow(msgspec.Struct, frozen=True, kw_only=True):
    """A job as one party sees it. progress: 0 to 100. metric: of the metric that was asked for."""

    job_id: str
    role: str
    party_id: str
    name: str
    notes: str
    status: str
    progress: int
    initiator: bool
    partners: list[str]
    modules: list[str]
    created_ms: int | None
    started_ms: int | None
    ended_ms: int | None
    elapsed_ms: int | None
    metric: float | None = None


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """facets: {filter: {value: jobs that have it, all other filters kept}}; metrics: names that
    ``metric=`` takes."""

    total: int
    page: int
    size: int
    jobs: list[JobRow]
    facets: dict[str, dict[str, int]]
    metrics: list[str]


class Port(msgspec.Struct, frozen=True, kw_only=True):
    """kind: data, model or cache. name: as the DSL says (train_data, validate_data, data, ...)."""

    name: str
    kind: str


class DagNode(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    module: str
    need_run: bool
    inputs: list[Port]
    outputs: list[Port]


class DagEdge(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    source_port: str
    target: str
    target_port: str
    kind: str


class Dag(msgspec.Struct, frozen=True, kw_only=True):
    """nodes: in topological order."""

    nodes: list[DagNode]
    edges: list[DagEdge]


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """version: counts from 0, one more at each rerun. error: what it said when it failed."""

    component: str
    module: str
    status: str
    version: int
    started_ms: int | None
    ended_ms: int | None
    elapsed_ms: int | None
    error: str


class Dataset(msgspec.Struct, frozen=True, kw_only=True):
    role: str
    party_id: str
    component: str
    table: str


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What failed first. party: "host 10000". log_line: number in the component's log, else 0."""

    component: str
    party: str
    mine: bool
    message: str
    detail: str
    log_line: int = 0


class JobDetail(msgspec.Struct, frozen=True, kw_only=True):
    """siblings: other rows of the same job that this site holds. waiting: what it waits for, or
    what to know of it while it runs."""

    job: JobRow
    dag: Dag
    tasks: list[Task]
    datasets: list[Dataset]
    siblings: list[JobKey]
    kind: str
    waiting: Label
    failure: Failure | None
    model_id: str
    model_version: str
    notices: list[Notice] = []


class Parameters(msgspec.Struct, frozen=True, kw_only=True):
    """defaults: the component's own, where they are known."""

    module: str
    parameters: dict[str, Any]
    defaults: dict[str, Any]


class DataPreview(msgspec.Struct, frozen=True, kw_only=True):
    """names: of all tables of the component; the rest is of ``table``. total: rows that it has."""

    names: list[str]
    table: int
    header: list[str]
    rows: list[list[Cell]]
    total: int
    notices: list[Notice] = []


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """number: counts from 1. level: "" of a line that goes on from the one above."""

    number: int
    level: str
    text: str


class LogLines(msgspec.Struct, frozen=True, kw_only=True):
    """total: lines that the log has now."""

    lines: list[LogLine]
    total: int


class LogAttempts(msgspec.Struct, frozen=True, kw_only=True):
    """earlier: numbers of the attempts before the newest whose logs are kept, from 0."""

    earlier: list[int]


class LogFound(msgspec.Struct, frozen=True, kw_only=True):
    """number: of the line found, 0 if there is none. ordinal: it is the n-th of ``count``."""

    number: int
    ordinal: int
    count: int


class Disclosed(msgspec.Struct, frozen=True, kw_only=True):
    """Messages of one name between one pair of parties. direction: out or in. size: bytes.
    telling: who received them learns something from them."""

    component: str
    message: str
    direction: str
    src: str
    dst: str
    kind: str
    reveals: Label
    telling: bool
    result: str
    count: int
    size: int


class Scheme(msgspec.Struct, frozen=True, kw_only=True):
    """What protects a component: name, bits of security, on which assumption, who is trusted."""

    component: str
    text: Label


class Disclosure(msgspec.Struct, frozen=True, kw_only=True):
    """What left this party and what came. by_kind: {direction: {kind: [count, bytes]}}."""

    lines: list[Disclosed]
    by_kind: dict[str, dict[str, list[int]]]
    schemes: list[Scheme]
    warnings: list[Notice]
    verified: bool


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """2 to 10 jobs side by side: a matrix of metrics, what differs in parameters, durations,
    curves laid over each other."""

    jobs: list[JobRow]
    blocks: list[Block]
    notices: list[Notice]


class ServerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """flow_up: whether fateflow answers; problem: why not. serving: whether this site runs online
    inference."""

    board_version: str
    flow_url: str
    flow_up: bool
    flow_version: str
    problem: str
    party_id: str
    serving: bool


class Share(msgspec.Struct, frozen=True, kw_only=True):
    url: str
    expires_ms: int


class MetricPoints(msgspec.Struct, frozen=True, kw_only=True):
    """New points of a metric of a running component; ``whole`` replaces what was there."""

    component: str
    namespace: str
    name: str
    points: list[tuple[float, float | None]]
    whole: bool


class LogGrown(msgspec.Struct, frozen=True, kw_only=True):
    type: str
    component: str
    total: int


class FlowState(msgspec.Struct, frozen=True, kw_only=True):
    up: bool
    problem: str


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the stream. topic: "jobs" or "job:<job>/<role>/<party>".

    kind and body: ``jobs`` list[JobRow] (those waiting or running, whole), ``ended`` JobRow,
    ``job`` JobRow, ``tasks`` list[Task], ``metric`` MetricPoints, ``log`` LogGrown,
    ``flow`` FlowState, ``waiting`` Label.
    """

    number: int
    topic: str
    kind: str
    body: Any


class ServingSecond(msgspec.Struct, frozen=True, kw_only=True):
    """Requests of one second: answered (failed ones among them), refused; their mean latency."""

    at_ms: int
    answered: int
    failed: int
    refused: int
    latency_ms: float


class ServingVersion(msgspec.Struct, frozen=True, kw_only=True):
    """share: of the traffic, 0 to 1."""

    namespace: str
    version: str
    weight: int
    share: float


class ServingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a service does about a host that does not answer, and about features that lack."""

    fallback: Literal["fail", "cache", "guest_only", "default"] = "fail"
    fallback_s: float = 300.0
    reuse_s: float = 0.0
    host_constant: float = 0.0
    default_score: float = 0.0
    missing: Literal["offline", "error", "threshold"] = "offline"
    least_hit_rate: float = 0.0
    pin: bool = False
    micro_batching: bool = True


class ServingName(msgspec.Struct, frozen=True, kw_only=True):
    """A model: namespace is ``role#party#model id``."""

    namespace: str
    version: str


class ServingService(msgspec.Struct, frozen=True, kw_only=True):
    """previous: versions that a rollback would bind. traffic: seconds with requests of the last
    two minutes. limit: rows a second that it may take, null for any number."""

    service_id: str
    versions: list[ServingVersion]
    shadow: ServingName | None
    previous: list[str]
    policy: ServingPolicy
    traffic: list[ServingSecond]
    limit: float | None


class ServingRemote(msgspec.Struct, frozen=True, kw_only=True):
    role: str
    party_id: str
    version: str


class ServingModel(msgspec.Struct, frozen=True, kw_only=True):
    """columns: features that this party gives. tested: what its self-test compared, in words."""

    namespace: str
    version: str
    role: str
    party_id: str
    remotes: list[ServingRemote]
    components: list[str]
    columns: list[str]
    services: list[str]
    loaded_ms: int | None
    sha256: str
    tested: Label
    limit: float | None


class ServingParty(msgspec.Struct, frozen=True, kw_only=True):
    party_id: str
    up: bool


class ServingLimit(msgspec.Struct, frozen=True, kw_only=True):
    """source: as the serving names it: S_<service>, M_<version>_<namespace>, I_<call>."""

    source: str
    rows_per_second: float


class Serving(msgspec.Struct, frozen=True, kw_only=True):
    """This site's online inference. now_ms: when this was told, on the clock of ``traffic``."""

    running: bool
    now_ms: int
    url: str
    party: str
    ready: bool
    in_flight: int
    problems: list[Label]
    services: list[ServingService]
    models: list[ServingModel]
    parties: list[ServingParty]
    limits: list[ServingLimit]


class ServingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the serving answered to a trial request, whole. elapsed_ms: from here and back."""

    answer: dict[str, Any]
    elapsed_ms: float


SHAPES: tuple[type, ...] = (
    Session, Fault, JobPage, JobDetail, Parameters, DataPreview, LogLines, LogAttempts, LogFound,
    Disclosure, Comparison, ServerInfo, Share, MetricPoints, LogGrown, FlowState, Event, Serving,
    ServingAnswer,
)  # fmt: skip
