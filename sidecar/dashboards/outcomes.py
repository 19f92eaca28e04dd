"""Payments by outcome: the panel that two dashboards share."""

from collections.abc import Mapping
from typing import Any, Final

from sidecar.core.facts.outcomes import Outcome
from sidecar.dashboards.panels import BAD, GOOD, ODD, UNKNOWN, Panel, counts
from sidecar.dashboards.queries import Query, grown
from sidecar.wording import OUTCOMES

COLOURS: Final[Mapping[str, str]] = {
    Outcome.ON_TIME: GOOD,
    Outcome.LATE: ODD,
    Outcome.MISSED: BAD,
    Outcome.UNMEASURED: UNKNOWN,
}


def outcomes(**more: Any) -> Panel:
    """Return the panel."""
    return counts(
        "Payments by outcome",
        "Counted at the deadline, so that payments without a broadcast are included.",
        Query(expr=grown("payment_outcomes_total"), legend="{{outcome}}"),
        colours=COLOURS,
        wording=OUTCOMES,
        **more,
    )
