"""Acks from a real Redis: nothing twice, nothing lost in silence, whatever happens to either side."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from sidecar import clock
from sidecar.config import RedisStream
from sidecar.core.observations import AckSeen, AcksLost
from sidecar.core.policy import Stage
from sidecar.journal.memory import MemoryJournal
from sidecar.ports import ErrorCode, SidecarError
from sidecar.probes import ack_stream
from sidecar.probes.ack_stream import AckStream, StreamResult
from tests.e2e.processes import until
from tests.shells.redis_server import RedisServer

NAME, GROUP = "broadcast-acks", "reverb-sidecar"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis of one's own."""
    with RedisServer(tmp_path) as running:
        yield running


class Reading:
    """A stream that is being read into a journal."""

    def __init__(self, server: RedisServer, journal: MemoryJournal, **options: Any) -> None:
        self.journal = journal
        self.counts: Counter[str] = Counter()
        place = RedisStream(url=server.url)
        self.stream = AckStream(journal, place, self._count, **{"consumer": "one", **options})

    def _count(self, result: str) -> None:
        self.counts[result] += 1

    async def facts(self, kind: type) -> list[Any]:
        """Return what is in the journal of a kind."""
        return [
            each.observation for each in await self.journal.read(0, 1_000_000) if isinstance(each.observation, kind)
        ]

    async def payments(self) -> list[str]:
        """Return the payments that acks were seen of, in order."""
        return [fact.payment_intent for fact in await self.facts(AckSeen)]

    async def all_seen(self, within_s: float = 10) -> None:
        """Wait until all that is there by now is in the journal."""
        async with asyncio.timeout(within_s):
            await self.stream.seen_since(clock.monotonic_s())

    async def is_silent(self) -> bool:
        """Say whether the stream does not answer a liveness check."""
        try:
            await self.all_seen(0.5)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def reading(server: RedisServer, journal: MemoryJournal | None = None, **options: Any) -> AsyncIterator[Reading]:
    """Read until the end of the block."""
    it = Reading(server, journal or MemoryJournal(), **options)
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


async def test_an_entry_is_an_ack_and_is_acknowledged_once_it_is_durable(server: RedisServer) -> None:
    """All the fields of an ack, each as flat text; contexts as a JSON list or with commas."""
    add(server, "pi_1", contexts='["bookings","calendar"]', release="v7")
    add(server, "pi_2", contexts="bookings, calendar")
    server.client().xadd(NAME, {"stage": "skipped", "reason": "no_booking", "payment_intent": "pi_3"})
    async with reading(server) as it:
        await it.all_seen()
        first, second, third = await it.facts(AckSeen)
    assert first == AckSeen(
        source="backend", stage=Stage.DELIVERED, payment_intent="pi_1", contexts=("bookings", "calendar"), release="v7"
    )
    assert second.contexts == ("bookings", "calendar")
    assert (third.stage, third.reason) == (Stage.SKIPPED, "no_booking")
    assert server.client().xpending(NAME, GROUP)["pending"] == 0


async def test_what_was_given_to_us_before_a_crash_comes_first_and_only_once(server: RedisServer) -> None:
    """Entries that were read and not acknowledged are ours still; what is in the journal already is known there."""
    client = server.client()
    add(server, "pi_1", "pi_2", "pi_3")
    client.xgroup_create(NAME, GROUP, "0")
    client.xreadgroup(GROUP, "one", {NAME: ">"}, count=2)
    journal = MemoryJournal()
    await journal.append(AckSeen(source="backend", stage=Stage.DELIVERED, payment_intent="pi_1"))
    async with reading(server, journal) as it:
        await it.all_seen()
        assert await it.payments() == ["pi_1", "pi_2", "pi_3"]
        assert (it.counts[StreamResult.DUPLICATE], it.counts[StreamResult.ACCEPTED]) == (1, 2)
    assert client.xpending(NAME, GROUP)["pending"] == 0


async def test_what_a_consumer_that_is_gone_was_given_is_taken_over(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After it was idle for long enough; and its name is forgotten when it has nothing left, not before."""
    monkeypatch.setattr(ack_stream, "RECLAIM_AFTER_MS", 50)
    monkeypatch.setattr(ack_stream, "_FORGET_AFTER_MS", 50)
    client = server.client()
    add(server, "pi_1", "pi_2", "pi_3")
    client.xgroup_create(NAME, GROUP, "0")
    client.xreadgroup(GROUP, "old-host", {NAME: ">"}, count=2)
    async with reading(server) as it:

        async def is_taken() -> bool:
            return set(await it.payments()) == {"pi_1", "pi_2", "pi_3"}

        async def is_forgotten() -> bool:
            return [each["name"] for each in client.xinfo_consumers(NAME, GROUP)] == [b"one"]

        await until(is_taken, "the entries of the other")
        await until(is_forgotten, "the other is forgotten")


POISON: dict[str, dict[Any, Any]] = {
    "no stage": {"payment_intent": "pi_x"},
    "an unknown stage": {"stage": "flown", "payment_intent": "pi_x"},
    "an unknown field": {"stage": "paid", "payment_intent": "pi_x", "password": "hunter2"},
    "nobody named": {"stage": "paid"},
    "no text": {b"stage": b"\xff\xfe", b"payment_intent": b"pi_x"},
    "too large": {"stage": "paid", "payment_intent": "x" * 20_000},
    "contexts that are no list": {"stage": "paid", "payment_intent": "pi_x", "contexts": "[" * 5000},
    "a user nobody can hash": {"stage": "paid", "user_id": "7"},
    "a reason without a skip": {"stage": "paid", "payment_intent": "pi_x", "reason": "failed"},
    "a name that forges a line": {"stage": "paid", "payment_intent": "pi_x\n{}"},
}


async def test_what_is_no_ack_is_set_aside_with_the_reason_and_the_others_go_on(server: RedisServer) -> None:
    """Poison must neither stop the stream nor come again for ever, and somebody must be able to look at it."""
    client = server.client()
    for number, fields in enumerate(POISON.values()):
        client.xadd(NAME, fields)
        add(server, f"pi_{number}")
    async with reading(server) as it:
        await it.all_seen()
        assert await it.payments() == [f"pi_{number}" for number in range(len(POISON))]
        assert it.counts[StreamResult.REJECTED] == len(POISON)
    assert client.xpending(NAME, GROUP)["pending"] == 0
    entries: Any = client.xrange(f"{NAME}-rejected")
    aside = [fields for _, fields in entries]
    assert len(aside) == len(POISON)
    assert all(fields[b"why"] and fields[b"entry"] for fields in aside)
    assert all(len(value) <= 1000 for fields in aside for value in fields.values())


async def test_an_ack_by_user_is_the_same_fact_when_its_entry_is_read_again(server: RedisServer) -> None:
    """It names no payment, so the entry's own id says that it is the same."""
    server.client().xadd(NAME, {"stage": "delivered", "user_ref": "u1", "contexts": "bookings"})
    journal = MemoryJournal()
    async with reading(server, journal) as it:
        await it.all_seen()
    server.client().xgroup_setid(NAME, GROUP, "0")
    async with reading(server, journal) as it:
        await it.all_seen()
        assert len(await it.facts(AckSeen)) == 1
        assert it.counts[StreamResult.DUPLICATE] == 1


async def test_entries_that_were_removed_before_they_were_read_are_told_once_and_counted(server: RedisServer) -> None:
    """Trimmed while waiting, and trimmed after they had been given to us: both are lost evidence."""
    client = server.client()
    client.xgroup_create(NAME, GROUP, "0", mkstream=True)
    add(server, *(f"pi_{number}" for number in range(10)))
    client.xreadgroup(GROUP, "one", {NAME: ">"}, count=3)
    client.xtrim(NAME, maxlen=4, approximate=False)  # three given and three waiting are gone
    journal = MemoryJournal()
    async with reading(server, journal) as it:
        await it.all_seen()
        assert await it.payments() == ["pi_6", "pi_7", "pi_8", "pi_9"]
        assert [fact.count for fact in await it.facts(AcksLost)] == [3, 3]
        assert it.counts[StreamResult.LOST] == 6
        client.xtrim(NAME, maxlen=0, approximate=False)
        await it.all_seen()
        add(server, "pi_10")
        await it.all_seen()
    async with reading(server, journal) as it:
        await it.all_seen()
        assert [fact.count for fact in await it.facts(AcksLost)] == [3, 3], "what was read may be removed"


async def test_a_stream_that_was_trimmed_before_we_came_has_lost_us_nothing(server: RedisServer) -> None:
    """The group begins with what is there."""
    add(server, *(f"pi_{number}" for number in range(10)))
    server.client().xtrim(NAME, maxlen=2, approximate=False)
    async with reading(server) as it:
        await it.all_seen()
        assert await it.payments() == ["pi_8", "pi_9"]
        assert await it.facts(AcksLost) == []


DELETIONS: dict[str, Callable[[redis.Redis], object]] = {
    "the group": lambda client: client.xgroup_destroy(NAME, GROUP),
    "the stream": lambda client: client.delete(NAME),
    "everything": lambda client: client.flushall(),
}


@pytest.mark.parametrize("delete", DELETIONS.values(), ids=DELETIONS)
async def test_a_group_or_stream_that_was_deleted_is_made_again_and_told(
    server: RedisServer, delete: Callable[[redis.Redis], object]
) -> None:
    """Nobody knows what was in it: that is evidence lost, once. What comes afterwards is read."""
    async with reading(server) as it:
        add(server, "pi_1")
        await it.all_seen()
        delete(server.client())
        add(server, "pi_2")
        await it.all_seen()
        assert await it.payments() == ["pi_1", "pi_2"]
        assert [fact.count for fact in await it.facts(AcksLost)] == [None]


async def test_a_redis_that_dies_and_comes_back_loses_and_doubles_nothing(server: RedisServer) -> None:
    """While it is away the liveness check is not answered, so that nobody takes its silence for misses."""
    async with reading(server) as it:
        add(server, "pi_1")
        await it.all_seen()
        server.kill()
        assert await it.is_silent()
        server.start()
        add(server, "pi_2")
        await it.all_seen(20)
        assert await it.payments() == ["pi_1", "pi_2"]
        assert await it.facts(AcksLost) == []


async def test_a_redis_that_is_frozen_is_noticed_and_read_again_when_it_goes_on(server: RedisServer) -> None:
    """A connection that stands and says nothing: every call has an end."""
    async with reading(server) as it:
        await it.all_seen()
        server.freeze()
        assert await it.is_silent()

        async def is_down() -> bool:
            return not it.stream.is_up

        await until(is_down, "the time is over")
        server.thaw()
        add(server, "pi_1")
        await it.all_seen(20)
        assert await it.payments() == ["pi_1"]


async def test_connections_that_are_cut_again_and_again_lose_and_double_nothing(server: RedisServer) -> None:
    """At any moment between being given an entry and acknowledging it."""
    client = server.client()
    async with reading(server) as it:
        for number in range(40):
            add(server, f"pi_{number}")
            await asyncio.sleep(0.01 * (number % 3))
            client.client_kill_filter(_type="normal", skipme=True)
        await it.all_seen(20)
        assert Counter(await it.payments()) == Counter(f"pi_{number}" for number in range(40))
        assert await it.facts(AcksLost) == []
    assert client.xpending(NAME, GROUP)["pending"] == 0


async def test_what_the_journal_does_not_take_is_not_acknowledged_and_comes_again(server: RedisServer) -> None:
    """The stream is the queue: it keeps what we could not."""

    class Unwilling(MemoryJournal):
        is_willing = False

        async def append(self, observation: Any) -> Any:
            if not self.is_willing:
                raise SidecarError(ErrorCode.JOURNAL_UNAVAILABLE, "its disk is full")
            return await super().append(observation)

    journal = Unwilling()
    add(server, "pi_1", "pi_2")
    async with reading(server, journal) as it:
        assert await it.is_silent()
        assert server.client().xpending(NAME, GROUP)["pending"] == 2
        journal.is_willing = True
        await it.all_seen(20)
        assert await it.payments() == ["pi_1", "pi_2"]
    assert server.client().xpending(NAME, GROUP)["pending"] == 0


async def test_a_backlog_is_read_in_batches_and_in_order(server: RedisServer) -> None:
    """However long we were away."""
    pipeline = server.client().pipeline(transaction=False)
    for number in range(5_000):
        pipeline.xadd(NAME, {"stage": "delivered", "payment_intent": f"pi_{number}"})
    pipeline.execute()
    async with reading(server) as it:
        await it.all_seen(30)
        assert await it.payments() == [f"pi_{number}" for number in range(5_000)]


async def test_a_wrong_password_and_a_key_that_is_no_stream_are_told_in_words_and_mended(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What to do is said, the password is not; and nothing has to be restarted."""
    with RedisServer(tmp_path, "--requirepass", "hunter2hunter2") as server:
        async with reading(server, password="wrong-wrong-wrong") as it:
            assert await it.is_silent()
        server.client().set(NAME, "no stream")
        async with reading(server, password="hunter2hunter2") as it:
            assert await it.is_silent()
            server.client().delete(NAME)
            add(server, "pi_1")
            await it.all_seen(20)
            assert await it.payments() == ["pi_1"]
    said = capsys.readouterr().out
    assert "set SIDECAR_REDIS_PASSWORD" in said
    assert "this key is no stream" in said
    assert "hunter2" not in said
    assert "wrong-wrong" not in said
