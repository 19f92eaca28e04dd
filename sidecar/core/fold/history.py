"""The history by hour and by change: the source of plots, the report and the release gate.

The problem: "was push only servable for 14 days?" asks about weeks of time; the journal stores payments for 35 days and
would have to be folded again for every question.

What we do: the state holds 400 days of hours (counts, and how long each mode was servable), every change of what was
servable (*spans*), and what happened when (*events*). Time is counted on the journal's clock, by heartbeats: a mode was
servable until the next record that changed it, and at most one lease beyond the last heartbeat. Time beyond is blind.
So hours add up to the millisecond, and more heartbeats change nothing. The counts of an hour are the growth of the
tally during it, so that nothing is counted twice and the fold pays once an hour. `core.fold.history_writer` writes the
history; read hours with `history_writer.hours`, which includes the present one.

All lists are bounded. Where spans or events were dropped, the history is complete from `since_ms` on.
"""

import enum
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import TypeVar

import msgspec

from sidecar.core.facts.policy import Mode

HOUR_MS = 3_600_000
HOURS_MAX = 400 * 24
SPANS_MAX = 4000
EVENTS_MAX = 2000
DETAIL_MAX = 200
"""Characters of a event's detail; the whole of it is in the journal."""
RELEASES_MAX = 20
RELEASE_AGAIN_MS = 600_000
"""A release that was last named longer ago counts as new again; within this time two releases run side by side."""


class Condition(enum.StrEnum):
    """Why the servable mode was what it was."""

    SERVING = "serving"
    """The mode of the current rung."""
    REVERB_UNSTABLE = "reverb_unstable"
    """Suspended because Reverb is unstable, from the alarm on."""
    ALARM = "alarm"
    SUSPENDED = "suspended"
    """Suspended for any other reason."""
    DRY_RUN = "dry_run"
    BLIND = "blind"
    """No heartbeat for longer than a lease."""


class EventKind(enum.StrEnum):
    """What happened."""

    MOVED = "moved"
    """The flag went to another rung, and it was no fall."""
    FELL = "fell"
    """By an alarm, a visibility gap, an unstable Reverb, or a person's rollback."""
    SUSPENSION_BEGAN = "suspension_began"
    """The detail is the reason. Where Reverb is unstable its time began with the alarm before it."""
    SUSPENSION_ENDED = "suspension_ended"
    """The detail is the reason."""
    ALARM_RAISED = "alarm_raised"
    ALARM_ENDED = "alarm_ended"
    POLICY = "policy"
    RELEASE = "release"
    """The backend's acks name another release, or a person noted one."""
    ACTION = "action"


class TimelineEvent(msgspec.Struct, frozen=True, kw_only=True, array_like=True, gc=False):
    """One thing that happened, as plots and reports show it."""

    at_ms: int
    seq: int
    """The record that brought it about."""
    kind: EventKind
    detail: str


class Span(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """What was servable from `at_ms` until the next span began."""

    at_ms: int
    mode: Mode
    """For a user in every share."""
    for_all: Mode
    """For a user in no share under 100 %."""
    condition: Condition


MODES = [mode.value for mode in Mode]
ByMode = list[int]
"""A number for each mode, in the order of `History.modes`: 400 days of them stay small."""


def by_mode(counts: Mapping[Mode, int]) -> ByMode:
    """Return the numbers in their order; a mode that is not named has 0."""
    return [counts.get(mode, 0) for mode in Mode]


def _zeros() -> ByMode:
    return [0] * len(MODES)


def at_least(counts: ByMode, mode: Mode) -> int:
    """Return the sum over this mode and all better ones."""
    return sum(counts[mode.rank :])


class ByOutcome(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """Payments, by how they ended."""

    on_time: int = 0
    late: int = 0
    missed: int = 0
    unmeasured: int = 0

    @property
    def judged(self) -> int:
        """Those that could be judged."""
        return self.on_time + self.late + self.missed


class ByTimers(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """Judged payments, by whether timers would have cleared the alert, and how that is known (`core.fold.judging`)."""

    worked_paid: int = 0
    failed_paid: int = 0
    worked_push: int = 0
    failed_push: int = 0


Counts = TypeVar("Counts", ByOutcome, ByTimers)


class Hour(msgspec.Struct, kw_only=True, array_like=True, gc=False):
    """One hour. Fields are only ever added at the end, with a default."""

    hour: int
    """Hours since the epoch of Unix time."""
    succeeded: int = 0
    """Payments with a webhook."""
    outcomes: ByOutcome = msgspec.field(default_factory=ByOutcome)
    """How payments ended, by the hour in which they got their name."""
    unmeasured: dict[str, int] = {}
    contradicted: int = 0
    """Payments that the filter left out and that got an ack."""
    edges: int = 0
    """Which of `History.edges_ms` the latency is counted by."""
    latency: list[int] = []
    """Counts by those edges, the last bucket open; empty: none. After a change of objective, from then on."""
    latency_sum_ms: int = 0
    timers: ByTimers = msgspec.field(default_factory=ByTimers)
    reported: ByMode = msgspec.field(default_factory=_zeros)
    """Payments that a browser reported, by the mode that it followed."""
    refetches: ByMode = msgspec.field(default_factory=_zeros)
    reach_good: int = 0
    reach_bad: int = 0
    """Votes of payers' browsers."""
    rescued: int = 0
    """Payments that a poll cleared and push did not reach."""
    auth_probes_ok: int = 0
    auth_probes_bad: int = 0
    round_trips_ok: int = 0
    round_trips_bad: int = 0
    served_ms: ByMode = msgspec.field(default_factory=_zeros)
    """How long each mode was servable to a user of every share. Their sum is `seen_ms`."""
    served_to_all_ms: ByMode = msgspec.field(default_factory=_zeros)
    """How long each was servable to everybody, that is, to a user of no share under 100 %."""
    suspended_ms: int = 0
    reverb_unstable_ms: int = 0
    seen_ms: int = 0
    """How long the last heartbeat was no older than a lease."""
    unaccounted: int = 0
    """Payments that count against coverage, of which only acks came, or for which the backend found no booking."""

    @property
    def uncovered(self) -> int:
        """Payments that count against coverage; those from before the first ack ever do not."""
        left_out = sum(count for why, count in self.unmeasured.items() if why != "not_wired")
        return self.contradicted + self.unaccounted + left_out

    def gained(self, before: "Hour") -> "Hour":
        """Return what was counted since an earlier one; the time is that of this one."""
        is_same_scale = self.edges == before.edges and len(before.latency) == len(self.latency)
        earlier = before.latency if is_same_scale else [0] * len(self.latency)
        latency = [now - then for now, then in zip(self.latency, earlier, strict=True)]
        return msgspec.structs.replace(
            self,
            succeeded=self.succeeded - before.succeeded,
            outcomes=_less(self.outcomes, before.outcomes),
            unmeasured={
                why: count - before.unmeasured.get(why, 0)
                for why, count in self.unmeasured.items()
                if count != before.unmeasured.get(why, 0)
            },
            contradicted=self.contradicted - before.contradicted,
            unaccounted=self.unaccounted - before.unaccounted,
            latency=latency if any(latency) else [],
            latency_sum_ms=self.latency_sum_ms - (before.latency_sum_ms if is_same_scale else 0),
            timers=_less(self.timers, before.timers),
            reported=_minus(self.reported, before.reported),
            refetches=_minus(self.refetches, before.refetches),
            reach_good=self.reach_good - before.reach_good,
            reach_bad=self.reach_bad - before.reach_bad,
            rescued=self.rescued - before.rescued,
            auth_probes_ok=self.auth_probes_ok - before.auth_probes_ok,
            auth_probes_bad=self.auth_probes_bad - before.auth_probes_bad,
            round_trips_ok=self.round_trips_ok - before.round_trips_ok,
            round_trips_bad=self.round_trips_bad - before.round_trips_bad,
        )


class History(msgspec.Struct, kw_only=True):
    """Hours, spans and events, oldest first."""

    since_ms: int = 0
    """From when on spans and events are complete; 0: nothing was recorded yet."""
    hours: list[Hour] = []
    """The past hours, at most 400 days of them; hours without visibility are missing."""
    spans: list[Span] = []
    events: list[TimelineEvent] = []
    modes: list[str] = msgspec.field(default_factory=MODES.copy)
    """What the places of a `ByMode` stand for."""
    edges_ms: list[list[int]] = []
    """Upper edges of the latency buckets, as in the tally; another list for each objective that there was."""
    present: Hour = msgspec.field(default_factory=lambda: Hour(hour=0))
    """The time of the present hour that has been counted."""
    began: Hour = msgspec.field(default_factory=lambda: Hour(hour=0))
    """The tally at the beginning of the present hour."""
    ends_ms: int = 0
    """When the present hour ends."""
    counted_ms: int = 0
    """Up to when time has been counted."""
    lease_until_ms: int = 0
    """A lease after the last heartbeat."""
    unstable_since_ms: int = 0
    """When the alarm of the present suspension was raised; 0: Reverb is not unstable."""
    release: str = ""
    """The newest release; empty: none was ever named."""
    release_ms: int = 0
    releases: dict[str, int] = {}
    """The last releases that acks named, and when each was named last."""
    judged_before_release: int = 0
    """Judged payments before the newest release."""

    def order_modes(self) -> None:
        """Bring every `ByMode` into the order of this version's modes, by their names."""
        if self.modes == MODES:
            return
        places = {name: place for place, name in enumerate(self.modes)}
        for hour in (*self.hours, self.present, self.began):
            for field, get in _BY_MODE.items():
                counts = get(hour)
                setattr(hour, field, [counts[places[name]] if name in places else 0 for name in MODES])
        self.modes = MODES.copy()

    def change(self, span: Span) -> None:
        """Begin a span, unless it is the same as the present one."""
        last = self.spans[-1] if self.spans else None
        if last is not None and _what(last) == _what(span):
            return
        if last is not None and last.at_ms == span.at_ms:  # it was so for no time at all
            self.spans.pop()
            self.change(span)
            return
        self.spans.append(span)
        if len(self.spans) > SPANS_MAX:
            del self.spans[0]
            self.since_ms = max(self.since_ms, self.spans[0].at_ms)

    def blind(self) -> None:
        """Note that nothing was servable any more once the lease had run out."""
        timers = Mode.TIMER_POLLING
        self.change(Span(at_ms=self.lease_until_ms, mode=timers, for_all=timers, condition=Condition.BLIND))

    def suspend(self, began_ms: int) -> None:
        """Count the time since the alarm as suspended: the alarm has only now been attributed to Reverb."""
        self.unstable_since_ms = began_ms
        end_ms = min(self.counted_ms, self.lease_until_ms)
        for span in reversed(self.spans):
            if span.at_ms < began_ms or span.condition not in {Condition.ALARM, Condition.BLIND}:
                return
            if span.condition is Condition.ALARM:
                self._suspend(span.at_ms, end_ms)
                span.condition = Condition.REVERB_UNSTABLE
            end_ms = span.at_ms

    def _suspend(self, from_ms: int, to_ms: int) -> None:
        """Count as suspended time that was counted before."""
        for hour in (self.present, *reversed(self.hours)):
            begins_ms = hour.hour * HOUR_MS
            hour.reverb_unstable_ms += max(0, min(to_ms, begins_ms + HOUR_MS) - max(from_ms, begins_ms))
            if begins_ms <= from_ms:
                return

    def event(self, event: TimelineEvent) -> None:
        """Note what happened."""
        self.events.append(event)
        if len(self.events) > EVENTS_MAX:
            self.since_ms = max(self.since_ms, self.events.pop(0).at_ms + 1)

    def note_release(self, release: str, *, at_ms: int, seq: int, judged: int) -> None:
        """Note that another release of the app is there; `judged` payments were judged before."""
        self.release, self.release_ms, self.judged_before_release = release, at_ms, judged
        self.event(TimelineEvent(at_ms=at_ms, seq=seq, kind=EventKind.RELEASE, detail=release[:DETAIL_MAX]))
        self._touch(release, at_ms)

    def add_release(self, release: str, *, at_ms: int, seq: int, judged: int) -> None:
        """Take the release that an ack names: it may be another one, and two may run side by side for a while."""
        known_ms = self.releases.get(release)
        if known_ms is None or (release != self.release and at_ms - known_ms >= RELEASE_AGAIN_MS):
            self.note_release(release, at_ms=at_ms, seq=seq, judged=judged)
        else:
            self._touch(release, at_ms)

    def _touch(self, release: str, at_ms: int) -> None:
        self.releases.pop(release, None)
        self.releases[release] = at_ms
        if len(self.releases) > RELEASES_MAX:
            del self.releases[next(iter(self.releases))]


def summed(hours: Iterable[Hour], number: int = 0) -> Hour:
    """Return several hours as if they were one. Latency is that of those that were counted by the newest edges."""
    whole, many = Hour(hour=number), list(hours)
    whole.edges = max((hour.edges for hour in many if hour.latency), default=0)
    for name, get in _PLAIN.items():
        setattr(whole, name, sum(map(get, many)))
    for group, gets in _GROUPED.items():
        for name, get in gets.items():
            setattr(getattr(whole, group), name, sum(map(get, many)))
    for name, counts_of in _BY_MODE.items():
        setattr(whole, name, [sum(counts) for counts in zip(_zeros(), *map(counts_of, many), strict=True)])
    for hour in many:
        for why, count in hour.unmeasured.items():
            whole.unmeasured[why] = whole.unmeasured.get(why, 0) + count
    counted = [hour for hour in many if hour.latency and hour.edges == whole.edges]
    whole.latency = [sum(counts) for counts in zip(*(hour.latency for hour in counted), strict=True)]
    whole.latency_sum_ms = sum(hour.latency_sum_ms for hour in counted)
    return whole


def spend(hour: Hour, span: Span, spent_ms: int) -> None:
    """Count time of an hour under a span."""
    hour.served_ms[span.mode.rank] += spent_ms
    hour.served_to_all_ms[span.for_all.rank] += spent_ms
    hour.seen_ms += spent_ms
    if span.condition is Condition.SUSPENDED:
        hour.suspended_ms += spent_ms
    elif span.condition is Condition.REVERB_UNSTABLE:
        hour.reverb_unstable_ms += spent_ms


def _what(span: Span) -> tuple[Mode, Mode, Condition]:
    return span.mode, span.for_all, span.condition


_COUNTED = (
    "succeeded",
    "contradicted",
    "unaccounted",
    "reach_good",
    "reach_bad",
    "rescued",
    "auth_probes_ok",
    "auth_probes_bad",
    "round_trips_ok",
    "round_trips_bad",
    "suspended_ms",
    "reverb_unstable_ms",
    "seen_ms",
)
_BY_MODE: dict[str, Callable[[Hour], ByMode]] = {
    name: attrgetter(name) for name in ("reported", "refetches", "served_ms", "served_to_all_ms")
}
_PLAIN: dict[str, Callable[[Hour], int]] = {name: attrgetter(name) for name in _COUNTED}
_GROUPED: dict[str, dict[str, Callable[[Hour], int]]] = {
    group: {name: attrgetter(f"{group}.{name}") for name in names}
    for group, names in (("outcomes", ByOutcome.__struct_fields__), ("timers", ByTimers.__struct_fields__))
}
"""How each count is read; names are looked up once, because sums are over thousands of hours."""


def _less(now: Counts, before: Counts) -> Counts:
    names = now.__struct_fields__
    return type(now)(**{name: getattr(now, name) - getattr(before, name) for name in names})


def _minus(now: ByMode, before: ByMode) -> ByMode:
    return [count - earlier for count, earlier in zip(now, before, strict=True)]
