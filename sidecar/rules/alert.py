"""What an alert is, and how one becomes a page only while push is served."""

import enum
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from sidecar.rules.recordings import PUSH_SERVED
from sidecar.rules.terms import Terms

NOBODY: Final = "Nobody is affected, because every payer is served timers."
"""What a ticket says where nobody could be served push."""
NOBODY_THEN: Final = "Nobody is affected, because every payer is served timers, or was until it was well again."
"""What a ticket says whose page would be about push."""


BEHIND: Final = (
    "The hand-written timers are gone from the app (lifecycle: removed): behind push there are the safety net at 5s and, "
    "once the flag says timers, the schedule that the browsers' client follows."
)
"""What an alert about delivery adds where the ladder is off: nobody should look for code that is not there any more."""


class Severity(enum.StrEnum):
    """What an alert asks of people."""

    PAGE = "page"
    """Payers are affected now, or their data is."""
    TICKET = "ticket"
    """It can wait for the morning."""
    NONE = "none"
    """It always fires: its silence is what counts."""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert rule."""

    name: str
    severity: Severity
    expr: str
    lasting: str = ""
    """For how long the condition must hold; empty: at once."""
    summary: str
    description: str
    """Who is affected, in payers. Prometheus' template language."""
    labels: Mapping[str, str] = {}


def behind(terms: Terms) -> str:
    """Return what else an alert about delivery says, with a space before it; nothing while the timers are there."""
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
    """Yield a page for while push is served, and a ticket for while it is not or nobody knows.

    `window`: what the condition looks back to. Push must have been served for all of it: what failed while everybody
    had timers must wake nobody when push comes back.
    """
    served = f"min_over_time({PUSH_SERVED}{{{terms.within}}}[{window}]) == 1"
    for severity, guard, description in (
        (Severity.PAGE, f"and\n{served}", f"{affected}{behind(terms)}"),
        (Severity.TICKET, f"unless\n{served}", f"{unaffected} {NOBODY_THEN}{behind(terms)}"),
    ):
        yield Alert(
            name=name,
            severity=severity,
            expr=f"{expr}\n{guard}",
            lasting=lasting,
            summary=summary,
            description=description,
            labels=labels,
        )
