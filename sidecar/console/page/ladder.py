"""The section of the ladder: rungs, the gates of the next one, and the evidence of each indicator."""

import msgspec

from sidecar.console import labels
from sidecar.console.page.section import Cell, Table, Tone
from sidecar.console.status import GateStatus, IndicatorStatus, Status
from sidecar.core.decision.gates import duration
from sidecar.core.facts.policy import Lifecycle, Mode
from sidecar.wording import MODES


class RungRow(msgspec.Struct, frozen=True, kw_only=True):
    """One rung."""

    mode: Mode
    name: str
    share: str
    place: str
    """`climbed`, `current`, `next` or `later`."""
    conditions: str
    """What the rung requires beyond evidence."""


class Ladder(msgspec.Struct, frozen=True, kw_only=True):
    """The ladder, and what the next rung needs."""

    rungs: tuple[RungRow, ...]
    is_off: bool
    """`lifecycle: removed`."""
    following: str
    """The next rung; empty: the flag is at the top."""
    gates: tuple[GateStatus, ...]
    """Those that do not pass come first."""
    passing: int
    """How many of the gates pass."""
    evidence: Table | None
    """By indicator; None: nothing was judged yet."""


def ladder(status: Status) -> Ladder:
    """Return the section."""
    following = status.rung + 1
    judged = [each for each in status.indicators if each.good or each.bad or each.unmeasured]
    return Ladder(
        rungs=tuple(_rungs(status)),
        is_off=status.lifecycle is Lifecycle.REMOVED,
        following=labels.rung(status.ladder[following]) if following < len(status.ladder) else "",
        gates=tuple(sorted(status.gates, key=lambda gate: gate.passes)),  # stable
        passing=sum(gate.passes for gate in status.gates),
        evidence=_evidence(judged) if judged else None,
    )


def _rungs(status: Status) -> list[RungRow]:
    places = {status.rung: "current", status.rung + 1: "next"}
    rows = []
    for number, rung in enumerate(status.ladder):
        asks = []
        if rung.approval_required:
            asks.append("needs approval")
        if rung.soak_ms and number + 1 < len(status.ladder):
            asks.append(f"soaks for {duration(rung.soak_ms)}")
        rows.append(
            RungRow(
                mode=rung.mode,
                name=MODES[rung.mode].label,
                share=labels.share(rung.share_ppm),
                place=places.get(number, "climbed" if number < status.rung else "later"),
                conditions=", ".join(asks),
            )
        )
    return rows


def _evidence(judged: list[IndicatorStatus]) -> Table:
    return Table(
        caption="Evidence, by indicator",
        heads=("indicator", "this epoch", "proven"),
        rows=tuple(_indicator(each) for each in judged),
        numbers=frozenset({2}),
        is_caption_visible=False,
    )


def _indicator(indicator: IndicatorStatus) -> tuple[Cell, ...]:
    state, tone = "proven", Tone.GOOD
    if indicator.is_latched:
        state, tone = "alarm", Tone.BAD
    elif indicator.awaits_epoch:
        state, tone = "waits for a new epoch", Tone.BLIND
    elif indicator.clean_needed:
        state, tone = f"needs {labels.count(indicator.clean_needed)} more without a failure", Tone.WAIT
    outcomes = f"{labels.count(indicator.good)} good, {labels.count(indicator.bad)} bad"
    if indicator.unmeasured:
        outcomes += f", {labels.count(indicator.unmeasured)} unmeasured"
    return (
        Cell(text=indicator.label, code=indicator.name, icon=tone, meaning=state),
        Cell(text=outcomes, aside=f"epoch {indicator.epoch}"),
        Cell(
            text=f"at least {labels.ratio(indicator.lower_bound_ratio)}",
            aside=f"target {labels.ratio(indicator.target_ratio, 1)}",
            ratio=indicator.lower_bound_ratio,
            target_ratio=indicator.target_ratio,
            tone=tone,
        ),
    )
