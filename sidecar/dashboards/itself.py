"""The dashboard *Sidecar*: replicas, leases, clocks, journal, requests, notifications and the process."""

from sidecar.dashboards.board import Board, Section
from sidecar.dashboards.panels import (
    BAD,
    CALM,
    GOOD,
    ODD,
    Json,
    Panel,
    count_table,
    counts,
    graph,
    stat,
    states,
    table,
    words,
)
from sidecar.dashboards.queries import RANGE, RATE, Query, cells, counted, folded, foreign, series
from sidecar.dashboards.terms import Shown
from sidecar.http.rate_limits import LIMITS
from sidecar.http.traffic import SLOW_S
from sidecar.rules.terms import Terms
from sidecar.rules.upkeep import FORGED, LAPSED_S, NEW_FOR_S, SKEW_S, STARTS_MIN

_UP = words({"0": ("down", BAD), "1": ("up", GOOD)})
_ONLY_REFUSED = words({"0": ("no", GOOD), "1": ("yes", BAD)})
_SHEDS_FROM_S = min(limit.sheds_from_s for limit in LIMITS.values() if limit.sheds_from_s is not None)
"""Event loop lag from which the first routes shed load."""


def board(shown: Shown) -> Board:
    """Return the dashboard."""
    return Board(
        name="itself",
        title="Sidecar",
        description="Are these metrics reliable: replicas, leases, clocks, journal, requests, notifications and the process.",
        sections=(
            Section(title="Replicas", panels=_replicas()),
            Section(title="Leases and clocks", panels=(*_leases(shown.rules), *_clocks())),
            Section(title="Journal", panels=_journal()),
            Section(title="Public routes: rate, errors, duration", panels=_public()),
            Section(title="Requests", panels=(*_acks(), *_refusals())),
            Section(title="Notifications", panels=_notifications()),
            Section(title="Process and log", panels=(*_process(), *_scrapes())),
        ),
        hours=6,
    )


def _replicas() -> tuple[Panel, ...]:
    return (
        states(
            "Scrape status",
            "Whether Prometheus can scrape each replica.",
            Query(expr=foreign("up"), legend="{{instance}}"),
            meanings=_UP,
            alert="ReverbSidecarTargetGone",
        ),
        table(
            "Versions",
            "The version of each replica.",
            cells(series("build_info")),
            key="instance",
            columns={"instance": "Replica", "version": "Version"},
            unit="none",
        ),
        graph(
            "Restarts in the last hour",
            f"By replica, as counter resets. Dashed: {STARTS_MIN}, the limit of the ticket.",
            Query(expr=f"resets({series('journal_commits_total')}[1h])", legend="{{instance}}"),
            steps=((None, GOOD), (STARTS_MIN, BAD)),
            alert="ReverbSidecarRestarting",
        ),
    )


def _leases(terms: Terms) -> tuple[Panel, ...]:
    until = series("flag_valid_until_timestamp_seconds")
    return (
        graph(
            "Lease remaining",
            "By each replica's monotonic clock. At 0 the replica answers timers. Dashed: the length of a lease.",
            Query(expr=series("flag_lease_remaining_seconds"), legend="{{instance}}"),
            Query(expr=f"max({folded('flag_lease_seconds')})", legend="whole lease"),
            unit="s",
            limits=("whole lease",),
            width=12,
        ),
        graph(
            "Time since the lease expired, by Prometheus' clock",
            f"Below 0 the lease is valid. Dashed: {LAPSED_S} s. Above, it is a page if push is served and the line rises. If the line "
            "stays level, the lease is renewed and the clock is wrong: a ticket. "
            f"Far below -{terms.lease_s:g} s the sidecar's clock is ahead.",
            Query(expr=f"timestamp({until}) - {until}", legend="{{instance}}"),
            unit="s",
            steps=((None, GOOD), (LAPSED_S, BAD)),
            defaults={"min": None},
            alert="ReverbSidecarLeaseNotHonoured",
            width=12,
        ),
    )


def _clocks() -> tuple[Panel, ...]:
    return (
        graph(
            "Ahead of other clocks",
            "Bounds of the difference between this machine's clock and those of Stripe and the app; whole seconds and unknown latency "
            "allow no exact value. `least` above 0: ahead. `most` below 0: behind. Dashed: the limits of the ticket.",
            Query(expr=series("clock_ahead_of_reference_seconds"), legend="{{reference}}, at {{bound}}"),
            unit="s",
            steps=((None, BAD), (-SKEW_S, GOOD), (SKEW_S, BAD)),
            defaults={"min": None},
            alert="ReverbSidecarClockWrong",
            width=12,
        ),
        graph(
            "Journal clock minus wall clock",
            "The journal's clock never goes back. After the wall clock was set back, the difference remains until it catches up.",
            Query(expr=series("clock_offset_seconds"), legend="{{instance}}"),
            unit="s",
            defaults={"min": None},
            alert="ReverbSidecarClockWrong",
            width=12,
        ),
    )


def _journal() -> tuple[Panel, ...]:
    return (
        graph(
            "Folded records",
            "Observations per second, including heartbeats. Without any the lease expires.",
            Query(
                expr=f"max without (instance, pod) (rate({series('journal_records_total')}[{RATE}]))", legend="records"
            ),
            unit="ops",
            alert="ReverbSidecarJournalUnavailable",
        ),
        graph(
            "Time since the last record",
            "On the replica that is furthest ahead.",
            Query(expr=f"time() - {folded('last_record_timestamp_seconds')}", legend="last record"),
            unit="s",
            defaults={"min": None},
            alert="ReverbSidecarJournalUnavailable",
        ),
        graph(
            "Oldest waiting append",
            "For how long an observation has waited to become durable. Stripe and the backend wait as long for their response.",
            Query(expr=series("journal_oldest_waiting_append_seconds"), legend="{{instance}}"),
            unit="s",
        ),
        graph(
            "Age of the journal",
            "Since its first policy. Dashed: a day, below which it is a ticket: evidence, alarms and holds from before are forgotten.",
            Query(expr=f"time() - max({series('journal_created_timestamp_seconds')})", legend="age"),
            unit="s",
            steps=((None, BAD), (NEW_FOR_S, GOOD)),
            alert="ReverbSidecarJournalCreated",
        ),
        graph(
            "Waiting appends",
            "Observations that are not durable yet.",
            Query(expr=series("journal_waiting_appends"), legend="{{instance}}"),
        ),
        graph(
            "Commits",
            "Transactions per second; each makes all waiting observations durable.",
            Query(expr=f"rate({series('journal_commits_total')}[{RATE}])", legend="{{instance}}"),
            unit="ops",
        ),
        counts(
            "Refused appends",
            "Too many appends were waiting. The sender received an error and can retry.",
            Query(expr=counted("journal_refused_appends_total"), legend="refused"),
        ),
    )


def _public() -> tuple[Panel, ...]:
    per_s = f"rate({series('requests_total')}[{RATE}])"
    failed = f"rate({series('requests_total', code='4xx|5xx')}[{RATE}])"
    took, slow = (f"rate({series(name)}[{RATE}])" for name in ("request_seconds_total", "slow_requests_total"))
    return (
        graph(
            "Requests by route",
            "Answers per second of the public listener, on all replicas together.",
            Query(expr=f"sum by (route) ({per_s}) > 0", legend="{{route}}"),
            unit="ops",
        ),
        graph(
            "Errors by route and class",
            "Answers per second with 4xx (the client's mistake, or refused for its rate) and 5xx (ours; Stripe and the backend "
            "send again).",
            Query(expr=f"sum by (route, code) ({failed}) > 0", legend="{{code}} {{route}}"),
            unit="ops",
            alert="ReverbSidecarJournalUnavailable",
        ),
        graph(
            "Mean duration by route",
            f"From a request's head to its answer. `over {SLOW_S:g} s`: the share of all answers that took so long. Streams are left "
            "out: they end when their client leaves.",
            Query(expr=f"sum by (route) ({took}) / (sum by (route) ({per_s}) > 0)", legend="{{route}}"),
            Query(expr=f"sum({slow}) / (sum({per_s}) > 0)", legend=f"over {SLOW_S:g} s"),
            unit="s",
            overrides=(_share(f"over {SLOW_S:g} s"),),
        ),
    )


def _share(name: str) -> Json:
    """Return an override that draws this series as a share, on an axis of its own."""
    properties = [{"id": "unit", "value": "percentunit"}, {"id": "custom.axisPlacement", "value": "right"}]
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def _acks() -> tuple[Panel, ...]:
    return (
        counts(
            "Webhook requests by result",
            "Stripe retries after `unavailable`. Many `signature_wrong`: the secret belongs to another endpoint.",
            Query(expr=f"{counted('webhook_requests_total')} > 0", legend="{{result}}"),
            alert="ReverbSidecarJournalUnavailable",
            width=12,
        ),
        states(
            "Webhooks are only refused",
            "Whether webhooks are refused for their signature and none is accepted, for an hour and ten usual gaps or more.",
            Query(expr=series("webhooks_only_refused"), legend="{{instance}}"),
            meanings=_ONLY_REFUSED,
            alert="ReverbSidecarWebhooksRefused",
        ),
        counts(
            "HTTP ack requests by result",
            "Acks that the backend sent by HTTP.",
            Query(expr=f"{counted('ack_requests_total')} > 0", legend="{{result}}"),
            width=12,
        ),
        counts(
            "Redis stream entries by result",
            "Acks that the backend added to the Redis stream, and reconnects after a failed read.",
            Query(expr=counted("ack_stream_entries_total"), legend="{{result}}"),
            Query(expr=counted("ack_stream_reconnects_total"), legend="reconnects"),
            alert="ReverbSidecarAcksLost",
        ),
        states(
            "Redis stream up",
            "Whether Redis answers each replica. Empty if no stream is configured.",
            Query(expr=series("ack_stream_up"), legend="{{instance}}"),
            meanings=_UP,
            alert="ReverbSidecarAckStreamSilent",
        ),
        graph(
            "Browser reports by result",
            "Forged reports have a token that the app did not sign.",
            Query(expr=f"{counted('browser_reports_total')} > 0", legend="{{result}}"),
            Query(
                expr=f"sum without (result) ({counted('browser_reports_total', window='15m', result=FORGED)})",
                legend="forged, of 15m",
            ),
            alert="ReverbSidecarForgedReports",
        ),
    )


def _refusals() -> tuple[Panel, ...]:
    return (
        counts(
            "Refused requests and connections",
            "Requests that were refused because of their rate, the number in flight or event loop lag, and connections above the limit. "
            "A frontend without an answer follows the timers.",
            Query(
                expr=f"sum without (listener, route) ({counted('refused_requests_total')})",
                legend="requests: {{reason}}",
            ),
            Query(expr=counted("refused_connections_total"), legend="connections to {{listener}}"),
        ),
        count_table(
            "Refused requests by route in the selected time range",
            "The ten routes with most refused requests.",
            "route",
            "Route",
            {"Requests": f"topk(10, sum by (route) ({counted('refused_requests_total', window=RANGE)}))"},
        ),
        graph(
            "SSE connections",
            "Open connections for live updates of the flag, by kind; refused and dropped ones by reason.",
            Query(expr=f"sum without (instance, pod) ({series('open_streams')})", legend="open: {{kind}}"),
            Query(expr=counted("refused_streams_total"), legend="refused: {{reason}}"),
            Query(expr=counted("dropped_streams_total"), legend="dropped: {{reason}}"),
        ),
    )


def _notifications() -> tuple[Panel, ...]:
    return (
        counts(
            "Notifications by result",
            "Each notification counts once for each target. `given_up` and `dropped` were not delivered.",
            Query(expr=f"sum without (target) ({counted('notifications_total')})", legend="{{result}}"),
            colours={"delivered": GOOD, "claimed": CALM, "given_up": BAD, "dropped": BAD},
            alert="ReverbSidecarNotificationsLost",
        ),
        counts(
            "Delivery attempts by outcome",
            "After a temporary failure the attempt is repeated for a while.",
            Query(expr=f"sum without (target) ({counted('notification_attempts_total')})", legend="{{outcome}}"),
        ),
        graph(
            "Waiting notifications",
            "For all targets together.",
            Query(expr=series("waiting_notifications"), legend="{{instance}}"),
        ),
    )


def _process() -> tuple[Panel, ...]:
    return (
        graph(
            "Event loop lag",
            "The minimum of the last samples. Dashed: the first routes shed load, reads of the flag first.",
            Query(expr=series("event_loop_lag_seconds"), legend="{{instance}}"),
            unit="s",
            steps=((None, GOOD), (_SHEDS_FROM_S, ODD)),
        ),
        counts(
            "Task failures",
            "Failures of background tasks; each is retried. A few are normal, many point to an unreachable dependency.",
            Query(expr=counted("task_failures_total"), legend="{{task}}"),
        ),
        counts(
            "Log lines by level",
            "Compare them before and after a release.",
            Query(expr=counted("log_lines_total"), legend="{{level}}"),
        ),
    )


def _scrapes() -> tuple[Panel, ...]:
    return (
        stat(
            "Lost log lines",
            "In the last 15 minutes: the log's reader is blocked, the pipe is closed, or the disk is full.",
            Query(expr=counted("log_lines_dropped_total", window="15m")),
            unit="short",
            steps=((None, GOOD), (1, ODD)),
            width=8,
            height=6,
            alert="ReverbSidecarLogLinesDropped",
        ),
        graph(
            "Scrape duration",
            "The whole response, as measured by Prometheus. The sidecar's event loop spends a few milliseconds on it.",
            Query(expr=foreign("scrape_duration_seconds"), legend="{{instance}}"),
            unit="s",
            height=6,
        ),
        graph(
            "Series per replica",
            "As scraped. docs/metrics.md lists the maximum, which does not depend on traffic.",
            Query(expr=foreign("scrape_samples_scraped"), legend="{{instance}}"),
            height=6,
        ),
    )
