"""The closed sets of the metrics' labels, as far as they are not the metrics' own."""

from sidecar import metrics
from sidecar.config import OBSERVERS_MAX, TargetKind
from sidecar.console.operator_actions import OperatorAction
from sidecar.flags.streams import StreamKind
from sidecar.http.event_streams import DROPPED, REFUSED
from sidecar.http.rate_limits import LIMITS
from sidecar.http.server import ELSEWHERE
from sidecar.notifications import Attempt, NotificationResult
from sidecar.probes.ack_stream import StreamResult
from sidecar.probes.acks import AckResult
from sidecar.probes.outside_clocks import BOUNDS
from sidecar.probes.reports import ReportResult
from sidecar.probes.stripe_webhook import WebhookResult

CONSOLE = "console"
"""How streams that tell open consoles are called in the metrics."""
_HEALTH = ("/healthz", "/readyz")
SETS = metrics.Sets(
    webhook_results=tuple(WebhookResult),
    ack_results=tuple(AckResult),
    report_results=tuple(ReportResult),
    entry_results=tuple(StreamResult),
    stream_kinds=(*StreamKind, CONSOLE),
    stream_refusals=REFUSED,
    stream_drops=DROPPED,
    notification_targets=tuple(TargetKind),
    notification_results=tuple(NotificationResult),
    notification_attempts=tuple(Attempt),
    routes={
        "public": (*LIMITS, *_HEALTH, ELSEWHERE),
        "operator": (
            "/",
            "/decisions",
            "/decisions/{seq}",
            "/payments",
            "/payments/{payment_intent}",
            "/assets/{name}",
            "/api/stream",
            "/api/status",
            "/api/gates",
            "/api/decisions",
            "/api/decisions/{seq}",
            "/api/payments/{payment_intent}",
            "/api/explanation",
            "/api/gate",
            "/api/report",
            *(f"/api/{action}" for action in OperatorAction),
            *_HEALTH,
            "/metrics",
            ELSEWHERE,
        ),
        "metrics": ("/metrics", ELSEWHERE),
    },
    observers_max=OBSERVERS_MAX,
    clock_bounds=tuple((reference.value, bound.value) for reference, bound in BOUNDS),
)
"""The closed sets of the metrics' labels, as far as they are not the metrics' own."""
