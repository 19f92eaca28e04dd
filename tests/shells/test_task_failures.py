"""What runs for ever and fails is counted, each under its own name, and tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn, Protocol

import pytest

from sidecar.config import Notifications, NotificationSecrets, NotificationTarget, ProbeSecrets, TargetKind
from sidecar.core.facts.auth_probes import RoundTripOutcome
from sidecar.core.facts.observations import Observation, RoundTripEnded
from sidecar.core.facts.policy import policy_hash
from sidecar.core.fold.state import State
from sidecar.flags.controller import Controller
from sidecar.flags.lease import Lease
from sidecar.journal.follower import Follower
from sidecar.journal.maintenance import Maintenance
from sidecar.journal.unavailable import UnavailableJournal
from sidecar.notifications import notifier_of
from sidecar.parts.metrics import Counts
from sidecar.parts.part import Task
from sidecar.ports import ErrorCode, SidecarError
from sidecar.probes.browser import Browser
from sidecar.probes.deliveries import Deliveries
from sidecar.probes.observers import Observers
from sidecar.probes.runner import Runner
from sidecar.probes.target import target_of
from sidecar.probes.watches import Watches, _Watch
from sidecar.tokens import BrowserTokens
from tests.core.world import LAX, World
from tests.e2e.processes import until
from tests.notifications.sample import notification
from tests.shells.everything import EVERYTHING

KEY = "identity-key-for-the-tests-012345"


class Fails(Protocol):
    """A part that counts the failures of its tasks."""

    @property
    def failures(self) -> Counts:
        """The counts."""
        ...


class Runs(Fails, Protocol):
    """A part with one task."""

    async def run(self) -> NoReturn:
        """Run, for ever."""
        ...


Started = tuple[Fails, Awaitable[object]]
Start = Callable[[UnavailableJournal], Started]


class Probed:
    """A probe that ends well, fails as a bug of ours would, or hangs."""

    name, every_s, within_s = "probed", 0.05, -0.9
    """The runner adds a second."""

    def __init__(self, act: Callable[[], Awaitable[object]]) -> None:
        self._action = act

    async def probe(self) -> Observation:
        """Probe once."""
        await self._action()
        return RoundTripEnded(replica="a", outcome=RoundTripOutcome.OK, took_ms=1)


async def fail() -> None:
    """Fail as a bug of ours would."""
    raise KeyError("bug")


def controller(journal: UnavailableJournal, state: State) -> Controller:
    """Return a controller that may decide."""
    return Controller(journal, state, Lease("a"), replica="a", policy_hash=policy_hash(LAX), lease_ms=LAX.lease_ms)


def decide(journal: UnavailableJournal) -> Started:
    """Decide that the flag falls, without a journal to append it to; the heartbeats are left out."""
    world = World(LAX)
    world.climb_to(1)
    world.decides = False
    world.bad(10)
    each = controller(journal, world.state)
    return each, each._repeat(Task.DECIDE, each._decide, asyncio.Event(), lambda: None)


def observers(journal: UnavailableJournal) -> Observers:
    """Return observers whose sockets cannot be dialled."""
    assert EVERYTHING.reverb is not None
    target = target_of(EVERYTHING.reverb, ProbeSecrets(app_secret="app-secret", token="probe-token-0123456789"))
    return Observers(Browser(target), journal, replica="a", size=1, deliveries=None)


def end_a_watch(journal: UnavailableJournal) -> Started:
    """End a watch whose end cannot be appended."""
    deliveries = Deliveries(observer_channel="private-ours", identity_key=KEY)
    watches = Watches(
        observers(journal), deliveries, journal,
        tokens=BrowserTokens(("a-secret-for-browsers-0123456789abcdef",), "test"), identity_key=KEY,
        channel="private-live-refresh.{user_id}", replica="a",
    )  # fmt: skip
    watches._watches["private-live-refresh.7"] = _Watch(user_ref="u7", until_s=0.0)
    return watches, watches._end("private-live-refresh.7")


def notify(journal: UnavailableJournal) -> Started:
    """Notify a target, without a journal to claim the notification in."""
    where = NotificationSecrets(url="http://127.0.0.1:1/")
    target = NotificationTarget(name="ops", kind=TargetKind.SLACK)
    notifier = notifier_of(Notifications(targets=(target,)), {"ops": where}, journal, State(), replica="a")
    notifier._queue(notifier._lines[0], notification())
    return notifier, notifier.run()


def run(part: Runs) -> Started:
    """Run a part."""
    return part, part.run()


def probe(journal: UnavailableJournal, act: Callable[[], Awaitable[object]]) -> Started:
    """Run a probe."""
    return run(Runner(journal, [Probed(act)]))


STARTS: list[tuple[Task, Start]] = [
    (Task.FOLLOWER, lambda journal: run(Follower(journal, State()))),
    (Task.BEAT, lambda journal: run(controller(journal, State()))),
    (Task.DECIDE, decide),
    (Task.MAINTENANCE, lambda journal: run(Maintenance(journal, State(seq=20_000), replica="a"))),
    (Task.OBSERVERS, lambda journal: run(observers(journal))),
    (Task.PROBES, lambda journal: probe(journal, asyncio.Event().wait)),
    (Task.PROBES, lambda journal: probe(journal, fail)),
    (Task.PROBES, lambda journal: probe(journal, lambda: asyncio.sleep(0))),
    (Task.WATCHES, end_a_watch),
    (Task.NOTIFICATIONS, notify),
]


@pytest.mark.parametrize(("task", "start"), STARTS)
async def test_a_task_that_fails_is_counted_under_its_own_name(task: Task, start: Start) -> None:
    """Each goes on by itself, so nobody else would notice that it fails again and again."""
    journal = UnavailableJournal(SidecarError(ErrorCode.JOURNAL_UNAVAILABLE, "the disk is full"))
    part, running_of = start(journal)
    running = asyncio.ensure_future(running_of)

    async def is_counted() -> bool:
        return part.failures[task] > 0

    try:
        await until(is_counted, f"a failure of {task} is counted")
        assert part.failures.total() == part.failures[task]
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


def test_every_task_is_tried() -> None:
    """A name that nothing counts would stand at zero for ever."""
    assert {task for task, _ in STARTS} == set(Task)
