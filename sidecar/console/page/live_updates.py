"""`GET /api/stream`: the live updates of open consoles. An event says only that the page is outdated.

The problem: a move must be on the screen within a second, the journal may grow by hundreds of records per second, and
a console may be open for weeks on a machine that sleeps.

What we do: an event has only a number, so nothing is queued and nothing can be missed. A change of what is served, or
of an operator action, is sent at once; anything else at most once in `_CALM_S`. While nothing happens, an event is sent
every `_PULSE_S`, so that a page without events shows that it is outdated.
"""

from collections.abc import Callable

import msgspec
from aiohttp import web

from sidecar.core.facts.observations import Record
from sidecar.core.fold.conclusions import Conclusion
from sidecar.core.fold.serving import Served
from sidecar.core.fold.state import State
from sidecar.http.event_streams import RETRY_MS, SLOW_S, EventStreams, StreamKind
from sidecar.parts.routes import OPERATOR, get

STREAMS_MAX = 20
"""Consoles that may be open at once on one replica; the listener accepts a hundred connections."""
_CALM_S = 2.0
_PULSE_S = 5.0


class LiveUpdates(EventStreams):
    """The streams of all open consoles."""

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
        super().__init__((StreamKind.CONSOLE,), streams_max=streams_max, slow_s=slow_s, retry_ms=retry_ms)
        self._state = state
        self._served = served
        self._calm_s = calm_s
        self._pulse_s = pulse_s
        self._seen = b""

    def change_key(self) -> bytes:
        """Return a key of what is sent at once when it changes: what is served, the flag, and operator actions."""
        state, flag = self._state, self._state.flag
        latched = [name for name, indicator in state.indicators.items() if indicator.is_latched]
        actions = (flag.holds, flag.approval, flag.freezes)
        suspensions = (flag.suspension, state.visibility.suspension)
        return msgspec.json.encode((self._served(), flag.version, actions, suspensions, latched))

    def folded(self, _record: Record, _conclusions: list[Conclusion]) -> None:
        """Check whether the consoles must be updated at once."""
        self.wake()

    def wake(self) -> None:
        """Wake all streams if the key has changed. Called with every record, so the key is computed once for all."""
        if not self._open[StreamKind.CONSOLE]:
            return
        change_key = self.change_key()
        if change_key != self._seen:
            self._seen = change_key
            for connection in self.connections():
                connection.woken.set()

    @get("/api/stream", on=OPERATOR, allow_head=False)
    async def get_stream(self, request: web.Request) -> web.StreamResponse:
        """Send updates until either side ends. Raises `SidecarError` with `overloaded`."""
        sent: tuple[bytes, int, float] | None = None

        def feed(now_s: float) -> tuple[bytes | None, float]:
            nonlocal sent
            change_key, seq = self.change_key(), self._state.seq
            if sent is None:
                self._seen = change_key
            pace_s = self._pulse_s if sent is None or sent[1] == seq else self._calm_s
            if sent is None or sent[0] != change_key or now_s - sent[2] >= pace_s:
                sent = change_key, seq, now_s
                return b'data: {"seq":%d}\n\n' % seq, now_s + min(self._pulse_s, self._calm_s)
            return None, min(sent[2] + pace_s, now_s + self._calm_s)

        return await self.serve(request, StreamKind.CONSOLE, feed)
