"""What an alert is, and how one becomes a page only while push is served."""

import enum
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from sidecar.rules.recordings import PUSH_SERVED
from sidecar.rules.terms import Terms

NOBODY: Final = "Nobody is affected, because every payer is served timers."
"""What a ticket says whose page would be about push."""


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


def while_push_is_served(
    terms: Terms,
    *,
    name: str,
    expr: str,
    lasting: str = "",
    summary: str,
    affected: str,
    unaffected: str,
    labels: Mapping[str, str] = {},
) -> Iterator[Alert]:
    """Yield a page for while push is served, and a ticket for while it is not or nobody knows."""
    served = f'{PUSH_SERVED}{{job="{terms.job}"}} == 1'
    for severity, guard, description in (
        (Severity.PAGE, f"and\n{served}", affected),
        (Severity.TICKET, f"unless\n{served}", f"{unaffected} {NOBODY}"),
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
