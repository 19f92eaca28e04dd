"""The runner: a probe that fails or hangs stops no other probe."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
import structlog
from structlog.testing import capture_logs

from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome
from sidecar.core.facts.observations import IsolationProbed, Observation
from sidecar.journal.memory import MemoryJournal
from sidecar.probes.runner import Runner
from tests.e2e.processes import until

FACT = IsolationProbed(replica="r", verdict=IsolationOutcome.REFUSED, outcome=AuthProbeOutcome.REFUSED_403)


class Counted:
    """A probe that runs this function, and counts."""

    every_s = 0.01
    within_s = -0.9
    """The runner adds a second."""

    def __init__(self, name: str, act: Callable[[], Awaitable[object]]) -> None:
        self.name, self.count = name, 0
        self._action = act

    async def probe(self) -> Observation:
        """Probe once."""
        self.count += 1
        await self._action()
        return FACT


async def succeed() -> None:
    """Return at once."""


async def hang() -> None:
    """Hang."""
    await asyncio.Event().wait()


async def fail() -> None:
    """Raise an exception, as a bug does."""
    raise KeyError("bug")


@pytest.fixture(autouse=True)
def _plain_log() -> None:
    structlog.reset_defaults()


@pytest.mark.parametrize(("act", "event"), [(hang, "probe.hung"), (fail, "probe.broken")])
async def test_a_probe_that_hangs_or_raises_is_logged_and_repeated(
    act: Callable[[], Awaitable[object]], event: str
) -> None:
    """A bug in a probe must not stop the webhook listener; the fold detects the silence."""
    bad, good = Counted("bad", act), Counted("good", succeed)
    journal = MemoryJournal()
    with capture_logs() as logged:
        running = asyncio.create_task(Runner(journal, [bad, good]).run())

        async def are_tried() -> bool:
            return min(bad.count, good.count) >= 3 or running.done()

        await until(are_tried, "both were tried again and again")
        assert not running.done()
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
    assert {entry["event"] for entry in logged} == {event}
    assert all(entry["probe"] == "bad" for entry in logged)
