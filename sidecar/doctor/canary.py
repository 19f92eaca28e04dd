"""One canary through Reverb's HTTP API, as Laravel's broadcasts: an auth probe does not test this path."""

import asyncio

from sidecar.core.facts.auth_probes import RoundTripOutcome, Step
from sidecar.core.facts.observations import RoundTripEnded
from sidecar.journal.memory import MemoryJournal
from sidecar.probes.browser import Browser
from sidecar.probes.observers import Observers
from sidecar.probes.probe_record import StepResult
from sidecar.probes.round_trip import RoundTrip

_SUBSCRIBED_WITHIN_S = 10.0
_LOOK_S = 0.02


async def round_trip(browser: Browser) -> RoundTripEnded:
    """Send one canary on the probe user's own channel, and return its outcome. Nothing is journalled."""
    observers = Observers(browser, MemoryJournal(), replica="doctor", size=1, deliveries=None)
    running = asyncio.create_task(observers.run())
    try:
        for _ in range(round(_SUBSCRIBED_WITHIN_S / _LOOK_S)):
            if observers.subscribed():
                break
            await asyncio.sleep(_LOOK_S)
        return await RoundTrip(browser.target, observers, every_s=0.0, replica="doctor").probe()
    finally:
        running.cancel()
        await asyncio.wait({running})


def step_of(ended: RoundTripEnded, app_id: str) -> StepResult:
    """Return a round trip as a step of the diagnosis."""
    is_ok = ended.outcome is RoundTripOutcome.OK
    return StepResult(
        step=Step.DELIVER,
        where=f"/apps/{app_id}/events",
        is_ok=is_ok,
        took_ms=float(ended.took_ms),
        sent="a canary event on the same channel, signed",
        received="the same event over a socket" if is_ok else f"{ended.outcome} {ended.number or ''}".strip(),
    )
