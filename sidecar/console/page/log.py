"""The log: decisions, operator actions, policies, and the events between them; newest first."""

from collections.abc import Iterable

import msgspec

from sidecar.console import labels
from sidecar.console.decisions import Entry, Kind, Page
from sidecar.console.labels import Moment, moment
from sidecar.console.page.section import Tone
from sidecar.core.fold.history import EventKind, TimelineEvent

SHOWN_MAX = 30
"""Lines of the log on the console; the page of decisions has all."""


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log."""

    seq: int
    moment: Moment
    who: str
    what: str
    why: str
    """The operator's reason, or the observation; empty: the gates are the reason."""
    tone: Tone
    has_page: bool
    """Whether there is a page with its evidence."""


def lines(page: Page, events: Iterable[TimelineEvent], now_ms: int) -> tuple[LogLine, ...]:
    """Return decisions, actions and policies, and between them alarms, suspensions and releases."""
    entries = [entry_line(entry, now_ms) for entry in page.entries]
    since = page.entries[-1].seq if page.next_before is not None else 0
    listed = {entry.seq for entry in page.entries}
    between = [event for event in events if event.kind in _EVENTS and event.seq >= since and event.seq not in listed]
    both = [*entries, *(_event_line(event, now_ms) for event in between)]
    return tuple(sorted(both, key=lambda line: (-line.moment.at_ms, -line.seq))[:SHOWN_MAX])


def entry_line(entry: Entry, now_ms: int) -> LogLine:
    """Return a decision, action or policy as a line."""
    is_late = entry.is_in_force is False
    why_not = "it was refused" if entry.kind is Kind.POLICY else "the flag had changed"
    return LogLine(
        seq=entry.seq,
        moment=moment(entry.at_ms, now_ms),
        who="the sidecar" if entry.kind is Kind.DECISION else entry.who,
        what=f"{entry.text}, without effect: {why_not}" if is_late else entry.text,
        why=entry.reason,
        tone=Tone.CALM if is_late else _TONES.get(entry.what, Tone.CALM),
        has_page=True,
    )


_TONES = {
    "climbed": Tone.GOOD,
    "approved": Tone.GOOD,
    "fell": Tone.BAD,
    "rolled_back": Tone.BAD,
    "held": Tone.WAIT,
    "frozen": Tone.WAIT,
}
_EVENTS = {
    EventKind.ALARM_RAISED: ("alarm", Tone.BAD),
    EventKind.ALARM_ENDED: ("the alarm is over", Tone.CALM),
    EventKind.SUSPENSION_BEGAN: ("push suspended", Tone.WAIT),
    EventKind.SUSPENSION_ENDED: ("push resumed", Tone.CALM),
    EventKind.RELEASE: ("another release of the app", Tone.CALM),
}


def _event_line(event: TimelineEvent, now_ms: int) -> LogLine:
    what, tone = _EVENTS[event.kind]
    return LogLine(
        seq=event.seq,
        moment=moment(event.at_ms, now_ms),
        who="",
        what=what,
        why=labels.name(event.detail) if event.kind is not EventKind.RELEASE else event.detail,
        tone=tone,
        has_page=False,
    )
