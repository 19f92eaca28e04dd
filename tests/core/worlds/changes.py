"""Worlds about what people change: policies, journals, holds."""

from collections.abc import Callable

from sidecar.core.facts.operator_actions import Resumed, RolledBack
from tests.core.world import DAY, HOUR
from tests.core.worlds.attribution import damaged
from tests.core.worlds.life import Life
from tests.core.worlds.policies import COARSE
from tests.core.worlds.rows import Row
from tests.core.worlds.truth import Figures, Truth
from tests.core.worlds.warm import on


def _reverb_removed(seed: int) -> Figures:
    """Latch the alarm of the probes, and remove `reverb`."""
    life = on(2, seed=seed)
    life.outage(3 * HOUR)
    life.run(2 * HOUR)
    life.change(reverb=None)
    life.is_away = False
    life.count_anew()
    life.run(60 * DAY, until=lambda: life.state.flag.rung == 2)
    return life.figures


def _reach_waived(seed: int) -> Figures:
    """Latch the alarm of the payers' reports, and waive them."""
    life = on(3, seed=seed, truth=Truth(reached=0.0))
    life.run(2 * DAY)
    life.change(reach_not_required="the client is rewritten")
    life.become(reached=1.0, reports=0.0)
    life.count_anew()
    life.run(60 * DAY, until=lambda: life.state.flag.rung == 2)
    return life.figures


def _other_environment(life: Life) -> None:
    """Start production on staging's journal; where the policy is refused, the sidecar does not start."""
    life.change(environment="production")
    policy = life.state.policy
    life.is_down = policy is None or policy.environment != "production"


def _other_contexts(life: Life) -> None:
    life.change(contexts=("bookings", "invoices"))


def _odds_changed(life: Life) -> None:
    """Change `false_alarm_once_in` by one, every day."""

    def change() -> None:
        life.change(false_alarm_once_in=life.policy.false_alarm_once_in + 1)

    life.every(DAY, change)


def _rolled_back(is_repaired: bool) -> Callable[[int], Figures]:  # noqa: FBT001
    """Return a world in which an operator rolls back when the alarm is raised, and resumes a day later."""

    def live(seed: int) -> Figures:
        life = on(2, seed=seed, per_day=400)
        life.run(5 * DAY)
        life.become(payments=0.5)
        life.run(5 * DAY, until=lambda: life.figures.alarms["payments"] > 0)
        life.see(RolledBack(actor="ann", reason="an alarm"))
        life.become(payments=0.999 if is_repaired else 0.985)
        life.after(DAY, lambda: life.see(_resumed(life)))
        life.per_day = 40
        life.count_anew()
        life.run(60 * DAY, until=lambda: life.state.flag.rung == 2)
        return life.figures

    return live


def _resumed(life: Life) -> Resumed:
    holds = getattr(life.state.flag, "holds", None)
    if holds:
        return Resumed(actor="ann", reason="repaired", hold=holds[-1].id)
    return Resumed(actor="ann", reason="repaired")


ROWS = (
    Row(
        name="`reverb` is removed while its alarm is latched",
        volume="40/day",
        truth="payments 100 %",
        event="Reverb away 3 h; after 2 h `reverb` is removed",
        live=_reverb_removed,
        promise="rung 1 within 30 days",
        keeps=lambda sum_: sum_.days[0] is not None and sum_.days[0] <= 30,
        is_short=True,
    ),
    Row(
        name="`reach` is waived while its alarm is latched",
        volume="40/day",
        truth="payments 100 %",
        event="reach 0 % for 2 days, then it is waived",
        live=_reach_waived,
        promise="rung 1 within 30 days",
        keeps=lambda sum_: sum_.days[0] is not None and sum_.days[0] <= 30,
    ),
    Row(
        name="Staging's journal in production",
        volume="40/day",
        truth="payments 80 %",
        event="`environment` changes",
        live=damaged(truth=Truth(payments=0.8), days=2, event=_other_environment),
        promise="nobody is left behind",
        keeps=lambda sum_: sum_.left == 0,
        is_short=True,
    ),
    Row(
        name="An outcome means something else",
        volume="40/day",
        truth="payments 80 %",
        event="`acks.contexts` changes",
        live=damaged(truth=Truth(payments=0.8), days=2, event=_other_contexts),
        promise="the bottom rung at once: nobody is left behind",
        keeps=lambda sum_: sum_.left == 0,
        is_short=True,
    ),
    Row(
        name="Alarm numbers are changed by one",
        volume="40/day",
        truth="payments 95 %",
        event="`false_alarm_once_in` + 1 every day",
        live=damaged(truth=Truth(payments=0.95), days=30, event=_odds_changed, policy=COARSE),
        runs=3,
        promise="fall, at most 25 payers",
        keeps=lambda sum_: sum_.falls >= sum_.runs and sum_.left_mean <= 25,
    ),
    Row(
        name="Rollback under an alarm, and the fault stays",
        volume="40/day",
        truth="payments 100 %, 50 %, then 98.5 %",
        event="resumed a day after the rollback",
        live=_rolled_back(False),
        promise="no climb on old evidence",
        keeps=lambda sum_: sum_.climbs == 0,
    ),
    Row(
        name="Rollback under an alarm, and a repair",
        volume="40/day",
        truth="payments 100 %, 50 %, then 99.9 %",
        event="resumed a day after the rollback",
        live=_rolled_back(True),
        promise="rung 1 not before the second epoch's proof, 15 days",
        keeps=lambda sum_: sum_.days[0] is not None and sum_.days[0] >= 15,
    ),
)
