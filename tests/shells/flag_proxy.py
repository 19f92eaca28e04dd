"""The flag's public side on a real listener, with the state and the lease in the test's hands."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from sidecar import clock
from sidecar.config import Address
from sidecar.core.facts.observations import Record
from sidecar.core.fold.state import State
from sidecar.flags.answers import Answers
from sidecar.flags.evaluations import Evaluations
from sidecar.flags.lease import Lease
from sidecar.flags.ofrep import OfrepApi
from sidecar.flags.routes import FlagApi
from sidecar.flags.streams import Streams
from sidecar.http.rate_limits import LIMITS, Limit
from sidecar.http.server import Listener
from tests.core.world import World, on
from tests.waiting import HANGS_AFTER_S

STREAM = "/flags/payment-refresh/stream"
SIGNALS = "/ofrep/v1/stream"
BULK = "/ofrep/v1/evaluate/flags"
REPLICA = "a"


class Proxy:
    """A flag that is served as the test wants it."""

    def __init__(self, world: World, *, lease_ms: int, limits: Mapping[str, Limit], **bounds: Any) -> None:
        self.world = world
        self.lease = Lease(REPLICA)
        self.now_ms = clock.wall_ms
        """What `issued_at` is read from; a test may set it."""
        self.answers = Answers(
            world.state,
            self.lease,
            flag="payment-refresh",
            environment="test",
            lease_ms=lease_ms,
            policy_hash=world.state.policy_hash,
            now_ms=lambda: self.now_ms(),
        )
        self.streams = Streams(self.answers, **{"streams_max": 100, **bounds})
        evaluations = Evaluations(self.answers, self.streams.has_permits)
        self.listener = Listener(
            "public",
            Address(host="127.0.0.1", port=0),
            [*FlagApi(self.answers, self.streams).routes(), *OfrepApi(evaluations, self.streams).routes()],
            connections_max=1000,
            before_stop=self.streams.stop,
            limits=limits,
        )
        self.url = ""

    def beat(self) -> None:
        """Start the lease anew, as a heartbeat that is folded does."""
        heartbeat = self.lease.next_heartbeat(clock.monotonic_s())
        self.lease.folded(Record(seq=1, at_ms=1, observation=heartbeat))
        self.streams.wake()

    def fold(self) -> None:
        """Say that something was folded."""
        self.streams.wake()


@asynccontextmanager
async def proxy(
    rung: int = 2,
    *,
    lease_ms: int = 60_000,
    world: World | None = None,
    limits: Mapping[str, Limit] = LIMITS,
    **bounds: Any,
) -> AsyncIterator[Proxy]:
    """Serve a flag on this rung of `LAX`'s ladder, with a lease that has just started."""
    it = Proxy(world or on(rung), lease_ms=lease_ms, limits=limits, **bounds)
    it.world.decides = False
    it.beat()
    it.url = it.listener.bind()
    await it.listener.start()
    actor = asyncio.create_task(it.streams.run())
    try:
        yield it
    finally:
        actor.cancel()
        await it.listener.stop()


def nobody() -> World:
    """Return a world without a policy: a start that knows nothing yet."""
    world = World(decides=False)
    world.state = State()
    return world


class Event(msgspec.Struct, frozen=True):
    """What a browser makes of an event."""

    name: str
    id: str
    data: Any


class SseConnection:
    """Reads a stream as the specification of `EventSource` says (HTML, section 9.2.6)."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.comments = 0
        self.retry_ms: int | None = None
        self._last_id = ""

    async def next(self, within_s: float = HANGS_AFTER_S) -> Event | None:
        """Return the next event; None: the stream has ended."""
        name = "message"
        data: list[str] = []
        async with asyncio.timeout(within_s):
            async for raw in self.response.content:
                line = raw.decode().removesuffix("\n")
                field, _, value = line.partition(":")
                value = value.removeprefix(" ")
                match field:
                    case "":
                        self.comments += bool(line)
                        if not line and data:
                            return Event(name, self._last_id, msgspec.json.decode("\n".join(data)))
                    case "id":
                        self._last_id = value
                    case "data":
                        data.append(value)
                    case "event":
                        name = value
                    case "retry":
                        self.retry_ms = int(value)
        return None

    async def until(self, is_it: Callable[[Event], bool], within_s: float = HANGS_AFTER_S) -> Event:
        """Return the next event of which this is true."""
        async with asyncio.timeout(within_s):
            while True:
                event = await self.next(within_s)
                assert event is not None, "the stream has ended"
                if is_it(event):
                    return event


@asynccontextmanager
async def reading(url: str, **headers: str) -> AsyncIterator[SseConnection]:
    """Open a stream as a browser does."""
    named = {"Accept": "text/event-stream"} | {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.get(url, headers=named) as response,
    ):
        assert response.status == 200, await response.text()
        yield SseConnection(response)
