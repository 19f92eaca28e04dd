"""The only module that draws random numbers. The demo can `install` a seed to repeat a run exactly."""

import random
import secrets
from typing import Protocol


class Source(Protocol):
    """A source of random numbers."""

    def uniform(self, least: float, most: float) -> float:
        """Return a number between `least` and `most`."""
        ...

    def token_hex(self, count: int) -> str:
        """Return `count` random bytes as hex digits."""
        ...


class System:
    """The operating system's random numbers; tokens are unpredictable."""

    def uniform(self, least: float, most: float) -> float:
        """Return a number between `least` and `most`."""
        return random.uniform(least, most)  # noqa: S311 - spreads pauses; not a secret

    def token_hex(self, count: int) -> str:
        """Return `count` random bytes as hex digits."""
        return secrets.token_hex(count)


class Seeded:
    """The same numbers for the same seed; never for secrets."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - must be repeatable

    def uniform(self, least: float, most: float) -> float:
        """Return the next number between `least` and `most`."""
        return self._random.uniform(least, most)

    def token_hex(self, count: int) -> str:
        """Return the next `count` bytes as hex digits."""
        return self._random.randbytes(count).hex()


_in_force: list[Source] = [System()]


def install(source: Source) -> Source:
    """Use another source in the whole process; return the previous one, to restore it later."""
    before = _in_force[0]
    _in_force[0] = source
    return before


def uniform(least: float, most: float) -> float:
    """Return a number between `least` and `most`, to spread pauses."""
    return _in_force[0].uniform(least, most)


def token_hex(count: int) -> str:
    """Return `count` random bytes as hex digits, for unique names."""
    return _in_force[0].token_hex(count)
