"""What a running fateflow is made of; built once in ``app.py`` and handed to whoever needs it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from fateflow.settings import Settings
from fateflow.store.database import Database
from fateflow.worker import spec


class Launcher(Protocol):
    """Starts and ends workers: ``fateflow.scheduler.launcher.Zygote`` in production."""

    def launch(self, folder: str) -> int:
        """Start the task prepared in this folder; its pid."""

    def kill(self, folder: str) -> None:
        """End the task's whole process group; returns when it is gone or was not there."""

    def alive(self) -> dict[str, int]:
        """Folders of live workers, and their pids."""

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Run a function of ``fateflow.worker.calls`` with the science imported.

        Raises RuntimeError with its one-line error.
        """

    def on_watch(self, callback: Any) -> None:
        """Call ``callback()`` whenever exits begin to be seen: also after the workers' server was
        lost, when some may have ended unseen. Register before ``on_exit``."""

    def on_exit(self, callback: Any) -> None:
        """Call ``callback(spec.Exited)`` from a thread whenever a worker is gone."""


class Gateway(Protocol):
    """This site's gateway as fateflow uses it: ``federation.transport.control.GatewayControl``."""

    def register_job(self, job_id: str, token: str, parties: list[tuple[str, str]]) -> None:
        """Let messages of this job pass: (role, party id) pairs and the job's secret."""

    def cancel_job(self, job_id: str, reason: str) -> None:
        """Every waiting ``get`` of the job at this site ends with Cancelled, now."""

    def end_job(self, job_id: str) -> None:
        """Forget the job and free its spool."""

    def drop_task(self, job_id: str, component: str, version: int) -> None:
        """Free the messages of an ended task version."""

    def call(self, party_id: str, name: str, body: bytes, timeout_s: float = 30.0) -> bytes:
        """Ask another site's fateflow. Raises federation.errors.Unreachable naming the route."""


@dataclass
class Site:
    """One site. ``parties`` and ``scheduler`` are set by ``app.build`` after construction,
    because they need the site themselves."""

    settings: Settings
    database: Database
    launcher: Launcher
    gateway: Gateway | None = None
    parties: Any = None  # fateflow.scheduler.parties.Parties
    scheduler: Any = None  # fateflow.scheduler.loop.Scheduler
    catalog: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Lower-case module name to {"module", "roles", "code_path", "schema", "provider"}."""


__all__ = ["Gateway", "Launcher", "Site", "spec"]
