"""Worlds about time: payers left behind from the onset of a damage to timers for everybody."""

from collections.abc import Callable

from tests.core.world import DAY
from tests.core.worlds.policies import COARSE, REAL
from tests.core.worlds.rows import Row, Sum
from tests.core.worlds.truth import Figures
from tests.core.worlds.warm import on

_EXPECTED = {1.0: 3, 0.2: 45, 0.05: 300}
"""Failures of the payments → payments to the alarm, about, on average."""


def _onset(rung: int, per_day: float, failures: float, *, is_payers: bool = False) -> Callable[[int], Figures]:
    def live(seed: int) -> Figures:
        policy = REAL if per_day > 1000 or failures == 1.0 else COARSE
        life = on(rung, policy, seed=seed, per_day=per_day)
        if is_payers:
            life.onset(100 * DAY, reached=1 - failures)
        else:
            life.onset(100 * DAY, payments=1 - failures)
        return life.figures

    return live


def _at_most(left: float) -> Callable[[Sum], bool]:
    return lambda sum_: sum_.timers_days is not None and sum_.left_mean <= left


def _rows() -> tuple[Row, ...]:
    rows = []
    for rung in (1, 2, 3):
        for per_day in (40, 30_000):
            for failures in (1.0, 0.2, 0.05):
                most = _EXPECTED[failures] * failures * (0.1 if rung == 1 else 1) * 1.6 + (4 if per_day == 40 else 14)
                rows.append(
                    Row(
                        name=f"From the onset to timers, rung {rung}",
                        volume=f"{per_day:,}/day".replace(",", " "),
                        truth=f"{failures:.0%} of payments fail",
                        event="",
                        live=_onset(rung, per_day, failures),
                        runs=5,
                        promise=f"at most {most:.0f} payers on average",
                        keeps=_at_most(most),
                        is_short=failures == 1.0,
                    )
                )
    for per_day in (40, 30_000):
        for failures in (1.0, 0.2, 0.05):
            rows.append(  # noqa: PERF401 - the loops read better
                Row(
                    name="From the onset to timers, rung 3, reports only",
                    volume=f"{per_day:,}/day".replace(",", " "),
                    truth=f"push does not reach {failures:.0%} of payers",
                    event="",
                    live=_onset(3, per_day, failures, is_payers=True),
                    runs=5,
                    promise="timers",
                    keeps=lambda sum_: sum_.timers_days is not None,
                )
            )
    return tuple(rows)


ROWS = _rows()
