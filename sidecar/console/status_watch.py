"""The status as one screen that is drawn again and again: mode, rung, gates with progress, last payments, alarms."""

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sidecar.console.last_payments import LastPayment
from sidecar.console.status import Status
from sidecar.console.status_text import rung_name, troubles, when
from sidecar.core.decision.gates import duration
from sidecar.core.facts.outcomes import Outcome

_TROUBLES_MAX = 8
_BAR_WIDTH = 16
_COLOURS = {Outcome.ON_TIME: "green", Outcome.LATE: "yellow", Outcome.MISSED: "red", Outcome.UNMEASURED: "dim"}


def screen_of(status: Status) -> RenderableType:
    """Return the screen of a status."""
    return Group(*_head(status), Text(), _gates(status), Text(), _payments(status), Text(), _foot())


def unreachable(message: str, since_s: float) -> RenderableType:
    """Return the screen while nothing answers."""
    return Group(Text(f"No answer for {duration(round(1000 * since_s))}: {message}", style="bold red"), Text(), _foot())


def _head(status: Status) -> list[Text]:
    served = status.served
    title = Text.assemble(
        (status.flag, "bold"), f" in {status.environment}: ", (served.mode, "bold"), f" ({served.reason})"
    )
    rung = f"rung {status.rung} of {len(status.ladder) - 1}: {rung_name(status.ladder[status.rung])}"
    lines = [title, Text(f"  {rung}, for {duration(max(0, status.now_ms - status.since_ms))}")]
    alarms = f"  alarms: {', '.join(status.alarms) or 'none'}"
    lines.append(Text(alarms, style="bold red" if status.alarms else "green"))
    shown = troubles(status)
    lines += [Text.assemble(("  ! ", "yellow"), each) for each in shown[:_TROUBLES_MAX]]
    more = len(shown) - _TROUBLES_MAX
    return [*lines, Text(f"  and {more} more: sidecar status")] if more > 0 else lines


def _gates(status: Status) -> RenderableType:
    if not status.gates:
        return Text("No higher rung: nothing is needed.")
    table = Table(title=f"Next: {rung_name(status.ladder[status.rung + 1])}", title_justify="left", box=None)
    for name in ("", "gate", "progress", "needs"):
        table.add_column(name, no_wrap=name == "gate")
    for gate in status.gates:
        if gate.passes:
            continue
        ratio = gate.progress_ratio
        bar = Text("") if ratio is None else ProgressBar(total=1.0, completed=ratio, width=_BAR_WIDTH)
        needs = Text(f"{gate.value}; needs {gate.needs}{when(gate, status.now_ms)}")
        table.add_row(Text("✗", style="red"), gate.name, bar, needs)
    passing = ", ".join(gate.name for gate in status.gates if gate.passes)
    return Group(table, Text(f" ✓  {passing}", style="green"))  # in one line: the screen has few


def _payments(status: Status) -> RenderableType:
    table = Table(title=f"Last payments ({status.judged} of {status.succeeded} could be judged)", box=None)
    table.title_justify = "left"
    for name in ("payment", "ago", "outcome", "acks after"):
        table.add_column(name)
    for each in status.last_payments:
        ago = duration(max(0, status.now_ms - each.at_ms))
        stages = ", ".join(f"{stage} {after_ms} ms" for stage, after_ms in each.stages_ms.items())
        table.add_row(Text(each.payment_intent), ago, _outcome(each), stages)
    if not status.last_payments:
        table.add_row(Text("none since the sidecar started", style="dim"))
    return table


def _outcome(payment: LastPayment) -> Text:
    if payment.left_out:
        return Text(f"left out ({payment.left_out})", style="dim")
    if payment.outcome is None:
        return Text("on its way")
    reason = f" ({payment.unmeasured})" if payment.unmeasured else ""
    return Text(f"{payment.outcome}{reason}", style=_COLOURS[payment.outcome])


def _foot() -> Text:
    return Text("Ctrl-C ends this view; the sidecar runs on.", style="dim")
