"""An alert rule, and the pair of page and ticket for a condition that harms payers only while push is served."""

import enum
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from sidecar.rules.recordings import PUSH_SERVED
from sidecar.rules.terms import Terms

COUNT: Final = '{{ $value | printf "%.0f" }}'
"""The value of the expression as a whole number, in Prometheus' template language."""
NOBODY: Final = "Nobody is affected: all payers are served timers."
"""Impact while timers are served."""
NOBODY_THEN: Final = "Nobody is affected: all payers are served timers, or were until the condition ended."
"""Impact of the ticket that stands beside a page."""
BEHIND: Final = (
    "The hand-written timers are removed from the app (lifecycle: removed). Without push, payers depend on the safety net "
    "at 5s and, once the flag answers timers, on the schedule in the browsers' client."
)
"""Added to alerts about delivery where the ladder is off, so that nobody looks for removed code."""


class Severity(enum.StrEnum):
    """How soon a person must act."""

    PAGE = "page"
    """Now: payers or their data are affected."""
    TICKET = "ticket"
    """During working hours."""
    NONE = "none"
    """Never: the alert always fires, and its absence is the signal."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert rule."""

    name: str
    severity: Severity
    expr: str
    lasting: str = ""
    """The rule's `for`; empty: the alert fires at the first evaluation."""
    summary: str
    description: str
    """Impact in payers, then the cause or the next step. Prometheus' template language."""
    labels: Mapping[str, str] = {}


def behind(terms: Terms) -> str:
    """Return the addition for `lifecycle: removed`, with a leading space; empty while the app has timers."""
    return f" {BEHIND}" if terms.is_removed else ""


def while_push_is_served(
    terms: Terms,
    *,
    name: str,
    expr: str,
    window: str,
    lasting: str = "",
    summary: str,
    affected: str,
    unaffected: str,
    labels: Mapping[str, str] = {},
) -> Iterator[Alert]:
    """Yield a page for a condition while push is served, and a ticket for the same condition otherwise.

    `window` is the range that the condition looks back on. The page requires push for the whole window, so that failures
    under timers do not page when push returns.
    """
    served = f"min_over_time({PUSH_SERVED}{{{terms.within}}}[{window}]) == 1"
    for severity, guard, description in (
        (Severity.PAGE, f"and\n{served}", affected),
        (Severity.TICKET, f"unless\n{served}", f"{unaffected} {NOBODY_THEN}"),
    ):
        yield Alert(
            name=name,
            severity=severity,
            expr=f"{expr}\n{guard}",
            lasting=lasting,
            summary=summary,
            description=f"{description}{behind(terms)}",
            labels=labels,
        )
