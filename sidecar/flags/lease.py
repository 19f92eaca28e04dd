"""The lease of one replica: how long it may answer push.

The problem: a replica that is behind, cut off or frozen would go on answering push from old state.

What we do: a lease starts at the monotonic instant *before* the replica appended its own heartbeat, and only once it
has folded that heartbeat in order. A running lease therefore proves that the journal accepts writes and that everything
before is folded. If either stops, the lease lapses by itself.
"""

from sidecar.core.facts.observations import Heartbeat, Record

_UNFOLDED_MAX = 64
"""Heartbeats that were appended and not folded yet; older ones start no lease."""


class Lease:
    """The lease of this replica. Instants are in seconds on the monotonic clock."""

    def __init__(self, replica: str) -> None:
        self._replica = replica
        self._beat = 0
        self._asked_s: dict[int, float] = {}
        self._started_s: float | None = None

    def next_heartbeat(self, now_s: float, silent_sources: tuple[str, ...] = ()) -> Heartbeat:
        """Return the heartbeat to append, and store `now_s`, an instant before it and before the sources' check."""
        self._beat += 1
        self._asked_s[self._beat] = now_s
        self._asked_s.pop(self._beat - _UNFOLDED_MAX, None)
        return Heartbeat(replica=self._replica, beat=self._beat, silent_sources=silent_sources)

    def folded(self, record: Record) -> None:
        """Start the lease again if this is one of this replica's heartbeats."""
        fact = record.observation
        if isinstance(fact, Heartbeat) and fact.replica == self._replica and fact.beat in self._asked_s:
            self._started_s = self._asked_s.pop(fact.beat)

    def revoke(self) -> None:
        """End the lease for good: this process stops following its journal."""
        self._asked_s.clear()
        self._started_s = None

    def remaining_s(self, lease_s: float, now_s: float) -> float:
        """Return the remaining time in seconds; at or below 0, and before the first heartbeat, there is no lease."""
        return 0.0 if self._started_s is None else lease_s - (now_s - self._started_s)
