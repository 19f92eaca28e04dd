"""Every switch has its expected effect. Headless, in a world where everybody is served push."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from sidecar.core.facts.policy import Mode
from sidecar.demo.show import FREE, folder_for
from sidecar.demo.summary import summary_of
from sidecar.demo.world.operator_view import is_push
from sidecar.demo.world.switches import SWITCHES, Key
from sidecar.demo.world.world import World
from tests.demo.sharing import copy_journal
from tests.demo.worlds import HEADLESS, REAL, live

_RUNG = 2
"""Push with a safety net for everybody."""


class _Expected:
    """The state once the effect is observed: whether timers are served, on which rung, and the text."""

    def __init__(self, rung: int, *, timers: bool, text: str, within_s: float = 300) -> None:
        self.rung, self.timers, self.text, self.within_s = rung, timers, text, within_s


EXPECTED = {
    Key.AUTH_REFUSED:       _Expected(0,     timers=True,  text="alarm of reach"),
    Key.AUTH_REFUSED_FIFTH: _Expected(0,     timers=True,  text="alarm of reach", within_s=900),
    Key.WRONG_SECRET:       _Expected(0,     timers=True,  text="alarm of reach"),
    Key.SLOW_QUEUE:         _Expected(0,     timers=True,  text="a fall"),
    Key.BROADCASTS_LOST:    _Expected(_RUNG, timers=False, text="nothing moved", within_s=900),
    Key.REVERB_FROZEN:      _Expected(_RUNG, timers=True,  text="a suspension"),
    Key.REVERB_GONE:        _Expected(_RUNG, timers=True,  text="a suspension"),
    Key.NODE_DEAF:          _Expected(_RUNG, timers=True,  text="a suspension"),
    Key.WEBHOOKS_LATE:      _Expected(_RUNG, timers=False, text="timers alone would have missed"),
    Key.SIDECAR_BLIND:      _Expected(_RUNG, timers=True,  text="a suspension"),
    Key.SIDECAR_KILLED:     _Expected(_RUNG, timers=True,  text="no answer"),
}  # fmt: skip


@pytest.mark.parametrize("key", [switch.key for switch in SWITCHES])
def test_a_switch_has_its_expected_effect(climbed: Path, key: Key) -> None:
    """The effect is observed, and after the fault push resumes where the rung was kept."""
    expected = EXPECTED[key]

    async def break_it(world: World) -> None:
        assert await world.watching.until(is_push, 300), "it continues from its journal"
        world.turn(key, on=True)
        assert await world.watching.until(lambda _: world.switchboard.came(key), expected.within_s), key
        assert expected.text in world.switchboard.came(key)
        shown = next(each for each in world.view().switches if each.key == key)
        assert (shown.is_on, shown.came) == (True, world.switchboard.came(key))
        flag = world.view().flag
        assert (flag.rung, flag.mode is Mode.TIMER_POLLING) == (expected.rung, expected.timers)
        world.turn(key, on=False)
        if expected.rung == _RUNG:
            assert await world.watching.until(is_push, 600), "push is back on the same rung"
            await asyncio.sleep(60)
            assert world.view().flag.rung == _RUNG
            assert world.view().counts.waiting <= 3, "no payer is left with Pay now"

    with folder_for(HEADLESS) as folder:
        copy_journal(climbed, folder / "demo.db")
        live(folder, break_it, is_later=True)


@pytest.mark.long
def test_real_sockets_give_the_same_moves_and_outcomes(climbed: Path) -> None:
    """Threads, sockets and a disk give the same moves and outcomes as the network in memory."""

    async def fall(world: World) -> None:
        assert await world.watching.until(is_push, 900), "it climbs again: another port is another Reverb"
        world.turn(Key.SLOW_QUEUE, on=True)
        assert await world.watching.until(lambda _: world.switchboard.came(Key.SLOW_QUEUE), 300)

    summaries = []
    for show in (msgspec.structs.replace(HEADLESS, ports=FREE), REAL):
        with folder_for(show) as folder:
            copy_journal(climbed, folder / "demo.db")
            live(folder, fall, is_later=True, show=show)
            summaries.append(summary_of(folder / "demo.db", seed=show.seed, failure="", completed=[]))
    in_memory, real = summaries
    assert [(each.from_rung, each.to_rung, each.cause) for each in real.moves] == [
        (each.from_rung, each.to_rung, each.cause) for each in in_memory.moves
    ]
    assert real.moves[-1].cause == "alarm"
    assert real.outcomes == in_memory.outcomes


def test_every_switch_has_an_expectation() -> None:
    """Every key has a switch and a row in this file."""
    assert {switch.key for switch in SWITCHES} == set(Key) == set(EXPECTED)
