"""Notifications for the records of a test world, and samples for targets."""

from collections.abc import Iterable

from sidecar.config import NotificationSecrets, TargetKind
from sidecar.core.facts.observations import Record
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import State
from sidecar.notifications import Notification, NotificationKind, Selector, Target, Tone
from sidecar.notifications.notification import Words
from sidecar.notifications.targets import SPECS
from tests.core.world import HOUR, MINUTE

KEY = "signing-key-for-the-tests-0123456789"
CHAIN = "c0ffee" * 10 + "c0de"


def selected(
    records: Iterable[Record], *, stuck_after_ms: int = 1 * HOUR, suspended_after_ms: int = 10 * MINUTE
) -> list[Notification]:
    """Return all notifications for these records, folded from the beginning."""
    state = State()
    selector = Selector(state, stuck_after_ms=stuck_after_ms, suspended_after_ms=suspended_after_ms)
    found: list[Notification] = []
    for record in records:
        found += selector.select(record, fold(state, record))
    return found


def notification(
    event: str = "moved:7", kind: NotificationKind = NotificationKind.FELL, text: str = "All payers are on timers."
) -> Notification:
    """Return a sample notification."""
    return Notification(
        event=event,
        kind=kind,
        tone=Tone.BAD,
        words=Words(title="payment-refresh in test: push fell", text=text, next="Find the cause."),
        environment="test",
        flag="payment-refresh",
        at_ms=1_800_000_060_000,
        from_ms=1_800_000_000_000 if kind is NotificationKind.SUSPENSION_ENDED else None,
        seq=7,
        chain=CHAIN,
        facts={"cause": "alarm", "to_rung": 0},
    )


def target(
    url: str, kind: TargetKind = TargetKind.WEBHOOK, name: str = "ops", console_url: str | None = None
) -> Target:
    """Return a target at a URL."""
    secrets = NotificationSecrets(url=url, key="" if kind is TargetKind.SLACK else KEY)
    return Target(name=name, kind=kind, spec=SPECS[kind], secrets=secrets, console_url=console_url)
