"""Tells each target of each event, once, and never holds anybody up.

Every target has a line of its own, which is short: where it is full the oldest notice goes. One task per target takes
from its line, claims the event in the journal, and tries until it is told or too late. Whoever finds it claimed keeps
silent: another replica tells it, or this one did before it was restarted. So each event is told by one process at most;
a process that ends in between leaves the target in the dark, which the record does not.
"""

import asyncio
import enum
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import NoReturn

import aiohttp
import msgspec
import structlog

from sidecar import clock
from sidecar import randomness as chance
from sidecar.config import Notices, NoticeSecrets
from sidecar.core.facts.observations import NoticeClaimed, Record
from sidecar.core.fold.conclusions import Conclusion
from sidecar.core.fold.state import State
from sidecar.notifications.delivery import Attempt, send, session
from sidecar.notifications.notification import Notice
from sidecar.notifications.selection import Watch
from sidecar.notifications.targets import Target, targets_of
from sidecar.ports import Failed, Journal, SidecarError, Task, uncounted


class NoticeResult(enum.StrEnum):
    """What became of a notice, for one target."""

    TOLD = "told"
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
    """Notices in the line of one target."""


class _Waiting(msgspec.Struct, frozen=True):
    notice: Notice
    heard_s: float


class _Line:
    """What waits for one target."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.waiting: deque[_Waiting] = deque()
        self.is_any = asyncio.Event()


class Notifier:
    """The notices of one replica."""

    def __init__(
        self,
        journal: Journal,
        watch: Watch,
        targets: Sequence[Target],
        *,
        replica: str,
        pace: Pace | None = None,
        failed: Failed = uncounted,
    ) -> None:
        self.results: Counter[tuple[str, str]] = Counter()
        """(kind of target, what became of the notice)."""
        self.attempts: Counter[tuple[str, str]] = Counter()
        """(kind of target, what came of the attempt)."""
        self._journal = journal
        self._watch = watch
        self._replica = replica
        self._pace = pace or Pace()
        self._failed = failed
        self._lines = [_Line(target) for target in targets]

    def heard(self, record: Record, conclusions: list[Conclusion]) -> None:
        """Take what a record is worth telling; returns at once, and raises nothing. A listener of the follower."""
        if not self._lines:
            return
        try:
            for notice in self._watch.seen(record, conclusions):
                for line in self._lines:
                    if line.target.takes(notice.kind):
                        self._queue(line, notice)
        except Exception:  # noqa: BLE001 - a mistake of ours in the words must not stop the fold
            self._mistaken()

    def waiting(self) -> int:
        """Return how many notices wait, for all targets together."""
        return sum(len(line.waiting) for line in self._lines)

    async def run(self) -> NoReturn:
        """Tell, for ever; where there is nobody to tell, do nothing for as long."""
        if not self._lines:
            await asyncio.Event().wait()
        async with session() as client, asyncio.TaskGroup() as group:
            for line in self._lines:
                group.create_task(self._serve(line, client), name=f"notices to {line.target.name}")
        raise AssertionError  # none of them ends

    def _queue(self, line: _Line, notice: Notice) -> None:
        if len(line.waiting) >= self._pace.waiting_max:
            line.waiting.popleft()
            self._count(line, NoticeResult.DROPPED)
        line.waiting.append(_Waiting(notice, clock.monotonic_s()))
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
                result = NoticeResult.GIVEN_UP
            self._count(line, result)

    def _mistaken(self) -> None:
        self._failed(Task.NOTICES)
        structlog.get_logger().exception("notices.mistaken")

    async def _tell(self, target: Target, waiting: _Waiting, client: aiohttp.ClientSession) -> NoticeResult:
        notice, pause_s = waiting.notice, self._pace.first_pause_s
        is_ours = await self._claim(target, waiting)
        if is_ours is None:
            return NoticeResult.DROPPED
        if not is_ours:
            return NoticeResult.CLAIMED
        log = structlog.get_logger().bind(target=target.name, notice=notice.kind.value, event_id=notice.event)
        while True:
            outgoing = target.request(notice, clock.wall_ms() // 1000)
            answer = await send(client, outgoing, within_s=self._pace.attempt_within_s)
            self.attempts[target.kind.value, answer.attempt.value] += 1
            if answer.attempt is Attempt.SENT:
                log.info("notice.told")
                return NoticeResult.TOLD
            wait_s = max(pause_s * chance.uniform(0.5, 1.5), answer.pause_s)
            if not answer.attempt.is_worth_another or self._left_s(waiting) <= wait_s:
                log.warning("notice.given_up", why=answer.attempt.value, status=answer.status, error=answer.error)
                return NoticeResult.GIVEN_UP
            log.info("notice.again", why=answer.attempt.value, status=answer.status, error=answer.error)
            await asyncio.sleep(wait_s)
            pause_s = min(2 * pause_s, self._pace.pause_max_s)

    async def _claim(self, target: Target, waiting: _Waiting) -> bool | None:
        """Say in the journal that we tell this target of it; return whether that is ours. None: it was too late."""
        fact = NoticeClaimed(replica=self._replica, event=waiting.notice.event, target=target.name)
        while self._left_s(waiting) > 0:
            try:
                return not (await self._journal.append(fact)).duplicate
            except SidecarError as error:
                self._failed(Task.NOTICES)
                structlog.get_logger().warning("notices.failed", code=error.code.value, message=error.message)
                await asyncio.sleep(self._pace.first_pause_s)
        return None

    def _left_s(self, waiting: _Waiting) -> float:
        return self._pace.give_up_after_s - (clock.monotonic_s() - waiting.heard_s)

    def _count(self, line: _Line, result: NoticeResult) -> None:
        self.results[line.target.kind.value, result.value] += 1


def notifier_of(
    notices: Notices | None,
    secrets: Mapping[str, NoticeSecrets],
    journal: Journal,
    state: State,
    *,
    replica: str,
    failed: Failed = uncounted,
    pace: Pace | None = None,
) -> Notifier:
    """Return the notifier of a configuration; where `notices` is None it tells nobody."""
    usual = notices or Notices(targets=())
    watch = Watch(state, stuck_after_ms=usual.stuck_after_ms, rest_after_ms=usual.rest_after_ms)
    targets = targets_of(usual, secrets)
    return Notifier(journal, watch, targets, replica=replica, pace=pace, failed=failed)
