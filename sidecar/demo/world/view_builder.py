"""The world as its page shows it, put together from what is known now."""

from sidecar import clock, wording
from sidecar.console.status import Status
from sidecar.core.facts.policy import Mode, Rung
from sidecar.demo.world.stage import Stage
from sidecar.demo.world.view import Counts, FlagView, WorldUrls, WorldView

__all__ = ["Rung", "WorldUrls", "view_of"]


def view_of(world: Stage) -> WorldView:
    """Return all that the page shows."""
    status, history = world.watching.status, world.history
    return WorldView(
        now_ms=clock.wall_ms(),
        speed=world.speed,
        is_story=world.story.is_running,
        story=world.story.views(),
        story_failure=world.story.failure,
        flag=_flag(world, status),
        gates=() if status is None else status.gates,
        indicators=() if status is None else status.indicators,
        comparison=None if status is None else status.comparison,
        events=history.events(),
        payers=history.payers(),
        switches=world.switchboard.views(),
        counts=Counts(
            payments=history.payments,
            cleared=history.cleared,
            waiting=history.payments - history.cleared,
            webhooks=world.stripe.deliveries,
            broadcasts=world.app.broadcasts,
            reports=0 if status is None else sum(status.payers.reports.values()),
        ),
        urls=world.urls,
    )


def _flag(world: Stage, status: Status | None) -> FlagView:
    last = status or world.watching.last
    if last is None:
        return FlagView(
            mode=Mode.TIMER_POLLING,
            reason="starting",
            share_ppm=world.ladder[0].share_ppm if world.ladder else 0,
            rung=0,
            ladder=world.ladder,
            version=0,
        )
    return FlagView(
        mode=Mode.TIMER_POLLING if status is None else status.served.mode,
        reason="no_sidecar" if status is None else status.served.reason,
        share_ppm=last.ladder[last.rung].share_ppm,
        rung=last.rung,
        ladder=last.ladder,
        version=last.version,
        detail="" if status is None else _detail(status),
    )


def _detail(status: Status) -> str:
    """Return why push is suspended, or what is wrong where an alarm is latched."""
    if status.suspensions:
        return status.suspensions[0].description
    return " ".join(wording.INDICATORS[name].description for name in status.alarms)
