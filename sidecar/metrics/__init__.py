"""What do SREs read? One table of metrics, read from the state and from this process when Prometheus asks.

*Folded* metrics come from the journal and are equal on all replicas: read them by `max without (instance, pod)`.
*Process* metrics are this process's own. Folded ones are told once the journal has been read to its end.
"""

from collections.abc import Iterator
from typing import cast

from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from sidecar.core.fold.judging import latency_edges_ms
from sidecar.metrics.catalogue import PREFIX, catalogue, page
from sidecar.metrics.encoding import encode, scraped
from sidecar.metrics.exemplars import Exemplars
from sidecar.metrics.table import TABLE
from sidecar.metrics.view import Histogram, Row, Sets, View

__all__ = [
    "PREFIX",
    "TABLE",
    "Exemplars",
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
        """Yield every metric of the table that is told now."""
        for metric in TABLE:
            if metric.is_told(self._view):
                yield _row(metric, self._view) if isinstance(metric, Row) else histogram_family(metric, self._view)

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


def histogram_family(histogram: Histogram, view: View) -> HistogramMetricFamily:
    """Return a histogram whose edges are those of the policy in force: what other edges counted is as if reset."""
    family = HistogramMetricFamily(PREFIX + histogram.name, f"{histogram.help} [{histogram.scope}]")
    latency, policy = histogram.read(view.state), view.state.policy
    edges_ms = latency_edges_ms(policy) if policy else []
    is_current = latency.edges_ms == edges_ms
    counts = latency.counts if is_current and latency.counts else [0] * (len(edges_ms) + 1)
    last = view.exemplars(edges_ms) if histogram.has_exemplars and is_current else {}
    buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    count = 0
    for index, more in enumerate(counts):
        count += more
        edge = str(edges_ms[index] / 1000) if index < len(edges_ms) else "+Inf"
        payment = last.get(index)
        buckets.append((edge, float(count)) if payment is None else (edge, float(count), payment))
    family.add_metric([], buckets, latency.sum_ms / 1000 if is_current else 0.0)
    return family
