"""Apply decisions, operator actions and policies to the ladder.

A climb is applied only if neither the flag's version nor the guard version changed since it was decided: two replicas
that decide at once cannot climb twice, and a late climb cannot undo a hold. A fall is always applied. A rollback during
an alarm is a fall too: it would otherwise keep the evidence that the alarm refutes.
"""

from sidecar.core.facts.observations import (
    Climbed,
    EpochRenewed,
    FallCause,
    Fell,
)
from sidecar.core.facts.operator_actions import Approved, RolledBack
from sidecar.core.facts.policy import Lifecycle, Policy, Rung
from sidecar.core.fold import holds, payer_coverage, suspension, votes
from sidecar.core.fold.conclusions import ClimbIgnored, Conclusions, EpochBegan, FlagMoved
from sidecar.core.fold.standing import Approval
from sidecar.core.fold.state import MOVES_MAX, Move, State
from sidecar.core.fold.suspension import Answer
from sidecar.core.statistics.coverage import Coverage
from sidecar.core.statistics.indicators import (
    INDICATORS,
    PAYMENTS,
    Indicator,
    begin_epoch,
    can_begin,
    forget_unmeasured,
    is_dormant,
    rebank,
    row_of,
)

RETURNED = "returned"
"""The cause of the move up after a fall, where the ladder is off: no new proof is required."""
APPROVAL_LASTS_MS = 7 * 24 * 3_600_000
COOLDOWN_MAX_MS = 7 * 24 * 3_600_000
_WEEK_MS = 7 * 24 * 3_600_000
_STRIKES_MAX = 30
"""A cool-down of one millisecond, doubled so often, is longer than the longest."""


def climb(state: State, policy: Policy, decision: Climbed, out: Conclusions) -> None:
    """Go one rung up, if nothing has moved since."""
    flag = state.flag
    is_current = (decision.version, decision.guard_version) == (flag.version, flag.guard_version)
    if not is_current or decision.to_rung != flag.rung + 1 or decision.to_rung >= len(policy.ladder):
        state.tally.stale_climbs += 1
        out.append(ClimbIgnored(to_rung=decision.to_rung))
        return
    if flag.approval is not None and flag.approval.rung == decision.to_rung:
        flag.approval = None
    cause, why = ("proven", "every gate passes")
    if policy.lifecycle is Lifecycle.REMOVED:
        cause, why = (RETURNED, "the cool-down is over and nothing is latched")
    _move(state, policy.ladder[flag.rung], policy.ladder, decision.to_rung, cause, why, out)


def fall(state: State, policy: Policy, decision: Fell, out: Conclusions) -> None:
    """Move to the bottom rung, start the cool-down, and require new epochs. On the bottom rung an alarm is no fall."""
    flag = state.flag
    flag.approval = None
    was_above_bottom = flag.rung > 0
    flag.suspension, flag.suspensions_ms = None, []
    if decision.cause in {FallCause.ALARM, FallCause.SUSPENSION} and was_above_bottom:
        _cool_down(state, policy)
    if was_above_bottom or decision.cause is FallCause.BLIND:
        _end_epochs(state)
        state.visibility.is_fall_due = False
    if was_above_bottom:
        _move(state, policy.ladder[flag.rung], policy.ladder, 0, decision.cause, decision.detail, out)
    else:  # so that the next fall is another fact than this one (`observations.identity`)
        flag.version += 1
        flag.guard_version += 1


def _cool_down(state: State, policy: Policy) -> None:
    """Start the cool-down after a fall; each doubles the next one."""
    flag = state.flag
    cooldown_ms = min(COOLDOWN_MAX_MS, policy.cooldown_ms << flag.strikes)
    flag.cooldown_until_ms = state.now_ms + cooldown_ms
    if cooldown_ms < COOLDOWN_MAX_MS:  # what no longer doubles need not be halved twice
        flag.strikes = min(flag.strikes + 1, _STRIKES_MAX)
    flag.strikes_since_ms = state.now_ms


def _end_epochs(state: State) -> None:
    """End every epoch; the next one begins when the cool-down is over and the alarms are calm."""
    for indicator in state.indicators.values():
        indicator.awaits_epoch = True


def roll_back(state: State, policy: Policy, action: RolledBack, out: Conclusions) -> None:
    """Move to the bottom rung for an operator, and hold there.

    The evidence is kept, except during an alarm, also one that is not attributed yet: its fall could not follow from
    the bottom rung, so the rollback has the effects of the fall.
    """
    flag = state.flag
    flag.approval = None
    holds.hold(state, action)
    if flag.rung > 0:
        detail = f"{action.actor}: {action.reason}{_fall_of_alarm(state, policy)}"
        _move(state, policy.ladder[flag.rung], policy.ladder, 0, FallCause.ROLLBACK, detail, out)


def _fall_of_alarm(state: State, policy: Policy) -> str:
    """Before a person's move to the bottom rung, apply the fall of an alarm, and return that as a remark."""
    if suspension.answer(state, policy) is Answer.NONE:
        return ""
    state.flag.suspension, state.flag.suspensions_ms = None, []
    _cool_down(state, policy)
    _end_epochs(state)
    return " (during an alarm: new epochs and a cool-down)"


def approve(state: State, action: Approved) -> None:
    """Store the approval of one climb; the gate checks whether it applies. A second one for the same climb is void."""
    flag = state.flag
    if flag.approval is None or (flag.approval.rung, flag.approval.epoch) != (action.rung, action.epoch):
        flag.approval = Approval(
            actor=action.actor, reason=action.reason, at_ms=state.now_ms, rung=action.rung, epoch=action.epoch
        )
    flag.guard_version += 1  # it may have taken the place of one that counted


def renew(state: State, decision: EpochRenewed, out: Conclusions) -> None:
    """Begin the epoch that the controller found to be worth it, if nothing has moved since."""
    indicator = state.indicators.get(decision.indicator)
    is_current = decision.guard_version == state.flag.guard_version
    if indicator is not None and is_current and decision.epoch == indicator.epoch + 1:
        _begin(state, decision.indicator, indicator, out)


def outgrow(state: State, name: str, out: Conclusions) -> None:
    """Begin a new epoch in an indicator whose outcomes have another meaning from here on, if it has any."""
    indicator = state.indicators[name]
    if (indicator.good or indicator.bad or indicator.unmeasured) and not indicator.awaits_epoch:
        _begin(state, name, indicator, out)


def begin_epochs(state: State, out: Conclusions, names: tuple[str, ...]) -> None:
    """Begin a new epoch in each of these indicators that has begun one: its proof no longer applies.

    An indicator that awaits an epoch after a fall is skipped: it begins one when the cool-down is over. One with an
    alarm begins one when the alarm is over: its fall may still follow, and would spend a second epoch.
    """
    for name in names:
        indicator = state.indicators[name]
        if indicator.awaits_epoch:
            continue
        if not indicator.epoch_began_ms:
            forget_unmeasured(indicator)
        elif indicator.is_latched:
            indicator.awaits_epoch = True
            state.flag.guard_version += 1
        else:
            _begin(state, name, indicator, out)


def change_ladder(state: State, before: Policy, policy: Policy, changed: tuple[str, ...], out: Conclusions) -> None:
    """Move to the highest new rung that is no better, in mode and in share, than the current one.

    After a dry run that is the bottom rung: no user was served the rehearsed rung. The evidence is kept. It is also the
    bottom rung, with a new soak, where an outcome means something else because of the keys `changed`.
    """
    current = before.ladder[state.flag.rung]
    rung = max(index for index, new in enumerate(policy.ladder) if index == 0 or _is_no_better(new, current))
    if changed or (before.dry_run and not policy.dry_run):
        rung = 0
    next_rung = policy.ladder[rung]
    is_other_ladder = policy.ladder != before.ladder or policy.dry_run is not before.dry_run
    if changed or is_other_ladder:  # what was approved may be another rung by now, or was a rehearsal's
        state.flag.approval = None
    if (current.mode, current.share_ppm) != (next_rung.mode, next_rung.share_ppm):
        is_other = before.lifecycle is not policy.lifecycle
        why = f"lifecycle: {policy.lifecycle}" if is_other else "the ladder or the dry run was changed"
        why = f"what an outcome means was changed: {', '.join(changed)}" if changed else why
        if rung == 0 and state.flag.rung > 0:
            why = f"{why}{_fall_of_alarm(state, before)}"
        _move(state, current, policy.ladder, rung, "policy", why, out)
    state.flag.rung = rung
    if changed:
        state.flag.soaked_ms = 0
        state.flag.suspension, state.flag.suspensions_ms = None, []
        if any(key.startswith(("acks.", "reverb.")) for key in changed):  # other acks may not be of all users
            state.probing.tells_of_all = False
        state.coverage = Coverage()
        payer_coverage.forget_all(state)


def change_indicators(state: State, before: Policy, policy: Policy) -> tuple[str, ...]:
    """Adapt the alarm banks to a policy; return the indicators that were dormant and are needed again."""
    for row in INDICATORS:
        if is_dormant(row, before) is not is_dormant(row, policy):
            votes.close_all(state, before, row.name)
        rebank(state.indicators[row.name], row, before, policy)
    if policy.reverb is None:  # nothing can explain a failure any more
        state.unattributed = []
        state.indicators[PAYMENTS].unexplained = []
    return tuple(row.name for row in INDICATORS if is_dormant(row, before) and not is_dormant(row, policy))


def _is_no_better(new: Rung, current: Rung) -> bool:
    return new.mode.rank <= current.mode.rank and new.share_ppm <= current.share_ppm


def advance(state: State, policy: Policy, elapsed_ms: int, out: Conclusions, *, was_visible: bool) -> None:
    """Advance soak, strikes, approvals and epochs by the elapsed time."""
    flag = state.flag
    if was_visible and elapsed_ms <= policy.lease_ms:
        flag.soaked_ms += elapsed_ms
    while flag.strikes and state.now_ms - flag.strikes_since_ms >= _WEEK_MS:
        flag.strikes -= 1
        flag.strikes_since_ms += _WEEK_MS
    if flag.approval is not None and state.now_ms - flag.approval.at_ms >= APPROVAL_LASTS_MS:
        flag.approval = None
        flag.guard_version += 1
    if state.now_ms >= flag.cooldown_until_ms:
        for name, indicator in state.indicators.items():
            if indicator.awaits_epoch and can_begin(indicator, row_of(name), policy):
                _begin(state, name, indicator, out)


def _begin(state: State, name: str, indicator: Indicator, out: Conclusions) -> None:
    assert state.policy is not None  # noqa: S101 - epochs begin under a policy
    votes.close_all(state, state.policy, name)
    if indicator.epoch_began_ms:
        begin_epoch(indicator, epoch=indicator.epoch + 1, at_ms=state.now_ms)
        out.append(EpochBegan(indicator=name, epoch=indicator.epoch))
    forget_unmeasured(indicator)
    indicator.awaits_epoch = False
    state.flag.guard_version += 1


def _move(
    state: State, before: Rung, ladder: tuple[Rung, ...], to_rung: int, cause: str, detail: str, out: Conclusions
) -> None:
    flag, after = state.flag, ladder[to_rung]
    key = f"{before.mode}/{after.mode}/{cause}"
    state.tally.moves[key] = state.tally.moves.get(key, 0) + 1
    flag.version += 1
    flag.guard_version += 1
    move = Move(at_ms=state.now_ms, seq=state.seq, from_rung=flag.rung, to_rung=to_rung, cause=cause, detail=detail)
    state.moves = [*state.moves[1 - MOVES_MAX :], move]
    out.append(
        FlagMoved(
            from_rung=flag.rung,
            to_rung=to_rung,
            from_mode=before.mode,
            to_mode=after.mode,
            share_ppm=after.share_ppm,
            cause=cause,
            detail=detail,
            version=flag.version,
        )
    )
    flag.rung = to_rung
    flag.since_ms = state.now_ms
    flag.soaked_ms = 0
    flag.reached_version = flag.version
    flag.payers = {}
