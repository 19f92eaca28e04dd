"""What do SREs read? One table of metrics, read from the state and from this process when Prometheus asks.

*Folded* metrics come from the journal and are equal on all replicas: read them by `max without (instance, pod)`.
*Process* metrics are this process's own.
"""

from collections.abc import Iterator
from typing import cast

from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from sidecar.core.judging import latency_edges_ms
from sidecar.core.state import State
from sidecar.metrics.catalogue import PREFIX, catalogue, page
from sidecar.metrics.encoding import encode, scraped
from sidecar.metrics.table import TABLE
from sidecar.metrics.view import Histogram, Row, Sets, View

__all__ = [
    "PREFIX",
    "TABLE",
    "Exposition",
    "Sets",
    "View",
    "catalogue",
    "encode",
    "histogram_family",
    "page",
    "scraped",
]


class Exposition(Collector):
    """The table as Prometheus reads it. Everything is computed when asked; nothing is kept twice."""

    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterator[Family]:
        """Yield every metric of the table."""
        for metric in TABLE:
            yield _row(metric, self._view) if isinstance(metric, Row) else histogram_family(metric, self._view.state)

    def describe(self) -> Iterator[Family]:
        """Yield nothing: names come from `TABLE`, and describing would read a state that may not be there yet."""
        return iter(())


def _row(row: Row, view: View) -> Family:
    family = cast("type[GaugeMetricFamily]", row.kind)(
        PREFIX + row.name, f"{row.help} [{row.scope}]", labels=tuple(row.labels)
    )
    for labels, value in row.read(view):
        family.add_metric(labels, value)
    return family


def histogram_family(histogram: Histogram, state: State) -> HistogramMetricFamily:
    """Return a histogram whose edges are those of the policy in force: what other edges counted is as if reset."""
    family = HistogramMetricFamily(PREFIX + histogram.name, f"{histogram.help} [{histogram.scope}]")
    latency = histogram.read(state)
    edges_ms = latency_edges_ms(state.policy) if state.policy else []
    is_current = latency.edges_ms == edges_ms
    counts = latency.counts if is_current and latency.counts else [0] * (len(edges_ms) + 1)
    buckets, count = [], 0
    for edge_ms, more in zip(edges_ms, counts, strict=False):
        count += more
        buckets.append((str(edge_ms / 1000), float(count)))
    family.add_metric([], [*buckets, ("+Inf", float(sum(counts)))], latency.sum_ms / 1000 if is_current else 0.0)
    return family
