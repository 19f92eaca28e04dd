"""What operators did that still stands: holds, an approval, and freezes."""

import msgspec

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
