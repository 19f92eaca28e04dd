"""The world's time: it jumps while nothing is in flight, and only waiting is sped up."""

import asyncio

import pytest

from sidecar import clock, randomness
from sidecar.demo.world.pace import Pace
from tests.demo.running import lived

STARTS_MS = 1_767_225_600_000


def test_without_a_speed_an_hour_passes_at_once_and_exactly() -> None:
    """Sleeps, deadlines and both clocks share one time, and work takes none."""
    pace = Pace(starts_ms=STARTS_MS)

    async def live() -> list[float]:
        loop = asyncio.get_running_loop()
        stamps = [loop.time(), pace.wall_ms()]
        await asyncio.sleep(3600)
        sum(range(100_000))
        stamps += [loop.time(), pace.wall_ms()]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5):
                await asyncio.Event().wait()
        return [*stamps, loop.time()]

    assert lived(live(), pace) == [0.0, STARTS_MS, 3600.0, STARTS_MS + 3_600_000, 3601.5]


def test_timers_fire_in_order() -> None:
    """The shorter sleep ends first."""

    async def live() -> list[str]:
        woken: list[str] = []

        async def sleep(name: str, span_s: float) -> None:
            await asyncio.sleep(span_s)
            woken.append(name)

        await asyncio.gather(sleep("c", 30), sleep("a", 10), sleep("b", 20))
        return woken

    assert lived(live(), Pace()) == ["a", "b", "c"]


def test_time_stands_while_a_thread_works_for_the_loop() -> None:
    """A slow disk of the journal makes no payment late: no deadline passes meanwhile."""
    real = clock.System()

    async def live() -> float:
        job = asyncio.get_running_loop().run_in_executor(None, real.nap, 0.05)
        async with asyncio.timeout(0.001):
            await job
        return asyncio.get_running_loop().time()

    assert lived(live(), Pace(), in_memory=False) == 0.0


def test_only_waiting_is_sped_up() -> None:
    """At speed 20 a sleep of two seconds takes a tenth of a second; work takes its real time."""
    pace, real = Pace(speed=20), clock.System()

    async def live() -> list[tuple[float, float]]:
        stamps = [(real.monotonic_s(), pace.monotonic_s())]
        await asyncio.sleep(2)
        stamps.append((real.monotonic_s(), pace.monotonic_s()))
        real.nap(0.1)
        stamps.append((real.monotonic_s(), pace.monotonic_s()))
        await asyncio.get_running_loop().run_in_executor(None, real.nap, 0.1)
        stamps.append((real.monotonic_s(), pace.monotonic_s()))
        return stamps

    stamps = lived(live(), pace, in_memory=False)
    ours, worlds = zip(*stamps, strict=True)
    assert 0.1 <= ours[1] - ours[0] < worlds[1] - worlds[0], "two seconds of the world take less real time"
    for before, after in ((1, 2), (2, 3)):
        assert 0.1 <= worlds[after] - worlds[before] < 2 * (ours[after] - ours[before]), "work takes its real time"


def test_an_installed_clock_and_randomness_apply_to_the_whole_process() -> None:
    """They replace the system's, and the previous ones can be restored."""
    pace = Pace(starts_ms=STARTS_MS)
    time_before, randomness_before = clock.install(pace), randomness.install(randomness.Seeded(7))
    try:
        assert (clock.wall_ms(), clock.monotonic_s()) == (STARTS_MS, 0.0)
        assert clock.wall_iso() == "2026-01-01T00:00:00.000Z"
        once = (randomness.token_hex(4), randomness.uniform(1, 2))
        randomness.install(randomness.Seeded(7))
        assert (randomness.token_hex(4), randomness.uniform(1, 2)) == once
    finally:
        clock.install(time_before)
        randomness.install(randomness_before)
    assert clock.wall_ms() > STARTS_MS
    assert randomness.token_hex(8) != randomness.token_hex(8)
