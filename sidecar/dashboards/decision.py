"""The dashboard *Decision*: the current rung, the gates of the next, evidence and alarms."""

from sidecar.dashboards.board import Board, Section
from sidecar.dashboards.overview import served
from sidecar.dashboards.panels import (
    BAD,
    CALM,
    GOOD,
    MODE_COLOURS,
    ODD,
    Panel,
    counts,
    graph,
    stat,
    states,
    table,
    words,
)
from sidecar.dashboards.queries import RANGE, Query, cells, folded, grown, series
from sidecar.dashboards.terms import Shown
from sidecar.wording import GATES, INDICATORS, SUSPENSIONS

_GATE = words({"0": ("closed", ODD), "1": ("passes", GOOD)})
_YES = words({"0": ("no", "transparent"), "1": ("yes", ODD)})
_COOLDOWN = folded("flag_cooldown_until_timestamp_seconds")


def board(shown: Shown) -> Board:
    """Return the dashboard."""
    return Board(
        name="decision",
        console="/decisions",
        title="Decision",
        description="The current rung, the gates of the next rung, evidence and alarms.",
        sections=(
            Section(title="Flag", panels=(*_states(shown), *_moves())),
            Section(title="Gates", panels=_gates()),
            Section(title="Evidence for a climb", panels=_evidence()),
            Section(title="Alarms", panels=_alarms()),
        ),
    )


def _states(shown: Shown) -> tuple[Panel, ...]:
    rungs = words({str(number): (name, MODE_COLOURS[mode]) for number, (mode, name) in enumerate(shown.ladder)})
    return (
        states(
            "Current rung",
            "The rung that the flag has climbed to. A fall sets it to 0; a suspension keeps it.",
            Query(expr=folded("flag_rung"), legend="current"),
            Query(expr=folded("flag_top_rung"), legend="top"),
            meanings=rungs,
            width=24,
            height=5,
            alert="ReverbSidecarStuck",
        ),
        served(
            "The mode that each replica answers to a user who is in every share. It can be lower than the current rung "
            "because of an alarm, a suspension or an expired lease.",
            height=6,
            width=12,
        ),
        states(
            "Reason, by replica",
            "The reason in each replica's answers.",
            Query(expr=f"{series('flag_reason')} == 1", legend="{{instance}}: {{reason}}"),
            meanings=words({"1": ("yes", CALM)}),
            height=6,
            width=12,
        ),
        states(
            "Suspended, by reason",
            "The reason for which push is suspended: all payers get timers, and the rung is kept. Only `reverb_unstable` counts "
            "towards a fall: the third within 24 hours.",
            Query(expr=folded("suspended"), legend="{{reason}}"),
            meanings=_YES,
            wording=SUSPENSIONS,
            height=10,
            alert="ReverbSidecarSuspended",
            width=12,
        ),
        states(
            "Other restrictions",
            "Latched alarms, an operator's hold, and the cool-down after a fall.",
            Query(expr=folded("alarm_latched"), legend="alarm: {{indicator}}"),
            Query(expr=folded("flag_held"), legend="hold"),
            Query(expr=f"{_COOLDOWN} > bool time()", legend="cool-down"),
            meanings=_YES,
            height=10,
            alert="ReverbSidecarBurningWithoutFalling",
            width=12,
        ),
    )


def _moves() -> tuple[Panel, ...]:
    return (
        table(
            "Moves in the selected time range",
            "Moves of the flag, by cause. The console shows the basis of each.",
            cells(f"sum by (cause, from_mode, to_mode) ({grown('flag_transitions_total', window=RANGE)}) > 0.5"),
            key="cause",
            columns={"cause": "Cause", "from_mode": "From", "to_mode": "To", "Value": "Moves"},
            unit="short",
            defaults={"decimals": 0},
            alert="ReverbSidecarFlapping",
            width=12,
        ),
        stat(
            "Cool-down remaining",
            "Time until the flag may climb again after the last fall; 0: no cool-down.",
            Query(expr=f"clamp_min({_COOLDOWN} - time(), 0)"),
            unit="s",
            steps=((None, GOOD), (1, ODD)),
            height=8,
        ),
        stat(
            "Strikes",
            "Falls that still count. Each doubles the next cool-down; a clean week halves it.",
            Query(expr=folded("flag_strikes")),
            unit="none",
            steps=((None, GOOD), (1, ODD)),
            height=8,
        ),
        stat(
            "Stale climbs",
            "Climbs in the selected time range that were not applied, because the state had changed since the decision. This is "
            "normal.",
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
            "Whether each gate passes; a gate that does not apply passes. All must pass for a climb. The console shows what each "
            "gate needs and the expected time.",
            Query(expr=folded("gate_satisfied"), legend="{{gate}}"),
            meanings=_GATE,
            wording=GATES,
            width=16,
            height=16,
            alert="ReverbSidecarStuck",
        ),
        graph(
            "Clean outcomes still needed",
            "Outcomes without a failure that would prove the target, by indicator; 0: it is proven.",
            Query(expr=folded("evidence_clean_outcomes_needed"), legend="{{indicator}}"),
            wording=INDICATORS,
        ),
        graph(
            "Payments in the coverage window",
            "By whether they could be judged.",
            Query(expr=folded("coverage_payments"), legend="judged: {{judged}}"),
            alert="ReverbSidecarCoverageLow",
        ),
    )


def _evidence() -> tuple[Panel, ...]:
    return (
        graph(
            "Proven reliability and target",
            "The lower bound of the reliability that the current epoch proves at the policy's risk. It is valid at any time. "
            "Dashed: the target.",
            Query(expr=folded("evidence_reliability_lower_bound_ratio"), legend="{{indicator}}"),
            Query(expr=folded("evidence_target_ratio"), legend="target {{indicator}}"),
            unit="percentunit",
            limits=("target .*",),
            defaults={"max": 1, "decimals": 2},
            width=12,
        ),
        graph(
            "Capital and required capital",
            "Natural logarithm of the capital of a bettor against the target reliability. Dashed: the capital that proves the "
            "target. It rises with every epoch, because less of the risk is left.",
            Query(expr=folded("evidence_log_capital"), legend="{{indicator}}"),
            Query(expr=folded("evidence_log_capital_needed"), legend="needed {{indicator}}"),
            unit="none",
            limits=("needed .*",),
            defaults={"min": None},
            width=12,
        ),
        graph(
            "Outcomes of the current epoch",
            "Good, bad and unmeasured outcomes by indicator. Doubtful payments are unmeasured ones that may have failed.",
            Query(expr=folded("evidence_outcomes"), legend="{{indicator}} {{verdict}}"),
        ),
        counts(
            "Bad outcomes",
            "By indicator, in all epochs.",
            Query(expr=grown("judged_outcomes_total", verdict="bad"), legend="{{indicator}}"),
            wording=INDICATORS,
        ),
        graph(
            "Epochs",
            "The epoch in which evidence is collected; a fall begins a new epoch.",
            Query(expr=folded("evidence_epoch"), legend="{{indicator}}"),
            unit="none",
            wording=INDICATORS,
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
            wording=INDICATORS,
            alert="ReverbSidecarBurningWithoutFalling",
        ),
        graph(
            "Alarm levels of payments, by degree of damage",
            "Each CUSUM is tuned to one reliability: `twice_allowed` to twice the failures that the target allows, 0.1 to an "
            "outage. Dashed: the threshold of the alarm.",
            Query(expr=folded("alarm_level_nats", indicator="payments"), legend="{{degree}}"),
            Query(expr=folded("alarm_threshold_nats", indicator="payments"), legend="threshold"),
            unit="none",
            limits=("threshold",),
        ),
    )
