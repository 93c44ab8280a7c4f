"""Request bodies on their way in: waitress keeps a long one in a file until it is complete.

That file lies in the site's home, not in the machine's ``/tmp``, which may be small, or memory.
When the disk is full the rest of the body is read and thrown away, for a client hears no answer
while it still sends; then it is told, as any other refusal.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import waitress.channel
import waitress.parser
import waitress.utilities

from fateflow.errors import RetCode


class Lost(waitress.utilities.Error):  # type: ignore[misc]
    """The answer to a request whose body could not be kept."""

    code = 200
    reason = "OK"

    def to_response(self, _: Any = None) -> tuple[str, list[tuple[str, str]], bytes]:
        envelope = {"retcode": int(RetCode.EXCEPTION_ERROR), "retmsg": self.body}
        shown = msgspec.json.encode(envelope)
        return "200 OK", [("Content-Type", "application/json")], shown


class Nowhere:
    """Takes the place of a body's buffer, and keeps nothing."""

    def append(self, _: bytes) -> None:
        pass

    def __len__(self) -> int:
        return 0

    def getfile(self) -> io.BytesIO:
        return io.BytesIO()

    def close(self) -> None:
        pass


class Parser(waitress.parser.HTTPRequestParser):  # type: ignore[misc]
    lost = ""

    def received(self, data: bytes) -> int:
        """Take what came; how much of it belongs to this request."""
        try:
            consumed = super().received(data)
        except OSError as error:
            self._drop(error)
            consumed = len(data) if self.completed else super().received(data)
        if self.lost and self.completed:
            self.error = Lost(self.lost)
        return int(consumed)

    def _drop(self, error: OSError) -> None:
        receiver: Any = self.body_rcv
        with contextlib.suppress(OSError):  # closing tries to write what is left
            receiver.buf.close()
        receiver.buf = Nowhere()
        self.lost = (
            f"the request's body could not be kept in {tempfile.gettempdir()}: {error.strerror}; "
            "nothing was stored. Free some space and send it again"
        )
        self.completed = self.chunked  # where in the chunks it failed is not known


class Channel(waitress.channel.HTTPChannel):  # type: ignore[misc]
    parser_class = Parser


@contextlib.contextmanager
def bodies_kept_in(folder: Path) -> Iterator[None]:
    """While this lasts, this process's temporary files lie in ``folder``."""
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
