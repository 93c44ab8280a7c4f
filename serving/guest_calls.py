"""What an operator of a host sees of guests' calls, and sets for them: counters, a log, rates."""

from __future__ import annotations

import msgspec

from serving.access_log import AccessLog
from serving.codes import Code
from serving.limits import Limits
from serving.measures import Measures
from serving.registry import Loaded


class Seen(msgspec.Struct):
    """Of one call. party and model: once it is known that the party takes part in the model. cases:
    of its rows, where they are of several requests."""

    command: str
    party: str = ""
    model: Loaded | None = None
    case_id: str = ""
    cases: list[str] = []
    rows: int = 0
    code: int = 0
    message: str = ""


class GuestCalls:
    """Of one process. rates: where operators set how many rows a second a model takes."""

    def __init__(self, rates: Limits, measures: Measures, access: AccessLog) -> None:
        self.rates, self.measures, self.access = rates, measures, access

    def check_rate(self, model: Loaded, rows: int) -> None:
        """Raises ServingFault (124)."""
        self.rates.check_rate(_source(model), rows)

    def tell(self, seen: Seen, seconds: float) -> None:
        """Counters, history and a line of the log. What a stranger says of itself becomes no
        label."""
        version = seen.model.key.table if seen.model else ""
        self.measures.answered_party(seen.party, version, seen.code, seconds)
        if seen.model is not None:
            blocked = seen.code == Code.OVERLOAD
            for source in (f"I_{seen.command}", _source(seen.model)):
                self.measures.record(source, seen.code, seconds, blocked=blocked)
        self.access.asked(
            seen.party,
            cases=seen.cases or [seen.case_id],
            version=version,
            rows=seen.rows,
            code=seen.code,
            message=seen.message,
            seconds=seconds,
        )


def _source(model: Loaded) -> str:
    return f"M_{model.key.table}_{model.key.namespace}"
