"""The sequences of good and bad outcomes that are judged: one machine, and a row of numbers for each indicator.

An indicator is measured in *epochs*. Evidence is the counts since its epoch began; the alarm bank runs through epochs,
and outcomes are counted in both. After a fall an indicator waits for its next epoch until the cool-down is over and its
CUSUMs are calm, so that the outage that made it fall is neither proof nor counted twice.
"""

from collections.abc import Callable

import msgspec

from sidecar.core.facts.policy import AUTH_PROBES_PPM, PPM, ROUND_TRIPS_PPM, Mode, Policy
from sidecar.core.statistics import alarms, evidence


class IndicatorRow(msgspec.Struct, frozen=True, kw_only=True):
    """What distinguishes one indicator from another."""

    name: str
    outcome: str
    """One outcome: a phrase that fits after "needs 300 more"."""
    p0_ppm: Callable[[Policy], int]
    once_in: Callable[[Policy], int]
    """While the reliability is at least p0: at most one false alarm in so many outcomes."""
    needed_for: Callable[[Policy], frozenset[Mode]]
    """The modes that may be climbed to only with this indicator's proof."""


_PUSH = frozenset(Mode) - {Mode.TIMER_POLLING}
_PUSH_ONLY = frozenset({Mode.PUSH_ONLY})
_NONE: frozenset[Mode] = frozenset()

PAYMENTS, ROUND_TRIPS, CHANNEL_AUTH, USER_AUTH, REACH = "payments", "round_trips", "channel_auth", "user_auth", "reach"
_YEAR_MS = 365 * 24 * 3_600_000


def _payments_per_alarm(policy: Policy) -> int:
    return policy.false_alarm_once_in


def _round_trips_per_year(policy: Policy) -> int:
    return _YEAR_MS // policy.reverb.round_trip_every_ms if policy.reverb else policy.false_alarm_once_in


def _auth_probes_per_year(policy: Policy) -> int:
    return _YEAR_MS // policy.reverb.auth_every_ms if policy.reverb else policy.false_alarm_once_in


INDICATORS = (
    IndicatorRow(
        name=PAYMENTS,
        outcome="clean payments",
        p0_ppm=lambda policy: policy.reliability_ppm,
        once_in=_payments_per_alarm,
        needed_for=lambda _: _PUSH,
    ),
    IndicatorRow(
        name=ROUND_TRIPS,
        outcome="clean round trips",
        p0_ppm=lambda policy: policy.reverb.round_trip_reliability_ppm if policy.reverb else ROUND_TRIPS_PPM,
        once_in=_round_trips_per_year,
        needed_for=lambda policy: _PUSH if policy.reverb else _NONE,
    ),
    IndicatorRow(
        name=CHANNEL_AUTH,
        outcome="clean auth probes of the probe user",
        p0_ppm=lambda policy: policy.reverb.auth_reliability_ppm if policy.reverb else AUTH_PROBES_PPM,
        once_in=_auth_probes_per_year,
        needed_for=lambda policy: _PUSH if policy.reverb else _NONE,
    ),
    IndicatorRow(
        name=USER_AUTH,
        outcome="payers whose channel auth succeeded",
        p0_ppm=lambda _: 990_000,
        once_in=_payments_per_alarm,
        needed_for=lambda _: _PUSH_ONLY,
    ),
    IndicatorRow(
        name=REACH,
        outcome="payers' browsers that push reached",
        p0_ppm=lambda policy: policy.reach_ppm,
        once_in=_payments_per_alarm,
        needed_for=lambda policy: _NONE if policy.reach_not_required else _PUSH_ONLY,
    ),
)
"""The indicators, in display order. Without `user_auth` and `reach` the ladder ends below `push_only`, and their gates
show it: every payer could get 403 while payments read 100 %."""


OF_PAYERS = (USER_AUTH, REACH)
"""The indicators of payers' votes (`core.fold.votes`)."""


class Indicator(msgspec.Struct, kw_only=True):
    """The state of one indicator: counts and nano-nats only."""

    epoch: int = 1
    epoch_began_ms: int = 0
    """When the epoch began: its first outcome, or the moment that renewed it; 0 while there is neither."""
    awaits_epoch: bool = False
    """No epoch is running: after a fall, until the cool-down is over and the alarms are calm."""
    good: int = 0
    bad: int = 0
    unmeasured: int = 0
    """Outcomes of this epoch that could not be judged."""
    doubtful: int = 0
    """Those of them that may hide failures, of payments: the worst case counts them as bad."""
    good_total: int = 0
    bad_total: int = 0
    capital: list[int] = []
    """The capital of this epoch (`core.statistics.evidence`); empty: as the counts say, which is all that fold version
    6 stored."""
    levels: list[int] = []
    """The alarm CUSUMs, in nano-nats, in the bank's order."""
    unexplained: list[int] = []
    """The same over the outcomes without the failures that Reverb's own trouble explains; of `payments` only."""
    is_latched: bool = False
    """An alarm was raised and is not over."""
    is_unexplained: bool = False
    """The alarm is also one of the failures that nothing explains."""
    alarmed_ms: int = 0
    """When the last alarm was raised; 0: never."""
    last_ms: int = 0
    """When the last outcome was judged; 0: never."""
    reporters: dict[str, int] = {}
    """Of an indicator of payers' votes: how many bad votes of each user stepped the alarm CUSUMs since they last were
    at 0."""


def is_dormant(row: IndicatorRow, policy: Policy) -> bool:
    """Return whether the policy needs the indicator for no mode: it is not judged, and raises no alarm."""
    return not row.needed_for(policy)


def bank_of(row: IndicatorRow, policy: Policy) -> alarms.Bank:
    """Return the alarm CUSUMs of an indicator under a policy."""
    return alarms.bank(row.p0_ppm(policy), policy.unacceptable_reliability_ppm, row.once_in(policy))


def judge(
    indicator: Indicator,
    row: IndicatorRow,
    policy: Policy,
    *,
    is_good: bool,
    at_ms: int,
    can_end: bool,
    is_suspended: bool = False,
) -> None:
    """Count one outcome in the evidence, and in the alarms unless push is suspended."""
    count(indicator, row, policy, is_good=is_good, at_ms=at_ms)
    if not is_suspended:
        step(indicator, row, policy, is_good=is_good, at_ms=at_ms, can_end=can_end)


def count(indicator: Indicator, row: IndicatorRow, policy: Policy, *, is_good: bool, at_ms: int) -> None:
    """Count one outcome in the evidence."""
    indicator.last_ms = at_ms
    if is_good:
        indicator.good_total += 1
    else:
        indicator.bad_total += 1
    if indicator.awaits_epoch or is_dormant(row, policy):
        return
    if not indicator.epoch_began_ms:
        indicator.epoch_began_ms = at_ms
    before = capital_of(indicator, row, policy)
    if is_good:
        indicator.good += 1
    else:
        indicator.bad += 1
    capital = evidence.after(before, row.p0_ppm(policy), good=int(is_good), bad=int(not is_good))
    indicator.capital = evidence.capped(capital, bar_of(indicator, policy)) if is_good else capital


def clear(indicator: Indicator) -> None:
    """Clear the reporters once the alarm CUSUMs are at 0: the next one counts as the first."""
    if not any(indicator.levels):
        indicator.reporters.clear()


def step(
    indicator: Indicator,
    row: IndicatorRow,
    policy: Policy,
    *,
    is_good: bool,
    at_ms: int,
    can_end: bool,
    can_latch: bool = True,
) -> None:
    """Step the alarm CUSUMs by one outcome, which may raise the alarm or end it.

    `can_end` is false where the alarm has not yet made the flag fall: an alarm that ended first would be lost;
    `can_latch` where not enough people stand behind it.
    """
    if is_dormant(row, policy):
        return
    bank = bank_of(row, policy)
    indicator.levels = alarms.stepped(bank, levels_of(indicator.levels, bank), is_good=is_good)
    if alarms.is_reached(bank, indicator.levels):
        if can_latch:
            _latch(indicator, at_ms)
    elif can_end and is_calm(indicator, bank):
        indicator.is_latched = indicator.is_unexplained = False


def step_unexplained(indicator: Indicator, row: IndicatorRow, policy: Policy, *, is_good: bool, at_ms: int) -> None:
    """Step the CUSUMs of the unexplained failures by one outcome; their alarm is latched like any other."""
    bank = bank_of(row, policy)
    indicator.unexplained = alarms.stepped(bank, levels_of(indicator.unexplained, bank), is_good=is_good)
    if alarms.is_reached(bank, indicator.unexplained):
        _latch(indicator, at_ms)
        indicator.is_unexplained = True


def _latch(indicator: Indicator, at_ms: int) -> None:
    if not indicator.is_latched:
        indicator.alarmed_ms = at_ms
        indicator.is_latched = True


def forgive(indicator: Indicator, bank: alarms.Bank) -> None:
    """End an alarm with its suspension: the CUSUMs that alarmed restart at 0."""
    levels = zip(bank, levels_of(indicator.levels, bank), strict=True)
    indicator.levels = [0 if level >= cusum.threshold else level for cusum, level in levels]
    indicator.is_latched = indicator.is_unexplained = False


def is_calm(indicator: Indicator, bank: alarms.Bank, *, from_ppm: int = PPM) -> bool:
    """Return whether every alarm CUSUM of a degree of at most `from_ppm` is below half its threshold."""
    return all(
        cusum.is_calm(level)
        for levels in (indicator.levels, indicator.unexplained)
        for cusum, level in zip(bank, levels_of(levels, bank), strict=True)
        if cusum.p1_ppm <= from_ppm
    )


def good_to_calm(indicator: Indicator, bank: alarms.Bank) -> int:
    """Return after how many successes in a row every alarm CUSUM is below half its threshold; 0: all are."""
    return max(
        cusum.good_to_calm(level)
        for levels in (indicator.levels, indicator.unexplained)
        for cusum, level in zip(bank, levels_of(levels, bank), strict=True)
    )


def can_begin(indicator: Indicator, row: IndicatorRow, policy: Policy) -> bool:
    """Return whether a new epoch may begin: the CUSUMs of unacceptable damage are calm.

    Those of milder damage calm slowly. They keep the flag from climbing while their alarm lasts, but the proof that
    it is over may be collected meanwhile.
    """
    return is_calm(indicator, bank_of(row, policy), from_ppm=policy.unacceptable_reliability_ppm)


def rebank(indicator: Indicator, row: IndicatorRow, before: Policy, policy: Policy) -> None:
    """Adapt an indicator to a policy with another alarm bank, or that makes it dormant or wakes it."""
    was_dormant, dormant = is_dormant(row, before), is_dormant(row, policy)
    if dormant or was_dormant:
        indicator.levels, indicator.unexplained = [], []
        indicator.is_latched = indicator.is_unexplained = False
        clear(indicator)
        return
    old, new = bank_of(row, before), bank_of(row, policy)
    if old != new:
        indicator.levels = alarms.rescaled(old, levels_of(indicator.levels, old), new)
        indicator.unexplained = alarms.rescaled(old, levels_of(indicator.unexplained, old), new)


def begin_epoch(indicator: Indicator, *, epoch: int, at_ms: int) -> None:
    """Begin a new epoch: counts at zero, less alpha. The CUSUMs run on."""
    indicator.epoch = epoch
    indicator.epoch_began_ms = at_ms
    indicator.awaits_epoch = False
    indicator.good = indicator.bad = 0
    indicator.capital = []
    forget_unmeasured(indicator)


def forget_unmeasured(indicator: Indicator) -> None:
    """Forget what was unmeasured, as a new epoch does; before the first outcome there is no epoch to end."""
    indicator.unmeasured = indicator.doubtful = 0


def alpha_of(indicator: Indicator, policy: Policy) -> float:
    """Return what this indicator's epoch may spend of the false promotion risk."""
    return evidence.epoch_alpha(evidence.ratio(policy.false_promotion_risk_ppm), indicator.epoch)


def bar_of(indicator: Indicator, policy: Policy) -> float:
    """Return the logarithm of the capital that proves this indicator's epoch."""
    return evidence.bar_of(alpha_of(indicator, policy))


def coming_bar_of(indicator: Indicator, policy: Policy, *, is_next: bool) -> float:
    """Return the same of the epoch after this one where `is_next`."""
    risk = evidence.ratio(policy.false_promotion_risk_ppm)
    return evidence.bar_of(evidence.epoch_alpha(risk, indicator.epoch + int(is_next)))


def proven_ratio(indicator: Indicator, policy: Policy) -> float:
    """Return the reliability that the counts of the present epoch prove, from 0 to 1; 0 while it awaits one."""
    return (
        0.0
        if indicator.awaits_epoch
        else evidence.lower_bound(indicator.good, indicator.bad, alpha_of(indicator, policy))
    )


def worst_case_ratio(indicator: Indicator, row: IndicatorRow, policy: Policy) -> float:
    """Return what the epoch proves if all that may hide a failure failed, from 0 to 1; 0 while it awaits one.

    Of payments, that is what is doubtful; of payers, whoever gave no answer.
    """
    if indicator.awaits_epoch:
        return 0.0
    hidden = indicator.doubtful if row.name == PAYMENTS else indicator.unmeasured
    return evidence.lower_bound(indicator.good, indicator.bad + hidden, alpha_of(indicator, policy))


def capital_of(indicator: Indicator, row: IndicatorRow, policy: Policy) -> evidence.Capital:
    """Return the capital of the present epoch; empty before its first outcome, and while it awaits one."""
    if indicator.awaits_epoch or indicator.capital or not (indicator.good or indicator.bad):
        return [] if indicator.awaits_epoch else indicator.capital
    bar = bar_of(indicator, policy)
    return evidence.of_counts(row.p0_ppm(policy), bar, good=indicator.good, bad=indicator.bad)


def is_proven(indicator: Indicator, row: IndicatorRow, policy: Policy) -> bool:
    """Return whether the capital of the present epoch proves the target."""
    return evidence.is_proven(capital_of(indicator, row, policy), bar_of(indicator, policy))


def log_capital(indicator: Indicator, row: IndicatorRow, policy: Policy) -> float:
    """Return the logarithm of the capital of the present epoch; 0 while it awaits one."""
    capital = capital_of(indicator, row, policy)
    return evidence.log_total(capital) if capital else 0.0


def clean_needed(indicator: Indicator, row: IndicatorRow, policy: Policy) -> int:
    """Return how many outcomes without a failure would prove the target; of the next epoch while it awaits one."""
    bar = coming_bar_of(indicator, policy, is_next=indicator.awaits_epoch)
    return evidence.clean_needed(capital_of(indicator, row, policy), row.p0_ppm(policy), bar)


def levels_of(levels: list[int], bank: alarms.Bank) -> list[int]:
    """Return the levels of a bank; all zero before its first step."""
    return levels if len(levels) == len(bank) else [0] * len(bank)


def row_of(name: str) -> IndicatorRow:
    """Return an indicator's row. Raises `StopIteration` for a name that is not in the table."""
    return next(row for row in INDICATORS if row.name == name)
