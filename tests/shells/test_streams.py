"""Streams: the flag at once, on every change, and anew while it is leased; and an end for who does not read."""

import asyncio
import gc
import resource
import socket
import time
from contextlib import AsyncExitStack, suppress
from typing import Any

import aiohttp
import msgspec
import pytest

from sidecar import clock
from sidecar.config import SqlitePlace
from sidecar.http.connections import public_max, streams_max
from sidecar.http.event_streams import HEARTBEAT_S, RETRY_MS, SLOW_S, StreamKind
from tests.e2e.processes import until
from tests.shells.flag_proxy import SIGNALS, STREAM, Event, Proxy, nobody, proxy, reading
from tests.shells.running import CONFIG, running
from tests.shells.test_flag import EASY, climb
from tests.shells.test_ofrep import INSIDE, OUTSIDE
from tests.waiting import HANGS_AFTER_S

KEY = "?targeting_key=u1"
BOTH = pytest.mark.parametrize("path", [STREAM, SIGNALS])


def is_push(event: Event) -> bool:
    """Say whether a value is better than timers."""
    return bool(event.data["mode"] != "timer_polling")


def is_timers(event: Event) -> bool:
    """Say whether a value is timers."""
    return not is_push(event)


async def test_the_first_event_is_the_answer_and_comes_at_once() -> None:
    """The flag's own JSON with when it was issued, in a default event: `EventSource` hands a named one to nobody."""
    async with proxy() as it, reading(it.url + STREAM + KEY) as reader:
        event = await reader.next()
        assert event is not None
        async with aiohttp.ClientSession() as session, session.get(it.url + "/flags/payment-refresh" + KEY) as response:
            answer = await response.json()
        assert abs(event.data.pop("issued_at") - clock.wall_ms()) < 1000
        assert event.data == answer
        assert (event.name, event.id, reader.retry_ms) == ("message", "3-1", RETRY_MS)
        headers = reader.response.headers
        assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert (headers["Cache-Control"], headers["X-Accel-Buffering"]) == ("no-store", "no")
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert headers["Server"] == "reverb-sidecar"
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_a_signal_names_the_tag_of_what_is_evaluated_in_the_streams_own_context() -> None:
    """Right after every connect, because the web provider does not fetch when it has connected again."""
    async with proxy(0) as it, aiohttp.ClientSession() as session:
        for context in ({"targetingKey": "u1"}, {"targetingKey": "ü &", "checksLease": True}, {}):
            async with session.post(f"{it.url}/ofrep/v1/evaluate/flags", json={"context": context}) as response:
                etag, bulk = response.headers["ETag"], await response.json()
            uri = bulk["eventStreams"][0]["endpoint"]["requestUri"]
            async with reading(it.url + uri) as reader:
                event = await reader.next()
                assert event is not None
                issued_at_s = bulk["flags"][0]["value"]["issued_at"] // 1000
                assert event.data == {"type": "refetchEvaluation", "etag": etag, "lastModified": issued_at_s}
                assert event.name == "message"


@BOTH
async def test_a_push_is_renewed_every_sixth_of_a_lease_and_timers_are_not(path: str) -> None:
    """What is leased must be renewed well before it runs out, and what is safe needs no word."""
    async with proxy(lease_ms=3000) as it, reading(it.url + path + KEY) as reader:
        started = time.monotonic()
        seen: list[Event] = []
        while len(seen) < 6:
            it.beat()
            event = await reader.next()
            assert event is not None
            seen.append(event)
        assert time.monotonic() - started > 5 * 0.5 * 0.95, "and no more often"
        assert [event.id for event in seen] == [f"3-{number}" for number in range(1, 7)], "numbers only go up"
        what = "issued_at" if path == STREAM else "etag"
        assert len({event.data[what] for event in seen}) == 6, "each is new"
        it.world.bad(6)
        it.beat()
        event = await reader.next()
        assert event is not None
        for _ in range(4):
            it.beat()
            with pytest.raises(TimeoutError):
                await reader.next(within_s=0.25)


@BOTH
async def test_an_alarm_is_sent_to_every_open_stream_at_once(path: str) -> None:
    """Long before its next renewal is due."""
    async with proxy(streams_max=200) as it, AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(reading(it.url + path + KEY)) for _ in range(120)]
        first = [await reader.next() for reader in readers]
        it.world.bad(6)
        it.fold()
        for reader, before in zip(readers, first, strict=True):
            event = await reader.next()  # a renewal is due after ten seconds
            assert event is not None
            assert before is not None
            if path == STREAM:
                assert (event.data["mode"], event.data["reason"]) == ("timer_polling", "alarm")
            else:
                assert event.data["etag"] != before.data["etag"]


async def test_a_lease_that_lapses_is_sent_though_nothing_is_folded() -> None:
    """Of what is missing there is no record: only the time can tell."""
    async with proxy(lease_ms=3000) as it, reading(it.url + STREAM + KEY) as reader:
        event = await reader.next()
        assert event is not None
        assert is_push(event)
        covered_s = it.answers.lapses_in_s(clock.monotonic_s())
        started = time.monotonic()
        event = await reader.until(is_timers)
        assert event.data["reason"] == "no_lease"
        assert time.monotonic() - started > covered_s - 0.2
        it.beat()
        assert is_push(await reader.until(is_push)), "and sent again when it is renewed"


async def test_a_policy_that_differs_is_sent_at_once() -> None:
    """A replica with another configuration may not answer push, and its last event must not stay in force."""
    async with proxy() as it, reading(it.url + STREAM + KEY) as reader:
        await reader.next()
        it.world.change(cooldown_ms=7_200_000)
        it.fold()
        event = await reader.next()
        assert event is not None
        assert (event.data["mode"], event.data["reason"]) == ("timer_polling", "policy_differs")


async def test_a_share_is_sent_to_its_users_alone() -> None:
    """A stream answers as a read does: by the user's own bucket."""
    async with (
        proxy(1) as it,
        reading(f"{it.url}{STREAM}?targeting_key={INSIDE}") as inside,
        reading(f"{it.url}{STREAM}?targeting_key={OUTSIDE}") as outside,
        reading(it.url + STREAM) as unnamed,
    ):
        events = [await reader.next() for reader in (inside, outside, unnamed)]
        reasons = [event.data["reason"] for event in events if event is not None]
        assert reasons == ["current_rung", "outside_share", "no_targeting_key"]


@pytest.mark.parametrize(
    ("last_id", "first"),
    [("3-41", "3-42"), ("1-7", "3-8"), ("", "3-1"), ("x", "3-1"), ("3-9" + "9" * 15, "3-1"), ("3--1", "3-1")],
)
async def test_a_client_that_reconnects_gets_the_whole_answer_and_numbers_go_on(last_id: str, first: str) -> None:
    """Nothing is replayed: the present is all there is to know. What is no id of ours is ignored."""
    async with proxy() as it, reading(it.url + STREAM + KEY, Last_Event_ID=last_id) as reader:
        event = await reader.next()
        assert event is not None
        assert event.id == first


async def test_what_is_quiet_is_kept_open_by_comments() -> None:
    """Proxies close what says nothing for a minute."""
    async with proxy(0, heartbeat_s=0.05) as it, reading(it.url + STREAM) as reader:
        await reader.next()
        with pytest.raises(TimeoutError):
            await reader.next(within_s=0.5)
        assert 5 <= reader.comments <= 10
    assert HEARTBEAT_S == 15


async def test_before_the_first_policy_a_stream_says_timers() -> None:
    """A cold start never fails: a browser that gets an error opens the stream no more."""
    async with proxy(world=nobody()) as it, reading(it.url + STREAM) as reader:
        event = await reader.next()
        assert event is not None
        assert (event.data["mode"], event.data["reason"]) == ("timer_polling", "starting")


@BOTH
async def test_a_stream_above_the_limit_is_refused_and_counted(path: str) -> None:
    """And who leaves frees a permit."""
    async with proxy(streams_max=2) as it, AsyncExitStack() as stack, aiohttp.ClientSession() as session:
        readers = [await stack.enter_async_context(reading(it.url + each)) for each in (STREAM, SIGNALS)]
        for reader in readers:
            await reader.next()
        async with session.get(it.url + path) as response:
            answer = await response.json()
            assert (response.status, answer["code"]) == (503, "overloaded")
            assert "2 streams" in answer["message"]
            assert int(response.headers["Retry-After"]) > 0
            assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert (it.streams.refused["full"], it.streams.refused.total(), it.streams.dropped.total()) == (1, 1, 0)
        readers[0].response.close()
        await is_left(it, 1)
        async with reading(it.url + path) as reader:
            assert await reader.next() is not None


async def test_a_stream_is_not_advertised_while_there_is_no_permit_for_one() -> None:
    """The web provider asks again every second, for ever, for a stream that is refused."""
    async with proxy(streams_max=1) as it, aiohttp.ClientSession() as session:

        async def advertises() -> bool:
            async with session.post(f"{it.url}/ofrep/v1/evaluate/flags", json={}) as response:
                return "eventStreams" in await response.json()

        assert await advertises()
        async with reading(it.url + STREAM) as reader:
            await reader.next()
            assert not await advertises()
        await is_left(it, 0)
        assert await advertises()


async def is_left(it: Proxy, count: int) -> None:
    """Wait until so many streams are open."""

    async def is_it() -> bool:
        return sum(it.streams.open_count().values()) == count

    await until(is_it, f"{count} streams are open")


@BOTH
@pytest.mark.both_loops
async def test_a_client_that_goes_is_noticed_before_the_next_event(path: str) -> None:
    """The next heartbeat may be 15 s away, and a stream that nobody reads holds the permit of another."""
    async with proxy(0) as it:
        async with reading(it.url + path) as reader:
            await reader.next()
            kind = StreamKind.VALUES if path == STREAM else StreamKind.SIGNALS
            assert it.streams.open_count()[kind] == 1
        await is_left(it, 0)
        assert it.streams.refused.total() + it.streams.dropped.total() == 0, "who leaves by itself is no trouble"


def deaf(it: Proxy, path: str) -> socket.socket:
    """Open a stream, and never read it."""
    host, _, port = it.url.removeprefix("http://").partition(":")
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    own.connect((host, int(port)))
    own.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return own


@BOTH
@pytest.mark.both_loops
async def test_a_reader_that_takes_nothing_is_cut_off_and_counted_and_others_go_on(path: str) -> None:
    """Neither memory nor the next event waits for it."""
    async with proxy(heartbeat_s=0.0005, slow_s=0.5) as it, reading(it.url + path) as reader:
        await reader.next()
        slow = deaf(it, path)
        await is_left(it, 2)
        await is_left(it, 1)
        assert it.streams.dropped["slow"] == 1
        with suppress(ConnectionError):
            slow.setblocking(False)
            while await asyncio.get_running_loop().sock_recv(slow, 65536):  # the loop has yet to close its end
                pass
        slow.close()
        before = reader.comments
        with suppress(TimeoutError):
            await reader.next(within_s=0.2)
        assert reader.comments > before, "a client that reads still receives comments"
    assert SLOW_S == 10


@BOTH
@pytest.mark.both_loops
async def test_streams_end_at_once_when_the_sidecar_does_and_with_what_is_true_then(path: str) -> None:
    """The lease ends first: so the last word of a process that stops following is timers. A deaf reader delays nothing."""
    async with proxy(heartbeat_s=0.0005, slow_s=3600) as it, reading(it.url + path + KEY) as reader:
        first = await reader.next()
        slow = deaf(it, path)

        async def is_stuck() -> bool:
            return any(connection.is_sending for connection in it.streams.connections())

        await until(is_stuck, "the deaf reader holds what is sent")
        it.lease.revoke()
        async with asyncio.timeout(HANGS_AFTER_S):  # the deaf reader would be waited for an hour
            await it.listener.stop()
        last = await reader.next()
        assert first is not None
        assert last is not None
        if path == STREAM:
            assert (last.data["mode"], last.data["reason"]) == ("timer_polling", "no_lease")
        else:
            assert last.data["etag"] != first.data["etag"]
        assert await reader.next() is None, "it ends in good order"
        await is_left(it, 0)
        slow.close()


async def test_nothing_is_left_of_streams_that_are_gone() -> None:
    """No task, no timer that holds them, and no memory."""
    async with proxy(0) as it:

        async def wave(count: int) -> int:
            async with AsyncExitStack() as stack:
                for _ in range(count):
                    await (await stack.enter_async_context(reading(it.url + STREAM + KEY))).next()
            await is_left(it, 0)
            gc.collect()
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        await wave(50)
        tasks = len(asyncio.all_tasks())
        before_kb = await wave(50)
        for _ in range(8):
            after_kb = await wave(50)
        await until(lambda: _none_but(tasks), "no task is left")
        assert after_kb - before_kb < 4_000
        assert not [each for each in gc.get_objects() if type(each).__name__ == "_Stream"]


async def _none_but(tasks: int) -> bool:
    return len(asyncio.all_tasks()) <= tasks


async def test_no_head_request_waits_for_a_stream_that_has_no_end() -> None:
    """`HEAD` of what never ends would hold a connection and say nothing."""
    async with proxy(0) as it, aiohttp.ClientSession() as session:
        for path in (STREAM, SIGNALS):
            async with session.head(it.url + path) as response:
                assert (response.status, response.headers["Allow"]) == (405, "GET,OPTIONS".replace(",", ", "))


async def test_a_misspelt_flag_and_a_key_too_long_are_refused_before_a_stream_begins() -> None:
    """An error in a stream could be read by nobody."""
    async with proxy(0) as it, aiohttp.ClientSession() as session:
        async with session.get(f"{it.url}/flags/payment-refesh/stream") as response:
            assert (response.status, (await response.json())["code"]) == (404, "flag_unknown")
        for path in (STREAM, SIGNALS):
            async with session.get(f"{it.url}{path}?targeting_key={'u' * 257}") as response:
                assert (response.status, (await response.json())["code"]) == (400, "body_invalid")


async def test_a_running_sidecar_sends_its_climb_and_its_fall_and_counts_its_streams() -> None:
    """The whole way: webhooks and acks, the journal, the fold, the flag, and a page that waits."""
    ladder = (EASY.ladder[0], msgspec.structs.replace(EASY.ladder[1], share_ppm=1_000_000))
    async with running(msgspec.structs.replace(EASY, ladder=ladder)) as sidecar:
        async with (
            reading(sidecar.urls.public + STREAM + KEY) as values,
            reading(sidecar.urls.public + SIGNALS + KEY) as signals,
        ):
            assert is_timers(await values.until(lambda _: True))
            await climb(sidecar)
            event = await values.until(is_push)
            assert event.data["mode"] == "push_with_safety_net"
            assert event.data["issued_at"] > 1_700_000_000_000
            await signals.until(lambda _: True)
            assert await sidecar.metric('reverb_sidecar_open_streams{kind="values"}') == 1
            assert await sidecar.metric('reverb_sidecar_open_streams{kind="signals"}') == 1
            assert (await sidecar.act("rollback", {"reason": "a test"}))[0] == 200
            fallen = await values.until(is_timers)
            assert fallen.data["version"] > event.data["version"]
        await sidecar.metric_is('reverb_sidecar_open_streams{kind="values"}', 0)
        for line in ('refused_streams_total{reason="full"}', 'dropped_streams_total{reason="slow"}'):
            assert await sidecar.metric(f"reverb_sidecar_{line}") == 0


async def test_without_a_journal_streams_and_evaluations_say_timers(tmp_path: Any) -> None:
    """The stand-in of a journal that cannot be had is a cold start that lasts."""
    damaged = tmp_path / "journal.db"
    damaged.write_bytes(b"no journal" * 1000)
    config = msgspec.structs.replace(CONFIG, journal=SqlitePlace(path=str(damaged)))
    async with running(config) as sidecar, reading(sidecar.urls.public + STREAM + KEY) as reader:
        event = await reader.next()
        assert event is not None
        assert (event.data["mode"], event.data["reason"]) == ("timer_polling", "starting")
        async with sidecar.session.post(f"{sidecar.urls.public}/ofrep/v1/evaluate/flags", json={}) as response:
            assert response.status == 200
            assert [flag["variant"] for flag in (await response.json())["flags"]] == ["timer_polling"] * 2


def test_streams_leave_permits_for_webhooks() -> None:
    """Half of the public's connections at most."""
    assert 0 < streams_max() <= public_max() / 2
