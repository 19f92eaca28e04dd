"""Worlds about what alpha does not promise: failures in bursts, whose mean is exactly the target."""

from collections.abc import Callable

import msgspec

from sidecar.core.facts.policy import Policy
from tests.core.world import DAY
from tests.core.worlds.life import Life
from tests.core.worlds.policies import ALONE, LADDER
from tests.core.worlds.rows import Row
from tests.core.worlds.truth import Figures, Truth

_MEAN = 0.99


def _soaked(days: int) -> Policy:
    """Return the policy with this soak on every push rung."""
    ladder = (LADDER[0], *(msgspec.structs.replace(rung, soak_ms=days * DAY) for rung in LADDER[1:]))
    return msgspec.structs.replace(ALONE, ladder=ladder)


def _bursting(policy: Policy, *, per_day: float, days: float, burst: int) -> Callable[[int], Figures]:
    def live(seed: int) -> Figures:
        life = Life(policy, seed=seed, per_day=per_day, truth=Truth(reports=0.0))
        _in_bursts(life, burst)
        life.begin().run(round(days * DAY))
        return life.figures

    return live


def _in_bursts(life: Life, burst: int) -> None:
    """Make payments fail in bursts; of ten each, one payment of 990 begins one."""
    gap, left, pay = burst * _MEAN / (1 - _MEAN), [0], life.pay

    def pay_in_bursts() -> None:
        left[0] = left[0] - 1 if left[0] > 0 else burst if life.random.random() < 1 / gap else 0
        life.become(payments=0.0 if left[0] else 1.0)
        pay()

    life.pay = pay_in_bursts  # type: ignore[method-assign]


ROWS = tuple(
    Row(
        name="Failures in bursts of 10",
        volume="200/day",
        truth="payments 99 % on average, 100 % between bursts",
        event=event,
        live=_bursting(policy, per_day=200, days=120, burst=10),
        runs=5,
        promise=promise,
        keeps=lambda sum_, left=left: sum_.left_mean <= left,  # type: ignore[misc]
    )
    for policy, event, promise, left in (
        (ALONE, "soaks of 1 and 2 days on push rungs", "none: alpha assumes the reliability given the past", 1e9),
        (_soaked(14), "soaks of 14 days on push rungs", "fewer payers left behind", 20),
    )
)
