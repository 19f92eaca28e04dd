"""`GET /api/stream`: tells open consoles when to look again (Server-Sent Events). What there is to see, the page says.

The problem: a move must be on the screen within a second, the journal may grow by hundreds of records per second, and
a console may be left open for weeks on a machine that sleeps.

What we do: a stream carries no state, only a number; so nothing is queued and nothing can be missed. A change of what
is served, or of a person's word, is told at once; anything else at most once in `_CALM_S`; and while nothing happens,
every `_PULSE_S`, so that a page that hears nothing knows that it is old.
"""

from collections import Counter
from collections.abc import Callable

import msgspec
from aiohttp import web

from sidecar import clock
from sidecar.core.fold.serving import Served
from sidecar.core.fold.state import State
from sidecar.http.event_streams import HEADERS, RETRY_MS, SLOW_S, SseConnection, StreamEnd
from sidecar.ports import ErrorCode, SidecarError

STREAMS_MAX = 20
"""Consoles that may be open at once on one replica; the listener takes a hundred connections."""
_CALM_S = 2.0
_PULSE_S = 5.0


class LiveUpdates:
    """All open consoles of this process."""

    def __init__(
        self,
        state: State,
        served: Callable[[], Served],
        *,
        streams_max: int = STREAMS_MAX,
        calm_s: float = _CALM_S,
        pulse_s: float = _PULSE_S,
        slow_s: float = SLOW_S,
        retry_ms: int = RETRY_MS,
    ) -> None:
        self._state = state
        self._served = served
        self._streams_max = streams_max
        self._calm_s = calm_s
        self._pulse_s = pulse_s
        self._slow_s = slow_s
        self._retry_ms = retry_ms
        self._open: set[SseConnection] = set()
        self._seen = b""
        self._is_stopping = False
        self.ended: Counter[str] = Counter(dict.fromkeys(StreamEnd, 0))
        """Streams that did not begin or did not go on, by `StreamEnd`."""

    def open_count(self) -> int:
        """Return how many are open."""
        return len(self._open)

    def change_key(self) -> bytes:
        """Return what is told at once when it changes: what is served, where the flag stands, and people's words."""
        state, flag = self._state, self._state.flag
        latched = [name for name, stream in state.indicators.items() if stream.is_latched]
        words = (flag.hold, flag.approval, flag.freezes)
        return msgspec.json.encode(
            (self._served(), flag.version, words, flag.suspension, state.visibility.suspension, latched)
        )

    def wake(self) -> None:
        """Say that something was folded. With every record: so what changed is found once, not by each reader."""
        if not self._open:
            return
        change_key = self.change_key()
        if change_key != self._seen:
            self._seen = change_key
            for reader in self._open:
                reader.woken.set()

    async def stop(self) -> None:
        """End every stream; no other begins."""
        self._is_stopping = True
        for reader in tuple(self._open):
            reader.woken.set()
            if reader.is_sending:
                reader.cut()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Tell a console until it leaves, or we do. Raises `SidecarError` with `overloaded` for one too many."""
        self._check_permits()
        reader = SseConnection(request, self._slow_s)
        self._open.add(reader)
        response = web.StreamResponse(headers=HEADERS)
        response.force_close()
        try:
            await self._tell(reader, response)
        except TimeoutError:
            self.ended[StreamEnd.SLOW] += 1
            reader.cut()
        except ConnectionError:
            pass  # it left while it was told
        finally:
            self._open.discard(reader)
        return response

    def _check_permits(self) -> None:
        if self._is_stopping:
            self.ended[StreamEnd.STOPPING] += 1
            raise SidecarError(ErrorCode.OVERLOADED, "this sidecar is about to end; try again later")
        if len(self._open) >= self._streams_max:
            self.ended[StreamEnd.FULL] += 1
            raise SidecarError(ErrorCode.OVERLOADED, f"{self._streams_max} consoles are open already; reload the page")

    async def _tell(self, reader: SseConnection, response: web.StreamResponse) -> None:
        await reader.begin(response)
        await reader.send(b"retry: %d\n" % self._retry_ms + self._event())
        seen, seq, told_s = self.change_key(), self._state.seq, clock.monotonic_s()
        self._seen = seen
        while not reader.is_lost and not self._is_stopping:
            reader.woken.clear()
            now_s, change_key = clock.monotonic_s(), self.change_key()
            rest_s = (self._calm_s if self._state.seq != seq else self._pulse_s) - (now_s - told_s)
            if change_key != seen or rest_s <= 0:
                seen, seq, told_s = change_key, self._state.seq, now_s
                await reader.send(self._event())
            else:
                await reader.wait(min(rest_s, self._calm_s))

    def _event(self) -> bytes:
        return b'data: {"seq":%d}\n\n' % self._state.seq
