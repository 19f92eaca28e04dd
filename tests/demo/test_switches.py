"""Every switch: what it says is to be expected comes. Headless, in a world where everybody is served push already."""

import asyncio
import shutil
from pathlib import Path

import pytest

from sidecar.core.facts.policy import Mode
from sidecar.demo.show import folder_for
from sidecar.demo.summary import summary_of
from sidecar.demo.world.operator_view import is_push
from sidecar.demo.world.switches import SWITCHES, Key
from sidecar.demo.world.world import World
from tests.demo.worlds import HEADLESS, REAL, live

_RUNG = 2
"""Push with a safety net for everybody."""


class _Expected:
    """What is so once it has come: whether timers are served, on which rung, and what is told."""

    def __init__(self, rung: int, *, timers: bool, told: str, within_s: float = 300) -> None:
        self.rung, self.timers, self.told, self.within_s = rung, timers, told, within_s


EXPECTED = {
    Key.AUTH_REFUSED:       _Expected(0,     timers=True,  told="alarm of reach"),
    Key.AUTH_REFUSED_FIFTH: _Expected(0,     timers=True,  told="alarm of reach", within_s=900),
    Key.WRONG_SECRET:       _Expected(0,     timers=True,  told="alarm of reach"),
    Key.SLOW_QUEUE:         _Expected(0,     timers=True,  told="a fall"),
    Key.BROADCASTS_LOST:    _Expected(_RUNG, timers=False, told="nothing moved", within_s=900),
    Key.REVERB_FROZEN:      _Expected(_RUNG, timers=True,  told="a shelter"),
    Key.REVERB_GONE:        _Expected(_RUNG, timers=True,  told="a shelter"),
    Key.NODE_DEAF:          _Expected(_RUNG, timers=True,  told="a shelter"),
    Key.WEBHOOKS_LATE:      _Expected(_RUNG, timers=False, told="timers alone would have missed"),
    Key.SIDECAR_BLIND:      _Expected(_RUNG, timers=True,  told="it rests"),
    Key.SIDECAR_KILLED:     _Expected(_RUNG, timers=True,  told="nobody answers"),
}  # fmt: skip


@pytest.mark.parametrize("key", [switch.key for switch in SWITCHES])
def test_what_a_switch_says_is_to_be_expected_comes(climbed: Path, key: Key) -> None:
    """And when the trouble is over, push is back: by itself where the rung was kept."""
    expected = EXPECTED[key]

    async def break_it(world: World) -> None:
        assert await world.watching.until(is_push, 300), "it goes on from its journal"
        world.turn(key, on=True)
        assert await world.watching.until(lambda _: world.switchboard.came(key), expected.within_s), key
        assert expected.told in world.switchboard.came(key)
        shown = next(each for each in world.view().switches if each.key == key)
        assert (shown.is_on, shown.came) == (True, world.switchboard.came(key))
        flag = world.view().flag
        assert (flag.rung, flag.mode is Mode.TIMER_POLLING) == (expected.rung, expected.timers)
        world.turn(key, on=False)
        if expected.rung == _RUNG:
            assert await world.watching.until(is_push, 600), "push is back on the same rung"
            await asyncio.sleep(60)
            assert world.view().flag.rung == _RUNG
            assert world.view().counts.waiting <= 3, "nobody is left with Pay now"

    with folder_for(HEADLESS) as folder:
        shutil.copy(climbed, folder / "demo.db")
        live(folder, break_it, is_later=True)


def test_over_real_sockets_the_same_payments_end_the_same_way_and_the_flag_moves_alike(climbed: Path) -> None:
    """What was shown in memory was not made by the memory: threads, sockets and a disk give the same life."""

    async def fall(world: World) -> None:
        assert await world.watching.until(is_push, 300), "it goes on from its journal"
        world.turn(Key.SLOW_QUEUE, on=True)
        assert await world.watching.until(lambda _: world.switchboard.came(Key.SLOW_QUEUE), 300)

    told = []
    for show in (HEADLESS, REAL):
        with folder_for(show) as folder:
            shutil.copy(climbed, folder / "demo.db")
            live(folder, fall, is_later=True, show=show)
            told.append(summary_of(folder / "demo.db", seed=show.seed, failure="", completed=[]))
    in_memory, real = told
    assert [(each.from_rung, each.to_rung, each.cause) for each in real.moves] == [
        (each.from_rung, each.to_rung, each.cause) for each in in_memory.moves
    ]
    assert real.moves[-1].cause == "alarm"
    assert real.outcomes == in_memory.outcomes


def test_no_switch_is_without_an_expectation() -> None:
    """The table is closed: what can be turned is shown, and tried here."""
    assert {switch.key for switch in SWITCHES} == set(Key) == set(EXPECTED)
