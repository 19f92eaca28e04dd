"""What a notification is."""

import enum
from collections.abc import Mapping

import msgspec


class NotificationKind(enum.StrEnum):
    """What is told of."""

    CLIMBED = "climbed"
    """One rung up, on proof."""
    RETURNED = "returned"
    """Back to push after a fall, where the ladder is off."""
    FELL = "fell"
    """Timers for everybody: an alarm, a visibility gap, a suspension that lasted, or a person."""
    MOVED = "moved"
    """Another rung because the policy is another."""
    SUSPENSION_BEGAN = "suspension_began"
    """Push is suspended: at once where Reverb is unstable, for other reasons once it lasts."""
    SUSPENSION_ENDED = "suspension_ended"
    ALARM_RAISED = "alarm_raised"
    ALARM_ENDED = "alarm_ended"
    ISOLATION_BROKEN = "isolation_broken"
    """The probe user was let into a channel that is not its own."""
    STUCK = "stuck"
    """So many days on the same rung."""
    RELEASED = "released"
    """A person noted a release."""
    TEST = "test"
    """Nothing happened: somebody tries whether notifications arrive."""


class Tone(enum.StrEnum):
    """How it is to be taken."""

    GOOD = "good"
    BAD = "bad"
    PLAIN = "plain"


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """What a notification says, to people."""

    title: str
    """One line: what happened."""
    text: str
    """Who is affected, in payers, and why it happened."""
    next: str
    """What to do now."""


class Notification(msgspec.Struct, frozen=True, kw_only=True):
    """One event, as it is told to every target."""

    event: str
    """Names it: the same for every replica, and never that of another."""
    kind: NotificationKind
    tone: Tone
    words: Words
    environment: str
    flag: str
    at_ms: int
    """When it happened, in Unix milliseconds on the journal's clock."""
    from_ms: int | None = None
    """Of what has lasted: when it began."""
    seq: int
    """The record in the journal that brought it about."""
    chain: str
    """The head of the chain of decisions, actions and policies after that record, in hex; of a move that is told late,
    by another process, the head when it was told. Empty: there was none yet."""
    facts: Mapping[str, str | int] = {}
    """The same for machines."""
