"""Is push safe, what is served, and what do payers get? The first look of whoever was woken."""

from sidecar.core.facts.policy import SCHEDULES, Mode
from sidecar.dashboards.board import Board, Section, uid_of
from sidecar.dashboards.outcomes import outcomes
from sidecar.dashboards.panels import BAD, CALM, GOOD, MODE_WORDS, ODD, Json, Panel, graph, stat, states, table, words
from sidecar.dashboards.queries import JUDGED, RANGE, Query, failed_ratio, folded, foreign, grown, oldest_wait, series
from sidecar.dashboards.terms import Shown
from sidecar.rules.delivery import FAST, SLOW
from sidecar.rules.terms import number

_BUDGET_WINDOW = "30d"
_PAYMENTS, _DECISION, _ITSELF = uid_of("payments"), uid_of("decision"), uid_of("itself")
_PUSH = "push_with_safety_net|push_only"


def board(shown: Shown) -> Board:
    """Return the dashboard."""
    return Board(
        name="overview",
        title="Overview",
        description="Is push safe, what is served, and what do payers get?",
        sections=(
            Section(title="Is push safe?", panels=_safety(shown)),
            Section(title="What it is for: timers beside push, in the time shown", panels=_seed(shown)),
            Section(title="What happened", panels=_history(shown)),
        ),
    )


def served_rank() -> str:
    """Return the rank of the mode that each replica answers to a user who belongs to every share."""
    ranks = [f"{mode.rank} * {series('flag_mode', mode=mode)}" for mode in Mode if mode.rank]
    return " + ignoring (mode) ".join(ranks)


def _safety(shown: Shown) -> tuple[Panel, ...]:
    terms = shown.rules
    budget = number(terms.error_budget_ratio)
    return (
        stat(
            "Served",
            "The best mode that any replica answers to a user who belongs to every share. Push is answered only under a lease.",
            Query(expr=f"max without (instance, pod) ({served_rank()})"),
            unit="none",
            steps=((None, CALM),),
            meanings=MODE_WORDS,
            details=_DECISION,
            width=5,
        ),
        stat(
            "Rung held",
            "The rung of the ladder that was earned. What is served may be less, for a while.",
            Query(expr=folded("flag_rung")),
            unit="none",
            steps=((None, CALM), (terms.top_rung, GOOD)),
            meanings=words({str(rung): (name, CALM) for rung, (_, name) in enumerate(shown.ladder)}),
            details=_DECISION,
            width=5,
        ),
        stat(
            "Alarms raised",
            "Streams that became unreliable. While one is raised, timers are served.",
            Query(expr=f"sum without (indicator) ({folded('alarm_latched')})"),
            unit="none",
            steps=((None, GOOD), (1, BAD)),
            details=_DECISION,
            alert="ReverbSidecarBurningWithoutFalling",
            width=3,
        ),
        stat(
            "Error budget left",
            f"Of the payments of {_BUDGET_WINDOW} whose news may be late or lost ({100 * terms.error_budget_ratio:g}%), how much is "
            "left. Below 0 the objective is missed. With few payments one failure is a large part.",
            Query(expr=f"1 - ({failed_ratio(_BUDGET_WINDOW)}) / {budget}", is_instant=True),
            unit="percentunit",
            steps=((None, BAD), (0, ODD), (0.5, GOOD)),
            details=_PAYMENTS,
            alert="ReverbSidecarDeliveryEroding",
            width=4,
        ),
        stat(
            "Oldest payment without its news",
            "For how long the oldest payment has waited for its deciding ack; 0 where none waits.",
            Query(expr=oldest_wait()),
            unit="s",
            steps=((None, GOOD), (terms.on_time_within_s, ODD), (terms.missed_after_s, BAD)),
            details=_PAYMENTS,
            width=4,
        ),
        stat(
            "Scraped replicas",
            "Replicas that Prometheus reaches. Nothing here is to be trusted where one is missing.",
            Query(expr=f"sum without (instance, pod) ({foreign('up')})"),
            unit="none",
            steps=((None, BAD), (1, GOOD)),
            details=_ITSELF,
            alert="ReverbSidecarTargetGone",
            width=3,
        ),
    )


def _seed(shown: Shown) -> tuple[Panel, ...]:
    judged = f"sum({grown('payment_outcomes_total', window=RANGE, outcome=JUDGED)})"
    push = f"sum({grown('payment_outcomes_total', window=RANGE, outcome='on_time')}) / ({judged} > 0)"
    proven = f"max({folded('evidence_reliability_lower_bound_ratio', indicator='payments')})"
    return (
        table(
            "Timers beside push",
            "Reliability: of judged payments, how many the last timer would have found paid, and how many had their news by "
            "push on time. Requests per payment: as payers' browsers told, else what the schedule says, at most. "
            "Proven: the reliability that the present epoch proves.",
            _rows(f"{_timers_worked('paid')} or {_timers_worked('push')}", push),
            _rows(_requests(Mode.TIMER_POLLING, Mode.TIMER_POLLING), _requests(_PUSH, Mode.PUSH_ONLY)),
            Query(expr=_row(proven, "push"), form="table", is_instant=True),
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
        stat(
            "Payments judged",
            "Payments that say something about push.",
            Query(expr=judged, is_instant=True),
            unit="short",
            steps=((None, CALM),),
            height=6,
            details=_PAYMENTS,
            defaults={"decimals": 0},
        ),
        stat(
            "Rescued by a poll",
            "Payments whose alert a poll cleared and which push did not reach, as their browsers told: what timers still save.",
            Query(expr=f"sum({grown('rescued_payments_total', window=RANGE)})", is_instant=True),
            unit="short",
            steps=((None, GOOD), (1, ODD)),
            height=6,
            details=_PAYMENTS,
            defaults={"decimals": 0},
        ),
        stat(
            "Coverage",
            "Share of payments that could be judged. Too low, and nothing climbs; far too low, and the flag rests at timers.",
            Query(expr=folded("coverage_ratio")),
            unit="percentunit",
            steps=((None, BAD), (shown.coverage_floor_ratio, ODD), (shown.rules.coverage_ratio, GOOD)),
            height=6,
            details=_PAYMENTS,
            alert="ReverbSidecarCoverageLow",
        ),
    )


def _timers_worked(basis: str) -> str:
    """Return how reliable timers would have been, by what tells when a booking was paid."""
    name = "timers_would_have_worked_total"
    worked = f"sum({grown(name, window=RANGE, basis=basis, worked='true')})"
    return f"{worked} / (sum({grown(name, window=RANGE, basis=basis)}) > 0)"


def _requests(modes: str, mode: Mode) -> str:
    """Return the requests per payment: measured where browsers told of any, else those of the schedule."""
    refetches = f"sum({grown('refetches_total', window=RANGE, mode=modes)})"
    payments = f"sum({grown('reported_payments_total', window=RANGE, mode=modes)})"
    return f"{refetches} / ({payments} > 0) or vector({SCHEDULES[mode].requests_per_payment})"


def _rows(timers: str, push: str) -> Query:
    return Query(expr=f"{_row(timers, 'timers')} or {_row(push, 'push')}", form="table", is_instant=True)


def _row(expr: str, way: str) -> str:
    return f'label_replace({expr}, "way", "{way}", "", "")'


def _column(name: str, unit: str) -> Json:
    properties = [{"id": "unit", "value": unit}, {"id": "decimals", "value": 2}]
    return {"matcher": {"id": "byName", "options": name}, "properties": properties}


def _history(shown: Shown) -> tuple[Panel, ...]:
    terms = shown.rules
    return (
        states(
            "Served, by replica",
            "What each replica answered to a user who belongs to every share, and when.",
            Query(expr=served_rank(), legend="{{instance}}"),
            meanings=MODE_WORDS,
            width=24,
            height=5,
            details=_DECISION,
        ),
        outcomes(details=_PAYMENTS),
        graph(
            "Share of payments without their news in time",
            "Over the long and the short windows that the alerts look at. Dashed: where the budget is spent 14 and 6 times too fast. "
            "A share alone pages nobody: three payments must have failed.",
            *(Query(expr=failed_ratio(window), legend=window) for window in _windows()),
            unit="percentunit",
            steps=((None, GOOD), (FAST[1].ratio_max(terms), ODD), (FAST[0].ratio_max(terms), BAD)),
            alert="ReverbSidecarDeliveryBurning",
            details=_PAYMENTS,
        ),
    )


def _windows() -> tuple[str, ...]:
    return tuple(dict.fromkeys(window for tier in (*FAST, *SLOW) for window in (tier.short, tier.long)))
