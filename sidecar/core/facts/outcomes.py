"""How do payments and reports end? The closed lists of their outcomes, and of why some say nothing about push."""

import enum


class Outcome(enum.StrEnum):
    """How a payment ended."""

    ON_TIME = "on_time"
    LATE = "late"
    MISSED = "missed"
    UNMEASURED = "unmeasured"


class Unmeasured(enum.StrEnum):
    """Why a payment says nothing about push."""

    STOPPED = "stopped"
    """The sidecar was not running in the payment's time."""
    CUT_OFF = "cut_off"
    """The sidecar ran but saw nothing: frozen, or its journal did not answer."""
    CLOCK_JUMPED = "clock_jumped"
    ACKS_LOST = "acks_lost"
    """Acks were removed from the indicator before we read them; one may have been its own."""
    NOT_WIRED = "not_wired"
    """Its deadline passed before the first ack ever of the deciding stage; goes before all other reasons."""
    REDELIVERED = "redelivered"
    """Stripe signed this delivery 10 s or more after the event: not the first attempt, or long delayed."""
    BACKFILLED = "backfilled"
    """Not delivered at all, but listed from Stripe's API later."""
    AMBIGUOUS = "ambiguous"
    """Several broadcasts without a payment's name in one window."""
    NOT_WATCHED = "not_watched"
    """It came before a socket of ours had been subscribed, or refused, since the sidecar started; or no socket watches
    its user's channel, and nothing else would have told."""
    NO_USER = "no_user"
    """Broadcasts do not name payments, and this payment does not name its user."""


OUR_FAULT = frozenset({Unmeasured.STOPPED, Unmeasured.CUT_OFF, Unmeasured.CLOCK_JUMPED, Unmeasured.ACKS_LOST})
"""Reasons that a run of which makes the flag rest."""


class ReportOutcome(enum.StrEnum):
    """What became of a browser's report."""

    GOOD = "good"
    BAD = "bad"
    GONE = "gone"
    """The page was gone before it could tell: unmeasured."""
    NEVER_PAID = "never_paid"
    """The booking was not seen paid: unmeasured."""
    REPEATED = "repeated"
    """Its user has voted within the hour."""
    LATE = "late"
    """It came long after its payment."""
    UNMATCHED = "unmatched"
    """No payment of its user has such a name."""
