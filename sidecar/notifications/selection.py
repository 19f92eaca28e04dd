"""Which records lead to a notification? Moves, suspensions, alarms, and a flag that stays on the same rung.

An event is named after the record that caused it, or after the time at which it began. All replicas therefore use the
same name, and only one of them sends the notification. Events that only time brings about are checked at heartbeats.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from sidecar.core.facts.observations import FallCause, Heartbeat, Record
from sidecar.core.facts.operator_actions import Noted
from sidecar.core.facts.policy import Policy
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.conclusions import (
    AlarmEnded,
    AlarmRaised,
    Conclusion,
    FlagMoved,
    IsolationBroken,
    SuspensionBegan,
    SuspensionEnded,
)
from sidecar.core.fold.freezes import in_force
from sidecar.core.fold.ladder import RETURNED
from sidecar.core.fold.state import Move, State
from sidecar.notifications import texts
from sidecar.notifications.notification import Notification, NotificationKind, Tone, Words

MISSED_MAX_MS = 3_600_000
"""Age up to which a new process sends moves that it did not fold: the previous process may have ended first."""
_TONES = {
    NotificationKind.CLIMBED: Tone.GOOD,
    NotificationKind.RETURNED: Tone.GOOD,
    NotificationKind.FELL: Tone.BAD,
    NotificationKind.SUSPENSION_BEGAN: Tone.BAD,
    NotificationKind.SUSPENSION_ENDED: Tone.GOOD,
    NotificationKind.ALARM_RAISED: Tone.BAD,
    NotificationKind.ALARM_ENDED: Tone.GOOD,
    NotificationKind.ISOLATION_BROKEN: Tone.BAD,
}
"""By kind; the others are plain."""

Facts = Mapping[str, str | int]


class Selector:
    """Selects events for notifications from the records of one journal, as they are folded into a state."""

    def __init__(self, state: State, *, stuck_after_ms: int, suspended_after_ms: int) -> None:
        self._state = state
        self._stuck_after_ms = stuck_after_ms
        self._suspended_after_ms = suspended_after_ms
        self._unstable_ms: int | None = None
        """Start of the suspension for an unstable Reverb, before the current record; None: there was none."""
        self._is_first = True
        self._last_due: dict[NotificationKind, str] = {}
        """The last event of each kind that only time brings about."""

    def select(self, record: Record, conclusions: Sequence[Conclusion]) -> Iterator[Notification]:
        """Yield the notifications for a record that was just folded."""
        state, policy = self._state, self._state.policy
        if policy is None:
            return
        if self._is_first:
            self._is_first = False
            yield from self._missed(policy, record)
        suspension = state.flag.suspension
        for conclusion in conclusions:
            yield from self._concluded(policy, record, conclusion)
        is_ended = any(_is_of_reverb(conclusion) for conclusion in conclusions)
        if self._unstable_ms is not None and suspension is None and not is_ended:
            yield self._reverb_ended(policy, record, is_fallen=True)
        self._unstable_ms = suspension.began_ms if suspension is not None else None
        match record.observation:
            case Heartbeat():
                yield from self._due(policy)
            case Noted(release=str(release), actor=actor, text=text):
                words = texts.released(policy, release, actor, text)
                facts = {"release": release, "actor": actor}
                yield self._event(policy, NotificationKind.RELEASED, words, record.seq, facts=facts)
            case _:
                pass

    def _concluded(self, policy: Policy, record: Record, conclusion: Conclusion) -> Iterator[Notification]:
        state, seq = self._state, record.seq
        match conclusion:
            case FlagMoved():
                yield self._moved(policy, conclusion, seq=seq, at_ms=record.at_ms)
            case SuspensionBegan(reason=SuspensionReason.REVERB_UNSTABLE as reason, until_ms=int(until_ms)):
                words = texts.suspended(state, policy, reason, until_ms=until_ms)
                facts: Facts = {"reason": reason.value, "until_ms": until_ms}
                yield self._event(policy, NotificationKind.SUSPENSION_BEGAN, words, seq, facts=facts)
            case SuspensionEnded(reason=SuspensionReason.REVERB_UNSTABLE):
                yield self._reverb_ended(policy, record, is_fallen=False)
            case SuspensionEnded():
                yield from self._ended(policy)
            case AlarmRaised(indicator=indicator):
                words, facts = texts.alarm_raised(state, policy, indicator), {"indicator": indicator}
                yield self._event(policy, NotificationKind.ALARM_RAISED, words, f"{seq}:{indicator}", facts=facts)
            case AlarmEnded(indicator=indicator):
                words, facts = texts.alarm_ended(policy, indicator), {"indicator": indicator}
                yield self._event(policy, NotificationKind.ALARM_ENDED, words, f"{seq}:{indicator}", facts=facts)
            case IsolationBroken():
                words = texts.isolation_broken(policy)
                yield self._event(policy, NotificationKind.ISOLATION_BROKEN, words, seq)
            case _:
                return

    def _moved(self, policy: Policy, move: FlagMoved, *, seq: int, at_ms: int) -> Notification:
        if move.cause == RETURNED:
            kind = NotificationKind.RETURNED
        elif move.cause == "proven":
            kind = NotificationKind.CLIMBED
        else:
            kind = NotificationKind.FELL if move.cause in set(FallCause) else NotificationKind.MOVED
        return Notification(
            event=f"moved:{seq}",
            kind=kind,
            tone=_TONES.get(kind, Tone.PLAIN),
            words=texts.moved(self._state, policy, move, kind, seq),
            environment=policy.environment,
            flag=policy.flag,
            at_ms=at_ms,
            seq=seq,
            chain=self._state.chain,
            facts={
                "from_rung": move.from_rung,
                "to_rung": move.to_rung,
                "from_mode": move.from_mode.value,
                "to_mode": move.to_mode.value,
                "share_ppm": move.share_ppm,
                "cause": str(move.cause),
                "detail": move.detail,
                "version": move.version,
            },
        )

    def _missed(self, policy: Policy, first: Record) -> Iterator[Notification]:
        """Yield the recent moves before the first record: the process that folded them may have ended too early."""
        for move in self._state.moves:
            if move.seq < first.seq and self._state.now_ms - move.at_ms < MISSED_MAX_MS:
                known = _as_moved(policy, move, self._state.flag.version)
                if known is not None:
                    yield self._moved(policy, known, seq=move.seq, at_ms=move.at_ms)

    def _reverb_ended(self, policy: Policy, record: Record, *, is_fallen: bool) -> Notification:
        began_ms = self._unstable_ms
        lasted_ms = None if began_ms is None else max(0, record.at_ms - began_ms)
        words = texts.resumed(self._state, policy, lasted_ms=lasted_ms, is_fallen=is_fallen)
        ended = self._event(policy, NotificationKind.SUSPENSION_ENDED, words, record.seq, from_ms=began_ms)
        return msgspec.structs.replace(ended, tone=Tone.BAD) if is_fallen else ended

    def _ended(self, policy: Policy) -> Iterator[Notification]:
        began_ms = self._state.visibility.suspended_from_ms
        lasted_ms = self._state.now_ms - began_ms
        if lasted_ms >= self._suspended_after_ms:  # the beginning of a shorter one was not notified
            words = texts.resumed(self._state, policy, lasted_ms=lasted_ms)
            yield self._event(policy, NotificationKind.SUSPENSION_ENDED, words, began_ms, from_ms=began_ms)

    def _due(self, policy: Policy) -> Iterator[Notification]:
        """Yield the events that only time brings about, once each."""
        state, now_ms = self._state, self._state.now_ms
        reason, began_ms, since_ms = (
            state.visibility.suspension,
            state.visibility.suspended_from_ms,
            state.flag.since_ms,
        )
        lasted_ms = now_ms - began_ms
        is_long = reason is not None and lasted_ms >= self._suspended_after_ms
        if reason is not None and is_long and self._is_new(NotificationKind.SUSPENSION_BEGAN, f"{began_ms}"):
            words, facts = texts.suspended(state, policy, reason, lasted_ms=lasted_ms), {"reason": reason.value}
            yield self._event(policy, NotificationKind.SUSPENSION_BEGAN, words, began_ms, facts=facts)
        times = (now_ms - since_ms) // self._stuck_after_ms
        is_waiting = state.next_rung is not None and not state.flag.holds and not in_force(state)
        if times and is_waiting and self._is_new(NotificationKind.STUCK, name := f"{since_ms}:{times}"):
            words, counts = (
                texts.stuck(state, policy, now_ms - since_ms),
                {"rung": state.flag.rung, "since_ms": since_ms},
            )
            yield self._event(policy, NotificationKind.STUCK, words, name, facts=counts)

    def _is_new(self, kind: NotificationKind, name: str) -> bool:
        before, self._last_due[kind] = self._last_due.get(kind), name
        return before != name

    def _event(
        self,
        policy: Policy,
        kind: NotificationKind,
        words: Words,
        name: int | str,
        *,
        from_ms: int | None = None,
        facts: Facts | Mapping[str, str] | Mapping[str, int] | None = None,
    ) -> Notification:
        return Notification(
            event=f"{kind}:{name}",
            kind=kind,
            tone=_TONES.get(kind, Tone.PLAIN),
            words=words,
            environment=policy.environment,
            flag=policy.flag,
            at_ms=self._state.now_ms,
            from_ms=from_ms,
            seq=self._state.seq,
            chain=self._state.chain,
            facts={**(facts or {})},
        )


def _is_of_reverb(conclusion: Conclusion) -> bool:
    return isinstance(conclusion, SuspensionEnded) and conclusion.reason is SuspensionReason.REVERB_UNSTABLE


def _as_moved(policy: Policy, move: Move, version: int) -> FlagMoved | None:
    """Return a stored move as its conclusion; None: the ladder was changed since, and the rung is gone."""
    if max(move.from_rung, move.to_rung) >= len(policy.ladder):
        return None
    before, after = policy.ladder[move.from_rung], policy.ladder[move.to_rung]
    return FlagMoved(
        from_rung=move.from_rung,
        to_rung=move.to_rung,
        from_mode=before.mode,
        to_mode=after.mode,
        share_ppm=after.share_ppm,
        cause=move.cause,
        detail=move.detail,
        version=version,
    )
