"""What the outside of a message says. Imports no science: the gateway and fateflow read it too."""

from __future__ import annotations

import msgspec

from federation.party import Party


class Envelope(msgspec.Struct, frozen=True):
    """Identity and description of one message: all that the gateway and the audit log see.

    The first seven fields are the identity: equal identity means the same message.
    """

    job_id: str
    component: str
    version: int
    message: str
    number: int
    src: Party
    dst: Party
    kind: str = "plain"
    reveals: str = ""
    shape: str = ""

    @property
    def identity(self) -> tuple[str, str, int, str, int, Party, Party]:
        return (
            self.job_id,
            self.component,
            self.version,
            self.message,
            self.number,
            self.src,
            self.dst,
        )
