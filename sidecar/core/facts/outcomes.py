"""The closed sets of outcomes of payments and reports, of reasons for unmeasured ones, and for ones without a payer."""

import enum


class Outcome(enum.StrEnum):
    """How a payment ended."""

    ON_TIME = "on_time"
    LATE = "late"
    MISSED = "missed"
    UNMEASURED = "unmeasured"


class Unmeasured(enum.StrEnum):
    """Why a payment is no evidence about push."""

    STOPPED = "stopped"
    """The sidecar was not running in the payment's time."""
    CUT_OFF = "cut_off"
    """The sidecar ran but saw nothing: frozen, or its journal did not answer."""
    CLOCK_JUMPED = "clock_jumped"
    ACKS_LOST = "acks_lost"
    """Acks were removed from their source before the sidecar read them; the payment's own may be among them."""
    NOT_WIRED = "not_wired"
    """Its deadline passed before an ack of the deciding stage first matched a payment; takes precedence over all other
    reasons."""
    REDELIVERED = "redelivered"
    """Stripe signed this delivery 10 s or more after the event: not the first attempt, or long delayed."""
    BACKFILLED = "backfilled"
    """Not delivered at all, but listed from Stripe's API later."""
    AMBIGUOUS = "ambiguous"
    """Several broadcasts without a payment's name in one window."""
    NOT_WATCHED = "not_watched"
    """It arrived before a socket was subscribed or refused since the sidecar started; or no socket watches its user's
    channel, and no other source covers it."""
    NO_USER = "no_user"
    """Broadcasts do not name payments, and this payment does not name its user."""
    READ_LATE = "read_late"
    """A stalled event loop may have read its webhook late, and the payment would look faster than it was."""


OUR_FAULT = frozenset({
    Unmeasured.STOPPED, Unmeasured.CUT_OFF, Unmeasured.CLOCK_JUMPED, Unmeasured.ACKS_LOST, Unmeasured.READ_LATE,
})  # fmt: skip
"""Reasons of which several in a row suspend push."""

MAY_HIDE = frozenset({Unmeasured.ACKS_LOST, Unmeasured.AMBIGUOUS, Unmeasured.NOT_WATCHED, Unmeasured.NO_USER})
"""Reasons that may leave out failures rather than successes, so that the worst case counts them as failed. So may
`redelivered` and `backfilled`, unless the sidecar itself was away when the event was made. A stop, a cut and a clock
jump of the sidecar leave out all payments alike."""


class ReportOutcome(enum.StrEnum):
    """What became of a browser's report."""

    GOOD = "good"
    BAD = "bad"
    GONE = "gone"
    """The page was closed before it could report: unmeasured."""
    NEVER_PAID = "never_paid"
    """The browser never found the booking paid: unmeasured."""
    REPEATED = "repeated"
    """It changes nothing about its user's vote of the day."""
    EXCUSED = "excused"
    """Reverb's own trouble around the payment may explain it: no vote, good or bad."""
    OVERRIDE = "override"
    """An operator chose the mode of its user, for a test: no vote, good or bad."""
    LATE = "late"
    """It arrived long after its payment."""
    UNMATCHED = "unmatched"
    """No payment of its user has such a name."""


class NoPayer(enum.StrEnum):
    """Why no payer waits for a payment to be shown as paid, by what Stripe's event says of it."""

    OFF_SESSION = "off_session"
    """The app charged a stored payment method while its owner was away."""
    SUBSCRIPTION = "subscription"
    """Stripe Billing collected an invoice."""
    DELAYED = "delayed"
    """The payment method confirms after minutes to days, such as a bank debit or a voucher."""
