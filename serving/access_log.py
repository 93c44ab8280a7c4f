"""One JSON line a request: who asked for what, what became of it, how long it took. Features and
scores are not in it unless the operator switched that on; what hosts contribute never is."""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import orjson

from serving.calls import Answer, Call

_log = logging.getLogger(__name__)

LARGEST = 64 << 20
"""Bytes from which the file is put aside as ``access.log.1``."""


class AccessLog:
    """Appends to ``access.log`` in a folder."""

    def __init__(self, folder: Path, *, inputs: bool = False, outputs: bool = False) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "access.log"
        self._inputs, self._outputs = inputs, outputs
        self._file = self.path.open("ab", buffering=0)
        self._size = self.path.stat().st_size
        self.lost = 0

    def wrote(
        self, door: str, call: Call | None, answer: Answer, case_id: str, seconds: float
    ) -> None:
        """call: None of a request that could not be read."""
        told: dict[str, Any] = {
            "time": round(time.time(), 3),
            "door": door,
            "case": call.case_id if call else case_id[:64],
            "code": answer.code or (answer.rows[0].code if len(answer.rows) == 1 else 0),
            "ms": round(seconds * 1000, 3),
        }
        if call:
            told.update(service=call.service_id, apply=call.apply_id, rows=len(call.rows))
        if answer.model_version:
            told["version"] = answer.model_version
        if answer.message:
            told["message"] = answer.message[:300]
        if answer.fallback:
            told["fallback"] = answer.fallback
        if self._inputs and call:
            told["input"] = [row.features for row in call.rows]
        if self._outputs:
            told["output"] = [row.data for row in answer.rows]
        self._append(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))

    def asked(
        self,
        party: str,
        *,
        cases: list[str],
        version: str,
        rows: int,
        code: int,
        message: str,
        seconds: float,
    ) -> None:
        """Another party's call. party: "" of one that may not ask. cases: the guest's requests
        whose rows came together."""
        told: dict[str, Any] = {
            "time": round(time.time(), 3),
            "door": "party",
            "party": party,
            "case": cases[0],
            "code": code,
            "ms": round(seconds * 1000, 3),
            "rows": rows,
        }
        if len(cases) > 1:
            told["cases"] = cases
        if version:
            told["version"] = version
        if message:
            told["message"] = message[:300]
        self._append(orjson.dumps(told, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        self._file.close()

    def _append(self, line: bytes) -> None:
        """A full disk costs lines, not answers."""
        try:
            self._written(line)
        except OSError as error:
            if not self.lost:
                _log.error("%s cannot be written: %s", self.path, error.strerror)
            self.lost += 1

    def _written(self, line: bytes) -> None:
        if self._size > LARGEST:
            self._file.close()
            self.path.replace(self.path.with_name("access.log.1"))
            self._file, self._size = self.path.open("ab", buffering=0), 0
        self._file.write(line)
        self._size += len(line)
