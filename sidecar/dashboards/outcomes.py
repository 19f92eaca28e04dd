"""How payments ended, over time: the one picture that stands on two dashboards."""

from typing import Any

from sidecar.dashboards.panels import Panel, graph
from sidecar.dashboards.queries import Query, grown


def outcomes(**more: Any) -> Panel:
    """Return the panel."""
    return graph(
        "Payments by outcome",
        "Decided at the deadline, so that news which never came is counted too.",
        Query(expr=grown("payment_outcomes_total"), legend="{{outcome}}"),
        unit="short",
        is_stacked=True,
        **more,
    )
