"""What a person may do now, as the buttons of the page: each says what it does before it is done."""

import msgspec

from sidecar.console import labels as words
from sidecar.console.status import Status
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import PAYMENTS


class Button(msgspec.Struct, frozen=True, kw_only=True):
    """One action."""

    action: str
    """The last part of its address."""
    label: str
    explanation: str
    again: str = ""
    """What is asked before it is done; empty: it can be taken back, and is done at once."""
    fields: tuple[str, ...] = ()
    """What else is asked: `release`, `name`, `window`."""
    name: str | None = None
    """Of the freeze that is thawed."""
    rung: int | None = None
    epoch: int | None = None
    """What an approval is for."""


def buttons(status: Status, state: State) -> tuple[Button, ...]:
    """Return what a person may do now."""
    if status.hold is None:
        hold = Button(
            action="hold",
            label="Hold",
            explanation="Nothing climbs until somebody resumes. Falling stays possible.",
        )
    else:
        hold = Button(
            action="resume",
            label="Resume",
            explanation=f"Lifts the hold of {status.hold.actor}, who wrote: {status.hold.reason}",
        )
    made = [hold]
    approval = _approval(status, state)
    if approval is not None:
        made.append(approval)
    made.append(
        Button(
            action="note",
            label="Note",
            explanation="Puts a note into the record and on the plots, such as a release of the app. Changes nothing.",
            fields=("release",),
        )
    )
    made.append(
        Button(
            action="freeze",
            label="Freeze",
            explanation="Forbids climbing in a window of time, such as a term's start or every weekend. Falling stays "
            "possible.",
            fields=("name", "window"),
        )
    )
    made += [
        Button(
            action="thaw",
            label=f"Thaw {each.name}",
            explanation=f"Lifts the freeze {each.name} of {each.actor}, who wrote: {each.reason}",
            name=each.name,
        )
        for each in state.flag.freezes
    ]
    made.append(
        Button(
            action="rollback",
            label="Roll back",
            explanation="Sends the flag to the bottom rung: timers for everybody, until somebody resumes.",
            again="Send everybody back to timers now? What was climbed must be climbed again.",
        )
    )
    made.append(
        Button(
            action="reset",
            label="Reset the proof",
            explanation="Begins a new epoch in every indicator, with less of the false promotion risk left to spend.",
            again="Throw the proof away? It cannot be brought back, and the next one takes longer.",
        )
    )
    return tuple(made)


def _approval(status: Status, state: State) -> Button | None:
    """Return the button that approves the next rung; None: it needs none, or has it: the gate knows."""
    rung, number, epoch = state.next_rung, status.rung + 1, state.indicators[PAYMENTS].epoch
    is_asked = any(gate.name == "approval" and not gate.passes for gate in status.gates)
    if rung is None or not is_asked:
        return None
    return Button(
        action="approve",
        label=f"Approve rung {number}",
        explanation=(
            f"Approves rung {number}, {words.rung(rung).lower()}, in epoch {epoch}: once, for 7 days, or until a fall. "
            "It is climbed when all other gates hold too."
        ),
        rung=number,
        epoch=epoch,
    )
