"""The report of a payer's browser about one payment, and its verdict on push: closed sets.

Only the browser can measure whether the broadcast reached the payer. Its times are on its own clock, counted from the
payment; they are never subtracted from the sidecar's.
"""

import enum

import msgspec

from sidecar.core.facts.policy import Mode

CONFIRMED_WITHIN_MS = 3000
"""Deadline for the confirmation of the subscription after the payment; later, the client goes back to timers."""
PUSHED_WITHIN_MS = 2000
"""A push so soon after another refetch had cleared the alert would have cleared it too."""
WATCHED_MS = 30_000
"""So long a browser watches a payment before it reports."""


class Flow(enum.StrEnum):
    """How the payer reached the waiting page."""

    IN_PAGE = "in_page"
    REDIRECT = "redirect"
    """Back from Stripe's page, so that the broadcast may have gone out before the page was subscribed."""


class Subscription(enum.StrEnum):
    """What became of the browser's subscription to its user's channel."""

    CONFIRMED = "confirmed"
    REFUSED = "refused"
    """The auth endpoint or Reverb refused, with an answer that the browser could read."""
    SILENT = "silent"
    """Connected, without any answer: the symptom of a wrong secret."""
    OFFLINE = "offline"
    """Never connected to Reverb."""


class ClearedBy(enum.StrEnum):
    """What made the refetch that first found the booking paid."""

    FIRST = "first"
    """The one at once."""
    PUSH = "push"
    SUBSCRIBE = "subscribe"
    """The subscription was confirmed, for the first time or again."""
    TIMER = "timer"
    SAFETY_NET = "safety_net"
    RETURN = "return"
    """The page was shown again, online again, or visible again."""
    MOVED = "moved"
    """The client went from push to timers."""
    LEASE = "lease"
    """The lease of a push answer expired."""
    LAST = "last"
    """The one at 30 s."""


class Family(enum.StrEnum):
    """Which browser it is, by its `User-Agent`; a hint."""

    CHROME = "chrome"
    SAFARI = "safari"
    FIREFOX = "firefox"
    EDGE = "edge"
    SAMSUNG = "samsung"
    OTHER = "other"


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a browser measured of one payment. Milliseconds from the payment, on its own clock."""

    flow: Flow
    mode: Mode
    """What it followed."""
    version: int
    """Of the answer that it followed; 0: it had none."""
    subscription: Subscription
    auth_status: int | None = None
    """The HTTP status of a refusal; 0: the browser could not read one."""
    subscribed_ms: int | None = None
    """When the subscription was first confirmed; None: never."""
    pushed_ms: int | None = None
    """When the first push arrived; None: none did."""
    cleared_ms: int | None = None
    """When the alert was cleared; None: never."""
    cleared_by: ClearedBy | None = None
    refetches: int
    stale_refetches: int = 0
    """Refetches after a push that found the booking not paid."""
    watched_ms: int
    """How long the browser had watched when it sent the report."""


class Verdict(enum.StrEnum):
    """The verdict of a report on push."""

    GOOD = "good"
    """Push alone would have cleared the alert, or had nothing left to clear."""
    BAD = "bad"
    """Push did not reach this payer."""
    GONE = "gone"
    """The page was closed before it could measure, or was away when the booking was paid."""
    NEVER_PAID = "never_paid"
    """The browser never found the booking paid, by push or otherwise."""


def verdict_of(reading: Reading) -> Verdict:
    """Return whether push alone would have cleared this payer's alert."""
    cleared_ms, pushed_ms = reading.cleared_ms, reading.pushed_ms
    if cleared_ms is None and reading.watched_ms >= WATCHED_MS:
        return Verdict.NEVER_PAID
    if reading.subscribed_ms is None or reading.subscribed_ms >= CONFIRMED_WITHIN_MS:
        return Verdict.BAD if reading.watched_ms >= CONFIRMED_WITHIN_MS else Verdict.GONE
    if cleared_ms is None:
        return Verdict.GONE
    if reading.cleared_by in {ClearedBy.FIRST, ClearedBy.PUSH, ClearedBy.SUBSCRIBE}:
        return Verdict.GOOD
    if pushed_ms is not None and pushed_ms < cleared_ms + PUSHED_WITHIN_MS:
        return Verdict.GOOD
    was_away = reading.cleared_by is ClearedBy.RETURN
    awaits_until_ms = min(cleared_ms + PUSHED_WITHIN_MS, WATCHED_MS)  # it reports then, and awaits no push any more
    return Verdict.GONE if was_away or reading.watched_ms < awaits_until_ms else Verdict.BAD
