"""A notification: one event, with texts for people and facts for machines."""

import enum
from collections.abc import Mapping

import msgspec


class NotificationKind(enum.StrEnum):
    """Kinds of events."""

    CLIMBED = "climbed"
    """The flag climbed one rung, on proof."""
    RETURNED = "returned"
    """Push resumed after a fall, where the ladder is off."""
    FELL = "fell"
    """Timers for all payers: an alarm, a visibility gap, suspensions for an unstable Reverb, or a rollback."""
    MOVED = "moved"
    """The rung changed because the policy changed."""
    SUSPENSION_BEGAN = "suspension_began"
    """Push is suspended: sent at once if Reverb is unstable, and for other reasons after `suspended_after`."""
    SUSPENSION_ENDED = "suspension_ended"
    ALARM_RAISED = "alarm_raised"
    ALARM_ENDED = "alarm_ended"
    ISOLATION_BROKEN = "isolation_broken"
    """The isolation probe was allowed."""
    STUCK = "stuck"
    """The flag has been on the same rung for `stuck_after`."""
    RELEASED = "released"
    """An operator noted a release."""
    TEST = "test"
    """Nothing happened: a test of delivery."""


class Tone(enum.StrEnum):
    """Whether the event is good or bad for push."""

    GOOD = "good"
    BAD = "bad"
    PLAIN = "plain"


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The text of a notification, for people."""

    title: str
    """One line: what happened."""
    text: str
    """Affected payers and cause."""
    next: str
    """The next step."""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One event, the same for every target."""

    event: str
    """Unique name of the event, the same on every replica."""
    kind: NotificationKind
    tone: Tone
    words: Words
    environment: str
    flag: str
    at_ms: int
    """When it happened, in Unix milliseconds on the journal's clock."""
    from_ms: int | None = None
    """Start of an event with a duration."""
    seq: int
    """The record that caused it."""
    chain: str
    """Head of the chain of decisions, actions and policies after that record, in hex; for a move that another process
    sends later, the head at that time. Empty: the chain has no link yet."""
    facts: Mapping[str, str | int] = {}
    """The event's values, for machines."""
