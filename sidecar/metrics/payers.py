"""The folded rows about payers: what their browsers report."""

from collections.abc import Iterator

from sidecar.core.facts.outcomes import NoPayer, ReportOutcome
from sidecar.core.facts.policy import Mode, Policy
from sidecar.core.facts.reports import ClearedBy, Family, Flow, Verdict
from sidecar.core.fold import payer_coverage
from sidecar.core.fold.state import State
from sidecar.core.statistics import evidence
from sidecar.core.statistics.indicators import OF_PAYERS, REACH
from sidecar.metrics.rows import by_policy, counter, gauge
from sidecar.parts.metrics import Key

NEVER = "never"
"""Nothing cleared the alert."""
CLEARED_BY = (*ClearedBy, NEVER)


def _covered(state: State, _: Policy) -> Iterator[tuple[Key, float]]:
    for name in OF_PAYERS:
        answered, total = state.payer_coverage[name].counts()
        yield (name, "true"), answered
        yield (name, "false"), total - answered


def _thresholds(_: State, policy: Policy) -> dict[str, float]:
    required = evidence.ratio(policy.payer_coverage_ppm)
    parts = {"suspend": payer_coverage.SUSPENDS_BELOW, "resume": payer_coverage.RESUMES_FROM}
    return {"climb": required, **{name: required * part / whole for name, (part, whole) in parts.items()}}


ROWS = (
    counter(
        "payer_reports",
        "Reports of payers' browsers by outcome; good and bad are votes.",
        lambda state: state.tally.reports,
        {"outcome": ReportOutcome},
    ),
    counter(
        "payer_verdicts",
        "Verdicts of reports about push, by the payer's flow and browser; reports that are no votes are included.",
        lambda state: state.tally.reach,
        {"flow": Flow, "browser": Family, "verdict": Verdict},
    ),
    counter(
        "reported_payments",
        "Payments that a browser reported, by the mode that it followed.",
        lambda state: state.tally.reported,
        {"mode": Mode},
    ),
    counter(
        "refetches",
        "Refetches of reported payments; divided by reported_payments they are the requests per payment.",
        lambda state: state.tally.refetches,
        {"mode": Mode},
    ),
    counter(
        "stale_refetches",
        "Refetches after a push that found the booking still unpaid.",
        lambda state: state.tally.stale_refetches,
    ),
    counter(
        "cleared_alerts",
        "Payers' alerts by the mode that the browser followed and by what cleared them; never: nothing did.",
        lambda state: state.tally.cleared,
        {"mode": Mode, "by": CLEARED_BY},
    ),
    counter(
        "rescued_payments",
        "Payments that push did not reach and a poll cleared.",
        lambda state: state.tally.rescued,
    ),
    gauge(
        "payers_on_rung",
        "Payers who were served the current rung and reported it, by flow; each counts once a day.",
        lambda state: state.flag.payers,
        {"flow": Flow},
    ),
    gauge(
        "payer_coverage_payments",
        "Payments with a payer present, by indicator and by whether the payer answered; payer coverage is the share.",
        by_policy(_covered),
        {"indicator": OF_PAYERS, "answered": ("true", "false")},
    ),
    gauge(
        "payer_coverage_threshold_ratio",
        "Thresholds of payer coverage: what push_only needs, below what it is suspended, and from what it resumes.",
        by_policy(_thresholds),
        {"threshold": ("climb", "suspend", "resume")},
    ),
    counter(
        "payments_without_payer",
        "Payments for which no payer waits, as Stripe's event shows, by reason.",
        lambda state: state.tally.no_payer,
        {"reason": NoPayer},
    ),
    gauge(
        "reach_reporters",
        "Users behind the bad reports since the alarm CUSUMs of reach were last at zero; an alarm needs five.",
        lambda state: len(state.indicators[REACH].reporters),
    ),
)
"""Reports, and what they mean for reach."""
