"""Worlds about payers: who is refused, who reports, and who does not."""

from collections.abc import Callable

from sidecar.core.facts.auth_probes import UserAuth
from sidecar.core.facts.observations import AckReceived, SkipReason, UserAuthReported
from sidecar.core.facts.policy import Stage
from tests.core.world import DAY, HOUR, MINUTE, SECOND
from tests.core.worlds.attribution import damaged
from tests.core.worlds.climbing import fresh
from tests.core.worlds.life import Life
from tests.core.worlds.policies import COARSE
from tests.core.worlds.rows import Row
from tests.core.worlds.truth import Truth


def crash_loop(life: Life) -> None:
    """Restart the sidecar every 9 min."""
    life.every(9 * MINUTE, life.restart)


def _broken_users(users: int, broken: int) -> Callable[[Life], None]:
    """Return a shop of so many users, of whom some may never authorise their channel."""

    def plan(life: Life) -> None:
        life.payer = lambda _: f"user {life.random.randrange(users)}"
        life.is_authorised = lambda user: int(user.split()[1]) >= broken

    return plan


def _only_the_happy_report(life: Life) -> None:
    """Reach every second payer, and let only half of those report: the others see nothing, and say nothing."""
    pay = life.pay

    def pay_and_maybe_report() -> None:
        number = life.figures.payments % 4
        life.become(reached=float(number < 2), reports=float(number == 0))
        pay()

    life.pay = pay_and_maybe_report  # type: ignore[method-assign]


def _granted_then_refused(life: Life) -> None:
    """Answer every payer `ok` before the redirect to Stripe, and 403 after it."""
    pay = life.pay

    def pay_after_ok() -> None:
        user = life.payer(life.number + 1)
        life.append(UserAuthReported(result=UserAuth.OK, user_ref=user))
        life.now_ms += 20
        pay()

    life.pay = pay_after_ok  # type: ignore[method-assign]


def _never_and_skipped(*, says_paid: bool) -> Callable[[Life], None]:
    """Make the second webhook handler say `already_paid` for each payment whose broadcast is lost."""

    def plan(life: Life) -> None:
        def acked(name: str, _user: str, is_in_time: bool) -> None:  # noqa: FBT001
            paid = AckReceived(source="backend", stage=Stage.PAID, payment_intent=name)
            skipped = AckReceived(
                source="backend", stage=Stage.SKIPPED, payment_intent=name, reason=SkipReason.ALREADY_PAID
            )
            if says_paid:
                life.after(100, lambda: life.append(paid))
            life.after(500, (lambda: life.ack(name)) if is_in_time else (lambda: life.see(skipped)))

        life.acked = acked

    return plan


def _regulars(life: Life) -> None:
    """Make 60 regulars, who are well, pay 10 times a day each, and 400 others once; 5 % of the others are refused."""

    def payer(number: int) -> str:
        return f"regular {life.random.randrange(60)}" if life.random.random() < 0.6 else f"payer {number}"

    life.payer = payer
    life.is_authorised = lambda user: user.startswith("regular") or life.random.random() >= 0.05


def _regulars_alone(life: Life) -> None:
    """Make 60 regulars pay 17 times a day each, and nobody else; from noon on every one of them is refused."""
    life.payer = lambda _: f"regular {life.random.randrange(60)}"
    life.after(DAY // 2, lambda: life.become(authorised=0.0))


def _twice_a_day(users: int) -> Callable[[Life], None]:
    """Return a shop of so many users who each pay once in the morning and once in the evening, and of nobody else."""

    def plan(life: Life) -> None:
        user = [""]
        life.payer = lambda _: user[0]
        pay, life.pay = life.pay, lambda: None  # type: ignore[method-assign]

        def pay_as(number: int) -> None:
            user[0] = f"user {number}"
            pay()

        for number in range(users):
            for hour in (3, 15):
                at_ms = round(life.random.uniform(hour, hour + 2) * HOUR)
                life.every(DAY, lambda number=number: pay_as(number), from_ms=at_ms)  # type: ignore[misc]

    return plan


def _robot(life: Life) -> None:
    """Make one payment in ten be a robot's, whom every rung serves; the others send nothing, and nothing works."""
    robot = next(name for name in map("robot {}".format, range(100)) if life.bucket(name) < 50_000)
    life.payer = lambda number: robot if number % 10 == 0 else f"payer {number}"
    life.is_authorised = lambda user: user == robot
    pay = life.pay

    def pay_or_be_silent() -> None:
        is_robot = (life.number + 1) % 10 == 0
        life.become(answered=float(is_robot), reports=float(is_robot))
        pay()

    life.pay = pay_or_be_silent  # type: ignore[method-assign]


def _late_and_skipped(life: Life) -> None:
    """Make the second webhook handler say `already_paid` for each payment whose broadcast is late."""

    def acked(name: str, _user: str, is_in_time: bool) -> None:  # noqa: FBT001
        if is_in_time:
            life.after(300, lambda: life.ack(name))
            return
        fact = AckReceived(source="backend", stage=Stage.SKIPPED, payment_intent=name, reason=SkipReason.ALREADY_PAID)
        life.after(500, lambda: life.see(fact))
        life.after(20 * SECOND, lambda: life.ack(name))

    life.acked = acked


ROWS = (
    Row(
        name="A crash loop, and every payer refused",
        volume="40/day",
        truth="channel auth 0 %, no reports",
        event="the sidecar restarts every 9 min",
        live=damaged(rung=3, truth=Truth(authorised=0.0, reports=0.0), days=5, event=crash_loop),
        promise="fall, at most 12 payers",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.left <= 12,
        is_short=True,
    ),
    Row(
        name="A crash loop, and every payer refused, at high volume",
        volume="3 000/day",
        truth="channel auth 0 %, no reports",
        event="the sidecar restarts every 9 min",
        live=damaged(rung=3, truth=Truth(authorised=0.0, reports=0.0), per_day=3000, days=1, event=crash_loop),
        promise="fall, at most 60 payers",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.left <= 60,
    ),
    Row(
        name="Every payer refused",
        volume="40/day",
        truth="channel auth 0 %, no reports",
        event="",
        live=damaged(rung=3, truth=Truth(authorised=0.0, reports=0.0), days=3),
        promise="fall, at most 12 payers",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.left <= 12,
    ),
    Row(
        name="Refused after the redirect",
        volume="40/day",
        truth="channel auth 0 %, no reports",
        event="every payer had an `ok` just before",
        live=damaged(rung=3, truth=Truth(authorised=0.0, reports=0.0), days=3, event=_granted_then_refused),
        promise="fall, at most 12 payers",
        keeps=lambda sum_: sum_.falls >= 1 and sum_.left <= 12,
        is_short=True,
    ),
    Row(
        name="A faster crash loop, and every payer refused",
        volume="40/day",
        truth="channel auth 0 %, no reports",
        event="the sidecar restarts every 3 min",
        live=damaged(
            rung=3,
            truth=Truth(authorised=0.0, reports=0.0),
            days=3,
            event=lambda life: life.every(3 * MINUTE, life.restart),
        ),
        promise="fall, at most 12 payers",
        keeps=lambda sum_: sum_.falls >= 1 and sum_.left <= 12,
    ),
    Row(
        name="A crash loop, and payments fail",
        volume="40/day",
        truth="payments 0 %",
        event="the sidecar restarts every 2 min",
        live=damaged(
            truth=Truth(payments=0.0, reports=0.0), days=3, event=lambda life: life.every(2 * MINUTE, life.restart)
        ),
        promise="fall, at most 6 payers",
        keeps=lambda sum_: sum_.falls >= 1 and sum_.left <= 6,
    ),
    Row(
        name="Three of four payers are silent",
        volume="400/day",
        truth="reach 50 %, a quarter reports and is answered",
        event="only reached ones report",
        live=damaged(rung=3, per_day=400, truth=Truth(answered=0.25), days=4, event=_only_the_happy_report),
        promise="timers within 2 days",
        keeps=lambda sum_: sum_.left <= 400,
    ),
    Row(
        name="One webhook in five never comes",
        volume="40/day",
        truth="20 % of payments not announced, and their payers not reached",
        event="their acks come",
        live=damaged(rung=3, truth=Truth(announced=0.8, reports=1.0), days=20),
        promise="suspended within 10 days",
        keeps=lambda sum_: sum_.left <= 80,
    ),
    Row(
        name="Silence",
        volume="400/day",
        truth="reach 0 %, nobody reports, no answers of the auth endpoint",
        event="",
        live=damaged(rung=3, per_day=400, truth=Truth(reached=0.0, reports=0.0, answered=0.0), days=4),
        promise="timers within 2 days",
        keeps=lambda sum_: sum_.left <= 800,
    ),
    Row(
        name="Regulars among whom refused payers hide",
        volume="1 000/day",
        truth="5 % of 400 payers a day refused",
        event="60 regulars pay 10 times a day",
        live=damaged(rung=3, per_day=1000, truth=Truth(), days=10, event=_regulars),
        promise="fall, at most 40 payers",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.left <= 40,
    ),
    Row(
        name="Regulars alone, all refused from noon on",
        volume="1 000/day",
        truth="every payer refused",
        event="60 regulars pay 17 times a day each, and nobody else",
        live=damaged(rung=3, per_day=1000, truth=Truth(), days=2, event=_regulars_alone),
        promise="fall, at most 60 payers",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.left <= 60,
    ),
    Row(
        name="10 broken of 100 users",
        volume="400/day",
        truth="10 of 100 users refused",
        event="",
        live=damaged(rung=3, per_day=400, truth=Truth(), days=15, event=_broken_users(100, 10)),
        promise="fall within 5 days",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.left <= 200,
    ),
    Row(
        name="5 broken of 100 users",
        volume="400/day",
        truth="5 of 100 users refused",
        event="",
        live=damaged(rung=3, per_day=400, truth=Truth(), days=20, event=_broken_users(100, 5)),
        promise="fall within 10 days",
        keeps=lambda sum_: sum_.falls >= sum_.runs,
    ),
    Row(
        name="Payers who pay twice a day",
        volume="4 000/day",
        truth="reach 99.5 %",
        event="2 000 users pay in the morning and in the evening",
        live=damaged(rung=3, truth=Truth(reached=0.995), days=3, event=_twice_a_day(2000)),
        runs=3,
        promise="no fall",
        keeps=lambda sum_: not sum_.falls and not sum_.suspensions,
    ),
    Row(
        name="One robot",
        volume="400/day",
        truth="only the robot is authorised, reports and is answered",
        event="one payment in ten is the robot's",
        live=fresh(per_day=400, days=60, truth=Truth(), policy=COARSE, event=_robot),
        promise="never `push_only`",
        keeps=lambda sum_: sum_.days[2] is None,
    ),
    Row(
        name="Broadcasts are lost, and called `already_paid`",
        volume="40/day",
        truth="half of the payments without a broadcast",
        event="",
        live=damaged(truth=Truth(payments=0.5, reports=0.0), event=_never_and_skipped(says_paid=False), days=5),
        promise="none without browser reports: such a payment has no outcome",
        keeps=lambda sum_: sum_.payments > 0,
    ),
    Row(
        name="The same, and the backend sends `paid`",
        volume="40/day",
        truth="half of the payments without a broadcast",
        event="",
        live=damaged(truth=Truth(payments=0.5, reports=0.0), event=_never_and_skipped(says_paid=True), days=5),
        promise="fall, at most 16 payers",
        keeps=lambda sum_: sum_.falls >= 1 and sum_.left <= 16,
    ),
    Row(
        name="Broadcasts come 20 s late, and are called `already_paid`",
        volume="40/day",
        truth="half of the payments late",
        event="",
        live=damaged(truth=Truth(payments=0.5, late_ms=20 * SECOND, reports=0.0), event=_late_and_skipped, days=5),
        promise="fall, at most 16 payers",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.left <= 16,
        is_short=True,
    ),
)
