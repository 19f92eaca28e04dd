"""The gates that every indicator has: that it was clean recently, and that its reliability is proven."""

from collections.abc import Callable

from sidecar.core.decision.gate import Gate, percent, progress_ratio
from sidecar.core.facts.policy import Policy, Rung
from sidecar.core.fold.state import State
from sidecar.core.statistics import evidence
from sidecar.core.statistics.indicators import PAYMENTS, Indicator, IndicatorRow, alpha_of, bank_of


def recent(row: IndicatorRow) -> Callable[[State, Policy, Rung], Gate | None]:
    """Return the gate that is closed after recent failures of an indicator."""

    def read(state: State, policy: Policy, rung: Rung) -> Gate | None:
        if rung.mode not in row.needed_for(policy):
            return None
        indicator, cusum = state.indicators[row.name], bank_of(row, policy).recent
        more = cusum.good_to_calm(indicator.recent)
        passes = more == 0
        return Gate(
            name=f"recent_{row.name}",
            progress_ratio=None if passes else progress_ratio(cusum.threshold - indicator.recent, cusum.threshold / 2),
            value=f"{100 * indicator.recent // cusum.threshold} % of its threshold",
            target="below 50 %",
            passes=passes,
            needs="" if passes else f"{more} more {row.outcome}",
            expected_ms=None if passes else _expected(indicator, state.now_ms, more),
        )

    return read


def evidence_of(row: IndicatorRow) -> Callable[[State, Policy, Rung], Gate | None]:
    """Return the gate that passes once the reliability of an indicator is proven."""

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
            progress = progress_ratio(indicator.good, indicator.good + more)
        return Gate(
            name=f"evidence_{row.name}",
            progress_ratio=progress,
            value=f"{indicator.good} good, {indicator.bad} bad in epoch {indicator.epoch}",
            target=f"proof of {percent(row.p0_ppm(policy))}",
            passes=passes,
            needs=needs,
            expected_ms=expected_ms,
        )

    return read


def _unwired(state: State, policy: Policy, row: IndicatorRow) -> str:
    if row.name != PAYMENTS:
        return f"a first report of {row.outcome}: none has ever come"
    if state.wired_ms is None:
        return f"a first payment with an ack of stage `{policy.stage}`: there was none yet"
    return "a first payment that can be judged"


def _expected(indicator: Indicator, now_ms: int, more: int) -> int | None:
    """Return when that many more outcomes will be there at this epoch's rate; None with under two outcomes."""
    count = indicator.good + indicator.bad
    span_ms = now_ms - indicator.epoch_began_ms
    return now_ms + more * span_ms // (count - 1) if count > 1 and span_ms > 0 else None
