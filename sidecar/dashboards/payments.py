"""The dashboard *Payments*: latency, outcomes, acks, and the reports of payers' browsers."""

from sidecar.core.fold import votes
from sidecar.core.statistics.indicators import REACH
from sidecar.dashboards.board import Board, Section
from sidecar.dashboards.outcomes import outcomes
from sidecar.dashboards.panels import BAD, CALM, GOOD, ODD, Panel, count_table, counts, graph, heat_map
from sidecar.dashboards.queries import (
    FAILED,
    JUDGED,
    RANGE,
    RATE,
    Query,
    counted,
    failed_ratio,
    folded,
    grown,
    oldest_wait,
    series,
)
from sidecar.dashboards.terms import Shown
from sidecar.rules.delivery import FAILED_MIN, FAST, REPORTERS_MIN, SLOW
from sidecar.rules.terms import Terms, number
from sidecar.wording import STAGES, UNMEASURED

_LATENCY = "webhook_to_broadcast_seconds"
_TYPICAL = 0.5


def board(shown: Shown) -> Board:
    """Return the dashboard."""
    terms = shown.rules
    return Board(
        name="payments",
        console="/payments",
        title="Payments",
        description="Do payers receive the broadcasts of their payments by push, and what do their browsers report?",
        sections=(
            Section(title="From the webhook to the broadcast", panels=(*_latency(terms), *_waiting(terms))),
            Section(title="Outcomes", panels=(*_outcomes(terms), *_left_out(), *_tables(terms))),
            Section(title="Acks", panels=_acks()),
            Section(title="Reach: reports of payers' browsers", panels=(*_reports(), *_effects(), *_verdicts())),
        ),
    )


def _latency(terms: Terms) -> tuple[Panel, ...]:
    buckets = f"sum by (le) ({grown(f'{_LATENCY}_bucket')})"
    quantiles = tuple(
        Query(expr=f"histogram_quantile({part}, {buckets})", legend=f"{part:.0%}", has_exemplars=part == _TYPICAL)
        for part in (_TYPICAL, 0.95, 0.99)
    )
    return (
        heat_map(
            f"Latency (on time: below {terms.on_time_within_s:g} s)",
            "Time from the webhook to the broadcast, for judged payments with a broadcast. On time is everything below the edge that "
            f"the axis names, at {terms.on_time_within_s:g} s. Payments without a broadcast are not included: see the outcomes. "
            "A point is one payment: its `payment` is the `payment_ref` in that payment's log line.",
            Query(expr=buckets, legend="{{le}}", form="heatmap", has_exemplars=True),
            edges={terms.on_time_within_s: f"▼ on time: {terms.on_time_within_s:g} s"},
            height=10,
            alert="ReverbSidecarDeliveryBurning",
            width=12,
        ),
        graph(
            "Latency percentiles and objectives",
            "50th, 95th and 99th percentile. Dashed: payments are on time below the first objective, and missed from the second. "
            "A percentile is interpolated within its bucket.",
            *quantiles,
            Query(expr=f"max by (objective) ({folded('objective_seconds')})", legend="objective {{objective}}"),
            unit="s",
            limits=("objective .*",),
            height=10,
            width=12,
        ),
    )


def _waiting(terms: Terms) -> tuple[Panel, ...]:
    return (
        graph(
            "Oldest payment without a broadcast",
            "It rises as soon as broadcasts stop, before any payment is judged. Dashed: a payment is late, and missed.",
            Query(expr=oldest_wait(), legend="oldest"),
            unit="s",
            steps=((None, GOOD), (terms.on_time_within_s, ODD), (terms.missed_after_s, BAD)),
            height=6,
        ),
        graph(
            "Open payments and waiting acks",
            "Payments, and acks without a payment, that are kept because more may arrive; and acks that wait for their payments.",
            Query(expr=folded("kept_payments"), legend="open"),
            Query(expr=folded("waiting_acks"), legend="waiting acks"),
            height=6,
        ),
        graph(
            "Judged payments and latency samples",
            "Judged payments, and those with a latency in the histogram. The difference is the payments without a broadcast.",
            Query(expr=f"sum without (outcome) ({grown('payment_outcomes_total', outcome=JUDGED)})", legend="judged"),
            Query(
                expr=f"max without (instance, pod) (increase({series(f'{_LATENCY}_count')}[{RATE}]))",
                legend="with a latency",
            ),
            height=6,
        ),
    )


def _outcomes(terms: Terms) -> tuple[Panel, ...]:
    return (
        outcomes(),
        _burn_rate(terms),
        counts(
            "Unmeasured payments by reason",
            "Payments that could not be judged.",
            Query(expr=grown("unmeasured_payments_total"), legend="{{reason}}"),
            wording=UNMEASURED,
            alert="ReverbSidecarCoverageLow",
        ),
        graph(
            "Coverage",
            "Share of payments that could be judged. Below `climb` the flag does not climb; below `suspend` push is suspended.",
            Query(expr=folded("coverage_ratio"), legend="coverage"),
            Query(expr=f"max by (threshold) ({folded('coverage_threshold_ratio')})", legend="limit {{threshold}}"),
            unit="percentunit",
            limits=("limit .*",),
            defaults={"max": 1},
            alert="ReverbSidecarCoverageLow",
        ),
        graph(
            "Failed payments of the last hour",
            f"Late or missed. {FAILED_MIN} on this line are three payments, the minimum of every alert about delivery.",
            Query(
                expr=f"sum without (outcome) ({grown('payment_outcomes_total', window='1h', outcome=FAILED)})",
                legend="failed",
            ),
            steps=((None, GOOD), (float(FAILED_MIN), ODD)),
            alert="ReverbSidecarDeliveryBurning",
        ),
    )


def _burn_rate(terms: Terms) -> Panel:
    """Return the panel of what the alerts about delivery compare: each pair of windows, and its limit."""
    budget = number(terms.error_budget_ratio)
    tiers = (*FAST, *SLOW)
    limits = sorted(round(tier.ratio_max(terms) / terms.error_budget_ratio, 2) for tier in tiers)
    return graph(
        "Burn rate of the error budget",
        "How many times faster than allowed the error budget is spent, in the quieter of an alert's two windows. Each line has its own "
        f"limit (dashed): {', '.join(f'{tier.rate:g} over {tier.long}' for tier in tiers)}. At 1 the budget lasts exactly its 30 days.",
        *(
            Query(expr=f"{_lesser(tier.long, tier.short)} / {budget}", legend=f"{tier.long} and {tier.short}")
            for tier in tiers
        ),
        steps=((None, GOOD), *zip(limits, (CALM, ODD, ODD, BAD), strict=True)),
        alert="ReverbSidecarDeliveryEroding",
    )


def _lesser(long: str, short: str) -> str:
    """Return the lesser of the failed shares in two windows."""
    return f"(({failed_ratio(long)} < {failed_ratio(short)}) or ({failed_ratio(short)}))"


def _left_out() -> tuple[Panel, ...]:
    return (
        counts(
            "Payments that timers would have served",
            "Judged payments by whether the last timer, five seconds after the payment, would have found the booking paid; and the "
            "source of the time at which it was paid.",
            Query(expr=grown("timers_would_have_worked_total"), legend="worked: {{worked}} ({{basis}})"),
        ),
        counts(
            "Ignored and skipped payments",
            "Payments that are left out, by reason. A payment that the filter ignored and that received an ack shows that the "
            "filter is wrong.",
            Query(expr=grown("ignored_payments_total"), legend="ignored: {{reason}}"),
            Query(expr=grown("skipped_payments_total"), legend="skipped: {{reason}}"),
            Query(expr=grown("filter_contradictions_total"), legend="the filter is wrong"),
        ),
    )


def _tables(terms: Terms) -> tuple[Panel, ...]:
    return (
        count_table(
            "Payments by outcome in the selected time range",
            f"Judged outcomes are {JUDGED.replace('|', ', ')}. Whole payments, to the precision of scrapes.",
            "outcome",
            "Outcome",
            {"Payments": f"sum by (outcome) ({grown('payment_outcomes_total', window=RANGE)})"},
        ),
        count_table(
            "Unmeasured payments in the selected time range",
            f"By reason. On time is below {terms.on_time_within_s:g} s, missed from {terms.missed_after_s:g} s.",
            "reason",
            "Reason",
            {"Payments": f"sum by (reason) ({grown('unmeasured_payments_total', window=RANGE)})"},
        ),
    )


def _acks() -> tuple[Panel, ...]:
    return (
        counts(
            "Acks by stage",
            "The stages that payments reached, from the backend, the observers and payers' browsers.",
            Query(expr=grown("acks_total"), legend="{{stage}}"),
            wording=STAGES,
            width=12,
        ),
        counts(
            "Unmatched and lost acks",
            "Unknown: the payment never arrived. Unaccounted: such a payment, or one without a booking, counts against coverage. "
            "Dropped: too many waited. Lost: removed from a source before the sidecar read them. Other names: why acks count for no payment.",
            Query(expr=grown("unknown_acks_total"), legend="unknown"),
            Query(expr=grown("unaccounted_payments_total"), legend="unaccounted"),
            Query(expr=grown("dropped_acks_total"), legend="dropped"),
            Query(expr=grown("acks_lost_total"), legend="lost"),
            Query(expr=f"{counted('mismatched_acks_total')} > 0", legend="{{reason}}"),
            alert="ReverbSidecarAcksLost",
            width=12,
        ),
    )


def _reports() -> tuple[Panel, ...]:
    return (
        counts(
            "Browser reports by outcome",
            "Good and bad reports are votes; the others do not count for or against push.",
            Query(expr=grown("payer_reports_total"), legend="{{outcome}}"),
            colours={"good": GOOD, "bad": BAD},
        ),
        graph(
            "Payers who report that push failed",
            "Users with a bad report since the alarm was last at zero. Dashed: the limit of the ticket, and the number from which a "
            "raised alarm makes the flag fall.",
            Query(expr=folded("reach_reporters"), legend="reporters"),
            steps=((None, GOOD), (REPORTERS_MIN, ODD), (votes.REPORTERS_MIN[REACH], BAD)),
            alert="ReverbSidecarReachDegraded",
        ),
        graph(
            "Payers on the current rung",
            "Payers who were served the current rung and reported it, by flow. A push rung requires a minimum before the next climb.",
            Query(expr=folded("payers_on_rung"), legend="{{flow}}"),
        ),
        graph(
            "Payers who answer",
            "Share of the payments with a payer present whose payer answered: by a browser report (reach), or by a channel request "
            "that the backend reported (user_auth). Dashed: what push_only needs, and where it is suspended and resumes.",
            Query(expr=_answered_ratio(), legend="{{indicator}}"),
            Query(
                expr=f"max by (threshold) ({folded('payer_coverage_threshold_ratio')})", legend="limit {{threshold}}"
            ),
            unit="percentunit",
            limits=("limit .*",),
            defaults={"max": 1},
            alert="ReverbSidecarSuspended",
        ),
        graph(
            "Payments in payer coverage",
            "By indicator, and by whether the payer answered. Over the larger of 24 hours and the last 200 payments.",
            Query(expr=folded("payer_coverage_payments"), legend="{{indicator}} answered: {{answered}}"),
        ),
        counts(
            "Payments without a payer",
            "Payments for which no payer waits, as Stripe's event shows. They are not in payer coverage.",
            Query(expr=grown("payments_without_payer_total"), legend="{{reason}}"),
        ),
    )


def _answered_ratio() -> str:
    by_indicator = f"sum by (indicator) ({folded('payer_coverage_payments')})"
    return f"max by (indicator) ({folded('payer_coverage_payments', answered='true')}) / ({by_indicator} > 0)"


def _effects() -> tuple[Panel, ...]:
    per_payment = f"{grown('refetches_total')} / ({grown('reported_payments_total')} > 0)"
    return (
        counts(
            "Cleared alerts by cause",
            "In all modes. `never`: the payer's alert was not cleared.",
            Query(expr=f"sum without (mode) ({grown('cleared_alerts_total')})", legend="{{by}}"),
        ),
        graph(
            "Requests per payment",
            "Refetches per payment, by the mode that the browser followed, as reported by browsers.",
            Query(expr=per_payment, legend="{{mode}}"),
        ),
        counts(
            "Rescued payments and stale refetches",
            "Rescued: a poll cleared the alert and push did not reach the browser. Stale: a refetch after a push found the booking "
            "not paid.",
            Query(expr=grown("rescued_payments_total"), legend="rescued by a poll"),
            Query(expr=grown("stale_refetches_total"), legend="stale refetch"),
        ),
    )


def _verdicts() -> tuple[Panel, ...]:
    return (
        count_table(
            "Verdicts by browser in the selected time range",
            "Good and bad reports of each browser. Bad reports of a single browser point to that browser.",
            "browser",
            "Browser",
            {"Good": _by("browser", "good"), "Bad": _by("browser", "bad")},
            width=12,
        ),
        count_table(
            "Verdicts by flow in the selected time range",
            "The same by flow: in the page, or a redirect to the bank and back.",
            "flow",
            "Flow",
            {"Good": _by("flow", "good"), "Bad": _by("flow", "bad")},
            width=12,
        ),
        counts(
            "Dropped payer data",
            "Channel auths, payments and reports that were not evaluated, because there were too many users at once.",
            Query(expr=grown("payers_dropped_total"), legend="dropped"),
            width=12,
        ),
    )


def _by(label: str, verdict: str) -> str:
    return f"sum by ({label}) ({grown('payer_verdicts_total', window=RANGE, verdict=verdict)})"
