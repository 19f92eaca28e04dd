"""The effect of each switch on the world, and the check that its expected effect was observed."""

from collections.abc import Awaitable, Callable

import msgspec

from sidecar.console.status import Status
from sidecar.core.facts.auth_probes import AuthProbeOutcome, RoundTripOutcome
from sidecar.core.facts.outcomes import Outcome, ReportOutcome
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.suspensions import SuspensionReason
from sidecar.demo.world.stage import Stage
from sidecar.demo.world.switches import Key
from sidecar.pusher.signing import App

_ENOUGH = 3
"""So many signs that the trouble itself is there: an alarm of an earlier one does not count."""


class _EveryFifth:
    """The users that are refused: those whose number ends in 3 or 8. The probe's is 0."""

    def __contains__(self, user_id: object) -> bool:
        return isinstance(user_id, str) and user_id[-1:] in {"3", "8"}


class _Everybody:
    """All users."""

    def __contains__(self, user_id: object) -> bool:
        return True


# --- what a switch does


def _refuse_all(world: Stage, *, on: bool) -> None:
    world.app.faults.refuses = _Everybody() if on else frozenset()


def _refuse_fifth(world: Stage, *, on: bool) -> None:
    world.app.faults.refuses = _EveryFifth() if on else frozenset()


def _sign_with_another(world: Stage, *, on: bool) -> None:
    real = world.reverb_app
    world.app.faults.signs_as = App(app_id=real.app_id, key=real.key, secret="as-it-was-before") if on else None  # noqa: S106


def _slow_the_queue(world: Stage, *, on: bool) -> None:
    world.app.is_queue_slow = on


def _lose_broadcasts(world: Stage, *, on: bool) -> None:
    for node in world.nodes:
        node.faults.swallow_ratio = 0.02 if on else 0.0


def _freeze(world: Stage, *, on: bool) -> None:
    for node in world.nodes:
        node.faults.is_frozen = on


async def _remove(world: Stage, *, on: bool) -> None:
    for node in world.nodes:
        await (node.exit() if on else node.start())
    for proxy in world.reverb_proxies:
        if on:
            proxy.close()
        elif not world.switchboard.is_on(Key.SIDECAR_BLIND) or proxy is world.reverb_proxies[0]:
            await proxy.open()


def _deafen(world: Stage, *, on: bool) -> None:
    world.nodes[1].faults.is_deaf = on


def _delay_webhooks(world: Stage, *, on: bool) -> None:
    world.stripe.is_late = on


async def _blind(world: Stage, *, on: bool) -> None:
    for proxy in world.sidecars_proxies:
        if on:
            proxy.close()
        elif not world.switchboard.is_on(Key.REVERB_GONE) or proxy not in world.reverb_proxies:
            await proxy.open()


async def _kill(world: Stage, *, on: bool) -> None:
    await (world.sidecar.kill() if on else world.sidecar.start())


ACTIONS: dict[Key, Callable[..., Awaitable[None] | None]] = {
    Key.AUTH_REFUSED: _refuse_all,
    Key.AUTH_REFUSED_FIFTH: _refuse_fifth,
    Key.WRONG_SECRET: _sign_with_another,
    Key.SLOW_QUEUE: _slow_the_queue,
    Key.BROADCASTS_LOST: _lose_broadcasts,
    Key.REVERB_FROZEN: _freeze,
    Key.REVERB_GONE: _remove,
    Key.NODE_DEAF: _deafen,
    Key.WEBHOOKS_LATE: _delay_webhooks,
    Key.SIDECAR_BLIND: _blind,
    Key.SIDECAR_KILLED: _kill,
}


# --- the observed effects


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What the world looked like when a switch was turned on, and what it looks like now."""

    before: Status
    now: Status | None
    """None: the sidecar does not answer."""
    unanswered: int
    """Payers who got no answer from the flag since."""

    def more(self, count: Callable[[Status], int]) -> int:
        """Return by how much a count has grown."""
        return 0 if self.now is None else count(self.now) - count(self.before)

    @property
    def has_timers(self) -> bool:
        """Whether everybody has timers."""
        return self.now is not None and self.now.served.mode is Mode.TIMER_POLLING

    @property
    def has_fallen(self) -> bool:
        """Whether the flag has fallen since."""
        if self.now is None:
            return False
        since_ms = self.before.now_ms
        return any(move.at_ms >= since_ms and move.to_rung < move.from_rung for move in self.now.moves)


def _bad_reports(status: Status) -> int:
    return status.payers.reports.get(ReportOutcome.BAD, 0)


def _auth_probes(outcome: AuthProbeOutcome) -> Callable[[Status], int]:
    return lambda status: status.reverb.auth_probes.get(outcome, 0) if status.reverb else 0


def _round_trips(status: Status) -> int:
    outcomes = status.reverb.round_trips if status.reverb else {}
    return sum(count for outcome, count in outcomes.items() if outcome is not RoundTripOutcome.OK)


def _deaf(status: Status) -> int:
    return status.reverb.round_trips.get(RoundTripOutcome.DEAF_NODE, 0) if status.reverb else 0


def _outcomes(outcome: Outcome) -> Callable[[Status], int]:
    return lambda status: status.outcomes.get(outcome, 0)


def _timers_failed(status: Status) -> int:
    return status.comparison.timers.judged - status.comparison.timers.worked


def _alarmed(seen: Seen, *names: str) -> str:
    """Return which alarm took push away; empty: none did."""
    if seen.now is None or not seen.has_timers:
        return ""
    latched = [name for name in names if name in seen.now.alarms]
    if latched:
        return f"an alarm of {' and '.join(latched)}: timers for everybody"
    return "the flag fell: timers for everybody" if seen.has_fallen else ""


def _suspended_ms(status: Status, reason: SuspensionReason) -> int | None:
    """Return since when push is suspended for this reason; None: it is not."""
    return next((each.began_ms for each in status.suspensions if each.reason is reason), None)


def _suspended(seen: Seen) -> str:
    """Return that the rung was kept, or what happened instead."""
    if seen.now is None or not seen.has_timers:
        return ""
    began_ms = _suspended_ms(seen.now, SuspensionReason.REVERB_UNSTABLE)
    if began_ms is not None and began_ms >= seen.before.now_ms - 60_000:
        return f"a suspension: timers for everybody, and rung {seen.now.rung} is kept"
    if seen.has_fallen:
        return "the third in a day: a fall"
    is_alarmed = {"round_trips", "payments"} & set(seen.now.alarms)
    return "an alarm; on the lowest rung there is nothing to suspend" if is_alarmed and seen.now.rung == 0 else ""


def _lost_came(seen: Seen) -> str:
    missed = seen.more(_outcomes(Outcome.MISSED))
    return f"{missed} payment missed, and nothing moved" if missed and not seen.has_fallen else ""


def _slow_came(seen: Seen) -> str:
    if seen.more(_outcomes(Outcome.LATE)) < _ENOUGH or seen.now is None:
        return ""
    if seen.has_fallen:
        return "payments are late, and Reverb is well: a fall"
    is_alarmed = "payments" in seen.now.alarms and seen.now.rung == 0
    return "payments are late: an alarm, and nothing climbs" if is_alarmed else ""


def _late_came(seen: Seen) -> str:
    failed, asked = seen.more(_timers_failed), seen.more(lambda status: status.comparison.timers.judged)
    is_most = failed >= _ENOUGH and 2 * failed > asked  # one in twelve is late anyway
    return f"{failed} payments that timers alone would have missed" if is_most and not seen.has_fallen else ""


CAME: dict[Key, Callable[[Seen], str]] = {
    Key.AUTH_REFUSED: lambda seen: (
        _alarmed(seen, "reach", "channel_auth", "user_auth") if seen.more(_bad_reports) >= _ENOUGH else ""
    ),
    Key.AUTH_REFUSED_FIFTH: lambda seen: (
        _alarmed(seen, "reach", "user_auth") if seen.more(_bad_reports) >= _ENOUGH else ""
    ),
    Key.WRONG_SECRET: lambda seen: (
        _alarmed(seen, "reach", "channel_auth")
        if seen.more(_auth_probes(AuthProbeOutcome.SIGNED_WITH_OTHER_SECRET))
        else ""
    ),
    Key.SLOW_QUEUE: _slow_came,
    Key.BROADCASTS_LOST: _lost_came,
    Key.REVERB_FROZEN: lambda seen: _suspended(seen) if seen.more(_round_trips) >= _ENOUGH else "",
    Key.REVERB_GONE: lambda seen: _suspended(seen) if seen.more(_round_trips) >= _ENOUGH else "",
    Key.NODE_DEAF: lambda seen: _suspended(seen) if seen.more(_deaf) >= _ENOUGH else "",
    Key.WEBHOOKS_LATE: _late_came,
    Key.SIDECAR_BLIND: lambda seen: (
        f"a suspension: timers for everybody, and rung {seen.now.rung} is kept"
        if seen.now is not None and _suspended_ms(seen.now, SuspensionReason.CUT_OFF) is not None
        else ""
    ),
    Key.SIDECAR_KILLED: lambda seen: (
        f"no answer; {seen.unanswered} payers followed timers" if seen.now is None and seen.unanswered > 1 else ""
    ),
}
"""By switch: the observed effect, in a few words; empty: not yet."""
