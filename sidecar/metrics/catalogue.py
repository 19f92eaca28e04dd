"""Every metric with its labels and the highest number of its series, as one page or as JSON."""

import msgspec
from prometheus_client.metrics_core import CounterMetricFamily

from sidecar.core.fold.judging import EDGES_MS, OBJECTIVES
from sidecar.metrics.table import TABLE
from sidecar.metrics.view import Histogram, Metric, Row, Scope, Sets

PREFIX = "reverb_sidecar_"
_BUCKETS_MAX = len(EDGES_MS) + OBJECTIVES + 1
"""The usual edges, one at every objective, and the open one."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A metric, as people and tools read of it."""

    name: str
    """As it is queried; of a histogram, what `_bucket`, `_sum` and `_count` are added to."""
    type: str
    scope: Scope
    help: str
    labels: dict[str, tuple[str, ...]]
    """The closed set of each label; `le` of a histogram depends on the objectives and is left out."""
    series_max: int
    """How many series one process has at most."""


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """All metrics."""

    metrics: tuple[Described, ...]
    series_max: int
    """How many series one process has at most, of all metrics together."""


def catalogue(sets: Sets) -> Catalogue:
    """Return all metrics, in the table's order."""
    described = tuple(_described(metric, sets) for metric in TABLE)
    return Catalogue(metrics=described, series_max=sum(each.series_max for each in described))


def page(sets: Sets) -> str:
    """Return the page, in Markdown."""
    found = catalogue(sets)
    edges = ", ".join(f"{edge_ms / 1000:g}" for edge_ms in EDGES_MS)
    parts = [
        "# Metrics\n",
        "All that `/metrics` says. Written by `sidecar metrics`; `sidecar metrics --json` says the same to tools.\n",
        "*Folded* metrics are read from the journal and are equal on all replicas: read them by",
        "`max without (instance, pod)`, after `rate` or `increase` where they are counters. *Process* metrics are",
        "each process's own.\n",
        "Folded metrics are told once a process has read its journal to its end: what a replay passes through is no",
        "growth, and an alarm of last month is no alarm. `reverb_sidecar_journal_records_total` and",
        "`reverb_sidecar_last_record_timestamp_seconds` say meanwhile how far it is.\n",
        f"One process has at most **{found.series_max} series**, whatever its traffic: every label has a closed set,",
        "and none is a payment, a user, a channel or an address. Every set is there from then on, as far as",
        "the configuration has a use for it; what needs a policy comes a moment after the very first start.\n",
        f"The buckets of histograms end at {edges} seconds, and at every objective: `on_time_within` and",
        "`missed_after`. They begin anew when a policy moves an objective.\n",
        "| metric | type | scope | labels | series, at most | what it says |",
        "|---|---|---|---|---|---|",
        *(_line(each) for each in found.metrics),
        "\n## Labels\n",
        "| metric | label | values |",
        "|---|---|---|",
    ]
    parts += [
        f"| `{each.name}` | `{label}` | {', '.join(f'`{value}`' for value in values)} |"
        for each in found.metrics
        for label, values in each.labels.items()
    ]
    return "\n".join(parts) + "\n"


def _line(each: Described) -> str:
    labels = ", ".join(f"`{label}`" for label in each.labels) or ("`le`" if each.type == "histogram" else "")
    return f"| `{each.name}` | {each.type} | {each.scope} | {labels} | {each.series_max} | {each.help} |"


def _described(metric: Metric, sets: Sets) -> Described:
    labels, series_max, suffix = {}, 1, ""
    if isinstance(metric, Row):
        labels = metric.values(sets)
        if metric.series_max is not None:
            series_max = metric.series_max(sets)
        else:
            for values in labels.values():
                series_max *= len(values)
        kind = "counter" if metric.kind is CounterMetricFamily else "gauge"
        suffix = "_total" if kind == "counter" else ""
    else:
        assert isinstance(metric, Histogram)  # noqa: S101 - there is no third kind
        kind, series_max = "histogram", _BUCKETS_MAX + 2
    return Described(
        name=f"{PREFIX}{metric.name}{suffix}",
        type=kind,
        scope=metric.scope,
        help=metric.help,
        labels=labels,
        series_max=series_max,
    )
