"""How an explanation looks on a terminal."""

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from sidecar.console.explanation import Explanation, Point


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Print an explanation."""
    console.print(f"[bold]{escape(explanation.headline)}[/]\n")
    for point in explanation.points:
        _print_point(console, "•", point)
    if explanation.gates:
        console.print(f"\n[bold]{'Gates' if explanation.seq is None else 'Gates at that time'}[/]")
    for point in explanation.gates:
        _print_point(console, "[green]✓[/]" if point.passes else "[red]✗[/]", point)


def _print_point(console: Console, mark: str, point: Point) -> None:
    console.print(f"{mark} {escape(point.text)}")
    if point.remedy:
        console.print(Padding(f"[dim]→ {escape(point.remedy)}[/]", (0, 0, 0, 2), expand=False))
