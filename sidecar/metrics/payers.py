"""The rows of the table that are about payers: what their browsers tell, and what became of it."""

from typing import cast

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from sidecar.core.facts.outcomes import ReportOutcome
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.reports import ClearedBy, Family, Flow, Verdict
from sidecar.core.statistics.indicators import REACH
from sidecar.metrics import reading
from sidecar.metrics.view import Row, Samples, Scope, View

NEVER = "never"
"""Nothing cleared the alert."""
CLEARED_BY = (*(each.value for each in ClearedBy), NEVER)


def _cleared(view: View) -> Samples:
    counted = view.state.tally.cleared
    return [((mode.value, what), counted.get(f"{mode}/{what}", 0)) for mode in Mode for what in CLEARED_BY]


def _verdicts(view: View) -> Samples:
    counted = view.state.tally.reach
    return [
        ((flow.value, family.value, verdict.value), counted.get(f"{flow}/{family}/{verdict}", 0))
        for flow in Flow
        for family in Family
        for verdict in Verdict
    ]


ROWS = (
    Row(
        name="browser_reports",
        kind=CounterMetricFamily,
        help="Reports of browsers at the proxy, by what became of them.",
        scope=Scope.PROCESS,
        labels={"result": lambda sets: sets.report_results},
        read=lambda view: [((result,), view.browser_reports[result]) for result in view.sets.report_results],
    ),
    Row(
        name="payer_reports",
        kind=CounterMetricFamily,
        help="Reports of payers' browsers by what they came to; good and bad are votes.",
        scope=Scope.FOLDED,
        labels={"outcome": tuple(ReportOutcome)},
        read=reading.counts(ReportOutcome, lambda state: cast("dict[str, int]", state.tally.reports)),
    ),
    Row(
        name="payer_verdicts",
        kind=CounterMetricFamily,
        help="What reports say of push, by how the payer came and by browser; also those that are no votes.",
        scope=Scope.FOLDED,
        labels={"flow": tuple(Flow), "browser": tuple(Family), "verdict": tuple(Verdict)},
        read=_verdicts,
    ),
    Row(
        name="reported_payments",
        kind=CounterMetricFamily,
        help="Payments that a browser told of, by the mode that it followed.",
        scope=Scope.FOLDED,
        labels={"mode": tuple(Mode)},
        read=reading.counts(Mode, lambda state: cast("dict[str, int]", state.tally.reported)),
    ),
    Row(
        name="refetches",
        kind=CounterMetricFamily,
        help="Refetches of those payments; over reported_payments they are the requests per payment.",
        scope=Scope.FOLDED,
        labels={"mode": tuple(Mode)},
        read=reading.counts(Mode, lambda state: cast("dict[str, int]", state.tally.refetches)),
    ),
    Row(
        name="stale_refetches",
        kind=CounterMetricFamily,
        help="Refetches after a push that found the booking not paid.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: view.state.tally.stale_refetches),
    ),
    Row(
        name="cleared_alerts",
        kind=CounterMetricFamily,
        help="What cleared the payers' alerts, by the mode that was followed; never: nothing did.",
        scope=Scope.FOLDED,
        labels={"mode": tuple(Mode), "by": CLEARED_BY},
        read=_cleared,
    ),
    Row(
        name="rescued_payments",
        kind=CounterMetricFamily,
        help="Payments that a poll cleared and push did not reach.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: view.state.tally.rescued),
    ),
    Row(
        name="payers_on_rung",
        kind=GaugeMetricFamily,
        help="Payers who were served the rung that is held and told of it, by how they came.",
        scope=Scope.FOLDED,
        labels={"flow": tuple(Flow)},
        read=lambda view: [((flow.value,), view.state.flag.payers.get(flow, 0)) for flow in Flow],
    ),
    Row(
        name="reach_reporters",
        kind=GaugeMetricFamily,
        help="Users behind the bad reports since the alarm CUSUMs of reach last stood at zero; an alarm needs five.",
        scope=Scope.FOLDED,
        read=reading.plain(lambda view: len(view.state.indicators[REACH].reporters)),
    ),
)
