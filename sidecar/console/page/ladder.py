"""The ladder, the gates of its next rung, and the proof behind them."""

import msgspec

from sidecar.console import labels as words
from sidecar.console.labels import Moment, moment
from sidecar.console.page.front import Tone
from sidecar.console.status import GateStatus, IndicatorStatus, Status
from sidecar.core.decision.gates import duration
from sidecar.core.facts.policy import Lifecycle, Mode
from sidecar.wording import MODES


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
    progress_ratio: float | None
    """Progress towards the target, from 0 to 1; None: it has none."""


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


def ladder(status: Status) -> Ladder:
    """Return the ladder as it stands."""
    following = status.rung + 1
    gates = tuple(_gate(gate, status.now_ms) for gate in status.gates)
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
                name=MODES[rung.mode].label,
                share=words.share(rung.share_ppm),
                place=places.get(number, "climbed" if number < status.rung else "later"),
                conditions=", ".join(asks),
            )
        )
    return rows


def _gate(gate: GateStatus, now_ms: int) -> GateRow:
    expected = None if gate.expected_ms is None or gate.passes else moment(gate.expected_ms, now_ms)
    return GateRow(
        name=gate.name,
        label=gate.label,
        value=gate.value,
        target=gate.target,
        tone=Tone.GOOD if gate.passes else Tone.BAD if gate.name in {"alarm", "isolation"} else Tone.WAIT,
        passes=gate.passes,
        needs=gate.needs,
        remedy=gate.remedy,
        expected=expected,
        progress_ratio=gate.progress_ratio,
    )


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
        label=indicator.label,
        outcomes=judged + left_out,
        bound=words.ratio(indicator.lower_bound_ratio),
        bound_ratio=indicator.lower_bound_ratio,
        target=words.ratio(indicator.target_ratio, 1),
        target_ratio=indicator.target_ratio,
        epoch=str(indicator.epoch),
        state=state,
        tone=tone,
    )
