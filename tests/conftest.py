"""The event loop of the tests: that of production. What is marked `both_loops` also runs on asyncio's own.

A scrape is made for each request: a test asks for what has just changed.
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
