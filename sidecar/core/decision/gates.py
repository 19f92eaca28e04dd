"""The gates of the next rung: one row per condition, with value, target, whether it passes, and what is missing.

The rows are in evaluation order, cheap ones first. Anything that can close a gate raises the guard version
(`core.fold.ladder`), so that a climb decided before it closed is ignored.
"""

from collections.abc import Callable, Iterator
from typing import assert_never

import msgspec

from sidecar.core.facts.auth_probes import IsolationOutcome
from sidecar.core.facts.policy import PPM, Lifecycle, Mode, Policy, Rung, Stage
from sidecar.core.facts.reports import Flow
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold import freezes
from sidecar.core.fold.reach import needs_payers
from sidecar.core.fold.state import State
from sidecar.core.fold.suspension import NAMED_AFTER_MS, Answer, answer
from sidecar.core.statistics import evidence
from sidecar.core.statistics.indicators import INDICATORS, PAYMENTS, Indicator, IndicatorRow, alpha_of, bank_of


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """One named condition for climbing."""

    name: str
    value: str
    target: str
    passes: bool
    needs: str = ""
    """What is missing, as a sentence without a full stop; empty when it passes."""
    expected_ms: int | None = None
    """When it will pass at the present rate, in Unix milliseconds; None: unknown, or it passes."""
    progress_ratio: float | None = None
    """How far it is, from 0 to 1; None: it passes, or it is not a matter of more and less."""


class _Row(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    read: Callable[[State, Policy, Rung], Gate | None]
    """None: the condition does not apply to this rung."""
    is_for_return: bool = False
    """Evaluated also where the ladder is off (`lifecycle: removed`), before the flag returns after a fall."""


def gates(state: State) -> tuple[Gate, ...]:
    """Return the gates of the next rung; none at the top and before the first policy."""
    return tuple(_readings(state))


def first_closed(state: State) -> Gate | None:
    """Return the first gate of the next rung that does not pass; None: all pass."""
    return next((gate for gate in _readings(state) if not gate.passes), None)


def _readings(state: State) -> Iterator[Gate]:
    policy, rung = state.policy, state.next_rung
    if policy is None or rung is None:
        return
    is_off = policy.lifecycle is Lifecycle.REMOVED
    for row in GATES:
        if is_off and not row.is_for_return:
            continue
        gate = row.read(state, policy, rung)
        if gate is not None:
            yield gate


# --- the rows


def _alarm(state: State, policy: Policy, _: Rung) -> Gate:
    latched = [row for row in INDICATORS if state.indicators[row.name].is_latched]
    names = ", ".join(row.name for row in latched)
    needs, expected_ms = "", None
    if state.flag.suspension is not None:
        needs, expected_ms = "the suspension to end", state.flag.suspension.until_ms
    elif state.flag.rung > 0 and latched and answer(state, policy) is Answer.WAIT:
        expected_ms = state.indicators[PAYMENTS].alarmed_ms + NAMED_AFTER_MS
        needs = f"{duration(expected_ms - state.now_ms)} to attribute it to Reverb or to push"
    elif latched:
        row = latched[0]
        cusums = zip(bank_of(row, policy).alarms, state.indicators[row.name].levels, strict=True)
        more = max(cusum.good_to_calm(level) for cusum, level in cusums)
        needs = f"{more} {row.outcome} in a row to calm {row.name}"
    return Gate(
        name="alarm",
        value=names or "none",
        target="none latched",
        passes=not latched,
        needs=needs,
        expected_ms=expected_ms,
    )


def _suspension(state: State, policy: Policy, _: Rung) -> Gate:
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
            needs = f"at least {_percent(policy.coverage_floor_ppm)} of the payments to be judgeable"
        case SuspensionReason.SOURCE_DOWN:
            needs = f"an answer from {', '.join(state.visibility.silent_sources)}"
        case SuspensionReason.CUT_OFF:
            needs = "Reverb, the auth endpoint or the reference target to be reached from here"
        case SuspensionReason.PROBES_SILENT:
            needs = "a probe of Reverb to end"
        case SuspensionReason.UNWIRED:
            needs = f"a first ack of stage `{policy.stage}`"
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
    hold = state.flag.hold
    return Gate(
        name="hold",
        value=f"on hold by {hold.actor}: {hold.reason}" if hold else "none",
        target="none",
        passes=hold is None,
        needs="`sidecar resume`" if hold else "",
    )


def _freeze(state: State, _policy: Policy, _: Rung) -> Gate:
    frozen = freezes.in_force(state)
    needs, expected_ms = "", None
    if frozen:
        expected_ms = freezes.opens_ms(state)
        when = "" if expected_ms is None else f" in {duration(expected_ms - state.now_ms)}"
        names = " and ".join(f"`sidecar thaw {each.name}`" for each in frozen)
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
        progress_ratio=_progress(state.now_ms - state.flag.since_ms, state.flag.cooldown_until_ms - state.flag.since_ms)
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
        progress_ratio=_progress(state.flag.soaked_ms, soak_ms) if left_ms else None,
        value=duration(min(state.flag.soaked_ms, soak_ms)),
        target=duration(soak_ms),
        passes=left_ms == 0,
        needs=f"{duration(left_ms)} more on this rung" if left_ms else "",
        expected_ms=state.now_ms + left_ms if left_ms else None,
    )


def _coverage(state: State, policy: Policy, _: Rung) -> Gate:
    judged, total = state.coverage.counts()
    share_ppm = state.coverage.share_ppm()
    passes = share_ppm is not None and share_ppm >= policy.coverage_ppm
    needs = ""
    if total == 0:
        needs = "a payment that can be judged"
    elif policy.coverage_ppm == PPM:
        needs = "" if passes else "the unmeasured payments to leave the window"
    elif not passes:
        more = -(-(policy.coverage_ppm * total - PPM * judged) // (PPM - policy.coverage_ppm))
        needs = f"{more} judged payments more, or the unmeasured ones to leave the window"
    return Gate(
        name="coverage",
        progress_ratio=None if passes else _progress(PPM * judged, policy.coverage_ppm * total),
        value=f"{judged} of {total}",
        target=f"at least {_percent(policy.coverage_ppm)}",
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


def _recent(row: IndicatorRow) -> Callable[[State, Policy, Rung], Gate | None]:
    def read(state: State, policy: Policy, rung: Rung) -> Gate | None:
        if rung.mode not in row.needed_for(policy):
            return None
        indicator, cusum = state.indicators[row.name], bank_of(row, policy).recent
        more = cusum.good_to_calm(indicator.recent)
        passes = more == 0
        return Gate(
            name=f"recent_{row.name}",
            progress_ratio=None if passes else _progress(cusum.threshold - indicator.recent, cusum.threshold / 2),
            value=f"{100 * indicator.recent // cusum.threshold} % of its threshold",
            target="below 50 %",
            passes=passes,
            needs="" if passes else f"{more} more {row.outcome}",
            expected_ms=None if passes else _expected(indicator, state.now_ms, more),
        )

    return read


def _evidence(row: IndicatorRow) -> Callable[[State, Policy, Rung], Gate | None]:
    def read(state: State, policy: Policy, rung: Rung) -> Gate | None:
        if rung.mode not in row.needed_for(policy):
            return None
        indicator, p0, alpha = state.indicators[row.name], evidence.ratio(row.p0_ppm(policy)), 0.0
        passes = False
        needs, expected_ms, progress = "", None, 0.0 if not indicator.awaits_epoch else None
        if indicator.awaits_epoch:
            needs = "the cool-down to end and the alarms to calm; then a new epoch begins"
        elif not indicator.last_ms:
            needs = _unwired(state, policy, row)
        else:
            alpha = alpha_of(indicator, policy)
            passes = evidence.is_proven(p0, indicator.good, indicator.bad, alpha)
            progress = None if passes else progress
        if alpha and not passes:
            more = evidence.clean_needed(p0, indicator.good, indicator.bad, alpha)
            needs = f"{more} more {row.outcome}"
            expected_ms = _expected(indicator, state.now_ms, more)
            progress = _progress(indicator.good, indicator.good + more)
        return Gate(
            name=f"evidence_{row.name}",
            progress_ratio=progress,
            value=f"{indicator.good} good, {indicator.bad} bad in epoch {indicator.epoch}",
            target=f"proof of {_percent(row.p0_ppm(policy))}",
            passes=passes,
            needs=needs,
            expected_ms=expected_ms,
        )

    return read


def _unwired(state: State, policy: Policy, row: IndicatorRow) -> str:
    if row.name != PAYMENTS:
        return f"a first report of {row.outcome}: none has ever come"
    if state.wired_ms is None:
        return f"a first ack of stage `{policy.stage}`: none has ever come"
    return "a first payment that can be judged"


def _payers(state: State, policy: Policy, _: Rung) -> Gate | None:
    """Require payers who were served a push rung, wherever browsers report: only they measure its effect.

    A dry run serves nobody, and rehearses the rest of the ladder without them.
    """
    is_wired = bool(state.reach.flows) and not policy.dry_run
    if state.flag.rung == 0 or policy.payers_on_rung == 0 or policy.reach_not_required or not is_wired:
        return None
    counted = state.flag.payers
    missing = {flow: policy.payers_on_rung - counted.get(flow, 0) for flow in needs_payers(state)}
    missing = {flow: count for flow, count in missing.items() if count > 0}
    return Gate(
        name="payers_on_rung",
        progress_ratio=_progress(sum(counted.get(flow, 0) for flow in missing), policy.payers_on_rung * len(missing))
        if missing
        else None,
        value=", ".join(f"{counted.get(flow, 0)} {_FLOWS[flow]}" for flow in Flow),
        target=f"{policy.payers_on_rung} of each flow that is common",
        passes=not missing,
        needs=f"payers who were served this rung: {_flows(missing)}" if missing else "",
    )


_FLOWS = {Flow.IN_PAGE: "in page", Flow.REDIRECT: "back from a redirect"}


def _flows(missing: dict[Flow, int]) -> str:
    return " and ".join(f"{count} more {_FLOWS[flow]}" for flow, count in missing.items())


def _worst_case(state: State, policy: Policy, _: Rung) -> Gate:
    indicator = state.indicators[PAYMENTS]
    bound = evidence.lower_bound(indicator.good, indicator.bad + indicator.unmeasured, alpha_of(indicator, policy))
    target = evidence.ratio(policy.unacceptable_reliability_ppm)
    passes = not indicator.awaits_epoch and bound >= target
    needs = ""
    if indicator.awaits_epoch:
        needs = "the new epoch to begin"
    elif not passes:
        needs = f"the worst case, with every unmeasured payment counted as failed, to reach {target:.4g}"
    return Gate(
        name="worst_case",
        progress_ratio=None if passes or indicator.awaits_epoch else _progress(bound, target),
        value=f"{100 * bound:.2f} %",
        target=f"at least {_percent(policy.unacceptable_reliability_ppm)}",
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
        needs="" if passes else "`sidecar approve`",
    )


GATES = (
    _Row(name="alarm", read=_alarm, is_for_return=True),
    _Row(name="suspension", read=_suspension, is_for_return=True),
    _Row(name="isolation", read=_isolation),
    _Row(name="hold", read=_hold, is_for_return=True),
    _Row(name="freeze", read=_freeze, is_for_return=True),
    _Row(name="cooldown", read=_cooldown, is_for_return=True),
    _Row(name="soak", read=_soak),
    _Row(name="coverage", read=_coverage),
    _Row(name="exact", read=_exact),
    _Row(name="stage", read=_stage),
    *(_Row(name=f"recent_{row.name}", read=_recent(row)) for row in INDICATORS),
    *(_Row(name=f"evidence_{row.name}", read=_evidence(row)) for row in INDICATORS),
    _Row(name="payers_on_rung", read=_payers),
    _Row(name="worst_case", read=_worst_case),
    _Row(name="approval", read=_approval),
)
"""All gates; the names are a closed set."""


def duration(span_ms: int) -> str:
    """Return a duration for people, in its two largest units: `2 d 3 h`, `59 s`."""
    parts = []
    rest = -(-span_ms // 1000)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"


def _progress(part: float, whole: float) -> float:
    return min(1.0, max(0.0, part / whole)) if whole > 0 else 0.0


def _percent(ppm: int) -> str:
    return f"{ppm / 10_000:g} %"


def _expected(indicator: Indicator, now_ms: int, more: int) -> int | None:
    """Return when that many more outcomes will be there at this epoch's rate; None with under two outcomes."""
    count = indicator.good + indicator.bad
    span_ms = now_ms - indicator.epoch_began_ms
    return now_ms + more * span_ms // (count - 1) if count > 1 and span_ms > 0 else None
