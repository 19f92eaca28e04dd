"""The anchored clock, and the detection of jumps of the wall clock."""

import pytest

from sidecar.clock import AnchoredClock, JumpWatch, wall_ms

# wall clock, monotonic clock in s, then both again; how far the wall clock jumped
JUMPS = [
    (1_000_000, 10.0, 1_005_000, 15.0,       0),
    (1_000_000, 10.0, 1_006_500, 15.0,   1_500),
    (1_000_000, 10.0,   905_000, 15.0, -100_000),
    (1_000_000, 10.0, 4_600_000, 10.0, 3_600_000),
]  # fmt: skip


@pytest.mark.parametrize(("wall", "monotonic", "wall_later", "monotonic_later", "jump_ms"), JUMPS)
def test_a_jump_is_the_gain_of_the_wall_clock_on_the_monotonic_clock(
    wall: int, monotonic: float, wall_later: int, monotonic_later: float, jump_ms: int
) -> None:
    """Steps by an administrator, and a suspended machine with a stopped monotonic clock, are jumps."""
    walls, monotonics = iter([wall, wall_later, wall_later]), iter([monotonic, monotonic_later, monotonic_later])
    watch = JumpWatch(lambda: next(walls), lambda: next(monotonics))
    assert watch.moved_ms() == jump_ms
    assert watch.moved_ms() == 0, "a jump is reported once"


def test_the_clock_of_a_journal_continues_from_its_last_stamp() -> None:
    """A wall clock that was set back by a day must not give earlier stamps than the last."""
    tomorrow_ms = wall_ms() + 86_400_000
    clock = AnchoredClock(tomorrow_ms)
    assert clock.now_ms() >= tomorrow_ms
    assert AnchoredClock().now_ms() < tomorrow_ms
