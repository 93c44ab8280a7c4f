"""A gateway in a thread of this process: for notebooks, all-in-one programs and tests."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType

from federation.transport.control import GatewayControl
from federation.transport.gateway import Gateway, Options


class EmbeddedGateway:
    """A context manager: the gateway is ready inside it, and stopped after it.

    >>> with EmbeddedGateway(Options(home)) as gateway:
    ...     gateway.control().register_job(job_id, token, parties)
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.gateway: Gateway | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="gateway", daemon=True)

    def __enter__(self) -> EmbeddedGateway:
        self._thread.start()
        self.gateway = Gateway(self.options)
        try:
            self._run(self.gateway.start())
        except BaseException:
            self._end_loop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self.gateway is not None
        self._run(self.gateway.stop())
        self._end_loop()

    @property
    def port(self) -> int:
        assert self.gateway is not None
        return self.gateway.port

    def control(self) -> GatewayControl:
        assert self.gateway is not None
        return GatewayControl(self.options.socket, self.gateway.secret)

    def _run(self, work: object) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)  # type: ignore[arg-type]

    def _end_loop(self) -> None:
        self._run(_cancel_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


async def _cancel_others() -> None:
    """End what still runs in the loop, so that it closes without a word."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others, timeout=5)
