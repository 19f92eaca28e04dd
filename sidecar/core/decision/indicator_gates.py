"""The gate that every indicator has: that its reliability is proven."""

from collections.abc import Callable

from sidecar.core.decision.gate import Gate, likely_ms, percent, progress_ratio
from sidecar.core.facts.policy import Policy, Rung
from sidecar.core.fold.state import State
from sidecar.core.statistics import evidence
from sidecar.core.statistics.indicators import PAYMENTS, Indicator, IndicatorRow, bar_of, clean_needed, is_proven


def evidence_of(row: IndicatorRow) -> Callable[[State, Policy, Rung], Gate | None]:
    """Return the gate that passes once the reliability of an indicator is proven."""

    def read(state: State, policy: Policy, rung: Rung) -> Gate | None:
        if rung.mode not in row.needed_for(policy):
            return None
        indicator = state.indicators[row.name]
        passes = bool(indicator.last_ms) and is_proven(indicator, row, policy)
        needs, expected_ms, between_ms = "", None, None
        progress = None if passes or indicator.awaits_epoch else 0.0
        if indicator.awaits_epoch:
            needs = "the cool-down to end and the alarms to calm; then a new epoch begins"
        elif not indicator.last_ms:
            needs = _unwired(state, policy, row)
        elif not passes:
            more = clean_needed(indicator, row, policy)
            needs = f"{more} more {row.outcome}{_capped(indicator, row, policy)}"
            expected_ms, between_ms = _expected(indicator, state.now_ms, more)
            progress = progress_ratio(indicator.good, indicator.good + more)
        return Gate(
            name=f"evidence_{row.name}",
            progress_ratio=progress,
            value=f"{indicator.good} good, {indicator.bad} bad in epoch {indicator.epoch}",
            target=f"proof of {percent(row.p0_ppm(policy))}",
            passes=passes,
            needs=needs,
            expected_ms=expected_ms,
            expected_between_ms=between_ms,
        )

    return read


def _capped(indicator: Indicator, row: IndicatorRow, policy: Policy) -> str:
    """Return, where the counts of the epoch alone would suffice, why the capital does not."""
    counted = evidence.log_capital(evidence.ratio(row.p0_ppm(policy)), indicator.good, indicator.bad)
    if counted < bar_of(indicator, policy):
        return ""
    return ", because of failures since the proof: the counts of the epoch alone would suffice"


def _unwired(state: State, policy: Policy, row: IndicatorRow) -> str:
    if row.name != PAYMENTS:
        return f"a first report of {row.outcome}: none has come yet"
    if state.wired_ms is None:
        return f"a first payment with an ack of stage `{policy.stage}`: there was none yet"
    return "a first payment that can be judged"


def _expected(indicator: Indicator, now_ms: int, more: int) -> tuple[int | None, tuple[int, int] | None]:
    """Return when that many more outcomes will be there at this epoch's rate, and in what range that is likely.

    None with under two outcomes.
    """
    count = indicator.good + indicator.bad
    span_ms = now_ms - indicator.epoch_began_ms
    if count < _COUNTED_FROM or span_ms <= 0:
        return None, None
    return now_ms + more * span_ms // (count - 1), likely_ms(now_ms, more=more, count=count, span_ms=span_ms)


_COUNTED_FROM = 2
