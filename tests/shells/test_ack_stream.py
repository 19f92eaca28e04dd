"""Acks from a real Redis: nothing twice, nothing lost in silence, whatever happens to either side."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from sidecar.core.facts.observations import AckReceived, AcksLost
from sidecar.core.facts.policy import Stage
from sidecar.journal.memory import MemoryJournal
from sidecar.probes.ack_entries import StreamResult
from sidecar.probes.ack_stream import SUSPECT_FROM, TRIED_ALONE
from tests.e2e.processes import until
from tests.shells.ack_reading import GROUP, NAME, add, reading
from tests.shells.redis_server import RedisServer


@pytest.fixture(name="server")
def a_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis of one's own."""
    with RedisServer(tmp_path) as running:
        yield running


async def test_an_entry_is_an_ack_and_is_acknowledged_once_it_is_durable(server: RedisServer) -> None:
    """All the fields of an ack, each as flat text; contexts as a JSON list or with commas."""
    add(server, "pi_1", contexts='["bookings","calendar"]', release="v7")
    add(server, "pi_2", contexts="bookings, calendar")
    server.client().xadd(NAME, {"stage": "skipped", "reason": "no_booking", "payment_intent": "pi_3"})
    async with reading(server) as it:
        await it.all_seen()
        first, second, third = await it.facts(AckReceived)
    assert first == AckReceived(
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
    await journal.append(AckReceived(source="backend", stage=Stage.DELIVERED, payment_intent="pi_1"))
    async with reading(server, journal) as it:
        await it.all_seen()
        assert await it.payments() == ["pi_1", "pi_2", "pi_3"]
        assert (it.counts[StreamResult.DUPLICATE], it.counts[StreamResult.ACCEPTED]) == (1, 2)
    assert client.xpending(NAME, GROUP)["pending"] == 0


async def test_what_a_consumer_that_is_gone_was_given_is_taken_over(server: RedisServer) -> None:
    """After it was idle for long enough; and its name is forgotten when it has nothing left, not before."""
    client = server.client()
    add(server, "pi_1", "pi_2", "pi_3")
    client.xgroup_create(NAME, GROUP, "0")
    client.xreadgroup(GROUP, "old-host", {NAME: ">"}, count=2)
    async with reading(server, reclaim_after_ms=1) as it:

        async def is_taken() -> bool:
            return set(await it.payments()) == {"pi_1", "pi_2", "pi_3"}

        async def is_forgotten() -> bool:
            return [each["name"] for each in client.xinfo_consumers(NAME, GROUP)] == [b"one"]

        await until(is_taken, "the entries of the other")
        await until(is_forgotten, "the other is forgotten")
        assert it.counts[StreamResult.RECLAIMED] == 2


async def test_while_another_consumer_holds_entries_not_all_is_seen(server: RedisServer) -> None:
    """A host that came back under another name must not take what its old self was given for misses."""
    client = server.client()
    add(server, "pi_1", "pi_2")
    client.xgroup_create(NAME, GROUP, "0")
    client.xreadgroup(GROUP, "old-host", {NAME: ">"}, count=1)
    async with reading(server, reclaim_after_ms=1500) as it:
        assert await it.is_silent()
        assert await it.payments() == ["pi_2"]
        await it.all_seen(20)
        assert await it.payments() == ["pi_2", "pi_1"]


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
        assert len(await it.facts(AckReceived)) == 1
        assert it.counts[StreamResult.DUPLICATE] == 1


async def test_a_senders_own_ack_id_makes_two_entries_one_fact(server: RedisServer) -> None:
    """A backend that adds an ack again, because it did not receive that it was taken, says the same `ack_id`."""
    for ack_id in ("mail-1", "mail-1", "mail-2", "line\nbreak"):
        server.client().xadd(NAME, {"stage": "delivered", "user_ref": "u1", "ack_id": ack_id})
    async with reading(server) as it:
        await it.all_seen()
        assert [fact.ack_id for fact in await it.facts(AckReceived)] == ["mail-1", "mail-2"]
        assert (it.counts[StreamResult.DUPLICATE], it.counts[StreamResult.REJECTED]) == (1, 1)


@pytest.mark.parametrize(
    ("deliveries", "payments", "lost"),
    [
        (SUSPECT_FROM - 2, ["pi_1", "pi_2", "pi_3"], []),
        (SUSPECT_FROM - 1, ["pi_1", "pi_3", "pi_2"], []),
        (TRIED_ALONE - 2, ["pi_1", "pi_3", "pi_2"], []),
        (TRIED_ALONE - 1, ["pi_1", "pi_3"], [1]),
    ],
)
async def test_an_entry_that_ended_us_when_it_was_read_alone_is_set_aside(
    server: RedisServer, deliveries: int, payments: list[str], lost: list[int]
) -> None:
    """Given often it is taken after the others, alone and marked; found with the mark it ended us, and is evidence lost."""
    client = server.client()
    add(server, "pi_1", "pi_2", "pi_3")
    client.xgroup_create(NAME, GROUP, "0")
    given: Any = client.xreadgroup(GROUP, "one", {NAME: ">"})
    suspect = given[0][1][1][0]
    client.xclaim(NAME, GROUP, "one", 0, [suspect], retrycount=deliveries, justid=True)
    async with reading(server) as it:
        await it.all_seen()
        assert await it.payments() == payments
        assert [fact.count for fact in await it.facts(AcksLost)] == lost
    assert client.xpending(NAME, GROUP)["pending"] == 0
    assert client.xlen(f"{NAME}-rejected") == len(lost)


async def test_what_cannot_be_set_aside_does_not_hold_up_the_others(server: RedisServer) -> None:
    """The place for it is a key of another type."""
    server.client().set(f"{NAME}-rejected", "no stream")
    server.client().xadd(NAME, {"stage": "flown"})
    add(server, "pi_1")
    async with reading(server) as it:
        await it.all_seen()
        assert (await it.payments(), it.stream.reconnects.total()) == (["pi_1"], 0)


async def test_entries_that_were_removed_before_they_were_read_are_reported_once_and_counted(
    server: RedisServer,
) -> None:
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
async def test_a_group_or_stream_that_was_deleted_is_made_again_and_reported(
    server: RedisServer, delete: Callable[[redis.Redis], object]
) -> None:
    """Nobody knows what was in a stream that is gone: that is evidence lost, once. Without its group all comes again."""
    async with reading(server) as it:
        add(server, "pi_1")
        await it.all_seen()
        delete(server.client())
        add(server, "pi_2")
        await it.all_seen()
        assert await it.payments() == ["pi_1", "pi_2"]
        is_stream_gone = delete is not DELETIONS["the group"]
        assert [fact.count for fact in await it.facts(AcksLost)] == [None] * is_stream_gone


async def test_a_group_that_was_deleted_while_its_stream_was_trimmed_is_reported(server: RedisServer) -> None:
    """The last entry that we were given does not stand any more: what came after it may be gone too."""
    async with reading(server) as it:
        add(server, "pi_1")
        await it.all_seen()
        both = server.client().pipeline(transaction=True)
        both.xadd(NAME, {"stage": "delivered", "payment_intent": "pi_2"})
        both.xtrim(NAME, maxlen=0, approximate=False)
        both.xgroup_destroy(NAME, GROUP)
        both.execute()
        await it.all_seen()
        assert [fact.count for fact in await it.facts(AcksLost)] == [None]


async def test_a_backlog_is_read_in_batches_and_in_order(server: RedisServer) -> None:
    """However long we were away."""
    pipeline = server.client().pipeline(transaction=False)
    for number in range(10_000):
        pipeline.xadd(NAME, {"stage": "delivered", "payment_intent": f"pi_{number}"})
    pipeline.execute()
    async with reading(server) as it:
        await it.all_seen(30)
        assert await it.payments() == [f"pi_{number}" for number in range(10_000)]
