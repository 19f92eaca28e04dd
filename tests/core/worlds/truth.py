"""What is true of a world, and what is counted of it."""

import collections

import msgspec

from sidecar.core.facts.policy import Mode


class Truth(msgspec.Struct, frozen=True, kw_only=True):
    """What is true of this world, as shares of 1; only the world knows it."""

    payments: float = 1.0
    """Payments whose broadcast arrives in time."""
    late_ms: int | None = None
    """When the broadcast of the others arrives; None: never."""
    round_trips: float = 1.0
    auth_probes: float = 1.0
    authorised: float = 1.0
    """Payers whose channel auth is granted."""
    reached: float = 1.0
    """Authorised payers whose browser receives the broadcast that arrives."""
    reports: float = 1.0
    """Payers whose browser reports."""
    answered: float = 1.0
    """Payers of whose channel auth the backend reports its answer."""
    prompt: float = 1.0
    """Payments whose webhook arrives at the first attempt; the others are delivered again a minute later."""
    announced: float = 1.0
    """Payments whose webhook ever comes; the payers of the others are not reached."""
    redirects: float = 0.0
    """Payers who come back from a redirect."""


class Figures(msgspec.Struct, kw_only=True):
    """What happened in a world."""

    payments: int = 0
    left: collections.Counter[Mode] = msgspec.field(default_factory=collections.Counter)
    """Payers that push did not reach although they were served it, by mode."""
    climbs: int = 0
    falls: int = 0
    suspensions: collections.Counter[str] = msgspec.field(default_factory=collections.Counter)
    alarms: collections.Counter[str] = msgspec.field(default_factory=collections.Counter)
    reached_ms: dict[int, int] = {}
    """Rung → when it was first reached, from the beginning of the world."""
    timers_ms: int | None = None
    """When timers were first served to everybody after the onset of a damage, from the onset."""
    rung: int = 0

    @property
    def left_behind(self) -> int:
        """Return all payers who were left behind."""
        return sum(self.left.values())
