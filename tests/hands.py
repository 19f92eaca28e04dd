"""A clock whose hands a test puts where it wants them."""

from collections.abc import Iterator
from contextlib import contextmanager

from sidecar import clock


class Hands:
    """A clock that stands until it is put elsewhere."""

    def __init__(self, wall_ms: int) -> None:
        self.wall = wall_ms
        self.monotonic = clock.monotonic_s()

    def wall_ms(self) -> int:
        """Return what it shows."""
        return self.wall

    def monotonic_s(self) -> float:
        """Return seconds that never go back."""
        return self.monotonic


@contextmanager
def hands(wall_ms: int = 1_800_000_000_000) -> Iterator[Hands]:
    """Make this whole process take its time from such a clock."""
    ours = Hands(wall_ms)
    before = clock.install(ours)
    try:
        yield ours
    finally:
        clock.install(before)
