"""The event loop of the tests: that of production. What is marked `both_loops` also runs on asyncio's own.

A scrape is made for each request: a test asks for what has just changed. The summary names the slowest tests, and what
they prove.
"""

from asyncio import AbstractEventLoop, new_event_loop
from collections.abc import Callable, Mapping

import pytest
import uvloop

from sidecar.metrics import scrape


@pytest.fixture(autouse=True)
def _scrapes_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scrape, "FRESH_S", 0.0)


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], AbstractEventLoop]]:
    """Return the event loops that a test runs on, by name."""
    factories: dict[str, Callable[[], AbstractEventLoop]] = {"uvloop": uvloop.new_event_loop}
    if item.get_closest_marker("both_loops") is not None:
        factories["asyncio"] = new_event_loop
    return factories


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Keep the first sentence of a test's docstring for the summary."""
    said = getattr(getattr(item, "function", None), "__doc__", None) or ""
    item.user_properties.append(("proves", said.partition("\n")[0]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the ten slowest tests, and what each proves."""
    ended = [each for outcome in ("passed", "failed") for each in terminalreporter.stats.get(outcome, [])]
    slowest = sorted((each for each in ended if each.when == "call"), key=lambda each: -each.duration)[:10]
    terminalreporter.section("ten slowest tests")
    for each in slowest:
        proves = dict(each.user_properties).get("proves", "")
        terminalreporter.line(f"{each.duration:6.1f} s  {each.nodeid}\n          {proves}")
