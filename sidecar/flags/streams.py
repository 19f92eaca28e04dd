"""Open streams: what the flag says is told at once, on every change, and anew while it is leased (Server-Sent Events).

The problem: a stream lives as long as a page. Thousands wait at once, and each can stop reading, vanish without a word,
or outlive the right to be told push.

What we do: each stream waits for its own next event, and holds no more than that one: what is told is asked of the
answers at the moment when it is written, so nobody is told what was true before. One actor looks, after every record
and at the very moment when the lease no longer covers push, whether anybody's answer may be another, and wakes all. A
reader that does not take an event in time is cut off, and comes again, if it lives; a connection that is lost wakes its
own stream. Renewals go out a sixth of a lease after a stream's own last event, so that they do not come all at once.
"""

import asyncio
import enum
import re
from collections import Counter
from collections.abc import Callable
from typing import NoReturn

from aiohttp import web

from sidecar import clock
from sidecar.flags.answers import Answers, Tagged
from sidecar.http.cors import READABLE
from sidecar.http.event_streams import HEADERS, RETRY_MS, SLOW_S, SseConnection, StreamEnd
from sidecar.ports import ErrorCode, SidecarError

HEARTBEAT_S = 15.0
"""Shorter than the idle time of common proxies (60 s), and of OFREP's providers."""
_RENEWALS_PER_LEASE_HALF = 3
_AT_ONCE = 50
"""Streams that are woken in one turn of the loop: webhooks come in between."""
_EVENT_ID = re.compile(r"\d{1,10}-(\d{1,15})", re.ASCII)


class StreamKind(enum.StrEnum):
    """What a stream tells."""

    VALUES = "values"
    """The flag itself."""
    SIGNALS = "signals"
    """For OFREP: that it is time to evaluate anew."""


Tell = Callable[[Tagged, float], bytes]
"""Returns an event's data, from the answer and the present on the monotonic clock."""


class Streams:
    """All open streams of this process."""

    def __init__(
        self, answers: Answers, *, streams_max: int, heartbeat_s: float = HEARTBEAT_S, slow_s: float = SLOW_S
    ) -> None:
        self._answers = answers
        self._streams_max = streams_max
        self._heartbeat_s = heartbeat_s
        self._slow_s = slow_s
        self._renew_s = answers.valid_for_s / _RENEWALS_PER_LEASE_HALF
        self._open: dict[StreamKind, set[SseConnection]] = {kind: set() for kind in StreamKind}
        self._is_stopping = False
        self._folded = asyncio.Event()
        self.ended: Counter[str] = Counter(dict.fromkeys(StreamEnd, 0))
        """Streams that did not begin or did not go on, by `StreamEnd`; who leaves by itself is not counted."""

    def open_count(self) -> dict[str, int]:
        """Return how many are open, by kind."""
        return {kind: len(streams) for kind, streams in self._open.items()}

    def has_permits(self) -> bool:
        """Say whether one more may open a stream."""
        return sum(len(streams) for streams in self._open.values()) < self._streams_max

    def wake(self) -> None:
        """Say that something was folded."""
        self._folded.set()

    async def run(self) -> NoReturn:
        """Wake all streams when anybody's answer may be another, for ever."""
        change_key: tuple[object, ...] = ()
        while True:
            self._folded.clear()
            now_s = clock.monotonic_s()
            before, change_key = change_key, self._answers.change_key(now_s)
            if change_key != before:
                await self._wake_all()
                continue  # that took its time
            lapses_in_s = self._answers.lapses_in_s(now_s)
            try:
                async with asyncio.timeout(lapses_in_s + 0.001 if lapses_in_s >= 0 else None):
                    await self._folded.wait()
            except TimeoutError:
                continue

    async def stop(self) -> None:
        """Tell every stream its last, and end it; no other begins."""
        self._is_stopping = True
        await self._wake_all()
        for stream in [stream for each in self._open.values() for stream in each if stream.is_sending]:
            stream.cut()

    async def _wake_all(self) -> None:
        streams = [stream for each in self._open.values() for stream in each]
        for number, stream in enumerate(streams, start=1):
            stream.woken.set()
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

    async def serve(
        self, request: web.Request, kind: StreamKind, targeting_key: str | None, tell: Tell
    ) -> web.StreamResponse:
        """Tell a user until it leaves, or we do. Raises `SidecarError` with `overloaded` for one too many."""
        self._check_permits()
        stream = SseConnection(request, self._slow_s)
        self._open[kind].add(stream)
        response = web.StreamResponse(headers={**READABLE, **HEADERS})
        response.force_close()
        try:
            await self._tell(stream, response, targeting_key, tell)
        except TimeoutError:
            self.ended[StreamEnd.SLOW] += 1
            stream.cut()
        except ConnectionError:
            pass  # it left while it was told
        finally:
            self._open[kind].discard(stream)
        return response

    def _check_permits(self) -> None:
        if self._is_stopping:
            self.ended[StreamEnd.STOPPING] += 1
            raise SidecarError(ErrorCode.OVERLOADED, "this sidecar is about to end; try again later")
        if not self.has_permits():
            self.ended[StreamEnd.FULL] += 1
            message = f"{self._streams_max} streams are open already; read the flag instead, and try again later"
            raise SidecarError(ErrorCode.OVERLOADED, message)

    async def _tell(
        self, stream: SseConnection, response: web.StreamResponse, targeting_key: str | None, tell: Tell
    ) -> None:
        """Tell what is to be told, when it is time, until the stream ends. `TimeoutError`: the reader is too slow."""
        await stream.begin(response)
        number = _number(stream.request.headers.get("Last-Event-ID"))
        told, told_s, sent_s = None, 0.0, 0.0
        while not stream.is_lost:
            stream.woken.clear()
            is_last = self._is_stopping
            now_s = clock.monotonic_s()
            answer = self._answers.answer(targeting_key, now_s)
            is_due = answer.is_push and now_s - told_s >= self._renew_s
            if told is None or answer.etag != told.etag or is_due:
                number += 1
                head = b"" if told is not None else b"retry: %d\n" % RETRY_MS
                await stream.send(b"%sid: %d-%d\ndata: %s\n\n" % (head, answer.version, number, tell(answer, now_s)))
                told, told_s, sent_s = answer, now_s, now_s
            elif now_s - sent_s >= self._heartbeat_s:
                await stream.send(b": \n\n")
                sent_s = now_s
            if is_last:
                return
            until_s = sent_s + self._heartbeat_s
            if answer.is_push:
                until_s = min(until_s, told_s + self._renew_s)
            await stream.wait(until_s - clock.monotonic_s())


def _number(last_event_id: str | None) -> int:
    """Return the number that the reader saw last, here or elsewhere, so that numbers only go up; 0: none."""
    seen = _EVENT_ID.fullmatch(last_event_id or "")
    return int(seen[1]) if seen else 0
