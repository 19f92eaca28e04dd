"""What becomes of notifications."""

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

from sidecar.metrics import reading
from sidecar.metrics.view import Row, Scope

ROWS = (
    Row(
        name="notifications",
        kind=CounterMetricFamily,
        help="Notifications by the kind of target and what became of them; each counts once for each target.",
        scope=Scope.PROCESS,
        labels={"target": lambda sets: sets.notification_targets, "result": lambda sets: sets.notification_results},
        read=lambda view: [
            ((target, result), view.notifications[target, result])
            for target in view.sets.notification_targets
            for result in view.sets.notification_results
        ],
    ),
    Row(
        name="notification_attempts",
        kind=CounterMetricFamily,
        help="Attempts to tell a target, by its kind and what came of them.",
        scope=Scope.PROCESS,
        labels={"target": lambda sets: sets.notification_targets, "outcome": lambda sets: sets.notification_attempts},
        read=lambda view: [
            ((target, outcome), view.notification_attempts[target, outcome])
            for target in view.sets.notification_targets
            for outcome in view.sets.notification_attempts
        ],
    ),
    Row(
        name="waiting_notifications",
        kind=GaugeMetricFamily,
        help="Notifications that wait for their targets, of all targets together.",
        scope=Scope.PROCESS,
        read=reading.plain(lambda view: view.waiting_notifications()),
    ),
)
