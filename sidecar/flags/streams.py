"""The streams of the flag: every change at once, and a renewal while it is leased (Server-Sent Events).

An event is computed when it is sent, so no client receives an outdated answer. One actor checks, after every record and
at the instant at which the lease no longer covers push, whether the answer of any user may have changed, and wakes all
streams. A renewal is due a sixth of a lease after a stream's own last event, so that not all are due at once.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

from aiohttp import web

from sidecar import clock
from sidecar.core.facts.observations import Record
from sidecar.core.fold.conclusions import Conclusion
from sidecar.flags.answers import Answers, Tagged
from sidecar.http.event_streams import EventStreams, Feed, StreamKind
from sidecar.parts.cors import READABLE
from sidecar.parts.part import TaskFunction

_RENEWALS_PER_LEASE_HALF = 3
_EVENT_ID = re.compile(r"\d{1,10}-(\d{1,15})", re.ASCII)

Encode = Callable[[Tagged, float], bytes]
"""Returns an event's data, from the answer and the present on the monotonic clock."""


class Streams(EventStreams):
    """All open streams of the flag."""

    def __init__(self, answers: Answers, *, streams_max: int, **bounds: Any) -> None:
        super().__init__((StreamKind.VALUES, StreamKind.SIGNALS), streams_max=streams_max, **bounds)
        self._answers = answers
        self._renew_s = answers.valid_for_s / _RENEWALS_PER_LEASE_HALF
        self._folded = asyncio.Event()

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return the task that wakes the streams."""
        yield "streams", self.run

    def folded(self, _record: Record, _conclusions: list[Conclusion]) -> None:
        """Check whether answers may have changed."""
        self.wake()

    def wake(self) -> None:
        """Check whether answers may have changed: something was folded."""
        self._folded.set()

    async def run(self) -> NoReturn:
        """Wake all streams whenever the answer of any user may have changed, for ever."""
        change_key: tuple[object, ...] = ()
        while True:
            self._folded.clear()
            now_s = clock.monotonic_s()
            before, change_key = change_key, self._answers.change_key(now_s)
            if change_key != before:
                await self.wake_all()
                continue  # waking takes time
            lapses_in_s = self._answers.lapses_in_s(now_s)
            try:
                async with asyncio.timeout(lapses_in_s + 0.001 if lapses_in_s >= 0 else None):
                    await self._folded.wait()
            except TimeoutError:
                continue

    async def serve_flag(
        self, request: web.Request, kind: StreamKind, targeting_key: str | None, encode: Encode
    ) -> web.StreamResponse:
        """Send the answer of one user until either side ends. Raises `SidecarError` with `overloaded`."""
        last_number = _number(request.headers.get("Last-Event-ID"))
        return await self.serve(request, kind, self._feed(targeting_key, encode, last_number), READABLE)

    def _feed(self, targeting_key: str | None, encode: Encode, number: int) -> Feed:
        """Return the feed of one user: an event when the answer changes, and when a push must be renewed."""
        sent: Tagged | None = None
        sent_s = 0.0

        def feed(now_s: float) -> tuple[bytes | None, float]:
            nonlocal sent, sent_s, number
            answer, event = self._answers.answer(targeting_key, now_s), None
            is_due = answer.is_push and now_s - sent_s >= self._renew_s
            if sent is None or answer.etag != sent.etag or is_due:
                number += 1
                event = b"id: %d-%d\ndata: %s\n\n" % (answer.version, number, encode(answer, now_s))
                sent, sent_s = answer, now_s
            return event, sent_s + self._renew_s if answer.is_push else float("inf")

        return feed


def _number(last_event_id: str | None) -> int:
    """Return the number of the client's last event, of this or another process, so that numbers only rise; 0: none."""
    last = _EVENT_ID.fullmatch(last_event_id or "")
    return int(last[1]) if last else 0
