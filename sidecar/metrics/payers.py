"""The folded rows about payers: what their browsers report."""

from sidecar.core.facts.outcomes import ReportOutcome
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.reports import ClearedBy, Family, Flow, Verdict
from sidecar.core.statistics.indicators import REACH
from sidecar.metrics.rows import counter, gauge

NEVER = "never"
"""Nothing cleared the alert."""
CLEARED_BY = (*ClearedBy, NEVER)

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
        "Payers who were served the current rung and reported it, by flow.",
        lambda state: state.flag.payers,
        {"flow": Flow},
    ),
    gauge(
        "reach_reporters",
        "Users behind the bad reports since the alarm CUSUMs of reach were last at zero; an alarm needs five.",
        lambda state: len(state.indicators[REACH].reporters),
    ),
)
"""Reports, and what they mean for reach."""
