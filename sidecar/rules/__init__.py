"""What wakes a person, and what may wait? Prometheus' recording and alert rules, for one configuration.

The problem: at forty payments a day one late payment is a burn rate of a thousand, a folded metric is the same number on
every replica, and most troubles hurt nobody, because the flag has answered timers already.

What we do: rules are data, made for the configured objective and pace. Folded metrics are read by `max`. An alert about
delivery counts payers before it divides, and pages only while push is served; else the same condition is a ticket.
"""

from sidecar.rules.alerts import Alert, Severity, alerts
from sidecar.rules.printing import Format, printed
from sidecar.rules.recordings import Recording, recordings
from sidecar.rules.terms import DEFAULT_JOB, DEFAULT_RUNBOOKS, Terms, terms_of

__all__ = [
    "DEFAULT_JOB",
    "DEFAULT_RUNBOOKS",
    "Alert",
    "Format",
    "Recording",
    "Severity",
    "Terms",
    "alerts",
    "printed",
    "recordings",
    "terms_of",
]
