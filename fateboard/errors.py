"""Why the board refuses a request: a code whose words stand in ``messages/server.json``."""

from __future__ import annotations


class Refused(Exception):
    """Answered as ``{"error": Fault}``. The words are ``fault.<code>`` and ``fault.<code>.hint``
    of the catalogue, with ``args`` filled in."""

    def __init__(
        self, status: int, code: str, *, retry_after_s: float = 0.0, **args: str | float
    ) -> None:
        super().__init__(f"{code} {args}" if args else code)
        self.status, self.code, self.args_shown = status, code, args
        self.retry_after_s = retry_after_s


def no_job() -> Refused:
    """Also for a job that this session may not see: the two must look alike."""
    return Refused(404, "no_job")
