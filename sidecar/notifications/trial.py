"""Does a notification arrive? One of no importance is sent to each target, once, outside the journal."""

import asyncio
from collections.abc import Sequence

import msgspec

from sidecar import clock
from sidecar.config import Config, TargetKind
from sidecar.notifications import texts as words
from sidecar.notifications.delivery import Answer, Attempt, send, session
from sidecar.notifications.notification import Notification, NotificationKind, Tone
from sidecar.notifications.targets import Target

_WITHIN_S = 10.0
_ADVICE = {
    Attempt.REFUSED: "it will not have it: look at its URL and its key",
    Attempt.REDIRECTED: "it points elsewhere, and is not followed: give the URL that it points to",
    Attempt.BUSY: "it takes no more at present; a running sidecar would try again",
    Attempt.FAILED: "it failed; a running sidecar would try again",
    Attempt.TIMED_OUT: f"it did not answer within {_WITHIN_S:g} s",
    Attempt.TLS: "its certificate is not to be trusted, or it speaks no TLS at this port",
    Attempt.UNREACHABLE: "no connection: look at the host in its URL, and at what lies between",
}


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one target's test."""

    name: str
    kind: TargetKind
    attempt: Attempt
    status: int | None
    error: str

    @property
    def sentence(self) -> str:
        """The same in words, without the URL."""
        if self.attempt is Attempt.SENT:
            return f"arrived ({self.status})"
        return f"{_ADVICE[self.attempt]} ({self.status or self.error})"


async def try_targets(config: Config, targets: Sequence[Target]) -> tuple[Tried, ...]:
    """Send a test notification to each target at once, and return what came of it."""
    now_ms = clock.wall_ms()
    notification = Notification(
        event=f"test:{now_ms}",
        kind=NotificationKind.TEST,
        tone=Tone.PLAIN,
        words=words.test(config.flag, config.environment),
        environment=config.environment,
        flag=config.flag,
        at_ms=now_ms,
        seq=0,
        chain="",
    )
    async with session() as client:
        answers = await asyncio.gather(
            *(send(client, target.request(notification, now_ms // 1000), within_s=_WITHIN_S) for target in targets)
        )
    return tuple(_tried(target, answer) for target, answer in zip(targets, answers, strict=True))


def _tried(target: Target, answer: Answer) -> Tried:
    return Tried(name=target.name, kind=target.kind, attempt=answer.attempt, status=answer.status, error=answer.error)
