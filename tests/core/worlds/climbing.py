"""Worlds about proof: how long a climb takes, and what must not carry one."""

import functools
from collections.abc import Callable

import msgspec

from sidecar.core.facts.observations import AckReceived
from sidecar.core.facts.operator_actions import Held, Resumed
from sidecar.core.facts.policy import Policy, Stage
from sidecar.core.fold.state import encode
from tests.core.world import DAY, HOUR, MINUTE, SECOND
from tests.core.worlds.life import Life
from tests.core.worlds.policies import ALONE, COARSE, LADDER, REAL
from tests.core.worlds.rows import Row, Sum
from tests.core.worlds.truth import Figures, Truth
from tests.core.worlds.warm import on

_AT_ONCE = msgspec.structs.replace(ALONE, ladder=tuple(msgspec.structs.replace(rung, soak_ms=0) for rung in LADDER[:2]))
"""Without soaks: the first climb is the proof."""


def fresh(
    *,
    per_day: float,
    days: float,
    truth: Truth,
    policy: Policy = COARSE,
    event: Callable[[Life], None] | None = None,
    to_rung: int = 3,
) -> Callable[[int], Figures]:
    """Return a world with a new journal that ends when it reaches this rung, and is there for a day."""

    def live(seed: int) -> Figures:
        life = Life(policy, seed=seed, per_day=per_day, truth=truth)
        life.begin()
        if event is not None:
            event(life)
        life.run(round(days * DAY), until=lambda: to_rung in life.figures.reached_ms)
        return life.figures

    return live


@functools.cache
def _held(payments: int) -> tuple[bytes, int]:
    """Return a journal of so many payments at 99.9 %, on hold."""
    life = Life(ALONE, seed=99, per_day=1000, truth=Truth(payments=0.999, reports=0.0)).begin()
    life.see(Held(actor="ann", reason="not yet"))
    life.run(payments * DAY // 1000)
    return encode(life.state), life.now_ms


def glory(truth: float, *, payments: int = 30_000, after: int = 2000) -> Callable[[int], Figures]:
    """Return a world on hold for 30 000 payments at 99.9 %, then worse, whose hold is lifted 2 000 payments later."""

    def live(seed: int) -> Figures:
        body, now_ms = _held(payments)
        life = Life(ALONE, seed=seed, per_day=1000, truth=Truth(payments=truth, reports=0.0))
        life.resume(body, now_ms)
        life.run(after * DAY // 1000)
        life.count_anew()
        resumed = Resumed(actor="ann", reason="now")
        life.see(resumed)
        life.run(HOUR)
        return life.figures

    return live


def _after_a_bad_month(life: Life) -> None:
    life.become(payments=0.8)
    life.at(30 * DAY, lambda: life.become(payments=0.999))
    life.at(30 * DAY, life.count_anew)


def _stray_ack(at_ms: int) -> Callable[[Life], None]:
    """Return the event that somebody tries `POST /acks` with a payment that does not exist."""

    def plan(life: Life) -> None:
        fact = AckReceived(source="backend", stage=Stage.DELIVERED, payment_intent="pi_of_a_test")
        observed = AckReceived(source="observer", stage=Stage.DELIVERED, payment_intent="pi_of_a_test")
        life.at(at_ms, lambda: life.see(observed if life.policy.reverb else fact))

    return plan


def _nameless(life: Life) -> None:
    """Make the app's broadcasts name their user, and no payment."""

    def acked(_name: str, user: str, is_in_time: bool) -> None:  # noqa: FBT001
        fact = AckReceived(source="backend", stage=Stage.DELIVERED, user_ref=user, contexts=("bookings",))
        if is_in_time:
            life.after(300, lambda: life.see(fact))

    life.acked = acked


def _nameless_and_stray(life: Life) -> None:
    _nameless(life)
    _stray_ack(2 * DAY)(life)


def _back_to_nameless(seed: int) -> Figures:
    """Roll the app back to broadcasts that name no payment."""
    life = on(2, ALONE, seed=seed)
    _nameless(life)
    life.run(120 * DAY, until=lambda: 2 in life.figures.reached_ms)
    return life.figures


def _wired_late(life: Life) -> None:
    """Make the broadcasts begin after two weeks; one test ack comes on the first day."""
    acked, life.acked = life.acked, lambda *_: None
    _stray_ack(HOUR)(life)

    def wire() -> None:
        life.acked = acked

    life.at(14 * DAY, wire)
    life.at(14 * DAY, life.count_anew)


def _restarts(every_ms: int, down_ms: int = 2 * SECOND) -> Callable[[Life], None]:
    def plan(life: Life) -> None:
        life.every(every_ms, lambda: life.restart(down_ms))

    return plan


def _climbs_within(days: float, rung: int) -> Callable[[Sum], bool]:
    def keeps(sum_: Sum) -> bool:
        reached = sum_.days[rung - 1]
        return reached is not None and reached <= days

    return keeps


def _volume_rows() -> tuple[Row, ...]:
    bounds = {(3, 0.999): (190, 460), (10, 0.999): (60, 130), (40, 0.999): (19, 40)}
    return tuple(
        Row(
            name="Days to each rung",
            volume=f"{per_day}/day",
            truth=f"payments {truth:.1%}",
            event="",
            live=fresh(per_day=per_day, days=1200, truth=Truth(payments=truth, reached=1.0), policy=ALONE),
            runs=3,
            promise=f"rung 3 within {bounds[per_day, truth][1]} days" if (per_day, truth) in bounds else "-",
            keeps=_climbs_within(bounds[per_day, truth][1], 3) if (per_day, truth) in bounds else lambda _: True,
        )
        for per_day in (3, 10, 40)
        for truth in (0.999, 0.995)
    )


_RENEWAL = tuple(
    Row(
        name="Proof with renewals",
        volume="40/day",
        truth=f"payments {truth:.1%}",
        event="no soak",
        live=fresh(
            per_day=40, days=2000, truth=Truth(payments=truth, reports=0, answered=0), policy=_AT_ONCE, to_rung=1
        ),
        runs=runs,
        promise=f"rung 1 in {days} days in the median",
        keeps=_climbs_within(days, 1),
    )
    for truth, runs, days in ((0.995, 9, 150), (0.997, 9, 45), (0.999, 9, 30))
)

_COVERED = (
    *(
        Row(
            name="Webhooks that Stripe delivers again",
            volume="400/day",
            truth=f"payments 99.9 %, {1 - share:.0%} delivered a minute late",
            event="",
            live=fresh(per_day=400, days=30, truth=Truth(payments=0.999, prompt=share)),
            promise=f"rung 1 within {days} days" if days else "-",
            keeps=_climbs_within(days, 1) if days else lambda _: True,
        )
        for share, days in ((0.97, 20), (0.96, 0))
    ),
    Row(
        name="An hour's stop every day",
        volume="400/day",
        truth="payments 99.9 %",
        event="the sidecar is stopped for an hour every 24 h",
        live=fresh(per_day=400, days=30, truth=Truth(payments=0.999), event=_restarts(DAY, HOUR), to_rung=1),
        promise="rung 1 within 10 days",
        keeps=_climbs_within(10, 1),
    ),
    Row(
        name="A restart every 2 min",
        volume="40/day",
        truth="payments 100 %",
        event="the sidecar restarts in 2 s, every 2 min",
        live=fresh(per_day=40, days=60, truth=Truth(), policy=REAL, event=_restarts(2 * MINUTE), to_rung=1),
        promise="rung 1 within 40 days",
        keeps=_climbs_within(40, 1),
    ),
)

ROWS = (
    *_volume_rows(),
    Row(
        name="One flow",
        volume="40/day",
        truth="payments 99.9 %",
        event="",
        live=fresh(per_day=40, days=90, truth=Truth(payments=0.999)),
        runs=5,
        promise="rung 3 within 30 days",
        keeps=_climbs_within(30, 3),
    ),
    Row(
        name="Two equal flows",
        volume="40/day",
        truth="payments 99.9 %, half of the payers redirected",
        event="",
        live=fresh(per_day=40, days=90, truth=Truth(payments=0.999, redirects=0.5)),
        runs=5,
        promise="rung 3 within 30 days, as with one",
        keeps=_climbs_within(30, 3),
    ),
    *_RENEWAL,
    Row(
        name="A bad month first",
        volume="40/day",
        truth="payments 80 % for 30 days, then 99.9 %",
        event="no soak; days from the repair",
        live=fresh(
            per_day=40,
            days=400,
            truth=Truth(payments=0.999, reports=0, answered=0),
            policy=_AT_ONCE,
            event=_after_a_bad_month,
            to_rung=1,
        ),
        runs=9,
        promise="2.5 times a fresh start",
        keeps=_climbs_within(50, 1),
    ),
    *(
        Row(
            name="Old glory",
            volume="1 000/day",
            truth=f"payments 99.9 % for 30 000, then {truth:.1%}",
            event="a hold that ends 2 000 payments after the damage",
            live=glory(truth),
            runs=20,
            promise=f"at most {most} of 20 runs climb",
            keeps=lambda sum_, most=most: sum_.climbs <= most,  # type: ignore[misc]
        )
        for truth, most in ((0.989, 9), (0.985, 2))
    ),
    *_COVERED,
    Row(
        name="A stray test ack among nameless acks",
        volume="400/day",
        truth="payments 99.9 %",
        event="one ack of a payment that does not exist, after 2 days",
        live=fresh(
            per_day=400, days=20, truth=Truth(payments=0.999), policy=ALONE, event=_nameless_and_stray, to_rung=2
        ),
        promise="rung 2 within 8 days",
        keeps=_climbs_within(8, 2),
        is_short=True,
    ),
    Row(
        name="The app goes back to nameless acks",
        volume="40/day",
        truth="payments 100 %",
        event="on rung 2, acks name no payment from now on",
        live=_back_to_nameless,
        promise="rung 1 again within 40 days",
        keeps=_climbs_within(40, 1),
    ),
    Row(
        name="A stray test ack before the app is wired",
        volume="40/day",
        truth="payments 100 %",
        event="one ack of a payment that does not exist; broadcasts begin 14 days later",
        live=fresh(per_day=40, days=120, truth=Truth(), policy=ALONE, event=_wired_late, to_rung=1),
        promise="rung 1 within 20 days of the first broadcast",
        keeps=_climbs_within(20, 1),
        is_short=True,
    ),
)
