"""How far a journal got, and who waits for more."""

import asyncio

from sidecar.ports import ErrorCode, SidecarError


class Head:
    """The newest `seq` that is durable, and whether more may come. Belongs to one event loop.

    A wake-up cannot be missed: between the look at `seq` and the wait nothing else runs on the loop.
    """

    def __init__(self, name: str, seq: int = 0) -> None:
        self.seq = seq
        self._name = name
        self._closed = False
        self._news = asyncio.Event()

    def advance(self, seq: int) -> None:
        """Move to `seq` if that is further, and wake all who wait."""
        if seq > self.seq:
            self.seq = seq
            self._wake()

    async def wait(self, after: int) -> None:
        """Return once `seq` is greater than `after`; raise `journal_unavailable` if the journal is closed."""
        while self.seq <= after:
            self.refuse_if_closed()
            await self._news.wait()

    def close(self) -> None:
        """Refuse from now on, and let those who wait know."""
        self._closed = True
        self._wake()

    def refuse_if_closed(self) -> None:
        """Raise `journal_unavailable` if the journal is closed."""
        if self._closed:
            message = f"The journal {self._name} is closed: the sidecar is stopping; try again once it has started."
            raise SidecarError(ErrorCode.JOURNAL_UNAVAILABLE, message)

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
