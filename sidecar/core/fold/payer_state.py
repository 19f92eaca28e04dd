"""What the state contains of one user: the last answer, the open days of votes, and reports before their payments.

Defaults are left out of a checkpoint: there may be 100 000 users.
"""

import msgspec

from sidecar.core.facts.observations import BrowserReported
from sidecar.core.facts.reports import Flow


class EarlyReport(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A report that arrived before its payment."""

    fact: BrowserReported
    at_ms: int


class Day(msgspec.Struct, array_like=True, gc=False):
    """A payer's open day in one indicator: its vote is counted when it closes."""

    from_ms: int
    """When the payer's first vote was cast."""
    is_bad: bool = False
    """Whether any payment of the day ended bad."""
    counted_version: int = 0
    """Of `reach`: the version with which the rung was reached on which this payer was last counted."""
    alarm_from_ms: int = 0
    """From when on a payment of this payer is a vote in the alarm again."""


class Payer(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One user's channel authorisations, votes and browser reports."""

    seen_ms: int
    """When anything was last learned."""
    due_ms: int = 0
    """When the user's entry in the agenda is due."""
    answered_ms: int | None = None
    """When the backend last answered a request for the user's channel; None: never."""
    is_ok: bool = False
    """Whether that answer was `ok`."""
    user_auth: Day | None = None
    reach: Day | None = None
    unreported: str | None = None
    """The last payment whose report did not arrive in time: if it arrives later, it is late."""
    early: dict[str, EarlyReport] = {}
    """Reports that arrived before their payments."""


class Paid(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """A payment of a known user, until ten minutes after its webhook."""

    user_ref: str
    at_ms: int
    """When its webhook arrived."""
    has_payer: bool = True
    """Whether a payer waits for it, as far as Stripe's event shows."""
    is_covered: bool = True
    """Whether it counts in payer coverage: its payer is present, and its webhook came at once."""
    is_excused: bool = False
    """Push was suspended when its webhook came, because Reverb was unstable."""
    is_reported: bool = False
    """The payer's browser reported it."""


class Reach(msgspec.Struct, kw_only=True):
    """The last reports of the payers' browsers."""

    flows: list[Flow] = []
    """Of the last reports, oldest first."""
