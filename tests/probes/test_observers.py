"""The observers' sockets: replaced without a gap, journalled when they close, and not misled by client events."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import msgspec
import pytest

from sidecar import clock
from sidecar.core.facts.auth_probes import AuthProbeOutcome
from sidecar.core.facts.observations import AckReceived, ObserverChanged
from sidecar.journal.memory import MemoryJournal
from sidecar.probes.browser import Browser
from sidecar.probes.deliveries import GIVEN_UP_AFTER_S, LATE_S, OPEN_MAX, Deliveries
from sidecar.probes.observers import Observers
from sidecar.pusher.messages import Arrived
from sidecar.pusher.signing import signed_target
from tests.e2e.processes import until
from tests.probes.world import APP, World, world

OURS = "private-reverb-sidecar"


EVENT = "App\\Events\\LiveRefreshContextsUpdated"


class Watch:
    """Running observers, and what they journal."""

    def __init__(self, it: World, observers: Observers, journal: MemoryJournal) -> None:
        self.it, self.observers, self.journal = it, observers, journal

    async def facts(self) -> list[object]:
        """Return the journalled observations."""
        return [record.observation for record in await self.journal.read(0, 10_000)]

    async def broadcast(self, payment_intent: str, event: str = EVENT) -> None:
        """Broadcast on the observer channel, as the backend does."""
        data = msgspec.json.encode({"contexts": ["bookings"], "payment_intent": payment_intent}).decode()
        body = msgspec.json.encode({"name": event, "data": data, "channel": OURS})
        target = signed_target(APP, "POST", f"/apps/{APP.app_id}/events", body, timestamp_s=clock.wall_ms() // 1000)
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.it.target.api_url}{target}", data=body) as response,
        ):
            assert response.status == 200


@asynccontextmanager
async def observing(*, size: int = 3, redial_every_s: float = 300.0) -> AsyncIterator[Watch]:
    """Run observers beside a Reverb, until all are subscribed."""
    async with world() as it:
        journal = MemoryJournal()
        observers = Observers(
            Browser(it.target),
            journal,
            replica="a",
            size=size,
            deliveries=Deliveries(observer_channel=OURS, identity_key="identity-key-for-tests"),
            redial_every_s=redial_every_s,
        )
        running = asyncio.create_task(observers.run())
        watch = Watch(it, observers, journal)

        async def is_up() -> bool:
            return len(observers.subscribed()) == size

        try:
            await until(is_up, "all sockets are subscribed")
            yield watch
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def test_a_socket_is_replaced_without_a_gap() -> None:
    """The new socket is open before the old one is closed: no broadcast is lost or counted twice, and none is down."""
    async with observing(redial_every_s=0.4) as watch:
        first, names = watch.observers.subscribed(), [f"pi_{number}" for number in range(60)]
        for name in names:
            await watch.broadcast(name)
            await asyncio.sleep(0.05)

        async def are_kept() -> bool:
            return sum(isinstance(fact, AckReceived) for fact in await watch.facts()) >= len(names)

        await until(are_kept, "every broadcast is journalled")
        facts = await watch.facts()
        assert [fact.payment_intent for fact in facts if isinstance(fact, AckReceived)] == names
        assert [fact.is_up for fact in facts if isinstance(fact, ObserverChanged)] == [True] * 3
        assert watch.observers.subscribed().isdisjoint(first), "all are others by now"
        assert watch.observers.broadcasts["deaf"] == 0


async def test_stopped_observers_leave_no_task_and_no_connection() -> None:
    """This also holds while a socket is being replaced."""
    before = asyncio.all_tasks()
    for wait_s in (0.0, 0.15, 0.3, 0.6):
        async with observing(redial_every_s=0.1) as watch:
            await asyncio.sleep(wait_s)
            reverb = watch.it.reverb
        assert len(reverb.sockets) == 0
    await asyncio.sleep(0.1)
    assert {task for task in asyncio.all_tasks() - before if not task.done()} == set()


async def test_a_closed_socket_is_journalled_and_opened_again() -> None:
    """The journal has one record with the reason for down, and one for up."""
    async with observing(size=1) as watch:
        watch.it.reverb.sockets.drop_all()

        async def is_back() -> bool:
            return [fact.is_up for fact in await watch.facts() if isinstance(fact, ObserverChanged)] == [
                True,
                False,
                True,
            ]

        await until(is_back, "it is dialled again")
        down = (await watch.facts())[1]
        assert isinstance(down, ObserverChanged)
        assert (down.outcome, down.number) == (AuthProbeOutcome.CLOSED_WITHOUT_FRAME, 1006)


async def test_reverbs_pings_are_answered() -> None:
    """Reverb closes a connection that does not answer within a minute."""
    async with observing(size=1) as watch:
        (socket_id,) = list(watch.it.reverb.sockets)
        sock = watch.it.reverb.sockets._open[socket_id]
        before_s = sock.last_frame_s
        sock.send('{"event":"pusher:ping"}')

        async def is_answered() -> bool:
            return sock.last_frame_s > before_s

        await until(is_answered, "the ping is answered")


@pytest.mark.parametrize("event", ["client-live", "pusher:anything"])
async def test_a_client_event_is_not_an_ack(event: str) -> None:
    """A member of a channel can send any event whose name begins with `client-`."""
    async with observing() as watch:
        await watch.broadcast("pi_forged", event)
        await watch.broadcast("pi_real")

        async def is_kept() -> bool:
            return any(isinstance(fact, AckReceived) for fact in await watch.facts())

        await until(is_kept, "the real one is journalled")
        assert [fact.payment_intent for fact in await watch.facts() if isinstance(fact, AckReceived)] == ["pi_real"]


async def test_another_event_is_no_ack_and_is_counted_and_named_once() -> None:
    """Any broadcast on the observer channel that named a payment made it good, whatever its content."""
    async with observing() as watch:
        assert "acks.event" not in watch.observers.warning()
        for _ in range(2):
            await watch.broadcast("pi_other", "App\\Events\\BookingCreated")
        await watch.broadcast("pi_other", "App\\Events\\Invoiced")

        async def are_counted() -> bool:
            return watch.observers.broadcasts["other_event"] == 3

        await until(are_counted, "each is counted once, not once per socket")
        assert watch.observers.other_events() == ("App\\Events\\BookingCreated", "App\\Events\\Invoiced")
        assert "`App\\Events\\Invoiced`" in watch.observers.warning()
        await watch.broadcast("pi_real")

        async def is_kept() -> bool:
            return any(isinstance(fact, AckReceived) for fact in await watch.facts())

        await until(is_kept, "the real one is journalled")
        assert [fact.payment_intent for fact in await watch.facts() if isinstance(fact, AckReceived)] == ["pi_real"]
        assert watch.observers.warning() == ""


# --- deliveries, by themselves


def arrived(name: str = "pi_1", **more: object) -> Arrived:
    """Return a broadcast on the observer channel."""
    data = msgspec.json.encode({"payment_intent": name, "contexts": ["bookings"], **more}).decode()
    return Arrived(event="e", channel=OURS, data=data)


def deliveries() -> Deliveries:
    """Return deliveries without a broadcast."""
    return Deliveries(observer_channel=OURS, identity_key="identity-key-for-tests")


ALL = frozenset({1, 2, 3})


def test_a_broadcast_is_delivered_once_every_socket_has_received_it() -> None:
    """It is reported only once."""
    tracked = deliveries()
    assert tracked.arrived(1, arrived(), ALL) is None
    assert tracked.arrived(2, arrived(), ALL) is None
    fact = tracked.arrived(3, arrived(), ALL)
    assert fact is not None
    assert (fact.source, fact.payment_intent) == ("observer", "pi_1")
    assert list(tracked.expire(ALL)) == []


def test_a_closed_socket_is_not_awaited() -> None:
    """A broadcast awaits the sockets that were subscribed and still are."""
    tracked = deliveries()
    tracked.arrived(1, arrived(), ALL)
    tracked.arrived(2, arrived(), ALL)
    assert [fact.payment_intent for fact in tracked.expire(frozenset({1, 2}))] == ["pi_1"]


def test_two_equal_broadcasts_are_counted_as_two() -> None:
    """A second broadcast to a user without a payment's name counts as much as the first."""
    tracked, alike = deliveries(), Arrived(event="e", channel=OURS, data='{"user_id":7,"contexts":["bookings"]}')
    facts = [tracked.arrived(number, alike, ALL) for number in (1, 1, 2, 3, 2, 3)]
    reported = [fact for fact in facts if fact is not None]
    assert len(reported) == 2
    assert len({fact.ack_id for fact in reported}) == 2


def test_an_equal_broadcast_after_a_socket_was_replaced_is_a_second_one() -> None:
    """The new socket did not receive the first broadcast: what it receives is the second."""
    tracked, alike = deliveries(), Arrived(event="e", channel=OURS, data='{"user_id":7,"contexts":["bookings"]}')
    first = [tracked.arrived(number, alike, ALL) for number in ALL]
    for entries in tracked._open.values():
        entries[0].since_s -= LATE_S
    now = frozenset({1, 2, 4})
    second = [tracked.arrived(number, alike, now) for number in (4, 1, 2)]
    assert [sum(fact is not None for fact in facts) for facts in (first, second)] == [1, 1]


def test_a_late_arrival_on_a_new_socket_is_the_same_broadcast() -> None:
    """The socket subscribed during the broadcast, after the others had received it."""
    tracked = deliveries()
    facts = [tracked.arrived(number, arrived(), ALL) for number in ALL]
    assert tracked.arrived(4, arrived(), frozenset({1, 2, 4})) is None
    assert (sum(fact is not None for fact in facts), tracked._open_count) == (1, 1)


def test_a_broadcast_that_some_sockets_never_receive_shows_a_deaf_node() -> None:
    """It is counted and removed after ten seconds."""
    tracked = deliveries()
    tracked.arrived(1, arrived(), ALL)
    for entries in tracked._open.values():
        for entry in entries:
            entry.since_s -= GIVEN_UP_AFTER_S
    assert list(tracked.expire(ALL)) == []
    assert (tracked.take_deaf_count(), tracked.take_deaf_count(), tracked._open, tracked._open_count) == (1, 0, {}, 0)


@pytest.mark.parametrize(
    "data",
    [
        "not json",
        "[]",
        '{"payment_intent":7}',
        '{"payment_intent":"' + "x" * 300 + '"}',
        '{"contexts":["bookings"]}',
        '{"payment_intent":"a b"}',
    ],
)
def test_a_broadcast_without_payment_and_user_is_not_an_ack(data: str) -> None:
    """The same holds for payloads that no backend sends."""
    tracked = deliveries()
    assert [tracked.arrived(number, Arrived(event="e", channel=OURS, data=data), ALL) for number in ALL] == [None] * 3
    assert tracked._open == {}


def test_the_number_of_open_broadcasts_is_bounded() -> None:
    """A flood on the channel must not exhaust the memory."""
    tracked = deliveries()
    for number in range(OPEN_MAX + 10):
        tracked.arrived(1, arrived(f"pi_{number}"), ALL)
    assert (tracked._open_count, len(tracked._open)) == (OPEN_MAX, OPEN_MAX)
