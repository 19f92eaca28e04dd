"""What operators did that still stands: holds, an approval, freezes, and overrides."""

import msgspec

from sidecar.core.facts.policy import Mode
from sidecar.core.facts.windows import Once, Weekly


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A person's ban on climbing, until the person or another one lifts it by its id."""

    id: int
    """The number of its record in the journal."""
    actor: str
    reason: str
    at_ms: int
    is_rollback: bool
    """Whether a rollback set it."""


class Approval(msgspec.Struct, frozen=True, kw_only=True):
    """A person's consent to one climb."""

    actor: str
    reason: str
    at_ms: int
    rung: int
    epoch: int


class Freeze(msgspec.Struct, frozen=True, kw_only=True):
    """Times in which a person forbids climbing."""

    id: int
    """The number of its record in the journal."""
    name: str
    actor: str
    reason: str
    at_ms: int
    """When it was created."""
    window: Once | Weekly
    expires_ms: int


class Override(msgspec.Struct, frozen=True, kw_only=True):
    """The mode that a person chose for one user, for a test."""

    id: int
    """The number of its record in the journal."""
    user_ref: str
    mode: Mode
    actor: str
    reason: str
    at_ms: int
    """When it was created."""
    expires_ms: int

    def ended(self, now_ms: int) -> "Override":
        """Return it as one that ends at this time, or before."""
        return msgspec.structs.replace(self, expires_ms=min(self.expires_ms, now_ms))
