"""The story: watch, climb, break, be suspended, fall, recover, and get a yes from the release gate. It runs by itself.

Each step waits for a condition, in the world's time and with a limit, and then triggers the next one.
"""

import functools
import inspect
from collections.abc import Awaitable, Callable

import msgspec

from sidecar import clock
from sidecar.console.status import Status
from sidecar.core.facts.policy import Mode
from sidecar.core.release.readiness import Answer
from sidecar.demo.world.operator_view import is_push
from sidecar.demo.world.stage import Stage
from sidecar.demo.world.switches import Key
from sidecar.demo.world.view import StoryStep
from sidecar.ports import SidecarError

_JUDGED = 10
_MINUTE_S = 60.0


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step: its text, the condition that ends it, and its time limit."""

    key: str
    title: str
    text: str
    expect: str
    actions: Callable[[Stage], Awaitable[None] | None]
    is_done: Callable[[Stage, Status], bool]
    within_s: float


def _nothing(_: Stage) -> None:
    """Leave everything as it is."""


def _turn(key: Key, *, on: bool) -> Callable[[Stage], None]:
    return lambda world: world.switchboard.turn(key, on=on)


async def _approve(world: Stage) -> None:
    await world.watching.action("approve", "the story: the proof is there")


def _fell_after(world: Stage, status: Status) -> bool:
    began_ms = world.story.began_ms
    return any(move.to_rung == 0 and move.cause == "alarm" and move.at_ms >= began_ms for move in status.moves)


def _needs_only_a_person(status: Status) -> bool:
    return status.rung == len(status.ladder) - 2 and all(
        gate.passes or gate.name == "approval" for gate in status.gates
    )


def _may_go(world: Stage) -> bool:
    readiness = world.watching.readiness
    return readiness is not None and readiness.answer is Answer.YES


STEPS = (
    Step(
        key="watch",
        title="Watch",
        text="Payments arrive. Everybody has timers; the sidecar measures what push would have done.",
        expect="payments are judged, and payers' browsers report",
        actions=_nothing,
        is_done=lambda _, status: status.judged >= _JUDGED and sum(status.payers.reports.values()) >= _JUDGED,
        within_s=5 * _MINUTE_S,
    ),
    Step(
        key="climb",
        title="Climb",
        text="Gate after gate passes: first a quarter of the payers is served push, then all, with a safety net.",
        expect="push with a safety net for everybody",
        actions=_nothing,
        is_done=lambda _, status: is_push(status),
        within_s=30 * _MINUTE_S,
    ),
    Step(
        key="break",
        title="Break",
        text="Both Reverb nodes exit, as in a bad deploy. Canaries no longer return.",
        expect="timers for everybody, within half a minute",
        actions=_turn(Key.REVERB_GONE, on=True),
        is_done=lambda _, status: status.served.mode is Mode.TIMER_POLLING,
        within_s=2 * _MINUTE_S,
    ),
    Step(
        key="suspension",
        title="Suspended",
        text="The cause was Reverb itself, so the rung is kept. Reverb is back; push returns once its probes have "
        "been clean for a while.",
        expect="push again on the same rung, without new proof",
        actions=_turn(Key.REVERB_GONE, on=False),
        is_done=lambda world, status: is_push(status) and not _fell_after(world, status),
        within_s=10 * _MINUTE_S,
    ),
    Step(
        key="fall",
        title="Fall",
        text="Now the app's queue is slow: broadcasts come four seconds late, and nothing is wrong with Reverb.",
        expect="timers at once, and within a minute the bottom rung",
        actions=_turn(Key.SLOW_QUEUE, on=True),
        is_done=lambda world, status: status.rung == 0 and _fell_after(world, status),
        within_s=10 * _MINUTE_S,
    ),
    Step(
        key="recover",
        title="Recover",
        text="The queue is fast again. After the cool-down the flag climbs again, and needs more proof than "
        "the first time.",
        expect="push for everybody again, in a second epoch",
        actions=_turn(Key.SLOW_QUEUE, on=False),
        is_done=lambda _, status: is_push(status) and _needs_only_a_person(status),
        within_s=90 * _MINUTE_S,
    ),
    Step(
        key="remove",
        title="Remove the timers",
        text="The reports of payers' browsers and channel authorisations are good too. A person approves the last "
        "rung, push only; and a pipeline runs `sidecar gate` until it passes.",
        expect="push only for everybody, and a yes of the release gate",
        actions=_approve,
        is_done=lambda world, _: _may_go(world),
        within_s=20 * _MINUTE_S,
    ),
)


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """A completed step."""

    key: str
    began_ms: int
    done_ms: int


class Story:
    """One run of the story in a world."""

    def __init__(self, world: Stage, steps: tuple[Step, ...] = STEPS) -> None:
        self.completed: list[Completed] = []
        self.began_ms = 0
        """When the present step began."""
        self.is_running = False
        """It is running."""
        self.failure = ""
        """Why the last run did not complete; empty: it did, or there was none."""
        self._world, self._steps = world, steps

    def begin(self) -> None:
        """Begin from the beginning."""
        self.is_running = True
        self.completed, self.failure = [], ""

    async def run(self, say: Callable[[Step], None] = lambda _: None) -> str:
        """Run to the end, recording each completed step; return why it could not complete, or nothing."""
        self.begin()
        self._world.switchboard.recover()
        try:
            self.failure = await self._run_steps(say)
        finally:
            self.is_running = False
        self._world.switchboard.recover()
        return self.failure

    async def _run_steps(self, say: Callable[[Step], None]) -> str:
        world = self._world
        for step in self._steps:
            self.began_ms = clock.wall_ms()
            acting = step.actions(world)
            if inspect.isawaitable(acting):
                try:
                    await acting
                except SidecarError as error:  # a visitor may have turned a switch
                    return f"{step.title}: {error}"
            if not await world.watching.until(functools.partial(self._is_done, step), step.within_s):
                minutes = step.within_s / _MINUTE_S
                return f"{step.title}: not within {minutes:g} minutes of the world's time: {step.expect}"
            self.completed.append(Completed(key=step.key, began_ms=self.began_ms, done_ms=clock.wall_ms()))
            world.history.note("person", "story", f"{step.title}: {step.expect}")
            say(step)
        return ""

    def _is_done(self, step: Step, status: Status | None) -> bool:
        is_seen = status is not None and status.now_ms > self.began_ms
        return is_seen and status is not None and step.is_done(self._world, status)

    def views(self) -> tuple[StoryStep, ...]:
        """Return what is shown of it."""
        done = {each.key: each.done_ms for each in self.completed}
        return tuple(
            StoryStep(
                key=step.key,
                title=step.title,
                text=step.text,
                expect=step.expect,
                is_done=step.key in done,
                is_current=self.is_running and number == len(done),
                done_ms=done.get(step.key),
            )
            for number, step in enumerate(self._steps)
        )
