"""Every metric with its labels and its maximum number of series, as one page or as JSON."""

from collections.abc import Iterable, Sequence

import msgspec

from sidecar.core.fold.judging import EDGES_MS, OBJECTIVES
from sidecar.metrics.rows import Histogram, Row
from sidecar.metrics.table import TABLE
from sidecar.parts.metrics import PREFIX, Declared, Key, Scope, declarations

_BUCKETS_MAX = len(EDGES_MS) + OBJECTIVES + 1
"""The usual edges, one at every objective, and the open one."""


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """A metric, for people and tools."""

    name: str
    """As it is queried; of a histogram, without `_bucket`, `_sum` and `_count`."""
    type: str
    scope: Scope
    help: str
    labels: dict[str, tuple[str, ...]]
    """The closed set of each label; `le` of a histogram depends on the objectives and is left out."""
    series_max: int
    """The maximum number of series of one process."""


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """All metrics."""

    metrics: tuple[Described, ...]
    series_max: int
    """The maximum number of series of one process, of all metrics together."""


def catalogue(kinds: Sequence[type]) -> Catalogue:
    """Return all metrics: the folded ones in the table's order, then those that the classes declare."""
    described = (
        *(_of_histogram(each) if isinstance(each, Histogram) else _of_row(each) for each in TABLE),
        *(_described(each, each.labels, each.series(kinds), Scope.PROCESS) for each in declarations(kinds)),
    )
    return Catalogue(metrics=described, series_max=sum(each.series_max for each in described))


def page(kinds: Sequence[type]) -> str:
    """Return the page, in Markdown."""
    found = catalogue(kinds)
    edges = ", ".join(f"{edge_ms / 1000:g}" for edge_ms in EDGES_MS)
    parts = [
        "# Metrics\n",
        "Every metric of `/metrics`. `sidecar metrics` prints this page; `sidecar metrics --json` prints the data.\n",
        "*Folded* metrics are read from the journal and are equal on all replicas: query them with",
        "`max without (instance, pod)`, after `rate` or `increase` where they are counters. *Process* metrics belong",
        "to one process.\n",
        "A process exposes folded metrics once it has read its journal to the end. Values during a replay would look",
        "like growth, and past alarms like present ones. Meanwhile `reverb_sidecar_journal_records_total` and",
        "`reverb_sidecar_last_record_timestamp_seconds` show the progress.\n",
        f"One process has at most **{found.series_max} series**, whatever its traffic: every label has a closed set",
        "of values, and none is a payment, a user, a channel or an address. All series exist from the first scrape, as",
        "far as the configuration uses them. Metrics that depend on a policy appear a moment after the very first",
        "start.\n",
        f"The buckets of histograms end at {edges} seconds, and at every objective: `on_time_within` and",
        "`missed_after`. They start at 0 again when a policy moves an objective.\n",
        "| metric | type | scope | labels | series, at most | description |",
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


def _of_histogram(metric: Histogram) -> Described:
    return Described(
        name=PREFIX + metric.name,
        type="histogram",
        scope=Scope.FOLDED,
        help=metric.help,
        labels={},
        series_max=_BUCKETS_MAX + 2,
    )


def _of_row(metric: Row) -> Described:
    return _described(metric, metric.labels, metric.series, Scope.FOLDED)


def _described(metric: Row | Declared, labels: Sequence[str], series: Iterable[Key], scope: Scope) -> Described:
    keys = tuple(series)
    return Described(
        name=f"{PREFIX}{metric.name}{'_total' if metric.is_counter else ''}",
        type="counter" if metric.is_counter else "gauge",
        scope=scope,
        help=metric.help,
        labels={label: tuple(dict.fromkeys(key[index] for key in keys)) for index, label in enumerate(labels)},
        series_max=len(keys),
    )
