"""A journal in the memory of the process, for tests and simulations, which can also set its clock."""

from collections.abc import Callable, Sequence

from sidecar.clock import AnchoredClock
from sidecar.core.facts.chain import is_chained, link
from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import Observation, Record
from sidecar.core.fold.state import State
from sidecar.journal.head import Head
from sidecar.ports import Appended, Backlog, Creation, Link


class MemoryJournal:
    """The records of this process, in a list: the record with `seq` n is at n - 1.

    `now_ms` is the clock in Unix milliseconds. The stamps of the journal never go back, even if this clock does.
    """

    def __init__(self, now_ms: Callable[[], int] | None = None) -> None:
        self._clock = now_ms or AnchoredClock().now_ms
        self._last_ms = 0
        self._records: list[Record] = []
        self._by_key: dict[str, Record] = {}
        self._links: list[Link] = []
        self._head = Head("memory:")

    async def append(self, observation: Observation) -> Appended:
        """Append the observation, unless the same fact exists already."""
        self._head.check_open()
        key = identity(observation)
        if key is not None and key in self._by_key:
            return Appended(record=self._by_key[key], duplicate=True)
        record = Record(seq=len(self._records) + 1, at_ms=self.now_ms(), observation=observation)
        self._records.append(record)
        if key is not None:
            self._by_key[key] = record
        if is_chained(observation):
            before = self._links[-1].head if self._links else ""
            self._links.append(Link(record=record, head=link(before, record)))
        self._head.advance(record.seq)
        return Appended(record=record, duplicate=False)

    async def read(self, after: int, limit: int) -> Sequence[Record]:
        """Return up to `limit` records with a `seq` greater than `after`, in order."""
        self._head.check_open()
        return self._records[after : after + limit]

    async def links(self, before: int, limit: int) -> Sequence[Link]:
        """Return up to `limit` links of the chain whose `seq` is less than `before`, newest first."""
        self._head.check_open()
        return [each for each in reversed(self._links) if each.record.seq < before][:limit]

    async def find(self, key: str) -> Record | None:
        """Return the record with this key; None: it does not exist."""
        self._head.check_open()
        return self._by_key.get(key)

    async def load_snapshot(self) -> State:
        """Return the empty state: nothing survives the process."""
        self._head.check_open()
        return State()

    async def save_snapshot(self, seq: int, body: bytes) -> None:
        """Ignore the snapshot: there is no restart."""
        del seq, body
        self._head.check_open()

    async def check(self) -> None:
        """Check nothing: memory has no pages."""
        self._head.check_open()

    async def recheck(self) -> None:
        """Check nothing."""
        self._head.check_open()

    async def trim(self, before_ms: int) -> int:
        """Remove nothing: all records end with the process."""
        del before_ms
        self._head.check_open()
        return 0

    async def wait(self, after: int) -> None:
        """Return once a record with a `seq` greater than `after` may exist."""
        await self._head.wait(after)

    def now_ms(self) -> int:
        """Return the time of the given clock, or the latest returned time if that is later."""
        self._last_ms = max(self._last_ms, self._clock())
        return self._last_ms

    def creation(self) -> Creation:
        """Return the stamp of the first link."""
        return Creation(at_ms=self._links[0].record.at_ms if self._links else 0)

    def backlog(self) -> Backlog:
        """Return an empty backlog: every append is done at once."""
        return Backlog()

    async def close(self) -> None:
        """Refuse all calls from now on."""
        self._head.close()
