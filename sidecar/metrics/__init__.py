"""What do SREs read? One table of metrics, read from the state and from this process when Prometheus asks.

*Folded* metrics come from the journal and are equal on all replicas: read them by `max without (instance, pod)`.
*Process* metrics are this process's own.
"""

from collections.abc import Iterator
from typing import cast

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from sidecar.core.judging import latency_edges_ms
from sidecar.core.state import Latency, State
from sidecar.metrics.table import TABLE
from sidecar.metrics.view import Scope, View

__all__ = ["TABLE", "View", "registry"]

_PREFIX = "reverb_sidecar_"


class Exposition(Collector):
    """The table as Prometheus reads it. Everything is computed when asked; nothing is kept twice."""

    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        """Yield every metric of the table, and the histograms."""
        for row in TABLE:
            family = cast("type[GaugeMetricFamily]", row.kind)(
                _PREFIX + row.name, f"{row.help} [{row.scope}]", labels=row.labels
            )
            for labels, value in row.read(self._view):
                family.add_metric(labels, value)
            yield family
        state = self._view.state
        yield _histogram(
            state,
            state.tally.latency,
            "webhook_to_broadcast_seconds",
            "From the webhook's arrival to the deciding ack, of judged payments.",
        )
        yield _histogram(
            state,
            state.tally.round_trip,
            "round_trip_seconds",
            "From a canary's way into Reverb's API to its arrival on the last of our sockets, of clean ones.",
        )

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: names come from `TABLE`, and describing would read a state that may not be there yet."""
        return iter(())


def registry(view: View) -> CollectorRegistry:
    """Return a registry of its own, with the whole table in it."""
    own = CollectorRegistry(auto_describe=False)
    own.register(Exposition(view))
    return own


def _histogram(state: State, latency: Latency, name: str, words: str) -> HistogramMetricFamily:
    family = HistogramMetricFamily(f"{_PREFIX}{name}", f"{words} [{Scope.FOLDED}]")
    buckets, count = [], 0
    edges_ms = latency.edges_ms or (latency_edges_ms(state.policy) if state.policy else [])
    for edge_ms, more in zip(edges_ms, latency.counts or [0] * len(edges_ms), strict=False):
        count += more
        buckets.append((str(edge_ms / 1000), float(count)))
    total = float(sum(latency.counts))
    family.add_metric([], [*buckets, ("+Inf", total)], latency.sum_ms / 1000)
    return family
