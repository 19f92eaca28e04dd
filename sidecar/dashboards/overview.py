"""The dashboard *Overview*: whether push is safe, what is served, and what payers get. The first page after an alert."""

from typing import Any

from sidecar.core.facts.policy import SCHEDULES, Mode
from sidecar.dashboards.board import Board, Section, uid_of
from sidecar.dashboards.outcomes import outcomes
from sidecar.dashboards.panels import BAD, CALM, GOOD, MODE_WORDS, ODD, Json, Panel, graph, stat, states, table, words
from sidecar.dashboards.queries import (
    JUDGED,
    RANGE,
    Query,
    cells,
    failed_ratio,
    folded,
    foreign,
    grown,
    oldest_wait,
    series,
)
from sidecar.dashboards.terms import Shown
from sidecar.rules.delivery import FAST, SLOW
from sidecar.rules.terms import Terms, number

_BUDGET_WINDOW = "30d"
_PAYMENTS, _DECISION, _ITSELF = uid_of("payments"), uid_of("decision"), uid_of("itself")
_PUSH = "|".join(mode for mode in Mode if mode is not Mode.TIMER_POLLING)


def board(shown: Shown) -> Board:
    """Return the dashboard."""
    return Board(
        name="overview",
        title="Overview",
        description="Is push safe, what is served, and what do payers get?",
        sections=(
            Section(title="Status", panels=(*_flag(shown), *_payments(shown.rules))),
            Section(title="Timers and push in the selected time range", panels=_comparison(shown)),
            Section(title="History", panels=_history(shown.rules)),
        ),
    )


def served(description: str, **more: Any) -> Panel:
    """Return the panel with the mode of each replica, which two dashboards share."""
    query = Query(expr=_served_rank(), legend="{{instance}}")
    return states("Mode served, by replica", description, query, meanings=MODE_WORDS, **more)


def _served_rank() -> str:
    """Return the rank of the mode that each replica answers to a user who is in every share."""
    ranks = [f"{mode.rank} * {series('flag_mode', mode=mode)}" for mode in Mode if mode.rank]
    return " + ignoring (mode) ".join(ranks)


def _flag(shown: Shown) -> tuple[Panel, ...]:
    return (
        stat(
            "Mode served",
            "The highest mode that any replica answers to a user who is in every share. Push is answered only under a lease.",
            Query(expr=f"max without (instance, pod) ({_served_rank()})"),
            unit="none",
            steps=((None, CALM),),
            meanings=MODE_WORDS,
            details=_DECISION,
            width=5,
        ),
        stat(
            "Current rung",
            "The rung that the flag has climbed to. The served mode can be lower for a while.",
            Query(expr=folded("flag_rung")),
            unit="none",
            steps=((None, CALM), (shown.rules.top_rung, GOOD)),
            meanings=words({str(rung): (name, CALM) for rung, (_, name) in enumerate(shown.ladder)}),
            details=_DECISION,
            width=5,
        ),
        stat(
            "Alarms raised",
            "Indicators that became unreliable. While an alarm is raised, timers are served.",
            Query(expr=f"sum without (indicator) ({folded('alarm_latched')})"),
            unit="none",
            steps=((None, GOOD), (1, BAD)),
            details=_DECISION,
            alert="ReverbSidecarBurningWithoutFalling",
            width=3,
        ),
    )


def _payments(terms: Terms) -> tuple[Panel, ...]:
    return (
        stat(
            "Error budget remaining",
            f"The unused part of the error budget: {100 * terms.error_budget_ratio:g}% of the payments of {_BUDGET_WINDOW} may be "
            "late or missed. Below 0 the objective is missed. With few payments a single failure uses a large part.",
            Query(expr=f"1 - ({failed_ratio(_BUDGET_WINDOW)}) / {number(terms.error_budget_ratio)}", is_instant=True),
            unit="percentunit",
            steps=((None, BAD), (0, ODD), (0.5, GOOD)),
            details=_PAYMENTS,
            alert="ReverbSidecarDeliveryEroding",
        ),
        stat(
            "Oldest payment without a broadcast",
            "For how long the oldest payment has waited for its deciding ack; 0 if none waits.",
            Query(expr=oldest_wait()),
            unit="s",
            steps=((None, GOOD), (terms.on_time_within_s, ODD), (terms.missed_after_s, BAD)),
            details=_PAYMENTS,
        ),
        stat(
            "Scraped replicas",
            "Replicas that Prometheus can scrape. If one is missing, no other panel is reliable.",
            Query(expr=f"sum without (instance, pod) ({foreign('up')})"),
            unit="none",
            steps=((None, BAD), (1, GOOD)),
            details=_ITSELF,
            alert="ReverbSidecarTargetGone",
            width=3,
        ),
    )


def _comparison(shown: Shown) -> tuple[Panel, ...]:
    judged = f"sum({grown('payment_outcomes_total', window=RANGE, outcome=JUDGED)})"
    push = f"sum({grown('payment_outcomes_total', window=RANGE, outcome='on_time')}) / ({judged} > 0)"
    proven = f"max({folded('evidence_reliability_lower_bound_ratio', indicator='payments')})"
    return (
        table(
            "Timers and push compared",
            "Reliability: the share of judged payments that the last timer would have found paid, and the share with an on-time "
            "broadcast. Requests per payment: as reported by payers' browsers, otherwise the maximum of the schedule. Proven: the "
            "reliability that the current epoch proves.",
            _rows(f"{_timers_worked('paid')} or {_timers_worked('push')}", push),
            _rows(_requests(Mode.TIMER_POLLING, Mode.TIMER_POLLING), _requests(_PUSH, Mode.PUSH_ONLY)),
            cells(_row(proven, "push")),
            key="way",
            columns={"way": "Way", "Value #A": "Reliability", "Value #B": "Requests per payment", "Value #C": "Proven"},
            overrides=(
                _column("Reliability", "percentunit"),
                _column("Requests per payment", "short"),
                _column("Proven", "percentunit"),
            ),
            unit="short",
            width=12,
            height=6,
            details=_PAYMENTS,
        ),
        _total("Judged payments", "Payments that were judged, and are not unmeasured.", judged, ((None, CALM),)),
        _total(
            "Rescued by a poll",
            "Payments with an alert that a poll cleared and push did not reach, as reported by browsers: the remaining benefit of "
            "timers.",
            f"sum({grown('rescued_payments_total', window=RANGE)})",
            ((None, GOOD), (1, ODD)),
        ),
        stat(
            "Coverage",
            "Share of payments that could be judged. Below the policy's limit the flag does not climb; below the floor push is "
            "suspended.",
            Query(expr=folded("coverage_ratio")),
            unit="percentunit",
            steps=((None, BAD), (shown.coverage_floor_ratio, ODD), (shown.rules.coverage_ratio, GOOD)),
            height=6,
            details=_PAYMENTS,
            alert="ReverbSidecarCoverageLow",
        ),
    )


def _total(title: str, description: str, expr: str, steps: tuple[tuple[float | None, str], ...]) -> Panel:
    return stat(
        title,
        description,
        Query(expr=expr, is_instant=True),
        unit="short",
        steps=steps,
        height=6,
        details=_PAYMENTS,
        defaults={"decimals": 0},
    )


def _timers_worked(basis: str) -> str:
    """Return how reliable timers would have been; `basis` is the source of the time at which the booking was paid."""
    name = "timers_would_have_worked_total"
    worked = f"sum({grown(name, window=RANGE, basis=basis, worked='true')})"
    return f"{worked} / (sum({grown(name, window=RANGE, basis=basis)}) > 0)"


def _requests(modes: str, mode: Mode) -> str:
    """Return the requests per payment: as reported by browsers, otherwise those of the schedule."""
    refetches = f"sum({grown('refetches_total', window=RANGE, mode=modes)})"
    payments = f"sum({grown('reported_payments_total', window=RANGE, mode=modes)})"
    return f"{refetches} / ({payments} > 0) or vector({SCHEDULES[mode].requests_per_payment})"


def _rows(timers: str, push: str) -> Query:
    return cells(f"{_row(timers, 'timers')} or {_row(push, 'push')}")


def _row(expr: str, way: str) -> str:
    return f'label_replace({expr}, "way", "{way}", "", "")'


def _column(name: str, unit: str) -> Json:
    properties = [{"id": "unit", "value": unit}, {"id": "decimals", "value": 2}]
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def _history(terms: Terms) -> tuple[Panel, ...]:
    windows = dict.fromkeys(window for tier in (*FAST, *SLOW) for window in (tier.short, tier.long))
    return (
        served(
            "The mode that each replica answers to a user who is in every share.", width=24, height=5, details=_DECISION
        ),
        outcomes(details=_PAYMENTS, width=12),
        graph(
            "Failed share of payments",
            "Share of judged payments that were late or missed, over the alerts' long and short windows. Dashed: the budget is spent "
            "14 and 6 times too fast. An alert also requires three failed payments.",
            *(Query(expr=failed_ratio(window), legend=window) for window in windows),
            unit="percentunit",
            steps=((None, GOOD), (FAST[1].ratio_max(terms), ODD), (FAST[0].ratio_max(terms), BAD)),
            alert="ReverbSidecarDeliveryBurning",
            details=_PAYMENTS,
            width=12,
        ),
    )
