"""Alerts about the sidecar itself: does it see, can it be believed, does it get on?"""

from collections.abc import Iterator
from typing import Final

from sidecar.rules.alert import NOBODY, Alert, Severity
from sidecar.rules.recordings import PUSH_SERVED, folded
from sidecar.rules.terms import Terms, number, span

FORGED: Final = "token_malformed|token_key_unknown|token_signature|token_audience"
"""What a report's token is that the app did not sign."""
LAPSED_S: Final = 5
"""Clocks may differ by so much before a lease that has run out is called so."""
STANDS_S: Final = 10
"""The end of a lease that moves on by less in two minutes is not renewed."""
RENEWED_S: Final = 60
"""The end of a lease that moves on by more in two minutes is renewed, and lies in the past only by another's clock."""
UNABLE: Final = "starting|no_lease|policy_differs"
"""Why a replica answers timers whatever it sees; where all do, nobody could serve push."""
UNJUDGED_MIN: Final = 3
"""Fewer payments that could not be judged are one restart on a quiet day, and nothing that somebody could recover."""
STARTS_MIN: Final = 3
"""A release and its rollback are two."""
SKEW_S: Final = 5
"""Our clock may differ from Stripe's and the app's by so much: half of what a browser's token forgives."""
FALLS_MIN: Final = "1.9"
SUSPENSIONS_MIN: Final = "1.9"
"""Two of each, in 7d and in 1d, are flapping; `increase` extrapolates, so 2 would be missed by a hair."""


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
        description="No numbers, so no other alert can be trusted. Nobody is affected, because a frontend that gets no answer "
        f"goes back to timers within a lease ({span(terms.lease_s)}), and a sidecar that only Prometheus does not reach goes on "
        f"acting by itself. Looked for: the job {terms.job} of the environment {terms.environment}.",
    )
    yield Alert(
        name="ReverbSidecarRestarting",
        severity=Severity.TICKET,
        expr=f"resets(reverb_sidecar_journal_commits_total{{{job}}}[1h]) >= {STARTS_MIN}",
        summary="The sidecar begins anew again and again.",
        description='{{ $labels.instance }} began anew {{ $value | printf "%.0f" }} times in the last 1h. Nobody is affected, because '
        "push is served only under a lease, and who gets no answer goes back to timers. But payments around each start say "
        "nothing about push: nothing climbs so.",
    )
    yield Alert(
        name="ReverbSidecarWatchdog",
        severity=Severity.NONE,
        expr="vector(1)",
        summary="Always fires, so that its silence can be noticed.",
        description="Nobody is affected, because this one says only that rules are evaluated and alerts are sent.",
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
        summary="Push is served by a replica that does not know whether push works.",
        description="Payers are told push although the lease has run out: nobody would notice if push failed. "
        "Stop that replica: their browsers go back to timers.",
    )
    yield Alert(
        name="ReverbSidecarClockWrong",
        severity=Severity.TICKET,
        expr=f'increase({folded("unmeasured_payments_total")}{{{job}, reason="clock_jumped"}}[1h]) > 0\n'
        f"or\n{until} - timestamp({until}) > {number(terms.lease_s + 10)}\n"
        f"or\n(timestamp({until}) - {until} > {LAPSED_S} and delta({until}[2m]) > {RENEWED_S})\n"
        f'or\n{ahead}{{{job}, bound="least"}} > {SKEW_S}\nor\n{ahead}{{{job}, bound="most"}} < -{SKEW_S}',
        lasting="1m",
        summary="The sidecar's clock jumps, or differs from others'.",
        description="Nobody is affected, because payments around a jump are left out, and leases run on a clock that does not jump. "
        "Until it is recovered, fewer payments count as evidence, and stamps cannot be compared.",
    )


def _visibility(terms: Terms) -> Iterator[Alert]:
    job = terms.within
    suspended = f'{folded("suspended")}{{{job}, reason!="reverb_unstable"}}'
    unable = f'sum without (reason) (reverb_sidecar_flag_reason{{{job}, reason=~"{UNABLE}"}})'
    yield Alert(
        name="ReverbSidecarBlind",
        severity=Severity.TICKET,
        expr=f"max without (reason) ({suspended}) == 1\nor\nmin without (instance, pod) ({unable}) == 1",
        lasting="15m",
        summary="The sidecar rests: it does not see whether push works.",
        description=f"{NOBODY} Push is not measured and nothing climbs until it sees again. "
        f"It rests for: {{{{ range query `{suspended} == 1` }}}}{{{{ .Labels.reason }}}} {{{{ else }}}}no replica has a lease{{{{ end }}}}",
    )
    yield Alert(
        name="ReverbSidecarCoverageLow",
        severity=Severity.TICKET,
        expr=f"{folded('coverage_ratio')}{{{job}}} < {number(terms.coverage_ratio)}\nand ignoring (judged)\n"
        f'{folded("coverage_payments")}{{{job}, judged="false"}} >= {UNJUDGED_MIN}',
        lasting="1h",
        summary="Too many payments say nothing about push.",
        description="Only {{ $value | humanizePercentage }} of payments could be judged; the others' payers may fare "
        "worse, and nobody would know. Nothing climbs, and far below the flag rests at timers.",
    )
    yield Alert(
        name="ReverbSidecarAckStreamSilent",
        severity=Severity.TICKET,
        expr=f"max without (instance, pod) (reverb_sidecar_ack_stream_up{{{job}}}) == 0",
        lasting="2m",
        summary="The Redis stream of acks does not answer.",
        description=f"Nobody is affected, because the flag rests at timers after a lease ({span(terms.lease_s)}) of its silence. "
        "Payments of this time say nothing about push.",
    )
    yield Alert(
        name="ReverbSidecarAcksLost",
        severity=Severity.TICKET,
        expr=f"increase({folded('acks_lost_total')}{{{job}}}[1h]) > 0",
        summary="Acks were removed from the stream before the sidecar read them.",
        description='At least {{ $value | printf "%.0f" }} acks of the last 1h are gone. Nobody is affected, because '
        "a payment whose ack may have been among them is left out, and not counted as clean.",
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
        summary="Push comes and goes.",
        description="Push fell twice in 7d, or took shelter twice in 1d. Payers got timers each time, so the harm is what the "
        "first few of each outage waited. What keeps happening has a cause.",
    )
    yield Alert(
        name="ReverbSidecarStuck",
        severity=Severity.TICKET,
        expr=f"{rung}{{{job}}} < {terms.top_rung}\nand changes({rung}{{{job}}}[{long}]) == 0\n"
        f"and {rung}{{{job}}} offset {long} >= 0",
        lasting="1h",
        summary="Push has not come back for days." if terms.is_removed else "The flag has been on one rung for days.",
        description=f"For {long} it has been on timers. Nobody is affected, because the client in the browsers follows the flag's "
        "schedule (0, 2 and 5s), though the hand-written timers are gone (lifecycle: removed); it only polls more than it might have to. "
        "An alarm is latched, or a person holds it."
        if terms.is_removed
        else f"For {long} it has been on rung {{{{ $value }}}} of {terms.top_rung}. Nobody is affected, because payers are "
        "served what has been proven; they only poll more than they might have to. A gate is closed, or waits for a person.",
    )


def _proxies(terms: Terms) -> Iterator[Alert]:
    job = terms.within
    yield Alert(
        name="ReverbSidecarForgedReports",
        severity=Severity.TICKET,
        expr="sum without (instance, pod, result) "
        f'(increase(reverb_sidecar_browser_reports_total{{{job}, result=~"{FORGED}"}}[15m])) >= 4.9',
        summary="Browsers' reports come with tokens that the app did not sign.",
        description='{{ $value | printf "%.0f" }} reports of the last 15m were refused by their tokens. Nobody is affected, because '
        "none of them counted. It is a forger, or the secret was changed on one side only: then no payer is heard.",
    )
    yield Alert(
        name="ReverbSidecarJournalUnavailable",
        severity=Severity.TICKET,
        expr=f"increase({folded('journal_records_total')}{{{job}}}[{_quiet(terms)}]) == 0\nor\n"
        "sum without (instance, pod, result) "
        f'(increase(reverb_sidecar_webhook_requests_total{{{job}, result="unavailable"}}[5m])) > 0',
        lasting="2m",
        summary="The journal takes no records.",
        description="Nobody is affected, because without heartbeats in the journal every payer is served timers, "
        "and Stripe repeats its webhooks for days.",
    )
    yield Alert(
        name="ReverbSidecarLogLinesDropped",
        severity=Severity.TICKET,
        expr=f"sum without (instance, pod) (increase(reverb_sidecar_log_lines_dropped_total{{{job}}}[15m])) > 0",
        summary="Log lines could not be written.",
        description='{{ $value | printf "%.0f" }} log lines of the last 15m are gone. Nobody is affected, because the log never stops '
        "the service; the record of what was decided is in the journal.",
    )
    yield Alert(
        name="ReverbSidecarNotificationsLost",
        severity=Severity.TICKET,
        expr="sum without (instance, pod, result) "
        f'(increase(reverb_sidecar_notifications_total{{{job}, result=~"given_up|dropped"}}[1h])) > 0',
        summary="People were not told of what happened.",
        description='{{ $value | printf "%.0f" }} notifications of the last 1h did not reach a {{ $labels.target }} target. Nobody is affected, '
        "because nothing waits for a notification; but whoever relies on it does not know of a move, a shelter or an alarm.",
    )


def _quiet(terms: Terms) -> str:
    """Return for how long a journal without a record is no coincidence: several heartbeats, and more than a lease."""
    return span(max(300.0, 2 * terms.lease_s))
