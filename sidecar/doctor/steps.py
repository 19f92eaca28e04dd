"""The table of steps that the doctor and the test payment print."""

import msgspec
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_WIDTH = 92


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step, and how it ended."""

    name: str
    where: str
    """The host or the path."""
    is_ok: bool
    took_ms: float
    sent: str = ""
    """What was sent, with secrets masked; empty: nothing to show."""
    received: str = ""


def print_step(console: Console, step: Step) -> None:
    """Print one step with its status and time."""
    mark = Text("✓", style="green") if step.is_ok else Text("✗", style="bold red")
    console.print(Text.assemble("  ", mark, f" {step.name:<10} {step.where:<44.44} {step.took_ms:>8.1f} ms"))
    for name, text in (("sent", step.sent), ("received", step.received)):
        if text:
            console.print(Padding(Text(f"{name:<9} {text}", style="dim"), (0, 0, 0, 15)))


def print_list(console: Console, title: str, items: tuple[str, ...], *, numbered: bool = False) -> None:
    """Print a list under its title; nothing if it is empty."""
    if not items:
        return
    console.print(f"\n  [bold]{title}[/bold]")
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right", min_width=6)
    grid.add_column(max_width=_WIDTH)
    for index, item in enumerate(items, start=1):
        grid.add_row(f"{index}." if numbered else "-", Text(item))
    console.print(grid)
