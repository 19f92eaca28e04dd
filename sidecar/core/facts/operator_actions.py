"""What operators did, on the record: facts of `core.facts.observations`."""

from sidecar.core.facts.fact import Fact
from sidecar.core.facts.policy import Mode
from sidecar.core.facts.windows import Once, Replaced, Weekly


class Held(Fact, frozen=True, kw_only=True):
    """A person forbade climbing until a `Resumed` that names this record."""

    actor: str
    reason: str


class Resumed(Fact, frozen=True, kw_only=True):
    """An operator lifted a hold."""

    actor: str
    reason: str
    hold: int | None = None
    """The id of the hold: the number of its record; None: of fold version 6 or before, when there was only one."""


class Approved(Fact, frozen=True, kw_only=True):
    """A person approved one climb, onto this rung, in this epoch of the payments indicator."""

    actor: str
    reason: str
    rung: int
    epoch: int


class RolledBack(Fact, frozen=True, kw_only=True):
    """An operator sent the flag to the bottom rung, and forbade climbing until a `Resumed` that names this record."""

    actor: str
    reason: str


class EvidenceReset(Fact, frozen=True, kw_only=True):
    """A person began a new epoch in every indicator."""

    actor: str
    reason: str


class Noted(Fact, frozen=True, kw_only=True):
    """A person noted something for the record: it changes nothing."""

    actor: str
    text: str
    release: str | None = None
    """What was released, such as a version or a commit; None: it is no release."""


class Frozen(Fact, frozen=True, kw_only=True):
    """A person forbade climbing in certain times; falling stays possible."""

    actor: str
    """The operator who owns it."""
    reason: str
    name: str
    window: Once | Weekly
    expires_ms: int
    """When it expires, in Unix milliseconds."""
    replaced: Replaced | None = None
    """The freeze of this name that the operator replaced; None: there was none."""
    is_exclusive: bool = False
    """Whether it replaces no other; False: of fold version 6 or before, which replaced any of its name."""


class Thawed(Fact, frozen=True, kw_only=True):
    """A person took a freeze away before it went by itself."""

    actor: str
    reason: str
    name: str
    freeze: int | None = None
    """The number of its record; None: of fold version 6 or before, which removed any of this name."""


class Overridden(Fact, frozen=True, kw_only=True):
    """A person chose the mode of one user until a time, for a test."""

    actor: str
    reason: str
    user_ref: str
    """Keyed hash of the user's id."""
    mode: Mode
    expires_ms: int


class OverrideCleared(Fact, frozen=True, kw_only=True):
    """A person ended an override before its time."""

    actor: str
    reason: str
    override: int
    """The id of the override: the number of its record."""


OperatorAction = (
    Held | Resumed | Approved | RolledBack | EvidenceReset | Noted | Frozen | Thawed | Overridden | OverrideCleared
)
