"""A stand-in for a journal that cannot be opened: it says why, to everybody who asks."""

import asyncio
from collections.abc import Sequence
from typing import NoReturn

from sidecar.clock import AnchoredClock
from sidecar.core.facts.observations import Observation, Record
from sidecar.core.fold.state import State
from sidecar.ports import Appended, Backlog, Link, SidecarError


class UnavailableJournal:
    """Takes nothing, so that Stripe gets a 503 and tries again, and the flag rests at timers."""

    def __init__(self, error: SidecarError) -> None:
        self._error = error
        self._clock = AnchoredClock()

    async def append(self, observation: Observation) -> Appended:
        """Raise what opening the journal raised."""
        del observation
        self._refuse()

    async def read(self, after: int, limit: int) -> Sequence[Record]:
        """Raise what opening the journal raised."""
        del after, limit
        self._refuse()

    async def links(self, before: int, limit: int) -> Sequence[Link]:
        """Raise what opening the journal raised."""
        del before, limit
        self._refuse()

    async def find(self, key: str) -> Record | None:
        """Raise what opening the journal raised."""
        del key
        self._refuse()

    async def load_snapshot(self) -> State:
        """Raise what opening the journal raised."""
        self._refuse()

    async def save_snapshot(self, seq: int, body: bytes) -> None:
        """Raise what opening the journal raised."""
        del seq, body
        self._refuse()

    async def check(self) -> None:
        """Raise what opening the journal raised."""
        self._refuse()

    async def trim(self, before_ms: int) -> int:
        """Raise what opening the journal raised."""
        del before_ms
        self._refuse()

    async def wait(self, after: int) -> None:
        """Wait for ever: nothing will come."""
        del after
        await asyncio.Event().wait()

    def now_ms(self) -> int:
        """Return the present in Unix milliseconds."""
        return self._clock.now_ms()

    def backlog(self) -> Backlog:
        """Return that nothing waits."""
        return Backlog()

    async def close(self) -> None:
        """Do nothing: nothing was opened."""

    def _refuse(self) -> NoReturn:
        raise SidecarError(self._error.code, self._error.message) from self._error
