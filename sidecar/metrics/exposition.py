"""All metrics of a sidecar as Prometheus reads them, computed when it scrapes."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import cast

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from sidecar.core.fold.judging import latency_edges_ms
from sidecar.core.fold.state import State
from sidecar.metrics.rows import Histogram, Row
from sidecar.metrics.table import TABLE
from sidecar.parts.metrics import PREFIX, Counter, Declared, Key, Samples, Scope, declarations, declared_by

LastPayments = Callable[[list[int]], Mapping[int, Exemplar]]
"""Returns the last payment of each bucket of these edges."""


class Exposition(Collector):
    """The folded metrics of a state, and the process metrics of the parts.

    `kinds` are all classes that declare metrics: the counters of a class that has no object here are exposed as 0.
    """

    def __init__(
        self,
        state: State,
        kinds: Sequence[type] = (),
        parts: Callable[[], Iterable[object]] = lambda: (),
        *,
        has_caught_up: Callable[[], bool] = lambda: True,
        exemplars: LastPayments = lambda _: {},
    ) -> None:
        self._state = state
        self._kinds = kinds
        self._parts = parts
        self._has_caught_up = has_caught_up
        self._exemplars = exemplars

    def collect(self) -> Iterator[Family]:
        """Yield every metric that is exposed now.

        Folded metrics are exposed once the journal was read to its end: the values of a replay would look like resets,
        growth and old alarms.
        """
        has_caught_up = self._has_caught_up()
        for metric in TABLE:
            if isinstance(metric, Histogram):
                if has_caught_up:
                    yield histogram_family(metric, self._state, self._exemplars)
            elif has_caught_up or metric.is_progress:
                yield _family(metric, metric.labels, metric.samples(self._state), Scope.FOLDED)
        found: dict[Declared, dict[Key, float]] = defaultdict(dict)
        for part in self._parts():
            for declared in declared_by(type(part)):
                total = found[declared]
                for key, value in declared.samples(part):
                    total[key] = total[key] + value if key in total else value
        for declared in declarations(self._kinds):
            samples = found[declared]
            if not samples and isinstance(declared, Counter):
                samples = dict.fromkeys(declared.series(self._kinds), 0.0)
            yield _family(declared, declared.labels, samples.items(), Scope.PROCESS)

    def describe(self) -> Iterator[Family]:
        """Yield nothing: the client library needs no names in advance."""
        return iter(())


def _family(metric: Row | Declared, labels: Sequence[str], samples: Samples, scope: Scope) -> Family:
    kind = cast("type[GaugeMetricFamily]", CounterMetricFamily) if metric.is_counter else GaugeMetricFamily
    family = kind(PREFIX + metric.name, f"{metric.help} [{scope}]", labels=labels)
    for key, value in samples:
        family.add_metric(key, value)
    return family


def histogram_family(
    histogram: Histogram, state: State, exemplars: LastPayments = lambda _: {}
) -> HistogramMetricFamily:
    """Return a histogram with the edges of the policy in force; counts of other edges are left out: a reset."""
    family = HistogramMetricFamily(PREFIX + histogram.name, f"{histogram.help} [{Scope.FOLDED}]")
    latency, policy = histogram.read(state), state.policy
    edges_ms = latency_edges_ms(policy) if policy else []
    is_current = latency.edges_ms == edges_ms
    counts = latency.counts if is_current and latency.counts else [0] * (len(edges_ms) + 1)
    last = exemplars(edges_ms) if histogram.has_exemplars and is_current else {}
    buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
    count = 0
    for index, more in enumerate(counts):
        count += more
        edge = str(edges_ms[index] / 1000) if index < len(edges_ms) else "+Inf"
        payment = last.get(index)
        buckets.append((edge, float(count)) if payment is None else (edge, float(count), payment))
    family.add_metric([], buckets, latency.sum_ms / 1000 if is_current else 0.0)
    return family
