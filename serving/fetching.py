"""Where a serving gets a model from: its fateflow over HTTP, an exported zip, a folder."""

from __future__ import annotations

import asyncio
import base64
import binascii
from pathlib import Path
from typing import Any, Literal

import httpx
import msgspec

from serving import model as models
from serving.codes import CannotLoad, Code, ServingFault
from serving.registry import ModelKey

LIMIT_S = 50.0
"""Of a whole download; fateflow waits for 60 s."""
RETRIES = 2
_BAD = (ValueError, RecursionError)


class Source(msgspec.Struct, frozen=True):
    """kind: ``fateflow`` (path is the transfer URL), ``file`` (a zip or a folder here)."""

    kind: Literal["fateflow", "file"]
    path: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.path}"


class Fetched(msgspec.Struct, frozen=True):
    """rows: the kept rows that came with the model, as JSON; b"" without."""

    model: models.PartyModel
    rows: bytes


async def fetch(source: Source, key: ModelKey, transfer_url: str, folder: Path) -> Fetched:
    """folder: where files must lie. Raises ServingFault: 104 if the file is not there, 123 with
    what is wrong."""
    try:
        if source.kind == "file":
            return await asyncio.to_thread(_from_file, Path(source.path), folder)
        async with asyncio.timeout(LIMIT_S):
            return await _from_fateflow(source.path or transfer_url, key)
    except models.UnreadableModel as error:
        raise CannotLoad(str(error)) from None
    except TimeoutError:
        raise CannotLoad(f"fateflow did not send the model within {LIMIT_S:g} s") from None


async def _from_fateflow(url: str, key: ModelKey) -> Fetched:
    if not url.startswith(("http://", "https://")):
        raise CannotLoad(
            "no transfer URL: neither the request nor the option transfer_url names fateflow's "
            "/v1/model/transfer"
        )
    asked = {"name": key.table, "namespace": key.namespace}
    async with httpx.AsyncClient(timeout=LIMIT_S, trust_env=False) as client:
        data = await _posted(client, url, asked)
        if not isinstance(data, dict):
            raise CannotLoad(f"{url} did not send a model")
        rows = b""
        if url.endswith("/model/transfer"):
            rows = await _kept_rows(client, url.removesuffix("transfer") + "kept_rows", asked)
    texts = {name: text for name, text in data.items() if isinstance(text, str)}
    return Fetched(await asyncio.to_thread(models.from_transfer, texts), rows)


async def _posted(client: httpx.AsyncClient, url: str, asked: dict[str, str]) -> Any:
    for attempt in range(RETRIES + 1):
        try:
            told = await _received(client, url, asked)
            break
        except (httpx.HTTPError, httpx.InvalidURL, *_BAD) as error:
            if attempt == RETRIES:
                raise CannotLoad(
                    f"fateflow at {url} cannot be asked for the model: {type(error).__name__}"
                ) from None
            await asyncio.sleep(0.2 * (attempt + 1))
    if not isinstance(told, dict) or told.get("retcode") != 0:
        why = told.get("retmsg") if isinstance(told, dict) else "no answer of fateflow"
        raise CannotLoad(f"fateflow at {url} refused: {str(why)[:300]}")
    return told.get("data")


async def _received(client: httpx.AsyncClient, url: str, asked: dict[str, str]) -> Any:
    """The JSON of an answer. Raises httpx.HTTPError, ValueError."""
    content = bytearray()
    async with client.stream("POST", url, json=asked) as reply:
        async for part in reply.aiter_bytes():
            content += part
            if len(content) > models.MAX_BYTES:
                raise models.UnreadableModel(f"the download is over {models.MAX_BYTES} bytes")
    return await asyncio.to_thread(msgspec.json.decode, content)


async def _kept_rows(client: httpx.AsyncClient, url: str, asked: dict[str, str]) -> bytes:
    """b"" if fateflow keeps none, or is a FATE-Flow that knows of none."""
    try:
        told = await _received(client, url, asked)
        if told.get("retcode") == 0 and isinstance(told.get("data"), str):
            return base64.b64decode(told["data"], validate=True)
    except (httpx.HTTPError, AttributeError, binascii.Error, *_BAD):
        pass
    return b""


def _from_file(path: Path, folder: Path) -> Fetched:
    path = (folder / path).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise CannotLoad(f"files are loaded from {folder}; put it there, or set import_folder")
    if path.is_dir():
        rows = path / "kept_rows.json"
        return Fetched(models.read(path), rows.read_bytes() if rows.is_file() else b"")
    try:
        if not path.is_file() and path.exists():
            raise CannotLoad(f"{path} is no file")
        if path.stat().st_size > models.MAX_BYTES:
            raise CannotLoad(f"{path} is over {models.MAX_BYTES} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise ServingFault(Code.NO_MODEL, f"{path}: {error.strerror}") from None
    return Fetched(models.from_zip(content), b"")
