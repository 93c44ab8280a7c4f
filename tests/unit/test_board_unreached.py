"""Components that a failed or canceled job never reached are told apart from those that wait."""

from __future__ import annotations

import pytest

from fateboard.blocks import msg
from fateboard.job_detail import NOT_REACHED, tasks_of
from fateboard.testing import scripted_jobs as jobs
from fateboard.views import build, read

NAMES = ("reader_0", "lr_0", "evaluation_0")


def rows(*statuses: str) -> list[dict[str, object]]:
    return [
        jobs.task(jobs.LIVE, name, "M", jobs.GUEST, status=status, party_status=status)
        for name, status in zip(NAMES, statuses, strict=True)
    ]


@pytest.mark.parametrize("ended", ["failed", "canceled", "timeout", "success"])
@pytest.mark.parametrize("before", ["waiting", "ready", ""])
def test_what_waits_when_its_job_has_ended_was_not_reached(ended: str, before: str) -> None:
    given = rows("success", "failed", before)
    assert [task.status for task in tasks_of(given, job_status=ended)] == [
        "success",
        "failed",
        NOT_REACHED,
    ]


@pytest.mark.parametrize("going", ["waiting", "running"])
def test_what_waits_in_a_job_that_goes_on_still_waits(going: str) -> None:
    given = rows("success", "running", "waiting")
    assert [task.status for task in tasks_of(given, job_status=going)] == [
        "success",
        "running",
        "waiting",
    ]


def test_its_view_says_so() -> None:
    context = read(
        component="lr_0", module="HeteroLR", role="guest", party_id="1", status=NOT_REACHED
    )
    view = build(context, {})
    assert [notice.text for notice in view.notices] == [msg("view.not_reached")]
    assert view.blocks == []
