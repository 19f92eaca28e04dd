"""What of a record is worth telling people? Moves, suspensions, alarms, and a flag that is stuck.

Every event is named by the record that brought it about, or by what began then: so all replicas name it the same, and
one of them tells it. What time alone brings is looked for at heartbeats.
"""

from collections.abc import Iterator, Sequence

from sidecar.core.facts.observations import FallCause, Heartbeat, Noted, Record
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
from sidecar.notifications import texts as words
from sidecar.notifications.notification import Notification, NotificationKind, Tone, Words

MISSED_MAX_MS = 3_600_000
"""A move that nobody was told of, because the process that saw it ended, is told by the next one for so long."""
_TOLD = (
    FlagMoved,
    SuspensionBegan,
    SuspensionEnded,
    AlarmRaised,
    AlarmEnded,
    IsolationBroken,
)


class Watch:
    """Finds what is worth a notification in the records of one journal, as they are folded into a state."""

    def __init__(self, state: State, *, stuck_after_ms: int, suspended_after_ms: int) -> None:
        self._state = state
        self._stuck_after_ms = stuck_after_ms
        self._suspended_after_ms = suspended_after_ms
        self._unstable_ms: int | None = None
        self._is_first = True
        self._due_told: dict[NotificationKind, str] = {}
        """The last event of each kind that time alone brought."""

    def seen(self, record: Record, conclusions: Sequence[Conclusion]) -> Iterator[Notification]:
        """Yield what this record, which has just been folded, is worth telling."""
        state, policy = self._state, self._state.policy
        if policy is None:
            return
        if self._is_first:
            self._is_first = False
            yield from self._missed(policy, record)
        suspension = state.flag.suspension
        yield from self._concluded(policy, record, conclusions)
        self._unstable_ms = suspension.began_ms if suspension is not None else None
        if isinstance(record.observation, Heartbeat):
            yield from self._due(policy)
        elif isinstance(record.observation, Noted) and record.observation.release is not None:
            said = record.observation
            told = words.released(policy, said.release or "", said.actor, said.text)
            facts = {"release": said.release or "", "actor": said.actor}
            yield self._notification(
                policy, NotificationKind.RELEASED, Tone.PLAIN, told, f"released:{record.seq}", facts=facts
            )

    def _concluded(self, policy: Policy, record: Record, conclusions: Sequence[Conclusion]) -> Iterator[Notification]:
        is_ended = False
        for conclusion in conclusions:
            if isinstance(conclusion, _TOLD):
                is_ended = is_ended or _is_of_reverb(conclusion)
                yield from self._told(policy, record, conclusion)
        if self._unstable_ms is not None and self._state.flag.suspension is None and not is_ended:
            yield self._reverb_stable(policy, record, is_fallen=True)

    def _told(self, policy: Policy, record: Record, conclusion: Conclusion) -> Iterator[Notification]:
        state = self._state
        match conclusion:
            case FlagMoved():
                yield self._moved(policy, conclusion, seq=record.seq, at_ms=record.at_ms, chain=state.chain)
            case SuspensionBegan(reason=SuspensionReason.REVERB_UNSTABLE, until_ms=int(until_ms)):
                told = words.reverb_unstable(state, policy, until_ms)
                facts: dict[str, str | int] = {"reason": conclusion.reason.value, "until_ms": until_ms}
                event = f"suspension_began:{record.seq}"
                yield self._notification(policy, NotificationKind.SUSPENSION_BEGAN, Tone.BAD, told, event, facts=facts)
            case SuspensionEnded(reason=SuspensionReason.REVERB_UNSTABLE):
                yield self._reverb_stable(policy, record, is_fallen=False)
            case AlarmRaised(indicator=indicator):
                told, event = words.alarm_raised(state, policy, indicator), f"alarm_raised:{record.seq}:{indicator}"
                yield self._notification(
                    policy, NotificationKind.ALARM_RAISED, Tone.BAD, told, event, facts={"indicator": indicator}
                )
            case AlarmEnded(indicator=indicator):
                told, event = words.alarm_ended(policy, indicator), f"alarm_ended:{record.seq}:{indicator}"
                yield self._notification(
                    policy, NotificationKind.ALARM_ENDED, Tone.GOOD, told, event, facts={"indicator": indicator}
                )
            case IsolationBroken():
                told, event = words.isolation_broken(policy), f"isolation_broken:{record.seq}"
                yield self._notification(policy, NotificationKind.ISOLATION_BROKEN, Tone.BAD, told, event)
            case SuspensionEnded():
                yield from self._resumed(policy)
            case _:
                return

    def _moved(self, policy: Policy, move: FlagMoved, *, seq: int, at_ms: int, chain: str) -> Notification:
        if move.cause == RETURNED:
            kind, tone = NotificationKind.RETURNED, Tone.GOOD
        elif move.cause == "proven":
            kind, tone = NotificationKind.CLIMBED, Tone.GOOD
        elif move.cause in set(FallCause):
            kind, tone = NotificationKind.FELL, Tone.BAD
        else:
            kind, tone = NotificationKind.MOVED, Tone.PLAIN
        facts: dict[str, str | int] = {
            "from_rung": move.from_rung,
            "to_rung": move.to_rung,
            "from_mode": move.from_mode.value,
            "to_mode": move.to_mode.value,
            "share_ppm": move.share_ppm,
            "cause": str(move.cause),
            "detail": move.detail,
            "version": move.version,
        }
        return Notification(
            event=f"moved:{seq}",
            kind=kind,
            tone=tone,
            words=words.moved(self._state, policy, move, kind, seq),
            environment=policy.environment,
            flag=policy.flag,
            at_ms=at_ms,
            seq=seq,
            chain=chain,
            facts=facts,
        )

    def _missed(self, policy: Policy, first: Record) -> Iterator[Notification]:
        """Yield the last moves before the first record that we hear of: their replica may have ended too early."""
        for move in self._state.moves:
            if move.seq < first.seq and self._state.now_ms - move.at_ms < MISSED_MAX_MS:
                known = _as_moved(policy, move, self._state.flag.version)
                if known is not None:
                    yield self._moved(policy, known, seq=move.seq, at_ms=move.at_ms, chain=self._state.chain)

    def _reverb_stable(self, policy: Policy, record: Record, *, is_fallen: bool) -> Notification:
        began_ms = self._unstable_ms
        lasted_ms = None if began_ms is None else max(0, record.at_ms - began_ms)
        told = words.reverb_stable(self._state, policy, lasted_ms=lasted_ms, is_fallen=is_fallen)
        return self._notification(
            policy,
            NotificationKind.SUSPENSION_ENDED,
            Tone.BAD if is_fallen else Tone.GOOD,
            told,
            f"suspension_ended:{record.seq}",
            from_ms=began_ms,
        )

    def _resumed(self, policy: Policy) -> Iterator[Notification]:
        began_ms = self._state.visibility.suspended_from_ms
        span_ms = self._state.now_ms - began_ms
        if span_ms >= self._suspended_after_ms:  # a shorter one was not notified
            told = words.resumed(self._state, policy, span_ms)
            yield self._notification(
                policy,
                NotificationKind.SUSPENSION_ENDED,
                Tone.GOOD,
                told,
                f"suspension_ended:{began_ms}",
                from_ms=began_ms,
            )

    def _due(self, policy: Policy) -> Iterator[Notification]:
        """Yield what time alone has brought, once each."""
        state, now_ms = self._state, self._state.now_ms
        reason, began_ms, since_ms = (
            state.visibility.suspension,
            state.visibility.suspended_from_ms,
            state.flag.since_ms,
        )
        is_long = reason is not None and now_ms - began_ms >= self._suspended_after_ms
        if (
            reason is not None
            and is_long
            and self._is_new(NotificationKind.SUSPENSION_BEGAN, f"suspension_began:{began_ms}")
        ):
            told, facts = words.suspended(state, policy, reason, now_ms - began_ms), {"reason": reason.value}
            yield self._notification(
                policy, NotificationKind.SUSPENSION_BEGAN, Tone.BAD, told, f"suspension_began:{began_ms}", facts=facts
            )
        times = (now_ms - since_ms) // self._stuck_after_ms
        is_waiting = state.next_rung is not None and state.flag.hold is None and not in_force(state)
        event = f"stuck:{since_ms}:{times}"
        if times and is_waiting and self._is_new(NotificationKind.STUCK, event):
            told = words.stuck(state, policy, now_ms - since_ms)
            counts = {"rung": state.flag.rung, "since_ms": since_ms}
            yield self._notification(policy, NotificationKind.STUCK, Tone.PLAIN, told, event, facts=counts)

    def _is_new(self, kind: NotificationKind, event: str) -> bool:
        was, self._due_told[kind] = self._due_told.get(kind), event
        return was != event

    def _notification(
        self,
        policy: Policy,
        kind: NotificationKind,
        tone: Tone,
        told: Words,
        event: str,
        *,
        from_ms: int | None = None,
        facts: dict[str, str | int] | dict[str, str] | dict[str, int] | None = None,
    ) -> Notification:
        return Notification(
            event=event,
            kind=kind,
            tone=tone,
            words=told,
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
    """Return a move that was kept as it was concluded; None: the ladder is another by now, and its rungs other ones."""
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
