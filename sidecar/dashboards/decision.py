"""What is proven, what is missing, what alarms, and where does the flag stand?"""

from typing import Final

from sidecar.dashboards.board import Board, Section
from sidecar.dashboards.overview import served_rank
from sidecar.dashboards.panels import (
    BAD,
    CALM,
    GOOD,
    MODE_COLOURS,
    MODE_WORDS,
    ODD,
    Panel,
    graph,
    stat,
    states,
    table,
    words,
)
from sidecar.dashboards.queries import RANGE, Query, folded, grown, series
from sidecar.dashboards.terms import Shown

CALM_BELOW: Final = 0.5
"""`Cusum.is_calm`: the share of its threshold below which a level is calm."""
_GATE = words({"0": ("closed", ODD), "1": ("open", GOOD)})
_SO = words({"0": ("no", "transparent"), "1": ("yes", ODD)})


def board(shown: Shown) -> Board:
    """Return the dashboard."""
    return Board(
        name="decision",
        title="Decision",
        description="What is proven, what is missing, what alarms, and where does the flag stand?",
        sections=(
            Section(title="Where the flag stands", panels=_ladder(shown)),
            Section(title="What is missing for the next rung", panels=_gates()),
            Section(title="Evidence: the climb", panels=_evidence()),
            Section(title="Alarms: the fall", panels=_alarms()),
        ),
    )


def _ladder(shown: Shown) -> tuple[Panel, ...]:
    rungs = words({str(number): (name, MODE_COLOURS[mode]) for number, (mode, name) in enumerate(shown.ladder)})
    until = folded("flag_cooldown_until_timestamp_seconds")
    why = f"{series('flag_reason')} == 1"
    return (
        states(
            "Ladder: the rung that is held",
            "What was earned. It falls to 0 on an alarm, and stays where it is through suspensions.",
            Query(expr=folded("flag_rung"), legend="held"),
            Query(expr=folded("flag_top_rung"), legend="the top"),
            meanings=rungs,
            width=24,
            height=5,
            alert="ReverbSidecarStuck",
        ),
        states(
            "Served, by replica",
            "What each replica answered to a user who belongs to every share. Between the rung and this lie alarm, suspension and lease.",
            Query(expr=served_rank(), legend="{{instance}}"),
            meanings=MODE_WORDS,
            width=12,
            height=6,
        ),
        states(
            "Why, by replica",
            "The reason that stands in the answers.",
            Query(expr=why, legend="{{instance}}: {{reason}}"),
            meanings=words({"1": ("so", CALM)}),
            width=12,
            height=6,
        ),
        states(
            "Posture: what keeps it from more",
            "Alarms, the reason for a suspension, a person's hold, and the cool-down after a fall.",
            Query(expr=folded("alarm_latched"), legend="alarm: {{indicator}}"),
            Query(expr=folded("suspended"), legend="suspended: {{reason}}"),
            Query(expr=folded("flag_held"), legend="held by a person"),
            Query(expr=f"{until} > bool time()", legend="cool-down"),
            meanings=_SO,
            width=24,
            height=13,
            alert="ReverbSidecarSuspended",
        ),
        table(
            "Moves, in the time shown",
            "Every move of the flag, by what caused it. The console says of each what it was based on.",
            Query(
                expr=f"sum by (cause, from_mode, to_mode) ({grown('flag_transitions_total', window=RANGE)}) > 0.5",
                form="table",
                is_instant=True,
            ),
            key="cause",
            columns={"cause": "Cause", "from_mode": "From", "to_mode": "To", "Value": "Moves"},
            unit="short",
            defaults={"decimals": 0},
            alert="ReverbSidecarFlapping",
        ),
        stat(
            "Cool-down left",
            "For how long nothing climbs after the last fall; 0: it is over.",
            Query(expr=f"clamp_min({until} - time(), 0)"),
            unit="s",
            steps=((None, GOOD), (1, ODD)),
            height=8,
        ),
        stat(
            "Strikes",
            "Falls that are not forgotten yet; each doubles the next cool-down, and a clean week halves it.",
            Query(expr=folded("flag_strikes")),
            unit="none",
            steps=((None, GOOD), (1, ODD)),
            height=8,
        ),
        stat(
            "Climbs that came too late",
            "Climbs that were ignored because something had moved since they were decided, in the time shown. It is how it should be.",
            Query(expr=grown("stale_climbs_total", window=RANGE), is_instant=True),
            unit="none",
            steps=((None, CALM),),
            height=8,
            defaults={"decimals": 0},
        ),
    )


def _gates() -> tuple[Panel, ...]:
    return (
        states(
            "Gates of the next rung",
            "Open: it holds, or does not apply. All must be open for a climb; the console says what each still needs, and when.",
            Query(expr=folded("gate_satisfied"), legend="{{gate}}"),
            meanings=_GATE,
            width=16,
            height=16,
            alert="ReverbSidecarStuck",
        ),
        graph(
            "Clean outcomes still needed",
            "Outcomes without a failure that would prove the target, by indicator; 0: it is proven.",
            Query(expr=folded("evidence_clean_outcomes_needed"), legend="{{indicator}}"),
            unit="short",
            width=8,
            height=8,
        ),
        graph(
            "Payments that coverage is taken from",
            "By whether they could be judged.",
            Query(expr=folded("coverage_payments"), legend="judged: {{judged}}"),
            unit="short",
            width=8,
            height=8,
            alert="ReverbSidecarCoverageLow",
        ),
    )


def _evidence() -> tuple[Panel, ...]:
    return (
        graph(
            "Proven reliability, and the target",
            "The lower bound that the present epoch proves, whenever one looks, at the risk that the policy allows. Dashed: what must be proven.",
            Query(expr=folded("evidence_reliability_lower_bound_ratio"), legend="{{indicator}}"),
            Query(expr=folded("evidence_target_ratio"), legend="target {{indicator}}"),
            unit="percentunit",
            limits=("target .*",),
            defaults={"max": 1, "decimals": 2},
        ),
        graph(
            "Capital, and what is needed",
            "Natural logarithm of the capital of a bettor who bets that the indicator is better than its target. Dashed: from there on it is proven; "
            "higher with every epoch, because less of the risk is left.",
            Query(expr=folded("evidence_log_capital"), legend="{{indicator}}"),
            Query(expr=folded("evidence_log_capital_needed"), legend="needed {{indicator}}"),
            unit="none",
            limits=("needed .*",),
            defaults={"min": None},
        ),
        graph(
            "Outcomes of the present epoch",
            "Good, bad and unmeasured, by indicator; in the worst case what is unmeasured was bad.",
            Query(expr=folded("evidence_outcomes"), legend="{{indicator}} {{verdict}}"),
            unit="short",
            width=8,
        ),
        graph(
            "Bad outcomes as they are judged",
            "By indicator, in all epochs.",
            Query(expr=grown("judged_outcomes_total", verdict="bad"), legend="{{indicator}}"),
            unit="short",
            is_stacked=True,
            width=8,
        ),
        graph(
            "Epochs",
            "The epoch that evidence is collected in; a fall begins a new one.",
            Query(expr=folded("evidence_epoch"), legend="{{indicator}}"),
            unit="none",
            width=8,
        ),
    )


def _alarms() -> tuple[Panel, ...]:
    return (
        graph(
            "Alarm levels",
            "The highest alarm CUSUM of each indicator as a share of its threshold. At 1 the alarm is raised.",
            Query(expr=folded("alarm_level_ratio"), legend="{{indicator}}"),
            unit="percentunit",
            steps=((None, GOOD), (1, BAD)),
            width=8,
            alert="ReverbSidecarBurningWithoutFalling",
        ),
        graph(
            "Recent failures",
            f"The CUSUM of recent failures as a share of its threshold. From {CALM_BELOW:g} on nothing climbs.",
            Query(expr=folded("recent_level_ratio"), legend="{{indicator}}"),
            unit="percentunit",
            steps=((None, GOOD), (CALM_BELOW, ODD)),
            width=8,
        ),
        graph(
            "Alarms of payments, by the damage that they detect",
            "Each is tuned to one reliability: `mildest` is what the policy calls unacceptable, 0.1 an outage. Dashed: where any of them raises the alarm.",
            Query(expr=folded("alarm_level_nats", indicator="payments"), legend="{{degree}}"),
            Query(expr=folded("alarm_threshold_nats", indicator="payments"), legend="threshold"),
            unit="none",
            limits=("threshold",),
            width=8,
        ),
    )
