"""The rows of the table that are about the decision: what is proven, what alarms, what is missing, and the thresholds.

Whatever is compared with a threshold stands beside that threshold, so that no rule or dashboard repeats one.
"""

import math

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from sidecar.core.decision import gates as core_gates
from sidecar.core.facts.policy import Policy
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.core.fold.state import State
from sidecar.core.statistics import alarms, evidence
from sidecar.core.statistics.indicators import (
    INDICATORS,
    Indicator,
    IndicatorRow,
    bank_of,
    clean_needed,
    coming_alpha_of,
    levels_of,
    proven_ratio,
)
from sidecar.metrics import reading
from sidecar.metrics.view import Row, Samples, Scope, View

GATES = tuple(row.name for row in core_gates.GATES)
MILDEST = "mildest"
"""The damage that the policy itself calls unacceptable; the other degrees are reliabilities."""
DEGREES = (MILDEST, *(f"{evidence.ratio(degree_ppm):g}" for degree_ppm in alarms.DEGREES_PPM))
_NANO = 1_000_000_000


def _gates(view: View) -> Samples:
    applying = {gate.name: gate.passes for gate in core_gates.gates(view.state)}
    return [((name,), float(applying.get(name, True))) for name in GATES]


def _log_capital(_: State, policy: Policy, indicator: Indicator, row: IndicatorRow) -> float:
    if indicator.awaits_epoch:
        return 0.0
    return evidence.log_capital(evidence.ratio(row.p0_ppm(policy)), indicator.good, indicator.bad)


def _log_capital_needed(_: State, policy: Policy, indicator: Indicator, __: IndicatorRow) -> float:
    return -math.log(coming_alpha_of(indicator, policy))


def _epoch_outcomes(state: State, _: Policy) -> Samples:
    for row in INDICATORS:
        indicator = state.indicators[row.name]
        yield (row.name, "good"), indicator.good
        yield (row.name, "bad"), indicator.bad
        yield (row.name, "unmeasured"), indicator.unmeasured


def _judged(state: State, _: Policy) -> Samples:
    for row in INDICATORS:
        indicator = state.indicators[row.name]
        yield (row.name, "good"), indicator.good_total
        yield (row.name, "bad"), indicator.bad_total


def _alarm_level(_: State, policy: Policy, indicator: Indicator, row: IndicatorRow) -> float:
    bank = bank_of(row, policy)
    levels = zip(bank.alarms, levels_of(indicator, bank), strict=True)
    return max(level / cusum.threshold for cusum, level in levels)


def _alarm_levels(state: State, policy: Policy) -> Samples:
    """Read each CUSUM; a degree that is no worse than the mildest has none."""
    for row in INDICATORS:
        bank = bank_of(row, policy)
        levels = levels_of(state.indicators[row.name], bank)
        for index, (cusum, level) in enumerate(zip(bank.alarms, levels, strict=True)):
            yield (row.name, f"{evidence.ratio(cusum.p1_ppm):g}" if index else MILDEST), level / _NANO


def _alarm_threshold(_: State, policy: Policy, __: Indicator, row: IndicatorRow) -> float:
    return max(cusum.threshold for cusum in bank_of(row, policy).alarms) / _NANO


def _recent_level(_: State, policy: Policy, indicator: Indicator, row: IndicatorRow) -> float:
    return indicator.recent / bank_of(row, policy).recent.threshold


def _coverage(view: View) -> Samples:
    share_ppm = view.state.coverage.share_ppm()
    return [] if share_ppm is None else [((), evidence.ratio(share_ppm))]


def _covered(view: View) -> Samples:
    judged, total = view.state.coverage.counts()
    return [(("true",), judged), (("false",), total - judged)]


ROWS = (
    Row(
        name="gate_satisfied",
        kind=GaugeMetricFamily,
        help="1 where a gate of the next rung holds or does not apply to it.",
        scope=Scope.FOLDED,
        labels={"gate": GATES},
        read=_gates,
    ),
    Row(
        name="evidence_reliability_lower_bound_ratio",
        kind=GaugeMetricFamily,
        help="The reliability that the present epoch proves.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES},
        read=reading.by_indicator(lambda _, policy, indicator, __: proven_ratio(indicator, policy)),
    ),
    Row(
        name="evidence_target_ratio",
        kind=GaugeMetricFamily,
        help="The reliability that must be proven.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES},
        read=reading.by_indicator(lambda _, policy, __, row: evidence.ratio(row.p0_ppm(policy))),
    ),
    Row(
        name="evidence_clean_outcomes_needed",
        kind=GaugeMetricFamily,
        help="Outcomes without a failure that would prove the target.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES},
        read=reading.by_indicator(lambda _, policy, indicator, row: clean_needed(indicator, row, policy)),
    ),
    Row(
        name="evidence_log_capital",
        kind=GaugeMetricFamily,
        help="Natural logarithm of the capital of the bet that reliability is above the target; 0 while no epoch runs.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES},
        read=reading.by_indicator(_log_capital),
    ),
    Row(
        name="evidence_log_capital_needed",
        kind=GaugeMetricFamily,
        help="The log capital from which on the target is proven; higher with every epoch.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES},
        read=reading.by_indicator(_log_capital_needed),
    ),
    Row(
        name="evidence_epoch",
        kind=GaugeMetricFamily,
        help="The epoch that evidence is collected in, from 1.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES},
        read=reading.by_indicator(lambda _, __, indicator, ___: indicator.epoch),
    ),
    Row(
        name="evidence_outcomes",
        kind=GaugeMetricFamily,
        help="Outcomes of the present epoch; what is unmeasured counts as bad in the worst case.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES, "verdict": ("good", "bad", "unmeasured")},
        read=reading.by_policy(_epoch_outcomes),
    ),
    Row(
        name="judged_outcomes",
        kind=CounterMetricFamily,
        help="Outcomes that were judged, in all epochs.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES, "verdict": ("good", "bad")},
        read=reading.by_policy(_judged),
    ),
    Row(
        name="alarm_level_ratio",
        kind=GaugeMetricFamily,
        help="The highest alarm CUSUM as a share of its threshold.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES},
        read=reading.by_indicator(_alarm_level),
    ),
    Row(
        name="alarm_level_nats",
        kind=GaugeMetricFamily,
        help="Each alarm CUSUM, by the reliability that it is tuned to detect.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES, "degree": DEGREES},
        read=reading.by_policy(_alarm_levels),
    ),
    Row(
        name="alarm_threshold_nats",
        kind=GaugeMetricFamily,
        help="The level of any alarm CUSUM that raises the alarm.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES},
        read=reading.by_indicator(_alarm_threshold),
    ),
    Row(
        name="alarm_latched",
        kind=GaugeMetricFamily,
        help="1 while an alarm is raised and not over.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES},
        read=reading.by_indicator(lambda _, __, indicator, ___: float(indicator.is_latched)),
    ),
    Row(
        name="recent_level_ratio",
        kind=GaugeMetricFamily,
        help="The CUSUM of recent failures as a share of its threshold; from 0.5 on nothing climbs.",
        scope=Scope.FOLDED,
        labels={"indicator": reading.NAMES},
        read=reading.by_indicator(_recent_level),
    ),
    Row(
        name="coverage_ratio",
        kind=GaugeMetricFamily,
        help="Share of payments that could be judged; absent before the first.",
        scope=Scope.FOLDED,
        read=_coverage,
    ),
    Row(
        name="coverage_payments",
        kind=GaugeMetricFamily,
        help="Payments that coverage is taken from, by whether they could be judged.",
        scope=Scope.FOLDED,
        labels={"judged": ("true", "false")},
        read=_covered,
    ),
    Row(
        name="coverage_threshold_ratio",
        kind=GaugeMetricFamily,
        help="Below climb nothing climbs; below suspend push is suspended.",
        scope=Scope.FOLDED,
        labels={"threshold": ("climb", "suspend")},
        read=reading.by_policy(
            lambda _, policy: [
                (("climb",), evidence.ratio(policy.coverage_ppm)),
                (("suspend",), evidence.ratio(policy.coverage_floor_ppm)),
            ]
        ),
    ),
    Row(
        name="objective_seconds",
        kind=GaugeMetricFamily,
        help="The latency objectives: a payment is on time below the one, and missed from the other on.",
        scope=Scope.FOLDED,
        labels={"objective": ("on_time_within", "missed_after")},
        read=reading.by_policy(
            lambda _, policy: [
                (("on_time_within",), policy.on_time_within_ms / 1000),
                (("missed_after",), policy.missed_after_ms / 1000),
            ]
        ),
    ),
    Row(
        name="suspended",
        kind=GaugeMetricFamily,
        help="1 for the reason for which push is suspended; all 0: it is not.",
        scope=Scope.FOLDED,
        labels={"reason": tuple(SuspensionReason)},
        read=lambda view: reading.states(SuspensionReason, view.state.suspension),
    ),
    Row(
        name="flag_held",
        kind=GaugeMetricFamily,
        help="1 while a person forbids climbing.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: float(view.state.flag.hold is not None)),
    ),
    Row(
        name="flag_top_rung",
        kind=GaugeMetricFamily,
        help="The highest rung of the ladder.",
        scope=Scope.FOLDED,
        read=reading.by_policy(lambda _, policy: [((), len(policy.ladder) - 1)]),
    ),
    Row(
        name="flag_strikes",
        kind=GaugeMetricFamily,
        help="Falls that are not forgotten yet; each doubles the next cool-down.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: view.state.flag.strikes),
    ),
    Row(
        name="flag_cooldown_until_timestamp_seconds",
        kind=GaugeMetricFamily,
        help="When the last cool-down ends, or ended, by the journal's clock; 0: there was none.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: view.state.flag.cooldown_until_ms / 1000),
    ),
    Row(
        name="app_release_timestamp_seconds",
        kind=GaugeMetricFamily,
        help="When the app's newest release was heard of, in acks or a person's note, by the journal's clock; 0: none.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: view.state.history.release_ms / 1000),
    ),
    Row(
        name="flag_lease_seconds",
        kind=GaugeMetricFamily,
        help="How long a lease lasts; the flag may be believed for half of it.",
        scope=Scope.FOLDED,
        read=reading.by_policy(lambda _, policy: [((), policy.lease_ms / 1000)]),
    ),
)
"""Gates, evidence, alarms, coverage, and what keeps the flag where it is."""
