"""How a verdict is told: to a person on a terminal, and to GitHub as annotations of a step."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape

from sidecar.console import labels as words
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
    """Return what one check has against it, and when it will not have it any more, in one line."""
    why = _line(check.why)
    if check.again_ms is None or check.passes:
        return why
    return f"{why}; not before {when(check.again_ms, now_ms)}"


def _line(told: str) -> str:
    """Return what people wrote as one line: a pipeline takes lines for commands."""
    return " ".join(told.split())


def when(at_ms: int, now_ms: int) -> str:
    """Return a time as a date and as a distance."""
    told = words.moment(at_ms, now_ms)
    return f"{told.text} ({told.distance})"


def again(found: Readiness) -> str:
    """Return when it is worth asking again, as a sentence; empty: nobody can say, or it is a yes."""
    if found.again_ms is None or found.answer is not Answer.NOT_YET:
        return ""
    return f"Ask again at {when(found.again_ms, found.now_ms)}: sooner it cannot be a yes."


def print_readiness(console: Console, found: Readiness, *, is_all: bool) -> None:
    """Print the verdict: one line for each reason, and with `is_all` also for what holds."""
    colour = {Answer.YES: "green", Answer.NOT_YET: "yellow", Answer.CANNOT_KNOW: "red"}[found.answer]
    console.print(f"[bold {colour}]{escape(headline(found))}[/]", soft_wrap=True)
    for check in found.against:
        mark = "?" if check.passes is None else "✗"
        console.print(f"  [{colour}]{mark}[/] {escape(reason(check, found.now_ms))}", soft_wrap=True)
    for check in found.checks if is_all else ():
        if check.passes:
            told = _line(f"{check.name}: {check.value} (asked: {check.target})")
            console.print(f"  [green]✓[/] {escape(told)}", soft_wrap=True)
    if again(found):
        console.print(escape(again(found)), soft_wrap=True)


def annotations(found: Readiness) -> Iterator[str]:
    """Return GitHub's workflow commands: an error for each reason, or one notification."""
    if found.answer is Answer.YES:
        yield annotation("notification", headline(found))
    for check in found.against:
        yield annotation("error", reason(check, found.now_ms))


def annotation(level: str, told: str) -> str:
    """Return one workflow command. A line break or a per cent sign in what people wrote must not end it."""
    body = told.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return f"::{level} title=sidecar gate::{body}"
