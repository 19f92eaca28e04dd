"""Running a sidecar: its objects become actors in one `TaskGroup`, from the first request to the last snapshot."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import msgspec
import structlog

from sidecar import __version__
from sidecar.composition import Adoption, Sidecar
from sidecar.config import Config, Secrets
from sidecar.http.server import Listener
from sidecar.journal import open_journal
from sidecar.journal.unavailable import UnavailableJournal
from sidecar.logs import LineCounts
from sidecar.ports import ErrorCode, Journal, SidecarError

__all__ = ["Adoption", "Urls", "run"]

_TRY_AGAIN_S = 5.0
_YOUNG_MAX = 20_000
"""Objects that come into being before the collector looks for cycles. Python's 700 make it look, at full load, hundreds
of times per second; what a request leaves behind is freed without it."""


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
) -> None:
    """Run a sidecar until it is cancelled. Raises `SidecarError` if it cannot start.

    A journal that cannot be had, because it is damaged, of a later version, or on a disk that is full or read-only, is
    no reason to be silent: webhooks are answered 503, the flag timers, and it is tried again and again. Each time that
    the listeners begin to listen, `started` is told where.
    """
    lines = lines or LineCounts()
    while True:
        try:
            async with _journal(config) as journal:
                sidecar = Sidecar(config, secrets, journal, lines=lines)
                await _run(sidecar, adoption, started)
        except* SidecarError as group:
            why_not = _first(group)
        else:
            return
        if why_not.code is not ErrorCode.JOURNAL_UNAVAILABLE:
            raise why_not
        await _run_degraded(config, secrets, why_not, started, lines)


async def _run(sidecar: Sidecar, adoption: Adoption | None, started: Callable[[Urls], None]) -> None:
    """Bind before anything is written: a start that fails must leave no trace."""
    async with _bound(sidecar) as (listeners, urls):
        is_fresh = await sidecar.is_fresh()
        await sidecar.announce()
        if not is_fresh:  # what comes is durable at once, however long it takes to catch up
            await _start(listeners)
        await sidecar.begin(adoption)
        gc.collect()
        gc.freeze()  # what is there now stays
        gc.set_threshold(_YOUNG_MAX, *gc.get_threshold()[1:])
        try:
            async with asyncio.TaskGroup() as group:
                for name, actor in sidecar.actors():
                    group.create_task(actor(), name=name)
                if is_fresh:
                    await _start(listeners)
                structlog.get_logger().info("sidecar.started", version=__version__, **msgspec.structs.asdict(urls))
                started(urls)
        finally:
            sidecar.wiring.lease.revoke()  # so that nobody is told push by a process that no longer follows
            with suppress(SidecarError):  # without a snapshot the next start takes longer, no more
                await sidecar.wiring.maintenance.save()


async def _run_degraded(
    config: Config,
    secrets: Secrets,
    error: SidecarError,
    started: Callable[[Urls], None],
    lines: LineCounts,
) -> None:
    """Listen without a journal, and return once it can be opened and read."""
    log = structlog.get_logger()
    log.error("journal.unavailable", message=error.message, hint="webhooks get a 503 and the flag is timer_polling")
    journal = UnavailableJournal(error)
    sidecar = Sidecar(config, secrets, journal, lines=lines, journal_error=error.message)
    async with _bound(sidecar) as (listeners, urls):
        await _start(listeners)
        started(urls)
        told = error.message
        while True:
            await asyncio.sleep(_TRY_AGAIN_S)
            try:
                async with _journal(config) as recovered:
                    await recovered.load_snapshot()
                    await recovered.check()
            except SidecarError as again:
                if again.message != told:
                    told = again.message
                    log.warning("journal.unavailable", message=told)
            else:
                log.info("journal.available")
                return


@asynccontextmanager
async def _journal(config: Config) -> AsyncIterator[Journal]:
    journal = await open_journal(config.journal)
    try:
        yield journal
    finally:
        await journal.close()


@asynccontextmanager
async def _bound(sidecar: Sidecar) -> AsyncIterator[tuple[dict[str, Listener], Urls]]:
    """Take the addresses, and give them back."""
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
