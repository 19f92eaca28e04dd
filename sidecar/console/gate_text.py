"""Print a verdict of the release check: on a terminal, and as GitHub annotations."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from sidecar.console import labels
from sidecar.core.decision.gate import estimate
from sidecar.core.decision.gates import duration
from sidecar.core.release.checks import Check
from sidecar.core.release.readiness import Answer, Readiness

_HEADS = {Answer.YES: "Yes", Answer.NOT_YET: "Not yet", Answer.CANNOT_KNOW: "Cannot know"}


def headline(found: Readiness) -> str:
    """Return the verdict in one line."""
    asked = found.question
    return (
        f"{_HEADS[found.answer]}: {asked.mode} for everybody in {found.environment}, the last {duration(asked.for_ms)}"
    )


def reason(check: Check, now_ms: int) -> str:
    """Return why a check does not pass, and when it can at the earliest, in one line."""
    why = _line(check.why)
    if check.again_ms is None or check.passes:
        return why
    if check.again_between_ms is not None:
        return f"{why}; {estimate(check.again_between_ms, now_ms)}"
    return f"{why}; not before {when(check.again_ms, now_ms)}"


def _line(text: str) -> str:
    """Return a text as one line: a pipeline interprets lines as commands."""
    return " ".join(text.split())


def when(at_ms: int, now_ms: int) -> str:
    """Return a time as a date and as a distance."""
    at = labels.moment(at_ms, now_ms)
    return f"{at.text} ({at.distance})"


def again(found: Readiness) -> str:
    """Return when the answer can change, as a sentence; empty: unknown, or the answer is yes."""
    if found.again_ms is None or found.answer is not Answer.NOT_YET:
        return ""
    last = next(check for check in found.against if check.again_ms == found.again_ms)
    if last.again_between_ms is not None:
        return f"When the answer can be yes is an {estimate(last.again_between_ms, found.now_ms)}."
    return f"The answer can be yes at the earliest at {when(found.again_ms, found.now_ms)}."


def print_readiness(console: Console, found: Readiness, *, is_all: bool) -> None:
    """Print the verdict: a line for each reason and information, and with `is_all` for each check that passes."""
    colour = {Answer.YES: "green", Answer.NOT_YET: "yellow", Answer.CANNOT_KNOW: "red"}[found.answer]
    console.print(f"[bold {colour}]{escape(headline(found))}[/]", soft_wrap=True)
    for check in found.against:
        mark = "?" if check.passes is None else "✗"
        console.print(f"  [{colour}]{mark}[/] {escape(reason(check, found.now_ms))}", soft_wrap=True)
    for check in found.checks:
        if check.is_information:
            console.print(f"  i {escape(_line(f'{check.name}: {check.value} (for information)'))}", soft_wrap=True)
        elif check.passes and is_all:
            text = _line(f"{check.name}: {check.value} (target: {check.target})")
            console.print(f"  [green]✓[/] {escape(text)}", soft_wrap=True)
    if again(found):
        console.print(escape(again(found)), soft_wrap=True)


def annotations(found: Readiness) -> Iterator[str]:
    """Yield GitHub's workflow commands: an error for each reason, or one notice."""
    if found.answer is Answer.YES:
        yield annotation("notice", headline(found))
    for check in found.against:
        yield annotation("error", reason(check, found.now_ms))


def annotation(level: str, text: str) -> str:
    """Return one workflow command, with line breaks and per cent signs escaped."""
    body = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{level} title=sidecar gate::{body}"
