"""What becomes of notices."""

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from sidecar.metrics import reading
from sidecar.metrics.view import Row, Scope

ROWS = (
    Row(
        name="notices",
        kind=CounterMetricFamily,
        help="Notices by the kind of target and what became of them; each counts once for each target.",
        scope=Scope.PROCESS,
        labels={"target": lambda sets: sets.notice_targets, "result": lambda sets: sets.notice_results},
        read=lambda view: [
            ((target, result), view.notices[target, result])
            for target in view.sets.notice_targets
            for result in view.sets.notice_results
        ],
    ),
    Row(
        name="notice_attempts",
        kind=CounterMetricFamily,
        help="Attempts to tell a target, by its kind and what came of them.",
        scope=Scope.PROCESS,
        labels={"target": lambda sets: sets.notice_targets, "outcome": lambda sets: sets.notice_attempts},
        read=lambda view: [
            ((target, outcome), view.notice_attempts[target, outcome])
            for target in view.sets.notice_targets
            for outcome in view.sets.notice_attempts
        ],
    ),
    Row(
        name="waiting_notices",
        kind=GaugeMetricFamily,
        help="Notices that wait for their targets, of all targets together.",
        scope=Scope.PROCESS,
        read=reading.plain(lambda view: view.waiting_notices()),
    ),
)
