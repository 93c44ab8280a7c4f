"""File answers that are not held in memory: archives are built on disk and streamed."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from flask import Response

CHUNK = 1 << 16


def tar_gz(members: Iterable[tuple[Path, str]], filename: str, scratch: Path) -> Response:
    """An archive of (file, name inside) pairs; it vanishes from ``scratch`` when sent."""
    scratch.mkdir(parents=True, exist_ok=True)
    file = tempfile.TemporaryFile(dir=scratch)  # noqa: SIM115 (closed when the answer is sent)
    try:
        with tarfile.open(fileobj=file, mode="w:gz", compresslevel=3) as archive:
            for path, name in members:
                archive.add(path, name, recursive=False)
        return streamed(file, filename, "application/x-tar")
    except BaseException:
        file.close()
        raise


def streamed(file: IO[bytes], filename: str, mimetype: str) -> Response:
    """An open file as a download; closed when the answer is sent. The name is unquoted and
    last in its header: FATE's client wants it so."""
    size = file.seek(0, 2)
    file.seek(0)
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f"attachment; filename={filename}",
    }
    response = Response(_chunks(file), mimetype=mimetype, headers=headers)
    response.call_on_close(file.close)
    return response


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
