"""Tells each target of each event, once, and never holds anybody up.

Every target has a line of its own, which is short: where it is full the oldest notification goes. One task per target
takes from its line, claims the event in the journal, and tries until it is told or too late. Whoever finds it claimed
keeps silent: another replica tells it, or this one did before it was restarted. So each event is told by one process
at most; a process that ends in between leaves the target in the dark, which the record does not.
"""

import asyncio
import enum
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

import aiohttp
import msgspec
import structlog

from sidecar import clock, randomness
from sidecar.config import Notifications, NotificationSecrets, TargetKind
from sidecar.core.facts.observations import NotificationClaimed, Record
from sidecar.core.fold.conclusions import Conclusion
from sidecar.core.fold.state import State
from sidecar.metrics.declarations import Counter, gauge
from sidecar.notifications.delivery import Attempt, send, session
from sidecar.notifications.notification import Notification
from sidecar.notifications.selection import Watch
from sidecar.notifications.targets import Target, targets_of
from sidecar.ports import TASK_FAILURES, Actor, Journal, Part, SidecarError, Task


class NotificationResult(enum.StrEnum):
    """What became of a notification, for one target."""

    DELIVERED = "delivered"
    CLAIMED = "claimed"
    """Another replica tells it, or it was told before a restart."""
    GIVEN_UP = "given_up"
    """The target did not take it, or not in time."""
    DROPPED = "dropped"
    """Too many were waiting, or the journal would not take the claim in time."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """How patient we are with a target."""

    attempt_within_s: float = 10.0
    first_pause_s: float = 1.0
    """Doubled after every attempt, and spread by half of it."""
    pause_max_s: float = 120.0
    give_up_after_s: float = 900.0
    """After it happened: what is older is no news."""
    waiting_max: int = 100
    """Notifications in the line of one target."""


class _Waiting(msgspec.Struct, frozen=True):
    notification: Notification
    heard_s: float


class _Line:
    """What waits for one target."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.waiting: deque[_Waiting] = deque()
        self.is_any = asyncio.Event()


class Notifier(Part):
    """The notifications of one replica."""

    results = Counter(
        "notifications",
        "Notifications by kind of target and result; each counts once for each target.",
        {"target": TargetKind, "result": NotificationResult},
    )
    attempts = Counter(
        "notification_attempts",
        "Delivery attempts by kind of target and outcome.",
        {"target": TargetKind, "outcome": Attempt},
    )
    failures = TASK_FAILURES

    def __init__(
        self,
        journal: Journal,
        watch: Watch,
        targets: Sequence[Target],
        *,
        replica: str,
        pace: Pace | None = None,
    ) -> None:
        self._journal = journal
        self._watch = watch
        self._replica = replica
        self._pace = pace or Pace()
        self._lines = [_Line(target) for target in targets]

    def folded(self, record: Record, conclusions: list[Conclusion]) -> None:
        """Take what a record is worth telling; returns at once, and raises nothing. A listener of the follower."""
        if not self._lines:
            return
        try:
            for notification in self._watch.seen(record, conclusions):
                for line in self._lines:
                    if line.target.takes(notification.kind):
                        self._queue(line, notification)
        except Exception:  # noqa: BLE001 - a mistake of ours in the words must not stop the fold
            self._mistaken()

    def tasks(self) -> Iterable[tuple[str, Actor]]:
        """Return the task that delivers."""
        yield "notifications", self.run

    @gauge("waiting_notifications", "Notifications that wait, for all targets together.")
    def waiting(self) -> int:
        """Return how many notifications wait, for all targets together."""
        return sum(len(line.waiting) for line in self._lines)

    async def run(self) -> NoReturn:
        """Tell, for ever; where there is nobody to tell, do nothing for as long."""
        if not self._lines:
            await asyncio.Event().wait()
        async with session() as client, asyncio.TaskGroup() as group:
            for line in self._lines:
                group.create_task(self._serve(line, client), name=f"notifications to {line.target.name}")
        raise AssertionError  # none of them ends

    def _queue(self, line: _Line, notification: Notification) -> None:
        if len(line.waiting) >= self._pace.waiting_max:
            line.waiting.popleft()
            self._count(line, NotificationResult.DROPPED)
        line.waiting.append(_Waiting(notification, clock.monotonic_s()))
        line.is_any.set()

    async def _serve(self, line: _Line, client: aiohttp.ClientSession) -> NoReturn:
        while True:
            while not line.waiting:
                line.is_any.clear()
                await line.is_any.wait()
            waiting = line.waiting.popleft()
            try:
                result = await self._tell(line.target, waiting, client)
            except Exception:  # noqa: BLE001 - likewise: nor the other actors
                self._mistaken()
                result = NotificationResult.GIVEN_UP
            self._count(line, result)

    def _mistaken(self) -> None:
        self.failures.inc(Task.NOTIFICATIONS)
        structlog.get_logger().exception("notifications.mistaken")

    async def _tell(self, target: Target, waiting: _Waiting, client: aiohttp.ClientSession) -> NotificationResult:
        notification, pause_s = waiting.notification, self._pace.first_pause_s
        is_ours = await self._claim(target, waiting)
        if is_ours is None:
            return NotificationResult.DROPPED
        if not is_ours:
            return NotificationResult.CLAIMED
        log = structlog.get_logger().bind(
            target=target.name, notification=notification.kind.value, event_id=notification.event
        )
        while True:
            outgoing = target.request(notification, clock.wall_ms() // 1000)
            answer = await send(client, outgoing, within_s=self._pace.attempt_within_s)
            self.attempts.inc(target.kind, answer.attempt)
            if answer.attempt is Attempt.SENT:
                log.info("notification.delivered")
                return NotificationResult.DELIVERED
            wait_s = max(pause_s * randomness.uniform(0.5, 1.5), answer.pause_s)
            if not answer.attempt.is_worth_another or self._left_s(waiting) <= wait_s:
                log.warning("notification.given_up", why=answer.attempt.value, status=answer.status, error=answer.error)
                return NotificationResult.GIVEN_UP
            log.info("notification.retried", why=answer.attempt.value, status=answer.status, error=answer.error)
            await asyncio.sleep(wait_s)
            pause_s = min(2 * pause_s, self._pace.pause_max_s)

    async def _claim(self, target: Target, waiting: _Waiting) -> bool | None:
        """Say in the journal that we tell this target of it; return whether that is ours. None: it was too late."""
        fact = NotificationClaimed(replica=self._replica, event=waiting.notification.event, target=target.name)
        while self._left_s(waiting) > 0:
            try:
                return not (await self._journal.append(fact)).duplicate
            except SidecarError as error:
                self.failures.inc(Task.NOTIFICATIONS)
                structlog.get_logger().warning("notifications.failed", code=error.code.value, message=error.message)
                await asyncio.sleep(self._pace.first_pause_s)
        return None

    def _left_s(self, waiting: _Waiting) -> float:
        return self._pace.give_up_after_s - (clock.monotonic_s() - waiting.heard_s)

    def _count(self, line: _Line, result: NotificationResult) -> None:
        self.results.inc(line.target.kind, result)


def notifier_of(
    notifications: Notifications | None,
    secrets: Mapping[str, NotificationSecrets],
    journal: Journal,
    state: State,
    *,
    replica: str,
    pace: Pace | None = None,
) -> Notifier:
    """Return the notifier of a configuration; where `notifications` is None it tells nobody."""
    usual = notifications or Notifications(targets=())
    watch = Watch(state, stuck_after_ms=usual.stuck_after_ms, suspended_after_ms=usual.suspended_after_ms)
    targets = targets_of(usual, secrets)
    return Notifier(journal, watch, targets, replica=replica, pace=pace)
