"""What left this party and what came, from the audit log that fateflow keeps."""

from __future__ import annotations

import re
from typing import Any

from fateboard import declared
from fateboard.blocks import Notice, msg
from fateboard.flow_client import Flow
from fateboard.jobs import integer, listed, mapping, text
from fateboard.shapes import Disclosed, Disclosure, JobKey, Scheme

_NOTHING = re.compile(r"nothing(:|$)", re.IGNORECASE)


def disclosure(flow: Flow, key: JobKey, component: str) -> Disclosure:
    body = {"job_id": key.job_id, "role": key.role, "party_id": key.party_id}
    if component:
        body["component_name"] = component
    return shown(mapping(flow.shared("audit/report", body, keep_s=2.0).data))


def shown(report: dict[str, Any]) -> Disclosure:
    lines = [_line(row) for row in listed(report, "lines")]
    by_kind: dict[str, dict[str, list[int]]] = {}
    for line in lines:
        sums = by_kind.setdefault(line.direction, {}).setdefault(line.kind, [0, 0])
        sums[0] += line.count
        sums[1] += line.size
    return Disclosure(
        lines=lines,
        by_kind=by_kind,
        schemes=[
            Scheme(component=text(row.get("component")), text=declared.label(text(row.get("text"))))
            for row in listed(report, "schemes")
        ],
        warnings=[
            Notice(
                level="warn",
                text=msg(
                    "disclosure.warned",
                    component=text(row.get("component")),
                    text=declared.label(text(row.get("text"))),
                ),
            )
            for row in listed(report, "warnings")
        ],
        verified=report.get("verified") is True,
    )


def _line(row: dict[str, Any]) -> Disclosed:
    words = ("component", "message", "direction", "src", "dst", "kind", "result")
    reveals = text(row.get("reveals")).strip()
    return Disclosed(
        **{word: text(row.get(word)) for word in words},
        reveals=declared.label(reveals),
        telling=not _NOTHING.match(reveals),
        count=integer(row.get("count")) or 0,
        size=integer(row.get("bytes")) or 0,
    )
