"""The ladder, the gates of its next rung, and the proof behind them."""

import msgspec

from sidecar.console import labels as words
from sidecar.console.explanation import remedy_of
from sidecar.console.labels import Moment, moment
from sidecar.console.page.front import Tone
from sidecar.console.status import IndicatorStatus, Status
from sidecar.core.decision.gates import Gate, duration
from sidecar.core.facts.policy import Lifecycle, Mode
from sidecar.core.fold.state import State


class RungRow(msgspec.Struct, frozen=True, kw_only=True):
    """One rung."""

    number: int
    mode: Mode
    name: str
    share: str
    place: str
    """`climbed`, `held`, `next` or `later`."""
    conditions: str
    """What the rung asks for beyond proof."""


class GateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One gate of the next rung."""

    name: str
    """As machines and the command line call it."""
    label: str
    value: str
    target: str
    tone: Tone
    passes: bool
    needs: str
    remedy: str
    """What somebody can do about it; empty: it holds."""
    expected: Moment | None
    done_ratio: float | None
    """How far it is, from 0 to 1; None: it is not a matter of more."""


class IndicatorRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one indicator's outcomes prove."""

    name: str
    label: str
    outcomes: str
    bound: str
    bound_ratio: float
    target: str
    target_ratio: float
    epoch: str
    state: str
    tone: Tone


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """The ladder and what is missing for its next rung."""

    rungs: tuple[RungRow, ...]
    is_off: bool
    """`lifecycle: removed`."""
    following: str
    """The next rung in words; empty: the top is held."""
    gates: tuple[GateRow, ...]
    holding: int
    """How many of the gates hold."""
    indicators: tuple[IndicatorRow, ...]


_STREAMS = {
    "payments": "Payments in time",
    "round_trips": "Round trips through Reverb",
    "channel_auth": "The probe user's channel auth",
    "user_auth": "Payers' channel auth",
    "reach": "Payers' browsers reached",
}
_GATES = {
    "alarm": "No alarm",
    "suspension": "Push is not suspended",
    "isolation": "Other users' channels refuse the probe",
    "hold": "Nobody holds",
    "freeze": "No freeze",
    "cooldown": "The cool-down is over",
    "soak": "Held for long enough",
    "coverage": "Enough could be judged",
    "exact": "Acks name their payments",
    "stage": "Judged at delivery",
    "payers_on_rung": "Enough payers were served this rung",
    "worst_case": "Good enough in the worst case",
    "approval": "A person approves",
}


def indicator_label(name: str) -> str:
    """Return a indicator's name for people."""
    return _STREAMS.get(name, words.name(name))


def gate_label(name: str) -> str:
    """Return the condition that a gate is, as a statement that is true when it holds."""
    for prefix, said in (("recent_", "Clean lately"), ("evidence_", "Proven")):
        if name.startswith(prefix):
            label = indicator_label(name.removeprefix(prefix))
            return f"{said}: {label[:1].lower()}{label[1:]}"
    return _GATES.get(name, words.name(name))


def ladder(status: Status, state: State) -> Ladder:
    """Return the ladder as it stands."""
    following = status.rung + 1
    gates = tuple(_gate(gate, status, state) for gate in status.gates)
    return Ladder(
        rungs=tuple(_rungs(status)),
        is_off=status.lifecycle is Lifecycle.REMOVED,
        following=words.rung(status.ladder[following]) if following < len(status.ladder) else "",
        gates=tuple(sorted(gates, key=lambda gate: gate.passes)),  # stable: what is missing comes first
        holding=sum(gate.passes for gate in gates),
        indicators=tuple(
            _indicator(indicator)
            for indicator in status.indicators
            if indicator.good or indicator.bad or indicator.unmeasured
        ),
    )


def _rungs(status: Status) -> list[RungRow]:
    places = {status.rung: "held", status.rung + 1: "next"}
    rows = []
    for number, rung in enumerate(status.ladder):
        asks = []
        if rung.approval_required:
            asks.append("needs approval")
        if rung.soak_ms and number + 1 < len(status.ladder):
            asks.append(f"held at least {duration(rung.soak_ms)}")
        rows.append(
            RungRow(
                number=number,
                mode=rung.mode,
                name=words.MODES[rung.mode],
                share=words.share(rung.share_ppm),
                place=places.get(number, "climbed" if number < status.rung else "later"),
                conditions=", ".join(asks),
            )
        )
    return rows


def _gate(gate: Gate, status: Status, state: State) -> GateRow:
    expected = None if gate.expected_ms is None or gate.passes else moment(gate.expected_ms, status.now_ms)
    return GateRow(
        name=gate.name,
        label=gate_label(gate.name),
        value=gate.value,
        target=gate.target,
        tone=Tone.GOOD if gate.passes else Tone.BAD if gate.name in {"alarm", "isolation"} else Tone.WAIT,
        passes=gate.passes,
        needs=gate.needs,
        remedy="" if gate.passes else remedy_of(gate.name),
        expected=expected,
        done_ratio=None if gate.passes else _done(gate.name, status, state),
    )


def _done(name: str, status: Status, state: State) -> float | None:
    if name == "soak":
        soak_ms = status.ladder[status.rung].soak_ms
        return state.flag.soaked_ms / soak_ms if soak_ms else None
    if name == "coverage":
        return status.judged / status.succeeded if status.succeeded else None
    if name.startswith("evidence_"):
        indicator = next((each for each in status.indicators if each.name == name.removeprefix("evidence_")), None)
        if indicator is not None and indicator.good + indicator.clean_needed:
            return indicator.good / (indicator.good + indicator.clean_needed)
    return None


def _indicator(indicator: IndicatorStatus) -> IndicatorRow:
    is_proven = indicator.clean_needed == 0 and not indicator.awaits_epoch
    state, tone = "proven", Tone.GOOD
    if indicator.is_latched:
        state, tone = "alarm", Tone.BAD
    elif indicator.awaits_epoch:
        state, tone = "waits for a new epoch", Tone.BLIND
    elif not is_proven:
        state, tone = f"{words.count(indicator.clean_needed)} more clean ones prove it", Tone.WAIT
    judged = f"{words.count(indicator.good)} good, {words.count(indicator.bad)} bad"
    left_out = f", {words.count(indicator.unmeasured)} unmeasured" if indicator.unmeasured else ""
    return IndicatorRow(
        name=indicator.name,
        label=indicator_label(indicator.name),
        outcomes=judged + left_out,
        bound=words.ratio(indicator.lower_bound_ratio),
        bound_ratio=indicator.lower_bound_ratio,
        target=words.ratio(indicator.target_ratio, 1),
        target_ratio=indicator.target_ratio,
        epoch=str(indicator.epoch),
        state=state,
        tone=tone,
    )
