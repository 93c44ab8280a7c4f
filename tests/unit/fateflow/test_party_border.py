"""What a party tells another of its own failures: the kind, never the contents."""

from __future__ import annotations

import pytest
from site_samples import site_at

from fateflow.errors import Refused
from fateflow.scheduler import handlers, parties
from fateflow.wire.control import DropJob
from federation.errors import GatewayRefused

ASKED = DropJob(job_id="1", role="guest", party_id="9999")


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Refused("not now"), "not now"),
        (
            GatewayRefused("Register", "No space"),
            "drop_job failed: the gateway refused Register: No space",
        ),
        (OSError(28, "No space left on device"), "drop_job failed: No space left on device"),
        (
            RuntimeError("INSERT ... token=abc\nand more"),
            "drop_job failed: RuntimeError; the site's log has the trace",
        ),
    ],
)
def test_an_unexpected_error_is_told_by_its_kind_only(tmp_path, monkeypatch, error, told):
    def broken(*_):
        raise error

    monkeypatch.setitem(handlers.HANDLERS, "drop_job", broken)
    answer = parties.answered(site_at(tmp_path), "drop_job", ASKED)
    assert (answer.retmsg, answer.retcode > 0) == (told, True)
