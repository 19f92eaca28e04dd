"""A part: one object with its routes, tasks, metrics and liveness. `composition` collects all."""

import enum
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, runtime_checkable

from aiohttp import web

from sidecar.core.facts.observations import Record
from sidecar.core.fold.conclusions import Conclusion
from sidecar.parts.metrics import Counter
from sidecar.parts.routes import bound_routes


@runtime_checkable
class Source(Protocol):
    """A part that can confirm that everything it received up to an instant is in the journal.

    Payments are judged only after that.
    """

    name: str
    """The name in a heartbeat that reports the source as silent."""

    async def caught_up_since(self, asked_s: float) -> None:
        """Return once all that was there at `asked_s`, on the monotonic clock, is in the journal. May wait for ever."""
        ...


class Task(enum.StrEnum):
    """A task that runs for as long as the sidecar does, and is retried when it fails."""

    FOLLOWER = "follower"
    """Reads the journal."""
    BEAT = "beat"
    """Writes heartbeats."""
    DECIDE = "decide"
    """Writes decisions."""
    MAINTENANCE = "maintenance"
    """Writes checkpoints and snapshots."""
    OBSERVERS = "observers"
    """Writes what arrived on the sidecar's sockets."""
    PROBES = "probes"
    """Probes, and writes the results."""
    WATCHES = "watches"
    """Writes the ends of watches."""
    NOTIFICATIONS = "notifications"
    """Claims notifications; a failed delivery attempt does not count."""


TASK_FAILURES = Counter(
    "task_failures",
    "Failures of tasks that run for ever and are retried, except the ack stream (`ack_stream_reconnects_total`).",
    {"task": Task},
)
"""The counter of all parts that run such a task: each has it as its attribute `failures`."""

TaskFunction = Callable[[], Coroutine[Any, Any, object]]


class Part:
    """One part of the sidecar with all that belongs to it; a subclass overrides what it has.

    Metrics are attributes of the class (`sidecar.parts.metrics`), routes are declared on the methods that answer
    (`sidecar.parts.routes`), and a part with a `name` and `caught_up_since` is a `Source`. `composition` collects all.
    """

    def routes(self, listener: str | None = None) -> list[web.RouteDef]:
        """Return the routes on one listener, or on any."""
        return bound_routes(self, listener)

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return what runs for as long as the sidecar does, by name."""
        return ()

    def folded(self, record: Record, conclusions: list[Conclusion]) -> None:
        """Process a record that was folded. Must return at once and raise nothing."""

    async def stop(self) -> None:
        """End long responses, before the listeners of this part's routes stop."""
