"""How a panel reads metrics: within the variables on top, and what is folded once for all replicas."""

from typing import Final

import msgspec

from sidecar.metrics import PREFIX

WITHIN: Final = 'environment=~"$environment", job=~"$job", instance=~"$instance"'
"""The variables that every query obeys. A target without the label `environment` is in all of them."""
RATE: Final = "$__rate_interval"
"""A window that is never shorter than four scrapes, nor than a step of the graph."""
RANGE: Final = "$__range"
"""All that is on the screen."""
STEP: Final = "$__interval"
"""A step of the graph, and never shorter than a scrape."""
FAILED: Final = "late|missed"
JUDGED: Final = "on_time|late|missed"
"""Outcomes that say something about push."""


class Query(msgspec.Struct, frozen=True, kw_only=True):
    """One query of a panel."""

    expr: str
    legend: str = ""
    """In Grafana's template language; empty: the panel has one series."""
    form: str = "time_series"
    """Or `table`, or `heatmap`."""
    is_instant: bool = False
    """Only the last value is asked for, as a table wants it."""
    has_exemplars: bool = False


def series(name: str, *matchers: str, **labels: str) -> str:
    """Return the selector of a metric, which is given without the prefix; a label may have one value or `a|b`."""
    equal = (f'{label}{"=~" if "|" in value else "="}"{value}"' for label, value in labels.items())
    return f"{PREFIX}{name}{{{', '.join((WITHIN, *matchers, *equal))}}}"


def foreign(name: str) -> str:
    """Read a metric that Prometheus makes itself of every target: of the jobs that a sidecar was seen in within a day.

    Where *All* jobs are chosen it would else be of all that this Prometheus scrapes.
    """
    return f"{name}{{{WITHIN}}} and on (job) last_over_time({series('build_info')}[1d])"


def folded(name: str, *matchers: str, **labels: str) -> str:
    """Read a folded gauge, or a counter's whole: every replica tells the same, or a little later."""
    return f"max without (instance, pod) ({series(name, *matchers, **labels)})"


def grown(name: str, *matchers: str, window: str = RATE, **labels: str) -> str:
    """Return by how much a folded counter grew.

    In a step of a graph, per replica first, so that one that is a little behind is no jump. In hours and days folded
    first: a replica may be replaced meanwhile, and none of them has seen the whole.
    """
    if window == RATE or window.endswith("m"):
        return f"max without (instance, pod) (increase({series(name, *matchers, **labels)}[{window}]))"
    step = STEP if window == RANGE else "1m" if window.endswith("h") else "5m"
    return f"increase({folded(name, *matchers, **labels)}[{window}:{step}])"


def counted(name: str, *matchers: str, window: str = RATE, **labels: str) -> str:
    """Return by how much a counter of each process grew, on all replicas together."""
    return f"sum without (instance, pod) (increase({series(name, *matchers, **labels)}[{window}]))"


def oldest_wait() -> str:
    """Return for how long the oldest payment has waited for its deciding ack; 0 where none waits."""
    since = folded("oldest_unmatched_payment_timestamp_seconds")
    return f"(time() - {since}) * ({since} > bool 0)"


def failed_ratio(window: str) -> str:
    """Return the share of judged payments whose news was late or never came, as the rules compute it."""
    bad = f"sum without (outcome) ({grown('payment_outcomes_total', window=window, outcome=FAILED)})"
    every = f"sum without (outcome) ({grown('payment_outcomes_total', window=window, outcome=JUDGED)})"
    return f"{bad} / ({every} > 0)"
