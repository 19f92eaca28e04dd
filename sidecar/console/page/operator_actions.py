"""The buttons of the operator actions that are possible now; each dialog explains its action before it is sent."""

from collections.abc import Iterator

import msgspec

from sidecar.console import labels
from sidecar.console.operator_actions import OperatorAction
from sidecar.console.overrides import described
from sidecar.console.status import Status
from sidecar.core.fold.state import State
from sidecar.core.statistics.indicators import PAYMENTS
from sidecar.wording import ACTIONS


class Button(msgspec.Struct, frozen=True, kw_only=True):
    """One action."""

    action: OperatorAction
    """The last part of its address."""
    label: str
    key: str = ""
    """What distinguishes it from others of the same action; empty: there is no other."""
    explanation: str
    confirmation: str = ""
    """The question before it is sent; empty: it can be undone, and is sent at once."""
    fields: tuple[str, ...] = ()
    """Other input: `release`, `name`, `replace`, `window`, `user`."""
    name: str | None = None
    """The freeze to thaw."""
    override: int | None = None
    """The override to end."""
    hold: int | None = None
    """The hold to lift."""
    rung: int | None = None
    epoch: int | None = None
    """What an approval is for."""


def buttons(status: Status, state: State) -> Iterator[Button]:
    """Yield the actions that are possible now."""
    yield _button(OperatorAction.HOLD)
    for hold in status.holds:
        what = "hold of the rollback" if hold.is_rollback else "hold"
        text = f"Lifts the {what} of {hold.actor}: {hold.reason}"
        key = str(hold.id) if len(status.holds) > 1 else ""
        label = f"Resume {key}".rstrip()
        yield _button(OperatorAction.RESUME, label=label, key=key, explanation=text, hold=hold.id)
    yield from _approval(status, state)
    yield _button(OperatorAction.NOTE, fields=("release",))
    yield _button(OperatorAction.FREEZE, fields=("name", "replace", "window"))
    for each in state.flag.freezes:
        text = f"Lifts the freeze {each.name} of {each.actor}: {each.reason}"
        yield _button(OperatorAction.THAW, label=f"Thaw {each.name}", key=each.name, explanation=text, name=each.name)
    yield _button(OperatorAction.OVERRIDE, fields=("user",))
    for override in status.overrides:
        number, text = override.id, f"Ends the {described(override)}"
        label = f"Clear override {number}"
        yield _button(OperatorAction.CLEAR_OVERRIDE, label=label, key=str(number), explanation=text, override=number)
    confirmation = "Send everybody back to timers now? Every rung must be climbed again."
    yield _button(OperatorAction.ROLLBACK, confirmation=confirmation)
    confirmation = "Discard the evidence? It cannot be restored, and the next proof takes longer."
    yield _button(OperatorAction.RESET, confirmation=confirmation)


def _button(action: OperatorAction, *, label: str = "", explanation: str = "", **more: object) -> Button:
    words = ACTIONS[action]
    fields = {"action": action, "label": label or words.label, "explanation": explanation or words.description}
    return msgspec.convert({**fields, **more}, Button)


def _approval(status: Status, state: State) -> Iterator[Button]:
    """Yield the approval of the next rung, if its gate waits for one."""
    rung, number, epoch = state.next_rung, status.rung + 1, state.indicators[PAYMENTS].epoch
    is_awaited = any(gate.name == "approval" and not gate.passes for gate in status.gates)
    if rung is not None and is_awaited:
        text = (
            f"Approves rung {number}, {labels.rung(rung).lower()}, in epoch {epoch}: once, for 7 days, or until a "
            "fall. The flag climbs when all other gates pass too."
        )
        yield _button(
            OperatorAction.APPROVE, label=f"Approve rung {number}", explanation=text, rung=number, epoch=epoch
        )
