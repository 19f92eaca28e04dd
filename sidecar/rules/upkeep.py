"""Alerts about the sidecar itself: leases, clocks, visibility, progress, journal, log and notifications."""

from collections.abc import Iterator
from typing import Final

from sidecar.rules.alert import COUNT, NOBODY, Alert, Severity
from sidecar.rules.recordings import PUSH_SERVED, folded
from sidecar.rules.terms import Terms, number, span

FORGED: Final = "token_malformed|token_key_unknown|token_signature|token_audience"
"""Results of browser reports with a token that the app did not sign."""
LAPSED_S: Final = 5
"""Allowance for differing clocks before a lease counts as expired."""
STANDS_S: Final = 10
"""A lease whose end advances by less in two minutes is not renewed."""
RENEWED_S: Final = 60
"""A lease whose end advances by more in two minutes is renewed, and is in the past only by another clock."""
UNABLE: Final = "starting|no_lease|policy_differs"
"""Reasons for which a replica answers timers regardless of the state; if all replicas do, no replica can serve push."""
UNJUDGED_MIN: Final = 3
"""One restart on a quiet day leaves fewer payments unmeasured, and there is nothing to repair."""
STARTS_MIN: Final = 3
"""A release and its rollback are two starts."""
SKEW_S: Final = 5
"""Allowed difference from the clocks of Stripe and the app: half of the leeway of a browser's token."""
NEW_FOR_S: Final = 86_400
"""A journal is new for a day, so that a ticket opened at night is seen in the morning."""
FALLS_MIN: Final = "1.9"
SUSPENSIONS_MIN: Final = "1.9"
"""Two falls in 7d, or two suspensions in 1d; `increase` extrapolates, so a limit of 2 would miss some of them."""


def alerts(terms: Terms) -> Iterator[Alert]:
    """Yield the alerts about the sidecar itself."""
    yield from _leases(terms)
    yield from _visibility(terms)
    yield from _progress(terms)
    yield from _proxies(terms)
    job = terms.within
    yield Alert(
        name="ReverbSidecarTargetGone",
        severity=Severity.TICKET,
        expr=f"absent(up{{{job}}})\nor\nup{{{job}}} == 0",
        lasting="5m",
        summary="Prometheus cannot scrape the sidecar.",
        description="Without metrics no other alert is reliable. Nobody is affected: a frontend that receives no answer returns to "
        f"timers within a lease ({span(terms.lease_s)}), and a sidecar that only Prometheus cannot reach continues to work. "
        f"Expected target: job {terms.job}, environment {terms.environment}.",
    )
    yield Alert(
        name="ReverbSidecarRestarting",
        severity=Severity.TICKET,
        expr=f"resets(reverb_sidecar_journal_commits_total{{{job}}}[1h]) >= {STARTS_MIN}",
        summary="The sidecar restarts repeatedly.",
        description=f"{{{{ $labels.instance }}}} restarted {COUNT} times in the last 1h. Nobody is affected: push is served only under "
        "a lease, and a frontend that receives no answer returns to timers. Payments around each start are unmeasured, so "
        "the flag does not climb.",
    )
    yield Alert(
        name="ReverbSidecarWatchdog",
        severity=Severity.NONE,
        expr="vector(1)",
        summary="Always fires, so that its absence can be detected.",
        description="Nobody is affected. This alert shows that rules are evaluated and alerts are sent.",
    )


def _leases(terms: Terms) -> Iterator[Alert]:
    job, window = terms.within, _quiet(terms)
    ahead = "reverb_sidecar_clock_ahead_of_reference_seconds"
    until = f"reverb_sidecar_flag_valid_until_timestamp_seconds{{{job}}}"
    yield Alert(
        name="ReverbSidecarLeaseNotHonoured",
        severity=Severity.PAGE,
        expr=f"(\n  timestamp({until}) - {until} > {LAPSED_S}\n  and\n  abs(delta({until}[2m])) < {STANDS_S}\n  and ignoring (mode)\n"
        f'  reverb_sidecar_flag_mode{{{job}, mode!="timer_polling"}} == 1\n)\nor\n'
        f"(\n  increase({folded('journal_records_total')}{{{job}}}[{window}]) == 0\n  and\n  {PUSH_SERVED}{{{job}}} == 1\n)",
        lasting="1m",
        summary="A replica serves push without a valid lease.",
        description="Payers are served push although the lease has expired, so a failure of push would not be detected. "
        "Stop that replica: browsers return to timers.",
    )
    yield Alert(
        name="ReverbSidecarClockWrong",
        severity=Severity.TICKET,
        expr=f'increase({folded("unmeasured_payments_total")}{{{job}, reason="clock_jumped"}}[1h]) > 0\n'
        f"or\n{until} - timestamp({until}) > {number(terms.lease_s + 10)}\n"
        f"or\n(timestamp({until}) - {until} > {LAPSED_S} and delta({until}[2m]) > {RENEWED_S})\n"
        f'or\n{ahead}{{{job}, bound="least"}} > {SKEW_S}\nor\n{ahead}{{{job}, bound="most"}} < -{SKEW_S}',
        lasting="1m",
        summary="The sidecar's clock jumps or differs from other clocks.",
        description="Nobody is affected: payments around a jump are unmeasured, and leases use a monotonic clock. "
        "Until the clock is correct, fewer payments count as evidence, and timestamps cannot be compared.",
    )


def _visibility(terms: Terms) -> Iterator[Alert]:
    job = terms.within
    suspended = f'{folded("suspended")}{{{job}, reason!="reverb_unstable"}}'
    unable = f'sum without (reason) (reverb_sidecar_flag_reason{{{job}, reason=~"{UNABLE}"}})'
    yield Alert(
        name="ReverbSidecarSuspended",
        severity=Severity.TICKET,
        expr=f"max without (reason) ({suspended}) == 1\nor\nmin without (instance, pod) ({unable}) == 1",
        lasting="15m",
        summary="Push is suspended because it cannot be measured.",
        description=f"{NOBODY} The flag does not climb until the suspension ends. "
        f"Reason: {{{{ range query `{suspended} == 1` }}}}{{{{ .Labels.reason }}}} {{{{ else }}}}no replica has a lease{{{{ end }}}}",
    )
    yield Alert(
        name="ReverbSidecarCoverageLow",
        severity=Severity.TICKET,
        expr=f"{folded('coverage_ratio')}{{{job}}} < {number(terms.coverage_ratio)}\nand ignoring (judged)\n"
        f'{folded("coverage_payments")}{{{job}, judged="false"}} >= {UNJUDGED_MIN}',
        lasting="1h",
        summary="Too many payments cannot be judged.",
        description="Only {{ $value | humanizePercentage }} of payments could be judged. Push may work less well for the others, "
        "and this would not be detected. The flag does not climb; below the coverage floor push is suspended.",
    )
    yield Alert(
        name="ReverbSidecarAckStreamSilent",
        severity=Severity.TICKET,
        expr=f"max without (instance, pod) (reverb_sidecar_ack_stream_up{{{job}}}) == 0",
        lasting="2m",
        summary="The Redis stream of acks is unreachable.",
        description=f"Nobody is affected: push is suspended after one lease ({span(terms.lease_s)}) without the stream. "
        "Payments of this time are unmeasured.",
    )
    yield Alert(
        name="ReverbSidecarWebhooksRefused",
        severity=Severity.TICKET,
        expr=f"max without (instance, pod) (reverb_sidecar_webhooks_only_refused{{{job}}}) == 1",
        lasting="5m",
        summary="Stripe's webhooks are refused for their signature, and none is accepted.",
        description="Nobody is affected: push is not suspended, because anybody can send a bad signature. No payment is "
        "judged meanwhile, so a failure of push would be detected by the probes alone, and the flag does not climb.",
    )
    yield Alert(
        name="ReverbSidecarAcksLost",
        severity=Severity.TICKET,
        expr=f"increase({folded('acks_lost_total')}{{{job}}}[1h]) > 0",
        summary="Acks were removed from the stream before the sidecar read them.",
        description=f"At least {COUNT} acks of the last 1h are lost. Nobody is affected: a payment whose ack may be among them is "
        "unmeasured, and not counted as on time.",
    )


def _progress(terms: Terms) -> Iterator[Alert]:
    job, long = terms.within, span(terms.stuck_after_s)
    moves, rung = folded("flag_transitions_total"), folded("flag_rung")
    fell = f'{moves}{{{job}, to_mode="timer_polling", cause=~"alarm|blind|suspension"}}'
    yield Alert(
        name="ReverbSidecarFlapping",
        severity=Severity.TICKET,
        expr=f"sum without (from_mode, to_mode, cause) (increase({fell}[7d])) >= {FALLS_MIN}\n"
        f'or\nincrease({folded("suspensions_total")}{{{job}, reason="reverb_unstable"}}[1d]) >= {SUSPENSIONS_MIN}',
        summary="Push is switched off repeatedly.",
        description="The flag fell twice in 7d, or push was suspended twice in 1d because Reverb was unstable. Payers got timers "
        "each time; only the first payers of each outage waited. Find the recurring cause.",
    )
    yield Alert(
        name="ReverbSidecarStuck",
        severity=Severity.TICKET,
        expr=f"{rung}{{{job}}} < {terms.top_rung}\nand changes({rung}{{{job}}}[{long}]) == 0\n"
        f"and {rung}{{{job}}} offset {long} >= 0",
        lasting="1h",
        summary="Push has not returned for days."
        if terms.is_removed
        else "The flag has been on the same rung for days.",
        description=f"The flag has answered timers for {long}. Nobody is affected: the browsers' client follows the flag's schedule "
        "(0, 2 and 5s), although the hand-written timers are removed (lifecycle: removed). Payers poll more than necessary. "
        "An alarm is latched, or an operator set a hold."
        if terms.is_removed
        else f"The flag has been on rung {{{{ $value }}}} of {terms.top_rung} for {long}. Nobody is affected: payers are served "
        "what is proven. They poll more than necessary. A gate is closed or needs an approval.",
    )


def _proxies(terms: Terms) -> Iterator[Alert]:
    job = terms.within
    yield Alert(
        name="ReverbSidecarForgedReports",
        severity=Severity.TICKET,
        expr="sum without (instance, pod, result) "
        f'(increase(reverb_sidecar_browser_reports_total{{{job}, result=~"{FORGED}"}}[15m])) >= 4.9',
        summary="Browser reports carry tokens that the app did not sign.",
        description=f"{COUNT} reports of the last 15m were rejected because of their tokens. Nobody is affected: rejected reports do "
        "not count. Either someone forges reports, or the secret was changed on one side only; then all reports are lost.",
    )
    yield Alert(
        name="ReverbSidecarJournalUnavailable",
        severity=Severity.TICKET,
        expr=f"increase({folded('journal_records_total')}{{{job}}}[{_quiet(terms)}]) == 0\nor\n"
        "sum without (instance, pod, result) "
        f'(increase(reverb_sidecar_webhook_requests_total{{{job}, result="unavailable"}}[5m])) > 0',
        lasting="2m",
        summary="The journal accepts no records.",
        description="Nobody is affected: without heartbeats in the journal all payers are served timers, "
        "and Stripe retries its webhooks for days.",
    )
    created = f"max without (instance, pod) (reverb_sidecar_journal_created_timestamp_seconds{{{job}}})"
    yield Alert(
        name="ReverbSidecarJournalCreated",
        severity=Severity.TICKET,
        expr=f"time() - {created} < {NEW_FOR_S}",
        summary="The journal is new.",
        description="The journal began {{ $value | humanizeDuration }} ago: evidence, alarms and holds from before are forgotten. Nobody is "
        "affected: all payers are served timers until push is proven again. At the first start of an environment this is expected. "
        "Otherwise the journal was lost or moved.",
    )
    yield Alert(
        name="ReverbSidecarLogLinesDropped",
        severity=Severity.TICKET,
        expr=f"sum without (instance, pod) (increase(reverb_sidecar_log_lines_dropped_total{{{job}}}[15m])) > 0",
        summary="Log lines could not be written.",
        description=f"{COUNT} log lines of the last 15m are lost. Nobody is affected: logging never blocks the service, and all "
        "decisions are in the journal.",
    )
    yield Alert(
        name="ReverbSidecarNotificationsLost",
        severity=Severity.TICKET,
        expr="sum without (instance, pod, result) "
        f'(increase(reverb_sidecar_notifications_total{{{job}, result=~"given_up|dropped"}}[1h])) > 0',
        summary="Notifications were not delivered.",
        description=f"{COUNT} notifications of the last 1h did not reach a {{{{ $labels.target }}}} target. Nobody is affected: nothing "
        "waits for a notification. Its receivers may have missed a move, a suspension or an alarm.",
    )


def _quiet(terms: Terms) -> str:
    """Return the time after which a journal without records is unavailable: several heartbeats, more than a lease."""
    return span(max(300.0, 2 * terms.lease_s))
