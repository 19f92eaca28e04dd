"""What a row of the table of worlds is, and how its runs are added up."""

import statistics
from collections.abc import Callable

import msgspec

from tests.core.world import DAY
from tests.core.worlds.truth import Figures


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """The columns of the table; `before.json` has those of commit 74d63d4."""

    left: float
    """Payers left behind, per run."""
    climbs: int
    falls: int
    days: tuple[float | None, ...]
    """To rungs 1, 2 and 3, in the median."""
    timers_days: float | None = None


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One world: what is true in it, what happens, and what the rules promise of it."""

    name: str
    volume: str
    truth: str
    event: str
    live: Callable[[int], Figures]
    """Live through it with this seed."""
    promise: str
    """What must hold, in words."""
    keeps: Callable[["Sum"], bool]
    seed: int = 1
    runs: int = 1
    """Worlds with this seed and the following ones."""
    is_short: bool = False
    """Whether it is part of `make test`."""

    @property
    def key(self) -> str:
        """Return what tells it from every other row."""
        return f"{self.name} | {self.volume} | {self.truth} | {self.event}"


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of a row together."""

    runs: int
    payments: int
    left: int
    climbs: int
    falls: int
    suspensions: int
    """Because Reverb was unstable."""
    alarms: int
    days: tuple[float | None, ...]
    """To rungs 1, 2 and 3, in the median; None: at least half of the runs never reached it."""
    timers_days: float | None
    """From the onset of the damage to timers for everybody, in the median."""
    rungs: tuple[int, ...]
    """Where each run ended."""

    @property
    def left_mean(self) -> float:
        """Return the payers left behind per run."""
        return self.left / self.runs

    def shown(self) -> Shown:
        """Return the columns of the table."""
        return Shown(
            left=round(self.left_mean, 1),
            climbs=self.climbs,
            falls=self.falls,
            days=self.days,
            timers_days=self.timers_days,
        )


def live(row: Row) -> Sum:
    """Live through all runs of a row."""
    return add([row.live(row.seed + run) for run in range(row.runs)])


def add(figures: list[Figures]) -> Sum:
    """Add up what happened in the runs of a row."""
    reached = [_median([each.reached_ms.get(rung) for each in figures]) for rung in (1, 2, 3)]
    return Sum(
        runs=len(figures),
        payments=sum(each.payments for each in figures),
        left=sum(each.left_behind for each in figures),
        climbs=sum(each.climbs for each in figures),
        falls=sum(each.falls for each in figures),
        suspensions=sum(each.suspensions["reverb_unstable"] for each in figures),
        alarms=sum(sum(each.alarms.values()) for each in figures),
        days=tuple(reached),
        timers_days=_median([each.timers_ms for each in figures]),
        rungs=tuple(each.rung for each in figures),
    )


def _median(times_ms: list[int | None]) -> float | None:
    median_ms = statistics.median_high([float("inf") if at_ms is None else at_ms for at_ms in times_ms])
    return None if median_ms == float("inf") else round(median_ms / DAY, 2)
