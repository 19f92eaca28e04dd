"""The table of results: scenario, mode, refetches, when "Pay now" was cleared, and by what."""

from collections.abc import Iterable, Iterator

from tests.payers.scenarios import Scenario
from tests.payers.stage import Result


def table(scenarios: Iterable[Scenario], results: dict[str, Result]) -> str:
    """Return it as Markdown."""
    return "\n".join(_rows(scenarios, results))


def _rows(scenarios: Iterable[Scenario], results: dict[str, Result]) -> Iterator[str]:
    yield "| what happens | held | followed | refetches | paid after | cleared after | cleared by | subscription | push came |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for scenario in scenarios:
        result = results[scenario.key]
        report = result.sent or result.taken
        cells = [scenario.what, scenario.held.value, "?", str(len(result.found)), _seconds(result.broadcast_ms)]
        if result.failure or report is None:
            cells += ["FAILED", result.failure.strip().rpartition("\n")[2][:200], "", ""]
        else:
            cells[2] = report.mode.value
            cells += [_seconds(result.cleared_ms), str(report.cleared_by), report.subscription.value]
            cells += [_seconds(report.pushed_ms)]
        yield f"| {' | '.join(cells)} |"


def _seconds(span_ms: int | None) -> str:
    return "-" if span_ms is None else f"{span_ms / 1000:.1f} s"
