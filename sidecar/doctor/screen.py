"""Print a diagnosis: each step with its status and time, then cause, reasons and remedy."""

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sidecar.core.facts.auth_probes import AuthProbeOutcome
from sidecar.doctor.examination import Diagnosis

_WIDTH = 92


def print_diagnosis(console: Console, result: Diagnosis) -> None:
    """Print a diagnosis."""
    console.print(f"\n[bold]sidecar doctor[/bold]: {result.subject}\n")
    for step in result.steps:
        mark = Text("✓", style="green") if step.is_ok else Text("✗", style="bold red")
        line = Text.assemble("  ", mark, f" {step.step.value:<10} {step.where:<44.44} {step.took_ms:>8.1f} ms")
        console.print(line)
        for name, text in (("sent", step.sent), ("received", step.received)):
            if text:
                console.print(Padding(Text(f"{name:<9} {text}", style="dim"), (0, 0, 0, 15)))
    console.print()
    is_ok = result.outcome is AuthProbeOutcome.OK or (result.outcome is None and not result.reasons)
    shown = f"   ({result.outcome.value}{f', {result.number}' if result.number else ''})" if result.outcome else ""
    sentence = Text.assemble(Text(result.sentence, style="bold green" if is_ok else "bold red"), shown)
    console.print(Padding(sentence, (0, 0, 0, 2)))
    _listed(console, "Likely reasons, in order:" if result.outcome else "Found:", result.reasons, numbered=True)
    _listed(console, "What to change:", result.changes)
    _listed(console, "Also:" if result.outcome else "The request, without credentials:", result.notes)
    if not is_ok:
        console.print(f"\n  Exit code {result.exit_code}. Details for machines: --json", style="dim")


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
