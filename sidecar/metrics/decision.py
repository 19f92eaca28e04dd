"""The folded rows about the decision: what is proven, which alarms are raised, what is missing, and the thresholds.

A value that is compared with a threshold is exposed beside that threshold, so that no rule or dashboard repeats it.
"""

from collections.abc import Iterator

from sidecar.core.decision import gates as core_gates
from sidecar.core.facts.policy import Policy
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.state import State
from sidecar.core.fold.visibility import floor_ppm
from sidecar.core.statistics import alarms, evidence
from sidecar.core.statistics.alarms import Cusum
from sidecar.core.statistics.indicators import (
    INDICATORS,
    Indicator,
    IndicatorRow,
    bank_of,
    clean_needed,
    coming_bar_of,
    levels_of,
    log_capital,
    proven_ratio,
)
from sidecar.metrics.rows import INDICATOR_NAMES, by_policy, counter, gauge, of_indicators, state_set
from sidecar.parts.metrics import Key

GATES = tuple(row.name for row in core_gates.GATES)
TWICE_ALLOWED, UNACCEPTABLE = "twice_allowed", "unacceptable"
"""Twice the failures that the target allows, and the damage that the policy calls unacceptable; the other degrees are
reliabilities."""
DEGREES = (TWICE_ALLOWED, UNACCEPTABLE, *(f"{evidence.ratio(degree_ppm):g}" for degree_ppm in alarms.DEGREES_PPM))
_NANO = 1_000_000_000


def _gates(state: State) -> dict[str, float]:
    applying = {gate.name: gate.passes for gate in core_gates.gates(state)}
    return {name: float(applying.get(name, True)) for name in GATES}


def _epoch_outcomes(state: State, _: Policy) -> Iterator[tuple[Key, float]]:
    for name in INDICATOR_NAMES:
        indicator = state.indicators[name]
        yield (name, "good"), indicator.good
        yield (name, "bad"), indicator.bad
        yield (name, "unmeasured"), indicator.unmeasured
        yield (name, "doubtful"), indicator.doubtful


def _judged(state: State, _: Policy) -> Iterator[tuple[Key, float]]:
    for name in INDICATOR_NAMES:
        indicator = state.indicators[name]
        yield (name, "good"), indicator.good_total
        yield (name, "bad"), indicator.bad_total


def _alarm_level(policy: Policy, indicator: Indicator, row: IndicatorRow) -> float:
    bank = bank_of(row, policy)
    levels = zip(bank, levels_of(indicator.levels, bank), strict=True)
    return max(level / cusum.threshold for cusum, level in levels)


def _alarm_levels(state: State, policy: Policy) -> Iterator[tuple[Key, float]]:
    """Yield the level of each CUSUM; of equal degrees there is one."""
    for row in INDICATORS:
        bank = bank_of(row, policy)
        levels = levels_of(state.indicators[row.name].levels, bank)
        for cusum, level in zip(bank, levels, strict=True):
            yield (row.name, _degree(policy, cusum)), level / _NANO


def _degree(policy: Policy, cusum: Cusum) -> str:
    if cusum.p1_ppm == policy.unacceptable_reliability_ppm:
        return UNACCEPTABLE
    return f"{evidence.ratio(cusum.p1_ppm):g}" if cusum.p1_ppm in alarms.DEGREES_PPM else TWICE_ALLOWED


def _alarm_threshold(policy: Policy, _: Indicator, row: IndicatorRow) -> float:
    return max(cusum.threshold for cusum in bank_of(row, policy)) / _NANO


def _coverage(state: State) -> float | None:
    share_ppm = state.coverage.share_ppm()
    return None if share_ppm is None else evidence.ratio(share_ppm)


def _covered(state: State) -> dict[str, float]:
    judged, total = state.coverage.counts()
    return {"true": judged, "false": total - judged}


ROWS = (
    gauge(
        "gate_satisfied",
        "1 where a gate of the next rung passes or does not apply.",
        _gates,
        {"gate": GATES},
    ),
    of_indicators(
        "evidence_reliability_lower_bound_ratio",
        "The reliability that the present epoch proves.",
        lambda policy, indicator, _: proven_ratio(indicator, policy),
    ),
    of_indicators(
        "evidence_target_ratio",
        "The reliability that must be proven.",
        lambda policy, _, row: evidence.ratio(row.p0_ppm(policy)),
    ),
    of_indicators(
        "evidence_clean_outcomes_needed",
        "Outcomes without a failure that would prove the target.",
        lambda policy, indicator, row: clean_needed(indicator, row, policy),
    ),
    of_indicators(
        "evidence_log_capital",
        "Natural logarithm of the capital of the bet that reliability is above the target; 0 outside an epoch.",
        lambda policy, indicator, row: log_capital(indicator, row, policy),
    ),
    of_indicators(
        "evidence_log_capital_needed",
        "The log capital at which the target is proven; it rises with every epoch.",
        lambda policy, indicator, _: coming_bar_of(indicator, policy, is_next=indicator.awaits_epoch),
    ),
    of_indicators(
        "evidence_epoch",
        "The epoch that evidence is collected in, from 1.",
        lambda _, indicator, __: indicator.epoch,
    ),
    gauge(
        "evidence_outcomes",
        "Outcomes of the present epoch. Doubtful payments are unmeasured ones that the worst case counts as bad.",
        by_policy(_epoch_outcomes),
        {"indicator": INDICATOR_NAMES, "verdict": ("good", "bad", "unmeasured", "doubtful")},
    ),
    counter(
        "judged_outcomes",
        "Outcomes that were judged, in all epochs.",
        by_policy(_judged),
        {"indicator": INDICATOR_NAMES, "verdict": ("good", "bad")},
    ),
    of_indicators("alarm_level_ratio", "The highest alarm CUSUM as a share of its threshold.", _alarm_level),
    gauge(
        "alarm_level_nats",
        "Each alarm CUSUM, by the reliability that it is tuned to detect.",
        by_policy(_alarm_levels),
        {"indicator": INDICATOR_NAMES, "degree": DEGREES},
    ),
    of_indicators("alarm_threshold_nats", "The level of an alarm CUSUM that raises the alarm.", _alarm_threshold),
    of_indicators(
        "alarm_latched",
        "1 while an alarm is raised and not yet over.",
        lambda _, indicator, __: float(indicator.is_latched),
    ),
    gauge("coverage_ratio", "Share of payments that could be judged; absent before the first.", _coverage),
    gauge(
        "coverage_payments",
        "Payments that coverage is computed from, by whether they could be judged.",
        _covered,
        {"judged": ("true", "false")},
    ),
    gauge(
        "coverage_threshold_ratio",
        "Thresholds of coverage: below climb the flag does not climb, below suspend push is suspended.",
        by_policy(
            lambda state, policy: {
                "climb": evidence.ratio(policy.coverage_ppm),
                "suspend": evidence.ratio(floor_ppm(state, policy)),
            }
        ),
        {"threshold": ("climb", "suspend")},
    ),
    gauge(
        "objective_seconds",
        "The latency objectives: a payment is on time below on_time_within, and missed from missed_after.",
        by_policy(
            lambda _, policy: {
                "on_time_within": policy.on_time_within_ms / 1000,
                "missed_after": policy.missed_after_ms / 1000,
            }
        ),
        {"objective": ("on_time_within", "missed_after")},
    ),
    gauge(
        "suspended",
        "1 for the reason for which push is suspended; all 0: it is not.",
        lambda state: state_set(SuspensionReason, state.suspension),
        {"reason": SuspensionReason},
    ),
    counter(
        "suspensions",
        "Suspensions of push that began, by reason.",
        lambda state: state.tally.suspensions,
        {"reason": SuspensionReason},
    ),
    gauge("flag_held", "1 while an operator's hold forbids climbing.", lambda state: float(bool(state.flag.holds))),
    gauge("flag_top_rung", "The highest rung of the ladder.", by_policy(lambda _, policy: len(policy.ladder) - 1)),
    gauge(
        "flag_strikes",
        "Falls that still count; each doubles the next cool-down.",
        lambda state: state.flag.strikes,
    ),
    gauge(
        "flag_cooldown_until_timestamp_seconds",
        "End of the last cool-down, on the journal's clock; 0: there was none.",
        lambda state: state.flag.cooldown_until_ms / 1000,
    ),
    gauge(
        "app_release_timestamp_seconds",
        "First report of the app's newest release, in an ack or an operator's note, on the journal's clock; 0: none.",
        lambda state: state.history.release_ms / 1000,
    ),
    gauge(
        "flag_lease_seconds",
        "Duration of a lease; an answer is valid for half of it.",
        by_policy(lambda _, policy: policy.lease_ms / 1000),
    ),
)
"""Gates, evidence, alarms, coverage, and what keeps the flag on its rung."""
