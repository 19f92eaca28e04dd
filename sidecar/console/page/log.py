"""The log: decisions, operator actions, policies, and the events between them; newest first."""

from collections.abc import Iterable

import msgspec

from sidecar.console import labels as words
from sidecar.console.decisions import Entry, Kind, Page
from sidecar.console.labels import Moment, moment
from sidecar.console.page.front import Tone
from sidecar.core.fold.history import EventKind, TimelineEvent

SHOWN_MAX = 30
"""Lines of the log on the console; the page of decisions has all."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log."""

    seq: int
    moment: Moment
    who: str
    what: str
    why: str
    """A person's own words, or what was seen; empty: the gates are the reason."""
    tone: Tone
    leads: bool
    """Whether there is a page that says on what it was based."""


def lines(page: Page, events: Iterable[TimelineEvent], now_ms: int) -> tuple[Line, ...]:
    """Return decisions, actions and policies, and between them alarms, shelters, rests and releases."""
    entries = [entry_line(entry, now_ms) for entry in page.entries]
    since = page.entries[-1].seq if page.next_before is not None else 0
    listed = {entry.seq for entry in page.entries}
    between = [event for event in events if event.kind in _EVENTS and event.seq >= since and event.seq not in listed]
    both = [*entries, *(_event_line(event, now_ms) for event in between)]
    return tuple(sorted(both, key=lambda line: (-line.moment.at_ms, -line.seq))[:SHOWN_MAX])


def entry_line(entry: Entry, now_ms: int) -> Line:
    """Return a decision, action or policy as a line."""
    is_late = entry.is_in_force is False
    return Line(
        seq=entry.seq,
        moment=moment(entry.at_ms, now_ms),
        who="the sidecar" if entry.kind is Kind.DECISION else entry.who,
        what=f"{entry.text}, too late: something had moved" if is_late else entry.text,
        why=entry.reason,
        tone=Tone.CALM if is_late else _TONES.get(entry.what, Tone.CALM),
        leads=True,
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


def _event_line(event: TimelineEvent, now_ms: int) -> Line:
    what, tone = _EVENTS[event.kind]
    return Line(
        seq=event.seq,
        moment=moment(event.at_ms, now_ms),
        who="",
        what=what,
        why=words.name(event.detail) if event.kind is not EventKind.RELEASE else event.detail,
        tone=tone,
        leads=False,
    )
