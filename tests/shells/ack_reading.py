"""A stream that is being read from a real Redis into a real journal, and what a backend adds to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from sidecar import clock
from sidecar.config import RedisStream
from sidecar.core.facts.observations import AckReceived
from sidecar.journal.memory import MemoryJournal
from sidecar.ports import Journal
from sidecar.probes.ack_stream import AckStream
from tests.shells.redis_server import RedisServer
from tests.waiting import HANGS_AFTER_S

NAME, GROUP = "broadcast-acks", "reverb-sidecar"


class Reading:
    """A stream that is being read into a journal."""

    def __init__(self, place: RedisStream, journal: Journal, **options: Any) -> None:
        self.journal = journal
        self.stream = AckStream(journal, place, **{"consumer": "one", **options})
        self.counts = self.stream.entries

    async def facts(self, kind: type) -> list[Any]:
        """Return what is in the journal of a kind."""
        return [
            each.observation for each in await self.journal.read(0, 1_000_000) if isinstance(each.observation, kind)
        ]

    async def payments(self) -> list[str]:
        """Return the payments that acks were seen of, in order."""
        return [fact.payment_intent for fact in await self.facts(AckReceived)]

    async def all_seen(self, within_s: float = HANGS_AFTER_S) -> None:
        """Wait until all that is there by now is in the journal."""
        async with asyncio.timeout(within_s):
            await self.stream.caught_up_since(clock.monotonic_s())

    async def is_silent(self) -> bool:
        """Say whether the stream does not answer a liveness check."""
        try:
            await self.all_seen(0.5)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def reading(
    server: RedisServer, journal: Journal | None = None, place: RedisStream | None = None, **options: Any
) -> AsyncIterator[Reading]:
    """Read until the end of the block."""
    it = Reading(place or RedisStream(url=server.url), journal or MemoryJournal(), **options)
    task = asyncio.create_task(it.stream.run())
    try:
        yield it
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def add(server: RedisServer, *payments: str, **fields: str) -> None:
    """Add acks as the backend does."""
    client = server.client()
    for payment in payments:
        entry: dict[Any, Any] = {"stage": "delivered", "payment_intent": payment, **fields}
        client.xadd(NAME, entry)
