"""What a metric is, and what it is read from."""

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

import msgspec
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.samples import Exemplar

from sidecar.core.fold.serving import Served
from sidecar.core.fold.state import Latency, State
from sidecar.logs import LineCounts
from sidecar.ports import Backlog


class Scope(enum.StrEnum):
    """Whose number it is."""

    FOLDED = "folded"
    PROCESS = "process"


Samples = Iterable[tuple[tuple[str, ...], float]]


def _never() -> int:
    return 0


def _none(_: list[int]) -> Mapping[int, Exemplar]:
    return {}


class Sets(msgspec.Struct, frozen=True, kw_only=True):
    """The closed sets of labels that other parts of the sidecar own."""

    webhook_results: tuple[str, ...]
    ack_results: tuple[str, ...]
    report_results: tuple[str, ...]
    entry_results: tuple[str, ...]
    stream_kinds: tuple[str, ...]
    stream_refusals: tuple[str, ...]
    stream_drops: tuple[str, ...]
    notification_targets: tuple[str, ...]
    notification_results: tuple[str, ...]
    notification_attempts: tuple[str, ...]
    routes: Mapping[str, tuple[str, ...]]
    """By listener; all that any configuration opens."""
    observers_max: int
    clock_bounds: tuple[tuple[str, str], ...]
    """(reference, bound) of each that can be known of our clock."""


Values = tuple[str, ...] | Callable[[Sets], tuple[str, ...]]
"""The closed set of a label."""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What metrics are read from."""

    sets: Sets
    state: State
    has_caught_up: Callable[[], bool]
    """Whether the journal was read to its end; before, the state is some moment of the past, or empty."""
    served: Callable[[], Served]
    """What this replica answers to a user who belongs to every share."""
    lease_remaining_s: Callable[[], float]
    lines: LineCounts
    backlog: Callable[[], Backlog]
    journal_now_ms: Callable[[], int]
    """By the journal's clock."""
    task_failures: Counter[str]
    refused_connections: Callable[[], dict[str, int]]
    """By listener."""
    webhooks: Counter[str]
    ack_requests: Counter[str]
    ack_entries: Counter[str]
    browser_reports: Counter[str]
    is_ack_stream_up: Callable[[], bool | None]
    """None: no indicator is configured."""
    ack_stream_reconnects: Callable[[], int] = _never
    refused_requests: Callable[[], Iterable[tuple[str, str, str, int]]]
    """(listener, route, reason, count)."""
    lag_s: Callable[[], float]
    exemplars: Callable[[list[int]], Mapping[int, Exemplar]] = _none
    """The last payment of each bucket of these edges."""
    outside_clocks: Callable[[], Iterable[tuple[str, str, float]]]
    """(reference, bound, seconds) by which our clock is ahead of another, at least or at most."""
    observers_up: Callable[[], Mapping[int, bool]]
    """By number; empty where Reverb is not probed."""
    observed: Counter[str]
    open_streams: Callable[[], Mapping[str, int]]
    """By kind."""
    refused_streams: Callable[[], Mapping[str, int]]
    """By reason."""
    dropped_streams: Callable[[], Mapping[str, int]]
    """By reason."""
    notifications: Counter[tuple[str, str]]
    """By the target's kind and what became of them."""
    notification_attempts: Counter[tuple[str, str]]
    """By the target's kind and what came of them."""
    waiting_notifications: Callable[[], int]


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """What every metric has."""

    name: str
    """Without the prefix, and for a counter without `_total`."""
    help: str
    scope: Scope
    is_progress: bool = False
    """A folded metric that says how far the journal has been read, and is told while it is read."""

    def is_told(self, view: View) -> bool:
        """Say whether it is told now. What a replay passes through would be read as resets, growth and old alarms."""
        return self.scope is Scope.PROCESS or self.is_progress or view.has_caught_up()


class Row(Metric, frozen=True, kw_only=True):
    """A counter or a gauge."""

    kind: type[CounterMetricFamily] | type[GaugeMetricFamily]
    labels: Mapping[str, Values] = {}
    """The closed set of each label."""
    series_max: Callable[[Sets], int] | None = None
    """How many series there are at most; None: as many as there are combinations of labels."""
    read: Callable[[View], Samples]

    def values(self, sets: Sets) -> dict[str, tuple[str, ...]]:
        """Return the closed set of each label."""
        return {
            label: tuple(str(value) for value in (values(sets) if callable(values) else values))
            for label, values in self.labels.items()
        }


class Histogram(Metric, frozen=True, kw_only=True):
    """A histogram, with a bucket at every objective."""

    read: Callable[[State], Latency]
    has_exemplars: bool = False
    """Whether its buckets name their last payments."""
