"""Harm to the Redis of the ack stream, to the way there, and to the journal: waits, and loses and doubles nothing."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
import redis

from sidecar.config import RedisStream
from sidecar.core.facts.observations import AcksLost, Observation
from sidecar.journal.memory import MemoryJournal
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.ports import Appended, ErrorCode, SidecarError
from tests.e2e.processes import until
from tests.shells.ack_reading import GROUP, NAME, add, reading
from tests.shells.redis_server import RedisServer


@pytest.fixture(name="server")
def a_server(tmp_path: Path) -> Iterator[RedisServer]:
    """Run a Redis of one's own."""
    with RedisServer(tmp_path) as running:
        yield running


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


@asynccontextmanager
async def a_way_that_is_cut_when_it_brings(word: bytes, port: int) -> AsyncIterator[int]:
    """Stand between us and Redis; once, end the connection rather than bring an answer that holds the word."""
    is_cut = False

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal is_cut
        while (data := await reader.read(65_536)) and (is_cut or word not in data):
            writer.write(data)
        is_cut = is_cut or word in data
        writer.close()

    async def meet(ours: asyncio.StreamReader, to_us: asyncio.StreamWriter) -> None:
        theirs, to_them = await asyncio.open_connection("127.0.0.1", port)
        with suppress(ConnectionError):
            await asyncio.gather(carry(ours, to_them), carry(theirs, to_us))

    async with await asyncio.start_server(meet, "127.0.0.1", 0) as way:
        yield way.sockets[0].getsockname()[1]
    assert is_cut


async def test_entries_whose_answer_was_cut_off_on_its_way_are_not_taken_for_lost(server: RedisServer) -> None:
    """Redis has given them to us, and we have never seen them: they are among our own."""
    async with a_way_that_is_cut_when_it_brings(b"pi_2", server.port) as port:
        place = RedisStream(url=f"redis://127.0.0.1:{port}/0")
        async with reading(server, place=place) as it:
            add(server, "pi_1")
            await it.all_seen()
            add(server, "pi_2", "pi_3")
            await it.all_seen(20)
            assert Counter(await it.payments()) == Counter(["pi_1", "pi_2", "pi_3"])
            assert it.stream.reconnects.total() == 1
            assert await it.facts(AcksLost) == []


class Unwilling(MemoryJournal):
    """A journal whose disk is full until it is set otherwise."""

    is_willing = False

    async def append(self, observation: Observation) -> Appended:
        """Keep the observation, if there is space."""
        if not self.is_willing:
            raise SidecarError(ErrorCode.JOURNAL_UNAVAILABLE, "its disk is full")
        return await super().append(observation)


async def test_what_the_journal_does_not_take_is_not_acknowledged_and_comes_again(server: RedisServer) -> None:
    """The stream is the queue; a loss, which Redis tells but once, is reported when the journal can take it."""
    client = server.client()
    add(server, "pi_1", "pi_2", "pi_3")
    client.xgroup_create(NAME, GROUP, "0")
    client.xreadgroup(GROUP, "old-host", {NAME: ">"}, count=1)
    client.xtrim(NAME, maxlen=2, approximate=False)
    journal = Unwilling()
    async with reading(server, journal, reclaim_after_ms=1) as it:
        assert await it.is_silent()
        assert client.xpending(NAME, GROUP)["pending"] in (0, 2), "those that are left, once they were read"
        journal.is_willing = True
        await it.all_seen(20)
        assert await it.payments() == ["pi_2", "pi_3"]
        assert [fact.count for fact in await it.facts(AcksLost)] == [1]
    assert client.xpending(NAME, GROUP)["pending"] == 0


async def test_a_disk_that_is_full_leaves_entries_in_the_stream(server: RedisServer, tmp_path: Path) -> None:
    """With the real journal: what it did not take another file takes, and between them nothing is missing."""
    names = [f"pi_{number}" for number in range(1_000)]
    add(server, *names, release="r" * 255)
    full = await SqliteJournal.open(tmp_path / "full.db", page_count_max=40)
    async with reading(server, full) as it:
        assert await it.is_silent()
        assert it.stream.reconnects.total() > 0
        kept = await it.payments()
    await full.close()
    assert len(kept) < len(names)
    roomy = await SqliteJournal.open(tmp_path / "roomy.db")
    async with reading(server, roomy) as it:
        await it.all_seen(20)
        assert {*kept, *await it.payments()} == {*names}
    await roomy.close()
    assert server.client().xpending(NAME, GROUP)["pending"] == 0


async def test_a_redis_that_lost_its_memory_is_read_again_and_the_loss_is_reported(tmp_path: Path) -> None:
    """It kept nothing on disk: nobody knows what was in it when it died."""
    with RedisServer(tmp_path, "--appendonly", "no") as server:
        async with reading(server) as it:
            add(server, "pi_1")
            await it.all_seen()
            server.kill()
            server.start()
            add(server, "pi_2")
            await it.all_seen(20)
            assert await it.payments() == ["pi_1", "pi_2"]
            assert [fact.count for fact in await it.facts(AcksLost)] == [None]


async def test_trimmed_while_it_forgot_our_count_is_still_noticed(server: RedisServer) -> None:
    """Redis 7.0 forgets `entries-read` when it reads its append-only file; we have not."""
    async with reading(server) as it:
        add(server, "pi_1", "pi_2")
        await it.all_seen()
        server.kill()
        server.start()
        whole = server.client().pipeline(transaction=True)
        for number in range(5):
            whole.xadd(NAME, {"stage": "paid", "payment_intent": f"pi_gone_{number}"})
        whole.xtrim(NAME, maxlen=1, approximate=False)
        whole.execute()
        await it.all_seen(20)
        assert [fact.count for fact in await it.facts(AcksLost)] == [4]


async def test_a_pause_of_all_clients_is_sat_out(server: RedisServer) -> None:
    """`CLIENT PAUSE`, as at a failover: connections stand, and answers come late."""
    async with reading(server) as it:
        await it.all_seen()
        add(server, "pi_1")
        server.client().client_pause(1_000, all=True)
        assert await it.is_silent()
        await it.all_seen(20)
        assert await it.payments() == ["pi_1"]
        assert it.stream.reconnects.total() == 0, "it was shorter than our patience"


def said_to(client: redis.Redis, *words: str) -> object:
    """Say something to Redis that its client has no typed method for."""
    return client.execute_command(*words)  # type: ignore[no-untyped-call]


TROUBLES: dict[str, tuple[Callable[[redis.Redis], object], Callable[[redis.Redis], object], str]] = {
    "read only": (
        lambda client: said_to(client, "REPLICAOF", "127.0.0.1", "1"),
        lambda client: said_to(client, "REPLICAOF", "NO", "ONE"),
        "name the primary",
    ),
    "primary lost": (
        lambda client: (
            client.config_set("replica-serve-stale-data", "no"),
            said_to(client, "REPLICAOF", "127.0.0.1", "1"),
        ),
        lambda client: said_to(client, "REPLICAOF", "NO", "ONE"),
        "name the primary",
    ),
    "forbidden": (
        lambda client: said_to(client, "ACL", "SETUSER", "default", "-xreadgroup"),
        lambda client: said_to(client, "ACL", "SETUSER", "default", "+@all"),
        "access rules deny this key",
    ),
    "another type": (
        lambda client: client.set(NAME, "no stream"),
        lambda client: client.delete(NAME),
        "the key is not a stream",
    ),
}


@pytest.mark.parametrize(("harm", "recover", "said"), TROUBLES.values(), ids=TROUBLES)
async def test_a_redis_that_refuses_is_reported_with_a_message_and_read_when_it_does_not(
    server: RedisServer,
    harm: Callable[[redis.Redis], object],
    recover: Callable[[redis.Redis], object],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One line says what to do; nothing has to be restarted."""
    client = server.client()
    async with reading(server) as it:
        await it.all_seen()
        harm(client)
        assert await it.is_silent()
        recover(client)
        add(server, "pi_1")
        await it.all_seen(20)
        assert await it.payments() == ["pi_1"]
    lines = [line for line in capsys.readouterr().out.splitlines() if said in line]
    assert 1 <= len(lines) <= 2


async def test_a_redis_that_is_still_loading_is_waited_for(
    server: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    """It answers everything with LOADING until it has read its file."""
    client = server.client()
    client.config_set("appendfsync", "no")
    bulk = client.pipeline(transaction=False)
    for number in range(8_000):
        bulk.set(f"key {number}", "x")
    bulk.execute()
    add(server, "pi_1")
    server.kill()
    async with reading(server) as it:
        server.start("--key-load-delay", "300")  # microseconds per command; it answers after every 1024
        await it.all_seen(30)
        assert await it.payments() == ["pi_1"]
    assert "still loading" in capsys.readouterr().out


async def test_a_wrong_password_and_a_key_that_is_no_stream_are_reported_with_a_message_and_recovered(
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
    assert "the key is not a stream" in said
    assert "hunter2" not in said
    assert "wrong-wrong" not in said
