"""Parties as processes that begin together, for benchmarks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from federation import Party

TOKEN = "benchmark" * 4


def told(
    control: Any,
    socket_path: Path,
    module: str,
    job: str,
    parties: Sequence[Party],
    arguments: Sequence[str],
    names: Sequence[str] = (),
) -> list[dict]:
    """Run ``python -m module --party NAME arguments... job socket`` for every party.

    names: what each is told it is; left out, its role. Each prints a line when it is ready, waits
    for a line, works, and prints JSON; that JSON.
    """
    control.register_job(job, TOKEN, [(p.role.value, p.party_id) for p in parties])
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", module, "--party", name, *arguments, job, socket_path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in names or [p.role.value for p in parties]
    ]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [json.loads(p.communicate()[0].splitlines()[-1]) for p in processes]
    control.end_job(job)
    return answers
