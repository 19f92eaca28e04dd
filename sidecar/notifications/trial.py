"""A test notification to each target, sent once, without the journal."""

import asyncio
from collections.abc import Sequence

import msgspec

from sidecar import clock
from sidecar.config import Config, TargetKind
from sidecar.notifications import texts
from sidecar.notifications.delivery import Answer, Attempt, send, session
from sidecar.notifications.notification import Notification, NotificationKind, Tone
from sidecar.notifications.targets import Target

_WITHIN_S = 10.0
_ADVICE = {
    Attempt.REFUSED: "the target refused it: check its URL and its key",
    Attempt.REDIRECTED: "the target redirects, and redirects are not followed: configure the URL that it redirects to",
    Attempt.BUSY: "the target is busy; a running sidecar retries",
    Attempt.FAILED: "the target failed; a running sidecar retries",
    Attempt.TIMED_OUT: f"the target did not answer within {_WITHIN_S:g} s",
    Attempt.TLS: "the target's certificate is not trusted, or the port does not use TLS",
    Attempt.UNREACHABLE: "no connection: check the host in the target's URL, and the network",
}


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """Result of the test of one target."""

    name: str
    kind: TargetKind
    attempt: Attempt
    status: int | None
    error: str

    @property
    def sentence(self) -> str:
        """The result as a sentence, without the URL."""
        if self.attempt is Attempt.SENT:
            return f"arrived ({self.status})"
        return f"{_ADVICE[self.attempt]} ({self.status or self.error})"


async def try_targets(config: Config, targets: Sequence[Target]) -> tuple[Tried, ...]:
    """Send a test notification to all targets concurrently, and return the results."""
    now_ms = clock.wall_ms()
    notification = Notification(
        event=f"test:{now_ms}",
        kind=NotificationKind.TEST,
        tone=Tone.PLAIN,
        words=texts.test(config.flag, config.environment),
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
