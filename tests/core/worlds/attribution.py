"""Worlds about alarms: what explains a failed payment, and what does not.

Where payments fail, browsers report nothing: their alarm would hide what becomes of that of the payments.
"""

from collections.abc import Callable

from sidecar.core.facts.policy import Policy
from tests.core.world import DAY, HOUR, MINUTE, SECOND
from tests.core.worlds.life import Life
from tests.core.worlds.policies import COARSE, REAL
from tests.core.worlds.rows import Row
from tests.core.worlds.truth import Figures, Truth
from tests.core.worlds.warm import on

_CUT_MS = 500


def damaged(
    *,
    policy: Policy = REAL,
    rung: int = 2,
    per_day: float = 40,
    days: float = 30,
    truth: Truth,
    event: Callable[[Life], None] | None = None,
) -> Callable[[int], Figures]:
    """Return a world in which push has just climbed onto a rung, and this becomes true of it. Nobody approves more."""

    def live(seed: int) -> Figures:
        life = on(rung, policy, seed=seed, per_day=per_day, truth=truth)
        if event is not None:
            event(life)
        life.run(round(days * DAY))
        return life.figures

    return live


def outages(every_ms: int, span_ms: int = 15 * SECOND, *, from_ms: int = 0) -> Callable[[Life], None]:
    """Return the event that Reverb is away for a while, again and again."""

    def plan(life: Life) -> None:
        life.every(every_ms, lambda: life.outage(span_ms), from_ms=from_ms)

    return plan


def cut_sockets(life: Life) -> None:
    """Cut our sockets for half a second every minute; Reverb and its broadcasts are well."""

    def cut() -> None:
        life.observe(is_up=False)
        life.after(_CUT_MS, lambda: life.observe(is_up=True))

    life.every(MINUTE, cut)


def _then_broken(life: Life) -> None:
    """Make broadcasts end for ever with a restart of Reverb of 15 s, such as a queue worker that did not come back."""
    life.at(HOUR, lambda: life.outage(15 * SECOND))
    life.at(HOUR, lambda: life.become(payments=0.0))


ROWS = (
    Row(
        name="Noise of the probes does not excuse payments",
        volume="40/day",
        truth="payments 95 %, round trips 99.95 %",
        event="",
        live=damaged(truth=Truth(payments=0.95, round_trips=0.9995, reports=0.0)),
        runs=3,
        promise="fall at the first alarm",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.suspensions == 0,
    ),
    Row(
        name="The same with perfect round trips",
        volume="40/day",
        truth="payments 95 %",
        event="",
        live=damaged(truth=Truth(payments=0.95, reports=0.0), policy=COARSE),
        runs=3,
        promise="fall at the first alarm",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.suspensions == 0,
    ),
    Row(
        name="The same with bad payments and noisy probes",
        volume="40/day",
        truth="payments 80 %, round trips 99.9 %",
        event="",
        live=damaged(truth=Truth(payments=0.8, round_trips=0.999, reports=0.0), days=10),
        promise="fall at the first alarm",
        keeps=lambda sum_: sum_.falls >= sum_.runs,
    ),
    Row(
        name="The same at low volume",
        volume="3/day",
        truth="payments 80 %, round trips 99.95 %",
        event="",
        live=damaged(truth=Truth(payments=0.8, round_trips=0.9995, reports=0.0), per_day=3, days=20),
        promise="fall at the first alarm",
        keeps=lambda sum_: sum_.falls >= sum_.runs,
    ),
    Row(
        name="Broadcasts end with a restart of Reverb",
        volume="40/day",
        truth="payments 0 % from then on",
        event="Reverb away 15 s after an hour",
        live=damaged(truth=Truth(reports=0.0), event=_then_broken, days=3),
        promise="fall, at most 8 payers",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.left <= 8,
    ),
    Row(
        name="Broadcasts end with a restart of Reverb, at high volume",
        volume="30 000/day",
        truth="payments 0 % from then on",
        event="Reverb away 15 s after an hour",
        live=damaged(truth=Truth(reports=0.0), event=_then_broken, per_day=30_000, days=0.15),
        promise="fall, at most 12 payers",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.left <= 12,
        is_short=True,
    ),
    Row(
        name="Reverb restarts every night",
        volume="40/day",
        truth="payments 99.9 %",
        event="Reverb away 15 s every 24 h",
        live=damaged(truth=Truth(payments=0.999), days=8, event=outages(DAY)),
        promise="no fall",
        keeps=lambda sum_: sum_.falls == 0,
    ),
    Row(
        name="Reverb restarts twice a day, at high volume",
        volume="30 000/day",
        truth="payments 99.9 %",
        event="Reverb away 15 s every 11 h",
        live=damaged(truth=Truth(payments=0.999), per_day=30_000, days=0.95, event=outages(11 * HOUR)),
        promise="no fall",
        keeps=lambda sum_: sum_.falls == 0,
    ),
    Row(
        name="A restart of Reverb, at high volume",
        volume="30 000/day",
        truth="payments 99.9 %",
        event="Reverb away 15 s after an hour",
        live=damaged(truth=Truth(payments=0.999), per_day=30_000, days=0.1, event=outages(DAY, from_ms=HOUR)),
        promise="one suspension, no fall",
        keeps=lambda sum_: sum_.falls == 0 and sum_.suspensions == 1,
        is_short=True,
    ),
    Row(
        name="Payments fail between Reverb's restarts",
        volume="40/day",
        truth="payments 90 %",
        event="Reverb away 15 s every 12 h",
        live=damaged(truth=Truth(payments=0.9, reports=0.0), days=10, event=outages(12 * HOUR)),
        promise="fall",
        keeps=lambda sum_: sum_.falls >= sum_.runs,
    ),
    Row(
        name="Our sockets are cut, and push does not reach payers",
        volume="40/day",
        truth="reach 0 %",
        event="our sockets cut 0.5 s every 60 s",
        live=damaged(rung=3, truth=Truth(reached=0.0), days=5, event=cut_sockets),
        promise="fall, at most 10 payers",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.left <= 10,
        is_short=True,
    ),
    Row(
        name="Our sockets are cut, and payments fail",
        volume="40/day",
        truth="payments 80 %",
        event="our sockets cut 0.5 s every 60 s",
        live=damaged(truth=Truth(payments=0.8, reports=0.0), days=10, event=cut_sockets),
        promise="fall, at most 20 payers",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.left <= 20,
    ),
    Row(
        name="Our sockets are cut, and nothing else",
        volume="40/day",
        truth="payments 99.9 %",
        event="our sockets cut 0.5 s every 60 s",
        live=damaged(truth=Truth(payments=0.999), days=10, event=cut_sockets),
        promise="no fall",
        keeps=lambda sum_: sum_.falls == 0,
    ),
    Row(
        name="Reverb restarts four times a day",
        volume="40/day",
        truth="payments 99.9 %",
        event="Reverb away 15 s every 6 h",
        live=damaged(truth=Truth(payments=0.999, reports=0.0), days=3, event=outages(6 * HOUR)),
        promise="fall: the third suspension in a day",
        keeps=lambda sum_: sum_.falls == 1 and sum_.suspensions == 2,
    ),
    Row(
        name="Reverb loses a tenth of everything",
        volume="40/day",
        truth="payments 90 %, round trips 90 %",
        event="",
        live=damaged(truth=Truth(payments=0.9, round_trips=0.9, reports=0.0), days=3),
        promise="fall, at most 12 payers",
        keeps=lambda sum_: sum_.falls >= 1 and sum_.left <= 12,
    ),
    Row(
        name="Payments fail beside short restarts of Reverb",
        volume="40/day",
        truth="payments 90 %",
        event="Reverb away 6 s every hour",
        live=damaged(truth=Truth(payments=0.9, reports=0.0), days=10, event=outages(HOUR, 6 * SECOND)),
        promise="fall, at most 20 payers",
        keeps=lambda sum_: sum_.falls >= 1 and sum_.left <= 20,
    ),
    Row(
        name="A long disturbance of Reverb",
        volume="40/day",
        truth="payments 99.9 %",
        event="Reverb away 2 h after 6 h",
        live=damaged(truth=Truth(payments=0.999), days=3, event=outages(30 * DAY, 2 * HOUR, from_ms=6 * HOUR)),
        promise="fall after half an hour",
        keeps=lambda sum_: sum_.falls == 1,
    ),
    Row(
        name="The blind band",
        volume="40/day",
        truth="payments 98 %",
        event="",
        live=damaged(truth=Truth(payments=0.98, reports=0.0), days=60, policy=COARSE),
        promise="on average an alarm after 3 069 payments",
        keeps=lambda sum_: sum_.left <= 60,
    ),
    Row(
        name="A good shop stays",
        volume="40/day",
        truth="payments 99.5 %, round trips 99.95 %",
        event="",
        live=damaged(truth=Truth(payments=0.995, round_trips=0.9995), days=20),
        promise="no fall",
        keeps=lambda sum_: sum_.falls == 0,
    ),
)
