"""What do SREs read? One table of metrics, read from the state and from this process when Prometheus asks.

*Folded* metrics come from the journal and are equal on all replicas: read them by `max without (instance, pod)`.
*Process* metrics are this process's own.
"""

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import cast

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from sidecar import __version__, clock
from sidecar.core import evidence
from sidecar.core.gates import GATES, gates
from sidecar.core.journeys import latency_edges_ms
from sidecar.core.observations import FallCause, IgnoreReason, SkipReason
from sidecar.core.policy import Mode, Stage
from sidecar.core.state import Outcome, State, Unmeasured
from sidecar.core.streams import STREAMS, Stream, StreamRow, alpha_of, bank_of

_PREFIX = "reverb_sidecar_"


class Scope(enum.StrEnum):
    """Whose number it is."""

    FOLDED = "folded"
    PROCESS = "process"


Samples = Iterable[tuple[tuple[str, ...], float]]


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What metrics are read from."""

    state: State
    served_mode: Callable[[], Mode]
    """What this replica answers to a user who belongs to every share."""
    lease_remaining_s: Callable[[], float]
    dropped_lines: Callable[[], int]
    refused_connections: Callable[[], dict[str, int]]
    """By listener."""
    webhooks: Counter[str]
    ack_requests: Counter[str]
    webhook_results: tuple[str, ...]
    ack_results: tuple[str, ...]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One metric."""

    name: str
    """Without the prefix, and for a counter without `_total`."""
    kind: type[CounterMetricFamily] | type[GaugeMetricFamily] | type[HistogramMetricFamily]
    help: str
    scope: Scope
    labels: tuple[str, ...] = ()
    read: Callable[[View], Samples]


class Exposition(Collector):
    """The table as Prometheus reads it. Everything is computed when asked; nothing is kept twice."""

    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the table, and the latency histogram."""
        for row in TABLE:
            family = cast("type[GaugeMetricFamily]", row.kind)(
                _PREFIX + row.name, f"{row.help} [{row.scope}]", labels=row.labels
            )
            for labels, value in row.read(self._view):
                family.add_metric(labels, value)
            yield family
        yield _latency(self._view.state)

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: names come from `TABLE`, and describing would read a state that may not be there yet."""
        return iter(())


def registry(view: View) -> CollectorRegistry:
    """Return a registry of its own, with the whole table in it."""
    own = CollectorRegistry(auto_describe=False)
    own.register(Exposition(view))
    return own


def _latency(state: State) -> HistogramMetricFamily:
    latency = state.tally.latency
    family = HistogramMetricFamily(
        f"{_PREFIX}webhook_to_broadcast_seconds",
        f"From the webhook's arrival to the deciding ack, of judged payments. [{Scope.FOLDED}]",
    )
    buckets, count = [], 0
    edges_ms = latency.edges_ms or (latency_edges_ms(state.policy) if state.policy else [])
    for edge_ms, more in zip(edges_ms, latency.counts or [0] * len(edges_ms), strict=False):
        count += more
        buckets.append((str(edge_ms / 1000), float(count)))
    total = float(sum(latency.counts))
    family.add_metric([], [*buckets, ("+Inf", total)], latency.sum_ms / 1000)
    return family


# --- how rows are read


def _plain(read: Callable[[View], float]) -> Callable[[View], Samples]:
    return lambda view: [((), read(view))]


def _counts(names: Iterable[str], read: Callable[[State], dict[str, int]]) -> Callable[[View], Samples]:
    names = tuple(names)
    return lambda view: [((name,), read(view.state).get(name, 0)) for name in names]


def _by_stream(read: Callable[[State, Stream, StreamRow], float]) -> Callable[[View], Samples]:
    return lambda view: (
        [((row.name,), read(view.state, view.state.streams[row.name], row)) for row in STREAMS]
        if view.state.policy
        else []
    )


def _moves(view: View) -> Samples:
    causes = ("proven", "policy", *FallCause)
    known = {
        (before, after, cause) for before in Mode for after in Mode for cause in causes if _may(before, after, cause)
    }
    moved = {tuple(key.split("/")): count for key, count in view.state.tally.moves.items()}
    return [(labels, moved.get(labels, 0)) for labels in sorted(known | set(moved))]


def _may(before: Mode, after: Mode, cause: str) -> bool:
    """Say whether the flag can move so: only proof climbs, one rung; falls end at timers."""
    if cause == "proven":
        return before.rank <= after.rank <= before.rank + 1 and after is not Mode.TIMER_POLLING
    if cause == "policy":
        return after.rank <= before.rank and before is not Mode.TIMER_POLLING
    return after is Mode.TIMER_POLLING and before is not Mode.TIMER_POLLING


def _timers(view: View) -> Samples:
    timers = view.state.tally.timers
    return [
        ((worked, basis), timers.get(f"{worked}/{basis}", 0))
        for worked in ("true", "false")
        for basis in ("paid", "push")
    ]


def _gates(view: View) -> Samples:
    applying = {gate.name: gate.holds for gate in gates(view.state)}
    return [((row.name,), float(applying.get(row.name, True))) for row in GATES]


def _bound(state: State, stream: Stream, _: StreamRow) -> float:
    if state.policy is None or stream.is_waiting:
        return 0.0
    return evidence.lower_bound(stream.good, stream.bad, alpha_of(stream, state.policy))


def _needed(state: State, stream: Stream, row: StreamRow) -> float:
    if state.policy is None:
        return 0.0
    p0 = evidence.ratio(row.p0_ppm(state.policy))
    if stream.is_waiting:  # what the next epoch will need from its first outcome on
        alpha = evidence.epoch_alpha(evidence.ratio(state.policy.false_promotion_risk_ppm), stream.epoch + 1)
        return evidence.clean_needed(p0, 0, 0, alpha)
    return evidence.clean_needed(p0, stream.good, stream.bad, alpha_of(stream, state.policy))


def _alarm_level(state: State, stream: Stream, row: StreamRow) -> float:
    if state.policy is None:
        return 0.0
    cusums = bank_of(row, state.policy).alarms
    return max((level / cusum.threshold for cusum, level in zip(cusums, stream.levels, strict=False)), default=0.0)


def _oldest_unmatched(view: View) -> float:
    """Return when the oldest payment arrived that still waits for its deciding ack; 0 where none does."""
    waiting = (
        journey.arrived_ms
        for journey in view.state.journeys.values()
        if journey.arrived_ms is not None and not journey.is_settled
    )
    return min(waiting, default=0) / 1000


def _coverage(view: View) -> Samples:
    share_ppm = view.state.coverage.share_ppm()
    return [] if share_ppm is None else [((), evidence.ratio(share_ppm))]


TABLE = (
    Row(
        name="payment_outcomes",
        kind=CounterMetricFamily,
        help="Payments by how they ended, counted when that was decided.",
        scope=Scope.FOLDED,
        labels=("outcome",),
        read=_counts(Outcome, lambda state: cast("dict[str, int]", state.tally.outcomes)),
    ),
    Row(
        name="unmeasured_payments",
        kind=CounterMetricFamily,
        help="Payments that say nothing about push, by reason.",
        scope=Scope.FOLDED,
        labels=("reason",),
        read=_counts(Unmeasured, lambda state: cast("dict[str, int]", state.tally.unmeasured)),
    ),
    Row(
        name="ignored_payments",
        kind=CounterMetricFamily,
        help="Succeeded payments that are none of ours, by reason.",
        scope=Scope.FOLDED,
        labels=("reason",),
        read=_counts(IgnoreReason, lambda state: cast("dict[str, int]", state.tally.ignored)),
    ),
    Row(
        name="skipped_payments",
        kind=CounterMetricFamily,
        help="Payments that the backend rightly did not broadcast, by reason.",
        scope=Scope.FOLDED,
        labels=("reason",),
        read=_counts(
            (SkipReason.ALREADY_PAID, SkipReason.NO_BOOKING),
            lambda state: cast("dict[str, int]", state.tally.skipped),
        ),
    ),
    Row(
        name="filter_contradictions",
        kind=CounterMetricFamily,
        help="Payments that the filter left out and that got an ack: the filter is wrong.",
        scope=Scope.FOLDED,
        read=_plain(lambda view: view.state.tally.contradicted),
    ),
    Row(
        name="acks",
        kind=CounterMetricFamily,
        help="Acks by stage.",
        scope=Scope.FOLDED,
        labels=("stage",),
        read=_counts(Stage, lambda state: cast("dict[str, int]", state.tally.acks)),
    ),
    Row(
        name="unknown_acks",
        kind=CounterMetricFamily,
        help="Acks whose payment never came.",
        scope=Scope.FOLDED,
        read=_plain(lambda view: view.state.tally.unknown_acks),
    ),
    Row(
        name="dropped_acks",
        kind=CounterMetricFamily,
        help="Acks that were not kept, because too many were waiting for their payments.",
        scope=Scope.FOLDED,
        read=_plain(lambda view: view.state.tally.dropped_acks),
    ),
    Row(
        name="timers_would_have_worked",
        kind=CounterMetricFamily,
        help="Judged payments by whether the last timer would have cleared the alert, and by what tells us.",
        scope=Scope.FOLDED,
        labels=("worked", "basis"),
        read=_timers,
    ),
    Row(
        name="oldest_unmatched_payment_timestamp_seconds",
        kind=GaugeMetricFamily,
        help="When the oldest payment arrived that still waits for its deciding ack; 0 where none does.",
        scope=Scope.FOLDED,
        read=_plain(_oldest_unmatched),
    ),
    Row(
        name="coverage_ratio",
        kind=GaugeMetricFamily,
        help="Share of payments that could be judged; absent before the first.",
        scope=Scope.FOLDED,
        read=_coverage,
    ),
    Row(
        name="flag_mode",
        kind=GaugeMetricFamily,
        help="1 for the mode that this replica answers to a user who belongs to every share.",
        scope=Scope.PROCESS,
        labels=("mode",),
        read=lambda view: [((mode,), float(mode is view.served_mode())) for mode in Mode],
    ),
    Row(
        name="flag_rung",
        kind=GaugeMetricFamily,
        help="The rung of the ladder that is held, from 0.",
        scope=Scope.FOLDED,
        read=_plain(lambda view: view.state.flag.rung),
    ),
    Row(
        name="flag_transitions",
        kind=CounterMetricFamily,
        help="Moves of the flag.",
        scope=Scope.FOLDED,
        labels=("from_mode", "to_mode", "cause"),
        read=_moves,
    ),
    Row(
        name="flag_valid_until_timestamp_seconds",
        kind=GaugeMetricFamily,
        help="When this replica's lease lapses, or lapsed.",
        scope=Scope.PROCESS,
        read=_plain(lambda view: clock.wall_ms() / 1000 + view.lease_remaining_s()),
    ),
    Row(
        name="gate_satisfied",
        kind=GaugeMetricFamily,
        help="1 where a gate of the next rung holds or does not apply to it.",
        scope=Scope.FOLDED,
        labels=("gate",),
        read=_gates,
    ),
    Row(
        name="evidence_reliability_lower_bound_ratio",
        kind=GaugeMetricFamily,
        help="The reliability that the present epoch proves.",
        scope=Scope.FOLDED,
        labels=("stream",),
        read=_by_stream(_bound),
    ),
    Row(
        name="evidence_clean_outcomes_needed",
        kind=GaugeMetricFamily,
        help="Outcomes without a failure that would prove the target.",
        scope=Scope.FOLDED,
        labels=("stream",),
        read=_by_stream(_needed),
    ),
    Row(
        name="evidence_epoch",
        kind=GaugeMetricFamily,
        help="The epoch that evidence is collected in, from 1.",
        scope=Scope.FOLDED,
        labels=("stream",),
        read=_by_stream(lambda _, stream, __: stream.epoch),
    ),
    Row(
        name="alarm_level_ratio",
        kind=GaugeMetricFamily,
        help="The highest alarm CUSUM as a share of its threshold.",
        scope=Scope.FOLDED,
        labels=("stream",),
        read=_by_stream(_alarm_level),
    ),
    Row(
        name="alarm_latched",
        kind=GaugeMetricFamily,
        help="1 while an alarm is raised and not over.",
        scope=Scope.FOLDED,
        labels=("stream",),
        read=_by_stream(lambda _, stream, __: float(stream.is_latched)),
    ),
    Row(
        name="stale_climbs",
        kind=CounterMetricFamily,
        help="Climbs that were ignored because something had moved since they were decided.",
        scope=Scope.FOLDED,
        read=_plain(lambda view: view.state.tally.stale_climbs),
    ),
    Row(
        name="journal_records",
        kind=CounterMetricFamily,
        help="Records that were folded.",
        scope=Scope.FOLDED,
        read=_plain(lambda view: view.state.seq),
    ),
    Row(
        name="webhook_requests",
        kind=CounterMetricFamily,
        help="Requests to the Stripe endpoint by what became of them.",
        scope=Scope.PROCESS,
        labels=("result",),
        read=lambda view: [((result,), view.webhooks[result]) for result in view.webhook_results],
    ),
    Row(
        name="ack_requests",
        kind=CounterMetricFamily,
        help="Requests to the ack endpoint by what became of them.",
        scope=Scope.PROCESS,
        labels=("result",),
        read=lambda view: [((result,), view.ack_requests[result]) for result in view.ack_results],
    ),
    Row(
        name="refused_connections",
        kind=CounterMetricFamily,
        help="Connections that were one too many for a listener.",
        scope=Scope.PROCESS,
        labels=("listener",),
        read=lambda view: [((name,), count) for name, count in view.refused_connections().items()],
    ),
    Row(
        name="log_lines_dropped",
        kind=CounterMetricFamily,
        help="Log lines that could not be written: the reader is stuck, the pipe broken, or the disk full.",
        scope=Scope.PROCESS,
        read=_plain(lambda view: view.dropped_lines()),
    ),
    Row(
        name="build_info",
        kind=GaugeMetricFamily,
        help="Always 1; the version is a label.",
        scope=Scope.PROCESS,
        labels=("version",),
        read=lambda _: [((__version__,), 1.0)],
    ),
)
"""All metrics but the histogram `webhook_to_broadcast_seconds`. Names are a contract with dashboards and rules."""
