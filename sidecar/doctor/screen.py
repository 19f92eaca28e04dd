"""The doctor's words on a screen: each step with its mark and time, then the cause, the reasons and the remedy."""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sidecar.core.facts.auth_probes import AuthProbeOutcome
from sidecar.doctor.examination import Diagnosis

_WIDTH = 92


def print_diagnosis(console: Console, told: Diagnosis) -> None:
    """Print a diagnosis."""
    console.print(f"\n[bold]sidecar doctor[/bold]: {told.subject}\n")
    for taken in told.steps:
        mark = Text("✓", style="green") if taken.is_ok else Text("✗", style="bold red")
        line = Text.assemble("  ", mark, f" {taken.step.value:<10} {taken.where:<44.44} {taken.took_ms:>8.1f} ms")
        console.print(line)
        for name, text in (("sent", taken.sent), ("received", taken.received)):
            if text:
                console.print(Padding(Text(f"{name:<9} {text}", style="dim"), (0, 0, 0, 15)))
    console.print()
    is_well = told.outcome is AuthProbeOutcome.OK or (told.outcome is None and not told.reasons)
    shown = f"   ({told.outcome.value}{f', {told.number}' if told.number else ''})" if told.outcome else ""
    sentence = Text.assemble(Text(told.sentence, style="bold green" if is_well else "bold red"), shown)
    console.print(Padding(sentence, (0, 0, 0, 2)))
    _listed(console, "Likely, in this order:" if told.outcome else "Found:", told.reasons, numbered=True)
    _listed(console, "What to change:", told.changes)
    _listed(console, "Also:" if told.outcome else "The request, with what says who asks left out:", told.notes)
    if not is_well:
        console.print(f"\n  Exit code {told.exit_code}. Details for machines: --json", style="dim")


def _listed(console: Console, title: str, items: tuple[str, ...], *, numbered: bool = False) -> None:
    if not items:
        return
    console.print(f"\n  [bold]{title}[/bold]")
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", min_width=6)
    grid.add_column(max_width=_WIDTH)
    for index, item in enumerate(items, start=1):
        grid.add_row(f"{index}." if numbered else "-", Text(item))
    console.print(grid)
