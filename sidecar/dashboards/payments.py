"""Do payers get the news of their payments by push, and what do their own browsers say?"""

from sidecar.core.fold.reach import REPORTERS_MIN as REPORTERS_ALARM
from sidecar.dashboards.board import Board, Section
from sidecar.dashboards.outcomes import outcomes
from sidecar.dashboards.panels import BAD, GOOD, ODD, Panel, graph, heat_map, table
from sidecar.dashboards.queries import JUDGED, RANGE, RATE, Query, folded, grown, oldest_wait, series
from sidecar.dashboards.terms import Shown
from sidecar.rules.delivery import FAILED_MIN, REPORTERS_MIN

_LATENCY = "webhook_to_broadcast_seconds"


def board(shown: Shown) -> Board:
    """Return the dashboard."""
    return Board(
        name="payments",
        title="Payments",
        description="Do payers get the news of their payments by push, and what do their own browsers say?",
        sections=(
            Section(title="From the webhook to the broadcast", panels=_latency(shown)),
            Section(title="Outcomes", panels=_outcomes(shown)),
            Section(title="Acks", panels=_acks()),
            Section(title="Reach: what payers' browsers say", panels=_reach()),
        ),
    )


def _latency(shown: Shown) -> tuple[Panel, ...]:
    terms = shown.rules
    buckets = f"sum by (le) ({grown(f'{_LATENCY}_bucket')})"
    quantiles = tuple(
        Query(expr=f"histogram_quantile({part}, {buckets})", legend=f"{part:.0%}", has_exemplars=part == _TYPICAL)
        for part in (_TYPICAL, 0.95, 0.99)
    )
    return (
        heat_map(
            f"Latency (on time: below {terms.on_time_within_s:g} s)",
            "How long the news of a payment took, of judged payments that got it. On time is what lies below the edge that the axis "
            f"names, exactly at {terms.on_time_within_s:g} s. Payments whose news never came are in no row: see the outcomes. "
            "A point is one payment: its `payment` stands as `payment_ref` in that payment's log line.",
            Query(expr=buckets, legend="{{le}}", form="heatmap", has_exemplars=True),
            edges={terms.on_time_within_s: f"▼ on time: {terms.on_time_within_s:g} s"},
            height=10,
            alert="ReverbSidecarDeliveryBurning",
        ),
        graph(
            "Latency, and the objectives",
            "Half, and 95 and 99 per cent, of the news took no longer. Dashed: on time below the one, missed from the other on. "
            "A quantile is drawn within the bucket that it lies in.",
            *quantiles,
            Query(expr=f"max by (objective) ({folded('objective_seconds')})", legend="objective {{objective}}"),
            unit="s",
            limits=("objective .*",),
            height=10,
        ),
        graph(
            "Oldest payment without its news",
            "It climbs while nothing comes, before any payment is judged. Dashed: where a payment is late, and where it is missed.",
            Query(expr=oldest_wait(), legend="oldest"),
            unit="s",
            steps=((None, GOOD), (terms.on_time_within_s, ODD), (terms.missed_after_s, BAD)),
            width=8,
            height=6,
        ),
        graph(
            "Payments that are kept",
            "Payments, and acks without a payment, that something may still come for; and acks that wait for their payments.",
            Query(expr=folded("kept_payments"), legend="kept"),
            Query(expr=folded("waiting_acks"), legend="acks that wait"),
            unit="short",
            width=8,
            height=6,
        ),
        graph(
            "Judged payments, and the latency's count",
            "Payments that were judged, and those whose latency is in the histogram: the difference are those whose news never came.",
            Query(expr=f"sum without (outcome) ({grown('payment_outcomes_total', outcome=JUDGED)})", legend="judged"),
            Query(
                expr=f"max without (instance, pod) (increase({series(f'{_LATENCY}_count')}[{RATE}]))",
                legend="with a latency",
            ),
            unit="short",
            width=8,
            height=6,
        ),
    )


_TYPICAL = 0.5


def _outcomes(shown: Shown) -> tuple[Panel, ...]:
    terms = shown.rules
    return (
        outcomes(width=8),
        graph(
            "Unmeasured, by reason",
            "Payments that say nothing about push, and why.",
            Query(expr=grown("unmeasured_payments_total"), legend="{{reason}}"),
            unit="short",
            is_stacked=True,
            width=8,
            alert="ReverbSidecarCoverageLow",
        ),
        graph(
            "Coverage",
            "Share of payments that could be judged. Below `climb` nothing climbs; below `suspend` push is suspended.",
            Query(expr=folded("coverage_ratio"), legend="coverage"),
            Query(expr=f"max by (threshold) ({folded('coverage_threshold_ratio')})", legend="limit {{threshold}}"),
            unit="percentunit",
            limits=("limit .*",),
            defaults={"max": 1},
            width=8,
            alert="ReverbSidecarCoverageLow",
        ),
        graph(
            "Failed payments of the last hour",
            f"Late or missed. {FAILED_MIN} on this line are three payments, the fewest that any alert about delivery asks for.",
            Query(
                expr=f"sum without (outcome) ({grown('payment_outcomes_total', window='1h', outcome='late|missed')})",
                legend="failed",
            ),
            unit="short",
            steps=((None, GOOD), (float(FAILED_MIN), ODD)),
            alert="ReverbSidecarDeliveryBurning",
            width=8,
        ),
        graph(
            "Would timers have worked?",
            "Judged payments by whether the last timer, five seconds after, would have found the booking paid; and what tells when it was.",
            Query(expr=grown("timers_would_have_worked_total"), legend="worked: {{worked}} ({{basis}})"),
            unit="short",
            is_stacked=True,
            width=8,
        ),
        graph(
            "None of ours, or nothing to broadcast",
            "Payments that are left out, by reason, and those that the filter left out and that got an ack all the same: then it is wrong.",
            Query(expr=grown("ignored_payments_total"), legend="ignored: {{reason}}"),
            Query(expr=grown("skipped_payments_total"), legend="skipped: {{reason}}"),
            Query(expr=grown("filter_contradictions_total"), legend="the filter is wrong"),
            unit="short",
            is_stacked=True,
            width=8,
        ),
        table(
            "Payments by outcome, in the time shown",
            f"Judged are {JUDGED.replace('|', ', ')}. Whole payments, as far as scrapes tell.",
            Query(
                expr=f"sum by (outcome) ({grown('payment_outcomes_total', window=RANGE)})",
                form="table",
                is_instant=True,
            ),
            key="outcome",
            columns={"outcome": "Outcome", "Value": "Payments"},
            unit="short",
            defaults={"decimals": 0},
            width=8,
        ),
        table(
            "Why it was unmeasured, in the time shown",
            f"The reasons, from a closed list. On time is below {terms.on_time_within_s:g} s, missed from {terms.missed_after_s:g} s on.",
            Query(
                expr=f"sum by (reason) ({grown('unmeasured_payments_total', window=RANGE)})",
                form="table",
                is_instant=True,
            ),
            key="reason",
            columns={"reason": "Reason", "Value": "Payments"},
            unit="short",
            defaults={"decimals": 0},
            width=8,
        ),
    )


def _acks() -> tuple[Panel, ...]:
    return (
        graph(
            "Acks by stage",
            "How far the news of payments got, as the backend, our observers and payers' browsers tell.",
            Query(expr=grown("acks_total"), legend="{{stage}}"),
            unit="short",
            is_stacked=True,
        ),
        graph(
            "Acks that led to nothing",
            "Unknown: their payment never came. Dropped: too many waited. Lost: removed from a source of ours before they were read.",
            Query(expr=grown("unknown_acks_total"), legend="unknown"),
            Query(expr=grown("dropped_acks_total"), legend="dropped"),
            Query(expr=grown("acks_lost_total"), legend="lost"),
            unit="short",
            is_stacked=True,
            alert="ReverbSidecarAcksLost",
        ),
    )


def _reach() -> tuple[Panel, ...]:
    per_payment = f"{grown('refetches_total')} / ({grown('reported_payments_total')} > 0)"
    return (
        graph(
            "Reports by what they came to",
            "Good and bad are votes; the others say nothing of push.",
            Query(expr=grown("payer_reports_total"), legend="{{outcome}}"),
            unit="short",
            is_stacked=True,
            colours={"good": GOOD, "bad": BAD},
            width=8,
        ),
        graph(
            "Payers who report that push failed",
            "Users behind the bad reports since the alarm last stood at zero. Dashed: from the first on somebody should look, "
            "from the second on the flag falls if the alarm is raised.",
            Query(expr=folded("reach_reporters"), legend="reporters"),
            unit="short",
            steps=((None, GOOD), (REPORTERS_MIN, ODD), (REPORTERS_ALARM, BAD)),
            alert="ReverbSidecarReachDegraded",
            width=8,
        ),
        graph(
            "Payers on the rung that is held",
            "Payers who were served it and told of it, by how they came: a push rung is left upwards only with enough of them.",
            Query(expr=folded("payers_on_rung"), legend="{{flow}}"),
            unit="short",
            width=8,
        ),
        graph(
            "What cleared the alert",
            "By what it was, in whatever mode. `never`: the payer was left with it.",
            Query(expr=f"sum without (mode) ({grown('cleared_alerts_total')})", legend="{{by}}"),
            unit="short",
            is_stacked=True,
            width=8,
        ),
        graph(
            "Requests per payment",
            "Refetches that one payment cost, by the mode that its browser followed, as browsers told.",
            Query(expr=per_payment, legend="{{mode}}"),
            unit="short",
            width=8,
        ),
        graph(
            "Push did not do it",
            "Rescued: a poll cleared what push did not reach. Stale: a refetch after a push found the booking not paid.",
            Query(expr=grown("rescued_payments_total"), legend="rescued by a poll"),
            Query(expr=grown("stale_refetches_total"), legend="stale refetch"),
            unit="short",
            is_stacked=True,
            width=8,
        ),
        table(
            "Verdicts by browser, in the time shown",
            "How much of what each browser's reports say is bad: one browser alone points at that browser.",
            Query(expr=_verdicts("good"), form="table", is_instant=True),
            Query(expr=_verdicts("bad"), form="table", is_instant=True),
            key="browser",
            columns={"browser": "Browser", "Value #A": "Good", "Value #B": "Bad"},
            unit="short",
            defaults={"decimals": 0},
        ),
        table(
            "Verdicts by way, in the time shown",
            "The same by how the payer came: in the page, or by a redirect to the bank and back.",
            Query(expr=_verdicts("good", by="flow"), form="table", is_instant=True),
            Query(expr=_verdicts("bad", by="flow"), form="table", is_instant=True),
            key="flow",
            columns={"flow": "Way", "Value #A": "Good", "Value #B": "Bad"},
            unit="short",
            defaults={"decimals": 0},
        ),
        graph(
            "Payers of whom nothing is learned",
            "Channel auths, payments and reports that were dropped because there were too many users at once.",
            Query(expr=grown("payers_dropped_total"), legend="dropped"),
            unit="short",
            is_stacked=True,
        ),
    )


def _verdicts(verdict: str, *, by: str = "browser") -> str:
    return f"sum by ({by}) ({grown('payer_verdicts_total', window=RANGE, verdict=verdict)})"
