"""How far is a journal written, and who waits for more?"""

import asyncio

from sidecar.ports import ErrorCode, SidecarError


class Head:
    """The newest durable `seq`, and whether the journal accepts calls. Belongs to one event loop.

    No wake-up is lost: the loop runs nothing between the check of `seq` and the wait.
    """

    def __init__(self, name: str, seq: int = 0) -> None:
        self.seq = seq
        self._name = name
        self._refusal: SidecarError | None = None
        self._moved = asyncio.Event()

    def advance(self, seq: int) -> None:
        """Move to `seq` if it is greater, and wake all waiters."""
        if seq > self.seq:
            self.seq = seq
            self._wake()

    async def wait(self, after: int) -> None:
        """Return once `seq` is greater than `after`. Raises `SidecarError` if the journal refuses calls."""
        while self.seq <= after:
            self.check_open()
            await self._moved.wait()

    def close(self) -> None:
        """Refuse all calls from now on with `journal_unavailable`, and wake all waiters."""
        message = f"The journal {self._name} is closed: the sidecar is stopping; try again once it has started."
        self.refuse(SidecarError(ErrorCode.JOURNAL_UNAVAILABLE, message))

    def refuse(self, refusal: SidecarError) -> None:
        """Refuse all calls from now on with an error of the same code and message, and wake all waiters."""
        self._refusal = refusal
        self._wake()

    def check_open(self) -> None:
        """Raise `SidecarError` if the journal refuses calls."""
        if self._refusal is not None:
            raise SidecarError(self._refusal.code, self._refusal.message) from self._refusal

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
