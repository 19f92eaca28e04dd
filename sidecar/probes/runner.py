"""The runner owns interval, jitter and deadline of every probe, so that no probe needs to.

A probe that hangs is cancelled. One that raises is logged and repeated: its observation is missing, and the fold
detects the silence.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NoReturn, Protocol

import structlog

from sidecar import clock, randomness
from sidecar.core.facts.auth_probes import AuthProbeOutcome, IsolationOutcome, RoundTripOutcome
from sidecar.core.facts.observations import (
    ChannelAuthProbed,
    IsolationProbed,
    Observation,
    RoundTripEnded,
)
from sidecar.logs import Throttle
from sidecar.parts.part import TASK_FAILURES, Part, Task, TaskFunction
from sidecar.ports import Journal, SidecarError

_JITTER_RATIO = 0.1
"""Maximum deviation of a pause, which spreads replicas and probes."""
_SETTLE_S = 0.5
"""Delay of the first probe after a start, while its sockets are opened."""


class Probe(Protocol):
    """One kind of probe."""

    name: str
    every_s: float
    within_s: float
    """Deadline of one run, in addition to the probe's own."""

    async def probe(self) -> Observation:
        """Probe once. A failure of the target is in the observation, not an exception."""
        ...


class Runner(Part):
    """Runs probes, each at its own interval."""

    failures = TASK_FAILURES

    def __init__(self, journal: Journal, probes: Sequence[Probe]) -> None:
        self._journal = journal
        self._probes = probes
        self._throttle = Throttle()

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return the task that runs all probes."""
        yield "probes", self.run

    async def run(self) -> NoReturn:
        """Run all probes, without end."""
        async with asyncio.TaskGroup() as group:
            for probe in self._probes:
                group.create_task(self._repeat(probe), name=probe.name)
        raise AssertionError  # none ends

    async def _repeat(self, probe: Probe) -> NoReturn:
        await asyncio.sleep(_SETTLE_S)
        while True:
            began_s = clock.monotonic_s()
            await self._once(probe)
            pause_s = probe.every_s * randomness.uniform(1 - _JITTER_RATIO, 1 + _JITTER_RATIO)
            await asyncio.sleep(max(0.0, began_s + pause_s - clock.monotonic_s()))

    async def _once(self, probe: Probe) -> None:
        log = structlog.get_logger()
        try:
            async with asyncio.timeout(probe.within_s + 1.0):
                fact = await probe.probe()
        except TimeoutError:
            self.failures.inc(Task.PROBES)
            log.warning("probe.hung", probe=probe.name, within_s=probe.within_s)
            return
        except Exception:  # a probe that raises must not stop the webhook listener
            self.failures.inc(Task.PROBES)
            if self._throttle.passes(f"{probe.name} broken") is not None:
                log.exception("probe.broken", probe=probe.name)
            return
        self._log_failure(probe.name, fact)
        try:
            await self._journal.append(fact)
        except SidecarError as error:
            self.failures.inc(Task.PROBES)
            log.warning("probe.not_kept", probe=probe.name, code=error.code.value, message=error.message)

    def _log_failure(self, name: str, fact: Observation) -> None:
        match fact:
            case ChannelAuthProbed(outcome=outcome) if outcome is not AuthProbeOutcome.OK:
                fields = {"outcome": outcome.value, "step": fact.step.value, "number": fact.number}
            case RoundTripEnded(outcome=result) if result is not RoundTripOutcome.OK:
                fields = {"outcome": result.value, "number": fact.number, "received": fact.received}
            case IsolationProbed(verdict=verdict) if verdict is not IsolationOutcome.REFUSED:
                fields = {"outcome": verdict.value, "number": fact.number}
            case _:
                return
        self._throttle.warn(f"{name} {fields['outcome']}", "probe.failed", probe=name, **fields)
