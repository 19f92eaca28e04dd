"""How a panel reads metrics: restricted by the dashboard's variables, and folded metrics once for all replicas."""

from typing import Final

import msgspec

from sidecar.metrics import PREFIX

WITHIN: Final = 'environment=~"$environment", job=~"$job", instance=~"$instance"'
"""Matchers of every query. A target without the label `environment` matches every environment."""
RATE: Final = "$__rate_interval"
"""A window of at least four scrapes and at least one step of the graph."""
RANGE: Final = "$__range"
"""The selected time range."""
STEP: Final = "$__interval"
"""One step of the graph, at least one scrape."""
FAILED: Final = "late|missed"
JUDGED: Final = "on_time|late|missed"
"""Outcomes that are judged, and not unmeasured."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One query of a panel."""

    expr: str
    legend: str = ""
    """In Grafana's template language; empty: the panel has one series."""
    form: str = "time_series"
    """Or `table`, or `heatmap`."""
    is_instant: bool = False
    """Whether only the last value is queried, as for a table."""
    has_exemplars: bool = False


def cells(expr: str) -> Query:
    """Return a query for one column of a table."""
    return Query(expr=expr, form="table", is_instant=True)


def series(name: str, *matchers: str, **labels: str) -> str:
    """Return the selector of a metric, given without its prefix; a label has one value or `a|b`."""
    equal = (f'{label}{"=~" if "|" in value else "="}"{value}"' for label, value in labels.items())
    return f"{PREFIX}{name}{{{', '.join((WITHIN, *matchers, *equal))}}}"


def foreign(name: str) -> str:
    """Return the selector of a metric that Prometheus adds to every target, for the jobs with a sidecar in the last day.

    Without this restriction, *All* jobs would include everything that this Prometheus scrapes.
    """
    return f"{name}{{{WITHIN}}} and on (job) last_over_time({series('build_info')}[1d])"


def folded(name: str, *matchers: str, **labels: str) -> str:
    """Return a folded gauge, or the total of a folded counter: every replica exports the same value, possibly later."""
    return f"max without (instance, pod) ({series(name, *matchers, **labels)})"


def grown(name: str, *matchers: str, window: str = RATE, **labels: str) -> str:
    """Return the increase of a folded counter.

    Within a step of a graph the increase is taken per replica first, so that a replica that lags causes no jump. Over
    hours and days the counter is folded first: replicas are replaced meanwhile, and none of them exports the whole range.
    """
    if window == RATE or window.endswith("m"):
        return f"max without (instance, pod) (increase({series(name, *matchers, **labels)}[{window}]))"
    step = STEP if window == RANGE else "1m" if window.endswith("h") else "5m"
    return f"increase({folded(name, *matchers, **labels)}[{window}:{step}])"


def counted(name: str, *matchers: str, window: str = RATE, **labels: str) -> str:
    """Return the increase of a process counter, summed over all replicas."""
    return f"sum without (instance, pod) (increase({series(name, *matchers, **labels)}[{window}]))"


def oldest_wait() -> str:
    """Return for how long the oldest payment has waited for its deciding ack; 0 if none waits."""
    since = folded("oldest_unmatched_payment_timestamp_seconds")
    return f"(time() - {since}) * ({since} > bool 0)"


def failed_ratio(window: str) -> str:
    """Return the share of judged payments that were late or missed, as the rules compute it."""
    bad = f"sum without (outcome) ({grown('payment_outcomes_total', window=window, outcome=FAILED)})"
    every = f"sum without (outcome) ({grown('payment_outcomes_total', window=window, outcome=JUDGED)})"
    return f"{bad} / ({every} > 0)"
