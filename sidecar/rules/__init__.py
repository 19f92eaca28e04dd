"""What pages a person, and what is a ticket? Prometheus' recording and alert rules for one configuration.

The problem: at forty payments a day one late payment is a burn rate of a thousand, a folded metric has the same value on
every replica, and most failures affect nobody, because the flag already answers timers.

The solution: rules are data, generated from the configured objective and probe intervals. Folded metrics are read by
`max`. An alert about delivery requires a minimum number of payers, and pages only while push is served; otherwise the same
condition is a ticket.
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
