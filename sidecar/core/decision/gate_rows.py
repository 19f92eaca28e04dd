"""The one table of gates: a function per condition, and its row with the words for people.

The rows are in evaluation order, cheap ones first. Anything that can close a gate raises the guard version
(`core.fold.ladder`), so that a climb decided before it closed is ignored.
"""

from typing import assert_never

from sidecar.core.decision.gate import Gate, GateRow, duration, percent, progress_ratio
from sidecar.core.decision.indicator_gates import evidence_of
from sidecar.core.decision.payer_gates import payers_answer, payers_served
from sidecar.core.facts.auth_probes import IsolationOutcome
from sidecar.core.facts.policy import PPM, Mode, Policy, Rung, Stage
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold import freezes, holds, payer_coverage, votes
from sidecar.core.fold.state import State
from sidecar.core.fold.suspension import ATTRIBUTED_AFTER_MS, Answer, answer
from sidecar.core.fold.visibility import PUSH_ONLY_FLOOR_PPM, floor_ppm
from sidecar.core.statistics import evidence
from sidecar.core.statistics.indicators import INDICATORS, PAYMENTS, bank_of, good_to_calm, row_of, worst_case_ratio

WAIT = "Nothing: it passes by itself."


def _alarm(state: State, policy: Policy, _: Rung) -> Gate:
    latched = [row for row in INDICATORS if state.indicators[row.name].is_latched]
    names = ", ".join(row.name for row in latched)
    needs, expected_ms = "", None
    if state.flag.suspension is not None:
        needs, expected_ms = "the suspension to end", state.flag.suspension.until_ms
    elif state.flag.rung > 0 and latched and answer(state, policy) is Answer.WAIT:
        expected_ms = state.indicators[PAYMENTS].alarmed_ms + ATTRIBUTED_AFTER_MS
        needs = f"{duration(expected_ms - state.now_ms)} to attribute it to Reverb or to push"
    elif latched:
        row = latched[0]
        more = good_to_calm(state.indicators[row.name], bank_of(row, policy))
        needs = f"{more} {row.outcome} in a row to calm {row.name}"
        if votes.is_silent(state, row.name):
            needs += ", or `sidecar reset --reason '...'`, because no payer has had a vote in it for a day"
    return Gate(
        name="alarm",
        value=names or "none",
        target="none latched",
        passes=not latched,
        needs=needs,
        expected_ms=expected_ms,
    )


def _suspension(state: State, policy: Policy, _: Rung) -> Gate:  # noqa: C901 - a table
    reason = state.suspension
    needs, expected_ms = "", None
    match reason:
        case None:
            pass
        case SuspensionReason.REVERB_UNSTABLE:
            expected_ms = state.flag.suspension.until_ms if state.flag.suspension else None
            left = duration((expected_ms or state.now_ms) - state.now_ms)
            needs = f"{left} without a failed probe"
        case SuspensionReason.RECOVERING:
            needs = _recovery(state, policy)
            expected_ms = max(state.now_ms, state.visibility.recover_until_ms) if policy.reverb is None else None
        case SuspensionReason.COVERAGE:
            needs = f"at least {percent(floor_ppm(state, policy))} of the payments to be judgeable"
        case SuspensionReason.PAYER_COVERAGE:
            part, whole = payer_coverage.RESUMES_FROM
            needs = f"answers of {percent(policy.payer_coverage_ppm * part // whole)} of the payers"
        case SuspensionReason.SOURCE_DOWN:
            needs = f"an answer from {', '.join(state.visibility.silent_sources)}"
        case SuspensionReason.CUT_OFF:
            needs = "Reverb, the auth endpoint or the reference target to be reached from here"
        case SuspensionReason.PROBES_SILENT:
            needs = "a probe of Reverb to end"
        case SuspensionReason.UNWIRED:
            needs = f"a first payment with an ack of stage `{policy.stage}`"
        case SuspensionReason.UNMEASURED:
            needs = "one payment that can be judged"
        case _:
            assert_never(reason)
    return Gate(
        name="suspension",
        value=reason or "none",
        target="none",
        passes=reason is None,
        needs=needs,
        expected_ms=expected_ms,
    )


def _recovery(state: State, policy: Policy) -> str:
    visibility = state.visibility
    if policy.reverb is None or not (visibility.round_trips_needed or visibility.auth_probes_needed):
        return "to see without a gap for a while after a visibility gap"
    return (
        f"{visibility.round_trips_needed} clean round trips and {visibility.auth_probes_needed} clean auth probes "
        "in a row after a visibility gap"
    )


def _isolation(state: State, policy: Policy, _: Rung) -> Gate | None:
    if policy.reverb is None:
        return None
    verdict = state.probing.isolation
    is_allowed = verdict is IsolationOutcome.ALLOWED
    return Gate(
        name="isolation",
        value=verdict or "not asked yet",
        target="refused",
        passes=not is_allowed,
        needs="the channel's callback in routes/channels.php to refuse whom it is not for" if is_allowed else "",
    )


def _hold(state: State, _policy: Policy, _: Rung) -> Gate:
    standing = state.flag.holds
    return Gate(
        name="hold",
        value=f"on hold by {holds.by_whom(standing)}" if standing else "none",
        target="none",
        passes=not standing,
        needs=" and ".join(f"`{holds.lifted_by(each)} --reason '...'`" for each in standing),
    )


def _freeze(state: State, _policy: Policy, _: Rung) -> Gate:
    frozen = freezes.in_force(state)
    needs, expected_ms = "", None
    if frozen:
        expected_ms = freezes.opens_ms(state)
        when = "" if expected_ms is None else f" in {duration(expected_ms - state.now_ms)}"
        names = " and ".join(f"`sidecar thaw {each.name} --reason '...'`" for each in frozen)
        needs = f"the freeze to end{when}, or {names}"
    return Gate(
        name="freeze",
        value="; ".join(f"{each.name}, by {each.actor}: {each.reason}" for each in frozen) or "none",
        target="none",
        passes=not frozen,
        needs=needs,
        expected_ms=expected_ms,
    )


def _cooldown(state: State, _policy: Policy, _: Rung) -> Gate:
    left_ms = max(0, state.flag.cooldown_until_ms - state.now_ms)
    return Gate(
        name="cooldown",
        progress_ratio=progress_ratio(
            state.now_ms - state.flag.since_ms, state.flag.cooldown_until_ms - state.flag.since_ms
        )
        if left_ms
        else None,
        value=f"{duration(left_ms)} left" if left_ms else "over",
        target="over",
        passes=left_ms == 0,
        needs=f"{duration(left_ms)} to pass after the fall" if left_ms else "",
        expected_ms=state.flag.cooldown_until_ms if left_ms else None,
    )


def _soak(state: State, policy: Policy, _: Rung) -> Gate:
    soak_ms = policy.ladder[state.flag.rung].soak_ms
    left_ms = max(0, soak_ms - state.flag.soaked_ms)
    return Gate(
        name="soak",
        progress_ratio=progress_ratio(state.flag.soaked_ms, soak_ms) if left_ms else None,
        value=duration(min(state.flag.soaked_ms, soak_ms)),
        target=duration(soak_ms),
        passes=left_ms == 0,
        needs=f"{duration(left_ms)} more on this rung" if left_ms else "",
        expected_ms=state.now_ms + left_ms if left_ms else None,
    )


def _coverage(state: State, policy: Policy, rung: Rung) -> Gate:
    judged, total = state.coverage.counts()
    share_ppm = state.coverage.share_ppm()
    target_ppm = policy.coverage_ppm
    if rung.mode is Mode.PUSH_ONLY:  # below its floor it would be suspended at once
        target_ppm = max(target_ppm, PUSH_ONLY_FLOOR_PPM)
    passes = share_ppm is not None and share_ppm >= target_ppm
    needs = ""
    if total == 0:
        needs = "a payment that can be judged"
    elif target_ppm == PPM:
        needs = "" if passes else "the unmeasured payments to leave the window"
    elif not passes:
        more = -(-(target_ppm * total - PPM * judged) // (PPM - target_ppm))
        needs = f"{more} judged payments more, or the unmeasured ones to leave the window"
    return Gate(
        name="coverage",
        progress_ratio=None if passes else progress_ratio(PPM * judged, target_ppm * total),
        value=f"{judged} of {total}",
        target=f"at least {percent(target_ppm)}",
        passes=passes,
        needs=needs,
    )


def _exact(state: State, _policy: Policy, rung: Rung) -> Gate | None:
    if rung.mode is not Mode.PUSH_ONLY:
        return None
    return Gate(
        name="exact",
        value="exact" if state.is_exact else "inferred",
        target="exact",
        passes=state.is_exact,
        needs="" if state.is_exact else "acks that name their `payment_intent`",
    )


def _stage(_: State, policy: Policy, rung: Rung) -> Gate | None:
    if rung.mode is not Mode.PUSH_ONLY:
        return None
    reaches = policy.stage in {Stage.DELIVERED, Stage.REFRESHED}
    return Gate(
        name="stage",
        value=policy.stage,
        target="delivered",
        passes=reaches,
        needs="" if reaches else "`acks.stage: delivered`, because Reverb may take a broadcast and not deliver it",
    )


def _worst_case(state: State, policy: Policy, _: Rung) -> Gate:
    indicator = state.indicators[PAYMENTS]
    bound = worst_case_ratio(indicator, row_of(PAYMENTS), policy)
    target = evidence.ratio(policy.unacceptable_reliability_ppm)
    passes = not indicator.awaits_epoch and bound >= target
    needs = ""
    if indicator.awaits_epoch:
        needs = "the new epoch to begin"
    elif not passes:
        needs = f"the worst case, in which doubtful unmeasured payments failed, to reach {target:.4g}"
    return Gate(
        name="worst_case",
        progress_ratio=None if passes or indicator.awaits_epoch else progress_ratio(bound, target),
        value=f"{100 * bound:.2f} %",
        target=f"at least {percent(policy.unacceptable_reliability_ppm)}",
        passes=passes,
        needs=needs,
    )


def _approval(state: State, _: Policy, rung: Rung) -> Gate | None:
    if not rung.approval_required:
        return None
    approval = state.flag.approval
    to_rung, epoch = state.flag.rung + 1, state.indicators[PAYMENTS].epoch
    passes = approval is not None and (approval.rung, approval.epoch) == (to_rung, epoch)
    return Gate(
        name="approval",
        value=f"approved by {approval.actor}" if approval is not None and passes else "none",
        target=f"for rung {to_rung} in epoch {epoch}",
        passes=passes,
        needs="" if passes else "`sidecar approve --reason '...'`",
    )


GATES = (
    GateRow(
        name="alarm",
        read=_alarm,
        is_for_return=True,
        label="No alarm",
        closes="Closes with the next alarm of any indicator.",
        remedy="Find and remove the cause: sidecar doctor. Good outcomes then end the alarm.",
    ),
    GateRow(
        name="suspension",
        read=_suspension,
        is_for_return=True,
        label="Not suspended",
        closes="Closes when push is suspended.",
        remedy="See the reason of the suspension, and remove it.",
    ),
    GateRow(
        name="isolation",
        read=_isolation,
        label="Isolation probes are refused",
        closes="Closes if the probe user may subscribe to a channel that is not its own.",
        remedy="Security: in routes/channels.php the callback must compare the user's id with the channel's.",
    ),
    GateRow(
        name="hold",
        read=_hold,
        is_for_return=True,
        label="No hold",
        closes="Closes with `sidecar hold`.",
        remedy="When the reason of a hold no longer applies: sidecar resume --hold ID --reason '...'.",
    ),
    GateRow(
        name="freeze",
        read=_freeze,
        is_for_return=True,
        label="No freeze",
        closes="Closes during a freeze window.",
        remedy="Wait for its end, or: sidecar thaw NAME --reason '...'.",
    ),
    GateRow(
        name="cooldown",
        read=_cooldown,
        is_for_return=True,
        label="Cool-down over",
        closes="Closes after a fall.",
        remedy=WAIT,
    ),
    GateRow(
        name="soak", read=_soak, label="Soak complete", closes="Closes with the next move of the flag.", remedy=WAIT
    ),
    GateRow(
        name="coverage",
        read=_coverage,
        label="Coverage reached",
        closes="Closes if too few payments can be judged.",
        remedy="Wait for payments. If many are unmeasured, see why (`sidecar status`), and remove the cause.",
    ),
    GateRow(
        name="exact",
        read=_exact,
        label="Acks name their payments",
        closes="Closes when 20 payments in a row got only acks that do not name them.",
        remedy="Put `payment_intent` into the broadcast's payload (clients/laravel).",
    ),
    GateRow(
        name="stage",
        read=_stage,
        label="Judged at delivery",
        closes="Closes with another `acks.stage`.",
        remedy="Set `acks.stage: delivered` and configure the observers (`reverb.observer_channel`).",
    ),
    *(GateRow(name=f"evidence_{row.name}", read=evidence_of(row)) for row in INDICATORS),
    GateRow(
        name="payers_on_rung",
        read=payers_served,
        label="Enough payers on this rung",
        closes="Closes with a move of the flag, or when a flow becomes rare.",
        remedy="Wait for payers; if none report, see docs/payers.md.",
    ),
    GateRow(
        name="payer_coverage",
        read=payers_answer,
        label="Enough payers answer",
        closes="Closes if too few payers' browsers report, or too few of their channel requests are reported.",
        remedy="See which indicator is silent, and why its reports do not arrive (docs/payers.md).",
    ),
    GateRow(
        name="worst_case",
        read=_worst_case,
        label="Reliable in the worst case",
        closes="Closes if more payments go unmeasured that may have failed.",
        remedy="Wait for clean payments. If many are unmeasured, see why (`sidecar status`).",
    ),
    GateRow(
        name="approval",
        read=_approval,
        label="Approved by an operator",
        closes="Closes when the approval is used, with a fall, or after 7 days.",
        remedy="Check the evidence, then: sidecar approve --reason '...'.",
    ),
)
"""All gates; the names are a closed set."""
