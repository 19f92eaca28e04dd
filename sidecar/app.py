"""Running a sidecar: its parts become tasks in one `TaskGroup`, from the first request to the last snapshot."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress

import msgspec
import structlog

from sidecar import __version__
from sidecar.composition import PARTS, Adoption, PartRow, Sidecar
from sidecar.config import Config, Secrets
from sidecar.http.server import Listener
from sidecar.journal import BACKENDS, Backends, open_journal
from sidecar.journal.unavailable import UnavailableJournal
from sidecar.logs import LineCounts
from sidecar.ports import ErrorCode, Journal, SidecarError

__all__ = ["Adoption", "Urls", "run"]

_TRY_AGAIN_S = 5.0
_YOUNG_MAX = 20_000
"""Allocations before the garbage collector runs. With Python's default of 700 it runs hundreds of times per second at
full load; the objects of a request are freed without it."""


class Urls(msgspec.Struct, frozen=True, kw_only=True):
    """Where a running sidecar listens."""

    public: str
    operator: str
    metrics: str


async def run(
    config: Config,
    secrets: Secrets,
    *,
    adoption: Adoption | None = None,
    started: Callable[[Urls], None] = lambda _: None,
    lines: LineCounts | None = None,
    parts: Sequence[PartRow] = PARTS,
    backends: Backends = BACKENDS,
) -> None:
    """Run a sidecar until it is cancelled. Raises `SidecarError` if it cannot start.

    Without a journal, because it is damaged, of a later version, or on a disk that is full or read-only, the sidecar
    runs in degraded mode: it answers webhooks with 503 and the flag with timers, and opens the journal again and again.
    `started` is called with the URLs each time that the listeners start.
    """
    lines = lines or LineCounts()
    while True:
        try:
            async with _journal(config, backends) as journal:
                sidecar = Sidecar(config, secrets, journal, lines=lines, parts=parts)
                await _run(sidecar, adoption, started)
        except* SidecarError as group:
            why_not = _first(group)
        else:
            return
        if why_not.code is not ErrorCode.JOURNAL_UNAVAILABLE:
            raise why_not
        degraded = UnavailableJournal(why_not)
        sidecar = Sidecar(config, secrets, degraded, lines=lines, parts=parts, journal_error=why_not.message)
        await _run_degraded(sidecar, why_not.message, lambda: _journal(config, backends), started)


async def _run(sidecar: Sidecar, adoption: Adoption | None, started: Callable[[Urls], None]) -> None:
    """Run with a journal. Addresses are bound before anything is appended: a failed start must leave no trace."""
    async with _bound(sidecar) as (listeners, urls):
        is_fresh = await sidecar.is_fresh()
        await sidecar.announce()
        if not is_fresh:  # requests are durable at once, however long the replay takes
            await _start(listeners)
        await sidecar.begin(adoption)
        gc.collect()
        gc.freeze()  # objects that exist now stay
        gc.set_threshold(_YOUNG_MAX, *gc.get_threshold()[1:])
        try:
            async with asyncio.TaskGroup() as group:
                for name, function in sidecar.task_functions():
                    group.create_task(function(), name=name)
                if is_fresh:
                    await _start(listeners)
                structlog.get_logger().info("sidecar.started", version=__version__, **msgspec.structs.asdict(urls))
                started(urls)
        finally:
            sidecar.wiring.lease.revoke()  # a process that no longer follows must not answer push
            with suppress(SidecarError):  # without a snapshot the next start only takes longer
                await sidecar.wiring.maintenance.save()


async def _run_degraded(
    sidecar: Sidecar,
    message: str,
    journal_opened: Callable[[], AbstractAsyncContextManager[Journal]],
    started: Callable[[Urls], None],
) -> None:
    """Listen without a journal, and return once it can be opened and read."""
    log = structlog.get_logger()
    log.error("journal.unavailable", message=message, hint="webhooks get a 503 and the flag is timer_polling")
    async with _bound(sidecar) as (listeners, urls):
        await _start(listeners)
        started(urls)
        while True:
            await asyncio.sleep(_TRY_AGAIN_S)
            try:
                async with journal_opened() as journal:
                    await journal.load_snapshot()
                    await journal.check()
            except SidecarError as error:
                if error.message != message:
                    message = error.message
                    log.warning("journal.unavailable", message=message)
            else:
                log.info("journal.available")
                return


@asynccontextmanager
async def _journal(config: Config, backends: Backends) -> AsyncIterator[Journal]:
    journal = await open_journal(config.journal_place, backends)
    try:
        yield journal
    finally:
        await journal.close()


@asynccontextmanager
async def _bound(sidecar: Sidecar) -> AsyncIterator[tuple[dict[str, Listener], Urls]]:
    """Bind the addresses, and release them at the end."""
    listeners = sidecar.listeners()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_stop, listeners)
        urls = {name: listener.bind() for name, listener in listeners.items()}
        metrics = f"{urls.get('metrics', urls['operator'])}/metrics"
        yield listeners, Urls(public=urls["public"], operator=urls["operator"], metrics=metrics)


async def _start(listeners: dict[str, Listener]) -> None:
    for listener in listeners.values():
        await listener.start()


async def _stop(listeners: dict[str, Listener]) -> None:
    await asyncio.gather(*(listener.stop() for listener in listeners.values()))


def _first(group: BaseExceptionGroup[SidecarError]) -> SidecarError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
