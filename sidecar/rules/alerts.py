"""All alerts, the most urgent groups first."""

from sidecar.rules import delivery, reverb, upkeep
from sidecar.rules.alert import Alert, Severity
from sidecar.rules.terms import Terms

__all__ = ["Alert", "Severity", "alerts"]


def alerts(terms: Terms) -> tuple[Alert, ...]:
    """Return the alert rules."""
    return (*delivery.alerts(terms), *reverb.alerts(terms), *upkeep.alerts(terms))
