"""The gateway's part in a job: its messages may pass, must stop, are forgotten.

Only opening the way must succeed. Whatever else the gateway cannot be told now does no harm: what
it keeps too long is dropped with the job.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from fateflow.site import Gateway, Site

log = logging.getLogger(__name__)


def open_job(site: Site, job_id: str, token: str, parties: list[tuple[str, str]]) -> None:
    """Let messages of the job pass between these (role, party id), under its token."""
    if site.gateway is not None:
        site.gateway.register_job(job_id, token, parties)


def cancel_job(site: Site, job_id: str, reason: str) -> None:
    """End every wait for a message of the job, with the reason."""
    _tell(site, job_id, lambda gateway: gateway.cancel_job(job_id, reason))


def forget_job(site: Site, job_id: str) -> None:
    """Drop the job's token and whatever messages of it are left."""
    _tell(site, job_id, lambda gateway: gateway.end_job(job_id))


def forget_task(site: Site, job_id: str, component: str, version: int) -> None:
    """Drop the messages of one version of a component."""
    _tell(site, job_id, lambda gateway: gateway.drop_task(job_id, component, version))


def _tell(site: Site, job_id: str, word: Callable[[Gateway], None]) -> None:
    if site.gateway is None:
        return
    try:
        word(site.gateway)
    except Exception:  # a gateway that is away must not keep a job from ending
        log.exception("the gateway could not be told of job %s", job_id)
