"""The only file that asks for random numbers. The demo may `install` a seed, so that one life can be lived twice."""

import random
import secrets
from typing import Protocol


class Source(Protocol):
    """Where chance comes from."""

    def uniform(self, least: float, most: float) -> float:
        """Return a number between two."""
        ...

    def token_hex(self, count: int) -> str:
        """Return so many random bytes, as twice as many hex digits."""
        ...


class System:
    """The operating system's chance: what it gives nobody can guess."""

    def uniform(self, least: float, most: float) -> float:
        """Return a number between two."""
        return random.uniform(least, most)  # noqa: S311 - to spread, not to hide

    def token_hex(self, count: int) -> str:
        """Return so many random bytes in hex."""
        return secrets.token_hex(count)


class Seeded:
    """The same numbers for the same seed. Never where something is to be kept secret."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - it is to be repeated

    def uniform(self, least: float, most: float) -> float:
        """Return the next number between two."""
        return self._random.uniform(least, most)

    def token_hex(self, count: int) -> str:
        """Return the next bytes in hex."""
        return self._random.randbytes(count).hex()


_in_force: list[Source] = [System()]


def install(source: Source) -> Source:
    """Take chance from another source in this whole process; return the one before, which is to be put back."""
    before = _in_force[0]
    _in_force[0] = source
    return before


def uniform(least: float, most: float) -> float:
    """Return a number between two: for pauses that are to spread."""
    return _in_force[0].uniform(least, most)


def token_hex(count: int) -> str:
    """Return so many random bytes, as twice as many hex digits: for names that nobody else has."""
    return _in_force[0].token_hex(count)
