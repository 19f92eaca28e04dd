"""The contract of every journal: append, read and follow."""

import asyncio
import contextlib
import random
from collections.abc import Sequence

import msgspec
import pytest

from sidecar.core.facts.chain import is_chained, link
from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import Observation, Record
from sidecar.core.facts.operator_actions import Held, Resumed
from sidecar.ports import Appended, ErrorCode, Journal, Link, SidecarError

from .files import LIMIT_S
from .samples import heartbeat, observation_types, payment, sample


async def everything(journal: Journal) -> Sequence[Record]:
    """Return all records of the journal, which the tests keep short."""
    return await journal.read(0, 100_000)


async def append_at_once(journal: Journal, observations: Sequence[Observation]) -> list[Appended]:
    """Append all of them concurrently; return what became of each."""
    return await asyncio.gather(*(journal.append(observation) for observation in observations))


async def test_an_appended_observation_can_be_read_when_append_returns(journal: Journal) -> None:
    """Append returns the record that a read then returns; the first has number 1."""
    appended = await journal.append(payment(1))
    assert (appended.record.seq, appended.duplicate) == (1, False)
    assert await everything(journal) == [appended.record]


async def test_the_same_fact_is_stored_once(journal: Journal) -> None:
    """A second append of a fact returns the first record, unchanged, and uses no number."""
    first = await journal.append(payment(1, event_id="evt_1"))
    second = await journal.append(payment(1, event_id="evt_2"))
    third = await journal.append(payment(2))
    assert second == Appended(record=first.record, duplicate=True)
    assert (third.record.seq, third.duplicate) == (2, False)
    assert await everything(journal) == [first.record, third.record]


async def test_the_same_fact_appended_concurrently_is_stored_once(journal: Journal) -> None:
    """Of concurrent appends the first call is the fact, and the others are duplicates."""
    outcomes = await append_at_once(journal, [payment(number, f"evt_{n}") for n in range(10) for number in range(5)])
    assert [outcome.duplicate for outcome in outcomes] == [False] * 5 + [True] * 45
    assert [outcome.record.seq for outcome in outcomes] == [1, 2, 3, 4, 5] * 10
    assert [record.observation for record in await everything(journal)] == [payment(n, "evt_0") for n in range(5)]


async def test_an_observation_without_identity_is_always_new(journal: Journal) -> None:
    """Two equal heartbeats are two facts."""
    outcomes = [await journal.append(heartbeat(1)), *await append_at_once(journal, [heartbeat(1), heartbeat(1)])]
    assert [(outcome.record.seq, outcome.duplicate) for outcome in outcomes] == [(1, False), (2, False), (3, False)]


async def test_calls_stamps_and_numbers_are_in_one_order(journal: Journal) -> None:
    """An earlier append has the lower number and no later stamp, and no number is missing."""
    outcomes = await append_at_once(journal, [heartbeat(beat) for beat in range(2_500)])
    records = await everything(journal)
    assert records == [outcome.record for outcome in outcomes]
    assert [record.seq for record in records] == list(range(1, 2_501))
    assert [record.observation for record in records] == [heartbeat(beat) for beat in range(2_500)]
    stamps = [record.at_ms for record in records]
    assert stamps == sorted(stamps)


async def test_stamps_do_not_go_back_when_the_wall_clock_does(set_back: Journal) -> None:
    """The time continues from the last stamp, whatever the wall clock shows."""
    now_ms = set_back.now_ms()
    await set_back.append(heartbeat(1))
    first, second = await everything(set_back)
    assert first.at_ms <= now_ms <= second.at_ms <= set_back.now_ms()


async def test_now_is_never_before_a_stamp(journal: Journal) -> None:
    """`now_ms` after an append is at or after its stamp, and before an append at or before it."""
    for beat in range(50):
        before_ms = journal.now_ms()
        appended = await journal.append(heartbeat(beat))
        assert before_ms <= appended.record.at_ms <= journal.now_ms()


@pytest.mark.parametrize(
    ("after", "limit", "seqs"),
    [
        (0, 2, [1, 2]),
        (2, 2, [3, 4]),
        (4, 2, [5]),
        (5, 2, []),
        (9, 2, []),
        (0, 5, [1, 2, 3, 4, 5]),
        (0, 6, [1, 2, 3, 4, 5]),
    ],
)
async def test_a_read_returns_the_records_after_a_number(
    journal: Journal, after: int, limit: int, seqs: list[int]
) -> None:
    """A read starts after the given number, and ends at the limit or the end of the journal."""
    await append_at_once(journal, [heartbeat(beat) for beat in range(5)])
    assert [record.seq for record in await journal.read(after, limit)] == seqs


@pytest.mark.parametrize("kind", observation_types(), ids=lambda kind: kind.__name__)
async def test_an_observation_is_read_as_it_was_written(journal: Journal, kind: type[Observation]) -> None:
    """Every type of observation comes back equal, and encodes to the same bytes."""
    observation: Observation = sample(kind)
    await journal.append(observation)
    (record,) = await everything(journal)
    assert record.observation == observation
    assert msgspec.json.encode(record.observation) == msgspec.json.encode(observation)


async def follow(journal: Journal, count: int) -> list[Record]:
    """Read and wait, as the fold does, until `count` records were seen."""
    seen: list[Record] = []
    while len(seen) < count:
        last = seen[-1].seq if seen else 0
        seen += await journal.read(last, 100)
        if len(seen) < count:
            await journal.wait(seen[-1].seq if seen else 0)
    return seen


async def test_followers_read_every_record_once_and_in_order(journal: Journal) -> None:
    """Three followers of sixteen concurrent callers, one of them late, read the same 4 000 records."""

    async def call(caller: int) -> None:
        for beat in range(250):
            await journal.append(heartbeat(beat, replica=str(caller)))

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        followers = [group.create_task(follow(journal, 4_000)) for _ in range(2)]
        callers = [group.create_task(call(caller)) for caller in range(16)]
        await asyncio.wait(callers[:1])
        followers.append(group.create_task(follow(journal, 4_000)))
    for follower in followers:
        assert [record.seq for record in follower.result()] == list(range(1, 4_001))
    assert followers[0].result() == followers[1].result() == followers[2].result() == await everything(journal)


async def test_no_wake_up_is_missed(journal: Journal) -> None:
    """Two tasks that each wait for the other's record and answer it never both block."""

    async def answer(seqs: range) -> None:
        for seq in seqs:
            await journal.wait(seq - 1)
            await journal.append(heartbeat(seq))

    async with asyncio.timeout(LIMIT_S), asyncio.TaskGroup() as group:
        group.create_task(answer(range(1, 200, 2)))
        group.create_task(answer(range(2, 201, 2)))
        await journal.append(heartbeat(0))
    assert len(await everything(journal)) == 201


async def test_waiting_for_an_existing_record_returns(journal: Journal) -> None:
    """A late follower does not wait for the next record, nor does a second one beside it."""
    await journal.append(heartbeat(0))
    async with asyncio.timeout(LIMIT_S):
        await asyncio.gather(journal.wait(0), journal.wait(0))


async def test_a_cancelled_append_is_still_stored(journal: Journal) -> None:
    """An observation whose caller is cancelled is stored once, as are the others in its batch."""
    tasks = [asyncio.create_task(journal.append(payment(number))) for number in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await tasks[1]
    async with asyncio.timeout(LIMIT_S):
        assert [(await tasks[number]).record.seq for number in (0, 2)] == [1, 3]
    assert (await journal.append(payment(1))).duplicate
    assert [record.observation for record in await everything(journal)] == [payment(0), payment(1), payment(2)]


@pytest.mark.parametrize("seed", range(5))
async def test_a_journal_is_a_list_without_repeated_keys(journal: Journal, seed: int) -> None:
    """Random batches, sequential and concurrent, give the same records as the simplest model of a journal."""
    randomness = random.Random(seed)
    model: list[Observation] = []
    keys: dict[str, int] = {}
    for _ in range(40):
        batch = [
            payment(randomness.randrange(60), f"evt_{randomness.random()}")
            if randomness.random() < 0.7
            else heartbeat(0)
            for _ in range(randomness.randrange(1, 12))
        ]
        expected = []
        for observation in batch:
            key = identity(observation)
            duplicate = key in keys
            if not duplicate:
                model.append(observation)
            seq = len(model) if key is None else keys.setdefault(key, len(model))
            expected.append((seq, duplicate, model[seq - 1]))
        outcomes = await append_at_once(journal, batch)
        assert [(a.record.seq, a.duplicate, a.record.observation) for a in outcomes] == expected
    assert [record.observation for record in await everything(journal)] == model


async def test_closing_finishes_all_appends(journal: Journal) -> None:
    """Appends before `close` succeed, and a second `close` does nothing."""
    tasks = [asyncio.create_task(journal.append(heartbeat(beat))) for beat in range(2_000)]
    await asyncio.sleep(0)
    await journal.close()
    await journal.close()
    assert [(await task).record.seq for task in tasks] == list(range(1, 2_001))


async def test_a_closed_journal_refuses_calls_with_a_message(journal: Journal) -> None:
    """After `close` every call is refused, and a waiting follower gets the error."""
    follower = asyncio.create_task(journal.wait(0))
    await asyncio.sleep(0)
    await journal.close()
    for refused in (follower, journal.append(heartbeat(0)), journal.read(0, 1), journal.wait(0)):
        with pytest.raises(SidecarError, match=r"^The journal .+ is closed: the sidecar is stopping;") as caught:
            await refused
        assert caught.value.code is ErrorCode.JOURNAL_UNAVAILABLE


async def test_links_are_listed_newest_first_with_their_heads(journal: Journal) -> None:
    """In pages, without other records; each head follows from the links up to it."""
    await append_at_once(journal, [heartbeat(1), Held(actor="ann", reason="a"), payment(1), heartbeat(2)])
    await append_at_once(journal, [Held(actor="ann", reason="b"), Resumed(actor="bob", reason="c"), payment(2)])
    expected, head = [], ""
    for record in await everything(journal):
        if is_chained(record.observation):
            head = link(head, record)
            expected.append(Link(record=record, head=head))
    assert [each.record.seq for each in expected] == [2, 5, 6]
    assert await journal.links(10**9, 10) == expected[::-1]
    assert await journal.links(6, 1) == [expected[1]]
    assert await journal.links(2, 10) == []


async def test_a_record_is_found_by_its_key(journal: Journal) -> None:
    """A key that was never appended returns None."""
    appended = await journal.append(payment(1))
    assert await journal.find("payment_succeeded:pi_1") == appended.record
    assert await journal.find("payment_succeeded:pi_2") is None
