"""The sidecar in the demo's world: composed and run as in production, stopped and restarted on the same journal."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sidecar import app
from sidecar.config import Config, Secrets
from sidecar.logs import LineCounts


class Running:
    """One sidecar that can be killed and restarted."""

    def __init__(
        self,
        config: Config,
        secrets: Secrets,
        group: asyncio.TaskGroup,
        *,
        lines: LineCounts,
        started: Callable[[app.Urls], None],
    ) -> None:
        self.config = config
        """The configuration of the next start."""
        self._secrets, self._group, self._lines, self._started = secrets, group, lines, started
        self._task: asyncio.Task[None] | None = None
        self._wanted = asyncio.Lock()

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self._task is not None

    async def start(self) -> None:
        """Start it, and return once it listens. Raises its error, which ends the world too."""
        async with self._wanted:
            if self._task is not None:
                return
            urls: asyncio.Future[app.Urls] = asyncio.get_running_loop().create_future()

            def started(where: app.Urls) -> None:
                self._started(where)
                if not urls.done():
                    urls.set_result(where)

            running = app.run(self.config, self._secrets, started=started, lines=self._lines)
            task = self._task = self._group.create_task(running, name="sidecar")
            first: list[asyncio.Future[Any]] = [task, urls]
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                await task

    async def kill(self) -> None:
        """Cancel its task, and return once its addresses are free."""
        async with self._wanted:
            task, self._task = self._task, None
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
