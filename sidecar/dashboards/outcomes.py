"""How payments ended, over time: the one picture that stands on two dashboards."""

from collections.abc import Mapping
from typing import Any, Final

from sidecar.core.facts.outcomes import Outcome
from sidecar.dashboards.panels import BAD, GOOD, ODD, UNKNOWN, Panel, graph
from sidecar.dashboards.queries import Query, grown

COLOURS: Final[Mapping[str, str]] = {
    Outcome.ON_TIME: GOOD,
    Outcome.LATE: ODD,
    Outcome.MISSED: BAD,
    Outcome.UNMEASURED: UNKNOWN,
}


def outcomes(**more: Any) -> Panel:
    """Return the panel."""
    return graph(
        "Payments by outcome",
        "Decided at the deadline, so that news which never came is counted too.",
        Query(expr=grown("payment_outcomes_total"), legend="{{outcome}}"),
        unit="short",
        is_stacked=True,
        colours=COLOURS,
        **more,
    )
