"""Sends each event to each target once, without delaying anything else.

Every target has a bounded queue; if it is full, the oldest notification is dropped. One task per target takes
notifications from its queue, claims the event in the journal, and retries until it is sent or expires. If the claim
exists already, nothing is sent: another replica sends the event, or this one did before a restart. So at most one
process sends an event. If that process ends in between, the target misses the event; the journal still has it.
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
from sidecar.notifications.delivery import Attempt, send, session
from sidecar.notifications.notification import Notification
from sidecar.notifications.selection import Selector
from sidecar.notifications.targets import Target, targets_of
from sidecar.parts.metrics import Counter, gauge
from sidecar.parts.part import TASK_FAILURES, Part, Task, TaskFunction
from sidecar.ports import Journal, SidecarError


class NotificationResult(enum.StrEnum):
    """Results of a notification, for one target."""

    DELIVERED = "delivered"
    CLAIMED = "claimed"
    """Another replica sends it, or it was sent before a restart."""
    GIVEN_UP = "given_up"
    """The target rejected it, or did not accept it in time."""
    DROPPED = "dropped"
    """The queue was full, or the journal did not accept the claim in time."""


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Timeouts, back-off and queue length for each target."""

    attempt_within_s: float = 10.0
    first_pause_s: float = 1.0
    """First back-off; doubled after every attempt, with 50 % jitter."""
    pause_max_s: float = 120.0
    give_up_after_s: float = 900.0
    """Age at which a notification expires."""
    waiting_max: int = 100
    """Length of the queue of one target."""


class _Waiting(msgspec.Struct, frozen=True):
    notification: Notification
    queued_s: float


class _Queue:
    """Queue of one target."""

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
        selector: Selector,
        targets: Sequence[Target],
        *,
        replica: str,
        pace: Pace | None = None,
    ) -> None:
        self._journal = journal
        self._selector = selector
        self._replica = replica
        self._pace = pace or Pace()
        self._lines = [_Queue(target) for target in targets]

    def folded(self, record: Record, conclusions: list[Conclusion]) -> None:
        """Queue the notifications of a record; never waits or raises. A listener of the follower."""
        if not self._lines:
            return
        try:
            for notification in self._selector.select(record, conclusions):
                for line in self._lines:
                    if line.target.takes(notification.kind):
                        self._queue(line, notification)
        except Exception:  # noqa: BLE001 - a defect in a text must not stop the fold
            self._count_defect()

    def tasks(self) -> Iterable[tuple[str, TaskFunction]]:
        """Return the task that sends notifications."""
        yield "notifications", self.run

    @gauge("waiting_notifications", "Notifications that wait, for all targets together.")
    def waiting(self) -> int:
        """Return how many notifications wait, for all targets together."""
        return sum(len(line.waiting) for line in self._lines)

    async def run(self) -> NoReturn:
        """Send notifications; wait without end if there are no targets."""
        if not self._lines:
            await asyncio.Event().wait()
        async with session() as client, asyncio.TaskGroup() as group:
            for line in self._lines:
                group.create_task(self._serve(line, client), name=f"notifications to {line.target.name}")
        raise AssertionError  # the tasks never end

    def _queue(self, line: _Queue, notification: Notification) -> None:
        if len(line.waiting) >= self._pace.waiting_max:
            line.waiting.popleft()
            self._count(line, NotificationResult.DROPPED)
        line.waiting.append(_Waiting(notification, clock.monotonic_s()))
        line.is_any.set()

    async def _serve(self, line: _Queue, client: aiohttp.ClientSession) -> NoReturn:
        while True:
            while not line.waiting:
                line.is_any.clear()
                await line.is_any.wait()
            waiting = line.waiting.popleft()
            try:
                result = await self._deliver(line.target, waiting, client)
            except Exception:  # noqa: BLE001 - nor other actors
                self._count_defect()
                result = NotificationResult.GIVEN_UP
            self._count(line, result)

    def _count_defect(self) -> None:
        self.failures.inc(Task.NOTIFICATIONS)
        structlog.get_logger().exception("notifications.broken")

    async def _deliver(self, target: Target, waiting: _Waiting, client: aiohttp.ClientSession) -> NotificationResult:
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
                log.info("notification.sent")
                return NotificationResult.DELIVERED
            wait_s = max(pause_s * randomness.uniform(0.5, 1.5), answer.pause_s)
            if not answer.attempt.is_retryable or self._left_s(waiting) <= wait_s:
                log.warning("notification.given_up", why=answer.attempt.value, status=answer.status, error=answer.error)
                return NotificationResult.GIVEN_UP
            log.info("notification.retried", why=answer.attempt.value, status=answer.status, error=answer.error)
            await asyncio.sleep(wait_s)
            pause_s = min(2 * pause_s, self._pace.pause_max_s)

    async def _claim(self, target: Target, waiting: _Waiting) -> bool | None:
        """Claim the event for a target in the journal. Return whether this replica has it; None: it expired."""
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
        return self._pace.give_up_after_s - (clock.monotonic_s() - waiting.queued_s)

    def _count(self, line: _Queue, result: NotificationResult) -> None:
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
    """Return the notifier of a configuration; without `notifications` it has no targets."""
    usual = notifications or Notifications(targets=())
    selector = Selector(state, stuck_after_ms=usual.stuck_after_ms, suspended_after_ms=usual.suspended_after_ms)
    targets = targets_of(usual, secrets)
    return Notifier(journal, selector, targets, replica=replica, pace=pace)
