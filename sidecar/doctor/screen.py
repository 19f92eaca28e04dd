"""Print a diagnosis: each step with its status and time, then cause, reasons and remedy."""

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from sidecar.core.facts.auth_probes import AuthProbeOutcome
from sidecar.core.facts.outcomes import Outcome
from sidecar.doctor.examination import Diagnosis
from sidecar.doctor.payment import PaymentDiagnosis
from sidecar.doctor.steps import Step, print_list, print_step


def print_diagnosis(console: Console, result: Diagnosis) -> None:
    """Print a diagnosis."""
    console.print(f"\n[bold]sidecar doctor[/bold]: {result.subject}\n")
    for step in result.steps:
        shown = Step(
            name=step.step.value, where=step.where, is_ok=step.is_ok, took_ms=step.took_ms, sent=step.sent,
            received=step.received,
        )  # fmt: skip
        print_step(console, shown)
    is_ok = result.outcome is AuthProbeOutcome.OK or (result.outcome is None and not result.reasons)
    number = f", {result.number}" if result.number else ""
    _print_sentence(
        console, result.sentence, f"   ({result.outcome.value}{number})" if result.outcome else "", is_ok=is_ok
    )
    print_list(console, "Likely reasons, in order:" if result.outcome else "Found:", result.reasons, numbered=True)
    print_list(console, "What to change:", result.changes)
    print_list(console, "Also:" if result.outcome else "The request, without credentials:", result.notes)
    if not is_ok:
        console.print(f"\n  Exit code {result.exit_code}. Details for machines: --json", style="dim")


def print_payment(console: Console, result: PaymentDiagnosis) -> None:
    """Print the result of a test payment."""
    console.print(f"\n[bold]sidecar test-payment[/bold]: {result.payment_intent}\n")
    for step in result.steps:
        print_step(console, step)
    is_ok = result.outcome is Outcome.ON_TIME
    _print_sentence(console, result.sentence, "", is_ok=is_ok)
    print_list(console, "What to change:", result.changes)
    print_list(console, "Also:", result.notes)
    if not is_ok:
        console.print(f"\n  Exit code {result.exit_code}. Details for machines: --json", style="dim")


def _print_sentence(console: Console, sentence: str, more: str, *, is_ok: bool) -> None:
    console.print()
    text = Text.assemble(Text(sentence, style="bold green" if is_ok else "bold red"), more)
    console.print(Padding(text, (0, 0, 0, 2)))
