"""Poll the sidecar over the operator API like a person, and record changes."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlencode

import aiohttp
import msgspec

from sidecar import wording
from sidecar.console.status import Status
from sidecar.core.facts.policy import Mode
from sidecar.core.release.readiness import Readiness
from sidecar.demo.world.history import History
from sidecar.ports import ErrorCode, SidecarError

_TIMEOUT = aiohttp.ClientTimeout(total=5)
_SHARES = 1_000_000
QUESTION = {"mode": "push_only", "for": "2m", "environment": "demo", "min_payments": "20"}
"""The question to the release gate: in production 14 days; in the demo, two minutes."""
T = TypeVar("T", Status, Readiness)


class _Refused(msgspec.Struct, frozen=True):
    """The sidecar's message when there is no policy yet."""

    message: str


class Watching:
    """Polls the sidecar's status."""

    def __init__(self, session: aiohttp.ClientSession, history: History, *, token: str) -> None:
        self.status: Status | None = None
        """The last status; None: it does not answer."""
        self.last: Status | None = None
        """The last status that was answered; None: there was none."""
        self.readiness: Readiness | None = None
        """The answer of `sidecar gate` on the last rung; None: not asked, or there was no answer."""
        self.operator = ""
        """The operator listener's URL."""
        self._session, self._history, self._token = session, history, token
        self._looked = asyncio.Condition()

    async def look(self) -> None:
        """Fetch the status, and wake the waiters."""
        status = await self._asked("/api/status", Status)
        if status is not None and self.last is not None:
            for text in _changes(self.last, status):
                self._history.note("sidecar", "sidecar", text)
        if (status is None) is not (self.status is None):
            self._history.note("sidecar", "sidecar", "does not answer" if status is None else "answers")
        is_top = status is not None and status.rung == len(status.ladder) - 1
        self.readiness = await self._asked(f"/api/gate?{urlencode(QUESTION)}", Readiness) if is_top else None
        self.status = status
        self.last = status or self.last
        async with self._looked:
            self._looked.notify_all()

    async def until(self, is_met: Callable[[Status | None], object], within_s: float) -> bool:
        """Wait until a condition is true, and return whether it was in time."""
        try:
            async with asyncio.timeout(within_s):
                while not is_met(self.status):
                    async with self._looked:
                        await self._looked.wait()
        except TimeoutError:
            return False
        return True

    async def action(self, action: str, reason: str) -> None:
        """Send an operator action as a person. Raises `SidecarError` where that is not possible now."""
        headers = {"Authorization": f"Bearer {self._token}"}
        url = f"{self.operator}/api/{action}"
        try:
            async with self._session.post(url, json={"reason": reason}, headers=headers, timeout=_TIMEOUT) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise SidecarError(ErrorCode.CONFLICT, f"{action}: the sidecar does not answer") from error
        if answer.status != HTTPStatus.OK:
            why = msgspec.json.decode(body, type=_Refused).message
            raise SidecarError(ErrorCode.CONFLICT, f"{action}: {why}")
        self._history.note("person", "visitor", f"{action}: {reason}")

    async def _asked(self, path: str, shape: type[T]) -> T | None:
        try:
            async with self._session.get(f"{self.operator}{path}", timeout=_TIMEOUT) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, OSError, TimeoutError):
            return None
        return msgspec.json.decode(body, type=shape) if answer.status == HTTPStatus.OK else None


def _changes(before: Status, after: Status) -> list[str]:
    """Return the differences between two statuses, as texts."""
    changes = [f"alarm of {name}" for name in after.alarms if name not in before.alarms]
    changes += [f"the alarm of {name} is over" for name in before.alarms if name not in after.alarms]
    was, now = ({each.label for each in status.suspensions} for status in (before, after))
    changes += [f"suspended: {label}; rung {after.rung} is kept" for label in sorted(now - was)]
    changes += ["push resumes"] if was and not now else []
    for move in after.moves:
        if move.at_ms > before.now_ms:
            rung = after.ladder[move.to_rung]
            share = "" if rung.share_ppm == _SHARES else f" for {rung.share_ppm / _SHARES:.0%}"
            how = "climbed to" if move.to_rung > move.from_rung else "fell to"
            changes.append(f"{how} {wording.MODES[rung.mode].label.lower()}{share}: {move.cause}")
    return changes


def is_push(status: Status | None, mode: Mode | None = None) -> bool:
    """Return whether push, in this mode or any, is served to everybody."""
    if status is None or status.served.mode is Mode.TIMER_POLLING:
        return False
    is_for_all = status.ladder[status.rung].share_ppm == _SHARES
    return is_for_all and mode in {None, status.served.mode}
