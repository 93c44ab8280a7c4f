"""Addresses of the board's API that tests ask, and how they read a refusal."""

from __future__ import annotations

from typing import Any

from fateboard.testing.scripted_jobs import BIG, HOSTILE, LIVE

ONE, LIVE_ONE, HOSTILE_ONE = (f"/api/v1/jobs/{job}/guest/9999" for job in (BIG, LIVE, HOSTILE))


def code(answer: Any) -> tuple[int, str | None]:
    """Status and code of a refusal."""
    told = answer.get_json(silent=True) or {}
    return answer.status_code, told.get("error", {}).get("code")
