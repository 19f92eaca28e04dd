"""Can these numbers be believed? The sidecar's own health: its lease, its journal, its proxies, its log."""

from sidecar.dashboards.board import Board, Section
from sidecar.dashboards.panels import BAD, CALM, GOOD, ODD, Panel, graph, stat, states, table, words
from sidecar.dashboards.queries import RANGE, RATE, Query, counted, folded, foreign, series
from sidecar.dashboards.terms import Shown
from sidecar.http.rate_limits import LIMITS
from sidecar.rules.terms import Terms
from sidecar.rules.upkeep import FORGED, LAPSED_S, SKEW_S, STARTS_MIN

_UP = words({"0": ("down", BAD), "1": ("up", GOOD)})
_GIVES_WAY_S = min(limit.sheds_from_s for limit in LIMITS.values() if limit.sheds_from_s is not None)
"""From this lag of the event loop on the first routes refuse."""


def board(shown: Shown) -> Board:
    """Return the dashboard."""
    return Board(
        name="itself",
        title="The sidecar itself",
        description="Can these numbers be believed?",
        sections=(
            Section(title="Replicas, leases and clocks", panels=_replicas(shown.rules)),
            Section(title="Journal", panels=_journal()),
            Section(title="Proxies", panels=_proxies()),
            Section(title="Notifications to people", panels=_notifications()),
            Section(title="Loop, tasks and log", panels=_loop()),
        ),
        hours=6,
    )


def _replicas(terms: Terms) -> tuple[Panel, ...]:
    until = series("flag_valid_until_timestamp_seconds")
    return (
        states(
            "Scraped",
            "Whether Prometheus reaches each replica.",
            Query(expr=foreign("up"), legend="{{instance}}"),
            meanings=_UP,
            height=6,
            alert="ReverbSidecarTargetGone",
        ),
        table(
            "Versions",
            "What runs where.",
            Query(expr=series("build_info"), form="table", is_instant=True),
            key="instance",
            columns={"instance": "Replica", "version": "Version"},
            unit="none",
            height=6,
        ),
        graph(
            "Starts of the last hour",
            f"How often each replica began anew, as its counters tell. Dashed: {STARTS_MIN}, from where it is a ticket.",
            Query(expr=f"resets({series('journal_commits_total')}[1h])", legend="{{instance}}"),
            unit="short",
            steps=((None, GOOD), (STARTS_MIN, BAD)),
            width=8,
            alert="ReverbSidecarRestarting",
        ),
        graph(
            "Lease that is left",
            "By each replica's own monotonic clock. At 0 it answers timers; dashed is how long a lease lasts.",
            Query(expr=series("flag_lease_remaining_seconds"), legend="{{instance}}"),
            Query(expr=f"max({folded('flag_lease_seconds')})", legend="whole lease"),
            unit="s",
            limits=("whole lease",),
            width=8,
        ),
        graph(
            "Lease that has run out, by Prometheus' clock",
            f"How long ago it ran out; below 0 it runs. Dashed: {LAPSED_S} s, from where it is a page if push is served all the same and "
            "the line climbs; a ticket about the clock if it stays level, for then the lease is renewed. "
            f"Far below -{terms.lease_s:g} s the sidecar's clock is ahead.",
            Query(expr=f"timestamp({until}) - {until}", legend="{{instance}}"),
            unit="s",
            steps=((None, GOOD), (LAPSED_S, BAD)),
            defaults={"min": None},
            width=8,
            alert="ReverbSidecarLeaseNotHonoured",
        ),
        graph(
            "Ahead of other clocks",
            "By how much this machine's clock is ahead of Stripe's and the app's, at least and at most: whole seconds and unknown ways "
            "allow no more. `least` above 0 means ahead, `most` below 0 behind. Dashed: where it is a ticket.",
            Query(expr=series("clock_ahead_of_reference_seconds"), legend="{{reference}}, at {{bound}}"),
            unit="s",
            steps=((None, BAD), (-SKEW_S, GOOD), (SKEW_S, BAD)),
            defaults={"min": None},
            alert="ReverbSidecarClockWrong",
        ),
        graph(
            "Journal's clock before the wall clock",
            "The journal's clock never goes back: what the wall clock was set back by stays here until it has caught up.",
            Query(expr=series("clock_offset_seconds"), legend="{{instance}}"),
            unit="s",
            defaults={"min": None},
            alert="ReverbSidecarClockWrong",
        ),
    )


def _journal() -> tuple[Panel, ...]:
    return (
        graph(
            "Records that were folded",
            "Observations per second, heartbeats among them: without any the lease lapses.",
            Query(
                expr=f"max without (instance, pod) (rate({series('journal_records_total')}[{RATE}]))", legend="records"
            ),
            unit="ops",
            width=8,
            alert="ReverbSidecarJournalUnavailable",
        ),
        graph(
            "Since the last record",
            "How long ago the last record was stamped, on the replica that is furthest.",
            Query(expr=f"time() - {folded('last_record_timestamp_seconds')}", legend="last record"),
            unit="s",
            defaults={"min": None},
            width=8,
            alert="ReverbSidecarJournalUnavailable",
        ),
        graph(
            "Oldest append that waits",
            "For how long an observation has waited to be durable. Stripe and the backend wait as long.",
            Query(expr=series("journal_oldest_waiting_append_seconds"), legend="{{instance}}"),
            unit="s",
            width=8,
        ),
        graph(
            "Appends that wait",
            "Observations that are not durable yet.",
            Query(expr=series("journal_waiting_appends"), legend="{{instance}}"),
            unit="short",
            width=8,
        ),
        graph(
            "Commits",
            "Transactions per second; each makes durable all that waited.",
            Query(expr=f"rate({series('journal_commits_total')}[{RATE}])", legend="{{instance}}"),
            unit="ops",
            width=8,
        ),
        graph(
            "Appends that were refused",
            "Because too many waited. Whoever sent them was told to try again.",
            Query(expr=counted("journal_refused_appends_total"), legend="refused"),
            unit="short",
            is_stacked=True,
            width=8,
        ),
    )


def _proxies() -> tuple[Panel, ...]:
    return (
        graph(
            "Webhooks, by what became of them",
            "Stripe tries again what was `unavailable`. Many `signature_wrong`: the secret is another endpoint's.",
            Query(expr=f"{counted('webhook_requests_total')} > 0", legend="{{result}}"),
            unit="short",
            is_stacked=True,
            alert="ReverbSidecarJournalUnavailable",
        ),
        graph(
            "Acks by HTTP, by what became of them",
            "What the backend posted.",
            Query(expr=f"{counted('ack_requests_total')} > 0", legend="{{result}}"),
            unit="short",
            is_stacked=True,
        ),
        graph(
            "Redis stream: entries",
            "What the backend added to the Redis stream, and times that reading it failed and was begun again.",
            Query(expr=counted("ack_stream_entries_total"), legend="{{result}}"),
            Query(expr=counted("ack_stream_reconnects_total"), legend="begun again"),
            unit="short",
            is_stacked=True,
            width=8,
            alert="ReverbSidecarAcksLost",
        ),
        states(
            "Redis stream of acks up",
            "Whether Redis answers each replica; nothing where no stream is configured.",
            Query(expr=series("ack_stream_up"), legend="{{instance}}"),
            meanings=_UP,
            width=8,
            alert="ReverbSidecarAckStreamSilent",
        ),
        graph(
            "Browsers' reports at the proxy",
            "By what became of them. Forged are those whose tokens the app did not sign.",
            Query(expr=f"{counted('browser_reports_total')} > 0", legend="{{result}}"),
            Query(
                expr=f"sum without (result) ({counted('browser_reports_total', window='15m', result=FORGED)})",
                legend="forged, of 15m",
            ),
            unit="short",
            width=8,
            alert="ReverbSidecarForgedReports",
        ),
        graph(
            "Requests that were not let in",
            "Because of their rate, of those in flight, or of the event loop's lag; and connections that were one too many. "
            "Who gets no answer follows the timers.",
            Query(
                expr=f"sum without (listener, route) ({counted('refused_requests_total')})",
                legend="requests: {{reason}}",
            ),
            Query(expr=counted("refused_connections_total"), legend="connections to {{listener}}"),
            unit="short",
            is_stacked=True,
            width=8,
        ),
        table(
            "Routes that refused most, in the time shown",
            "Of each route, how many requests were not let in.",
            Query(
                expr=f"topk(10, sum by (route) ({counted('refused_requests_total', window=RANGE)}))",
                form="table",
                is_instant=True,
            ),
            key="route",
            columns={"route": "Route", "Value": "Requests"},
            unit="short",
            defaults={"decimals": 0},
            width=8,
        ),
        graph(
            "Streams of the flag",
            "Open ones, by what they tell; and those that did not begin or were cut off.",
            Query(expr=f"sum without (instance, pod) ({series('open_streams')})", legend="open: {{kind}}"),
            Query(expr=counted("refused_streams_total"), legend="refused: {{reason}}"),
            Query(expr=counted("dropped_streams_total"), legend="cut off: {{reason}}"),
            unit="short",
            width=8,
        ),
    )


def _notifications() -> tuple[Panel, ...]:
    return (
        graph(
            "Notifications, by what became of them",
            "Of moves, alarms and actions, each once per target. `given_up` and `dropped` never came to anybody.",
            Query(expr=f"sum without (target) ({counted('notifications_total')})", legend="{{result}}"),
            unit="short",
            is_stacked=True,
            colours={"told": GOOD, "claimed": CALM, "given_up": BAD, "dropped": BAD},
            width=8,
            alert="ReverbSidecarNotificationsLost",
        ),
        graph(
            "Attempts to tell, by what came of them",
            "What is not `sent` is tried again for a while.",
            Query(expr=f"sum without (target) ({counted('notification_attempts_total')})", legend="{{outcome}}"),
            unit="short",
            is_stacked=True,
            width=8,
        ),
        graph(
            "Notifications that wait",
            "For their targets, of all targets together.",
            Query(expr=series("waiting_notifications"), legend="{{instance}}"),
            unit="short",
            width=8,
        ),
    )


def _loop() -> tuple[Panel, ...]:
    return (
        graph(
            "Event loop's lag",
            "The least of the last looks. Dashed: from there on the first routes refuse, reads of the flag before anything else.",
            Query(expr=series("event_loop_lag_seconds"), legend="{{instance}}"),
            unit="s",
            steps=((None, GOOD), (_GIVES_WAY_S, ODD)),
            width=8,
        ),
        graph(
            "Failures of what runs for ever",
            "Each was tried again. One now and then is nothing; many are a dependency that is away.",
            Query(expr=counted("task_failures_total"), legend="{{task}}"),
            unit="short",
            is_stacked=True,
            width=8,
        ),
        graph(
            "Log lines by level",
            "Compare them before and after a release.",
            Query(expr=counted("log_lines_total"), legend="{{level}}"),
            unit="short",
            is_stacked=True,
            width=8,
        ),
        stat(
            "Log lines that were lost",
            "In the last 15 minutes: the reader is stuck, the pipe broken, or the disk full.",
            Query(expr=counted("log_lines_dropped_total", window="15m")),
            unit="short",
            steps=((None, GOOD), (1, ODD)),
            width=8,
            height=6,
            alert="ReverbSidecarLogLinesDropped",
        ),
        graph(
            "What a scrape takes, as Prometheus sees it",
            "The time of the whole answer. The sidecar's own share is a few milliseconds of its event loop.",
            Query(expr=foreign("scrape_duration_seconds"), legend="{{instance}}"),
            unit="s",
            width=8,
            height=6,
        ),
        graph(
            "Series per replica",
            "As scraped. The catalogue says how many there can be at most, whatever the traffic.",
            Query(expr=foreign("scrape_samples_scraped"), legend="{{instance}}"),
            unit="short",
            width=8,
            height=6,
        ),
    )
