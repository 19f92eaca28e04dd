"""The protocols that shells implement, so that no shell needs to know another."""

import enum
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from sidecar.core.facts.observations import Observation, Record
from sidecar.core.fold.state import State


class ErrorCode(enum.StrEnum):
    """What went wrong, for machines. `sidecar.http.errors` maps each to an HTTP status."""

    CONFIG_INVALID = "config_invalid"
    SECRET_INVALID = "secret_invalid"  # noqa: S105 - a code, not a secret
    JOURNAL_IN_USE = "journal_in_use"
    JOURNAL_UNAVAILABLE = "journal_unavailable"
    JOURNAL_OVERLOADED = "journal_overloaded"
    ADDRESS_IN_USE = "address_in_use"
    BODY_TOO_LARGE = "body_too_large"
    BODY_TOO_SLOW = "body_too_slow"
    BODY_INVALID = "body_invalid"
    CONTEXT_INVALID = "context_invalid"
    ENCODING_REFUSED = "encoding_refused"
    SIGNATURE_INVALID = "signature_invalid"
    TOKEN_INVALID = "token_invalid"  # noqa: S105 - a code, not a secret
    TOKEN_NEEDED = "token_needed"  # noqa: S105 - a code, not a secret
    ROLE_INSUFFICIENT = "role_insufficient"
    USER_INVALID = "user_invalid"
    HOST_REFUSED = "host_refused"
    ORIGIN_REFUSED = "origin_refused"
    FLAG_UNKNOWN = "flag_unknown"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    RATE_EXCEEDED = "rate_exceeded"
    OVERLOADED = "overloaded"
    NOT_READY = "not_ready"
    CONFLICT = "conflict"
    INTERNAL = "internal"


class SidecarError(Exception):
    """The parent of our exceptions: a stable code for machines, and a sentence for people.

    The sentence says what was found, where, and what is allowed or what to do.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an observation that was appended."""

    record: Record
    """The record in the journal; of a duplicate, the one that was there before."""
    duplicate: bool


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A decision, an operator action or a policy, as a link of the chain (`core.facts.chain`)."""

    record: Record
    head: str
    """After it, in hex."""


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for the journal to keep it."""

    waiting_count: int = 0
    """Observations that were appended and are not durable yet."""
    oldest_ms: int = 0
    """For how long the oldest of them has waited; 0 where none does."""
    refused_count: int = 0
    """Appends that were refused since opening, because too many were waiting."""
    commit_count: int = 0
    """Transactions that were made durable since opening."""


class Journal(Protocol):
    """The durable, ordered, append-only log of observations, and the clock."""

    async def append(self, observation: Observation) -> Appended:
        """Keep the observation and return once it would survive `kill -9`.

        The same fact (`core.facts.identities.identity`) is kept once. Raises `SidecarError` with `journal_unavailable`
        if it could not be kept, or `journal_overloaded` if too many are waiting.
        """
        ...

    async def read(self, after: int, limit: int) -> Sequence[Record]:
        """Return up to `limit` records with a `seq` greater than `after`, in order."""
        ...

    async def links(self, before: int, limit: int) -> Sequence[Link]:
        """Return up to `limit` links of the chain whose `seq` is less than `before`, newest first."""
        ...

    async def find(self, key: str) -> Record | None:
        """Return the record with this key (`core.facts.identities.identity`); None: there is none, or not any more."""
        ...

    async def load_snapshot(self) -> State:
        """Return the state that a process goes on from; all records after its `seq` are there.

        The newest snapshot that can be believed; else where a full fold begins. Raises `SidecarError` with
        `journal_unavailable` if there is no such state.
        """
        ...

    async def save_snapshot(self, seq: int, body: bytes) -> None:
        """Keep the state after record `seq`, as `core.fold.state.encode` wrote it, for `load_snapshot`."""
        ...

    async def check(self) -> None:
        """Look at all that is kept, which may take long. Raises `journal_unavailable` if something is damaged."""
        ...

    async def trim(self, before_ms: int) -> int:
        """Look at the next records that a checkpoint from before `before_ms`, in Unix milliseconds, stands for.

        Those that need not be kept for ever are removed. Return at how many it looked; 0: there are no more.
        """
        ...

    async def wait(self, after: int) -> None:
        """Return once a record with a `seq` greater than `after` may be there. A hint: look, and wait again."""
        ...

    def now_ms(self) -> int:
        """Return the present in Unix milliseconds on the journal's clock; never earlier than any stamp given."""
        ...

    def backlog(self) -> Backlog:
        """Return what waits, now."""
        ...

    async def close(self) -> None:
        """Finish what was appended and release the journal. Appending afterwards raises `journal_unavailable`."""
        ...


class Source(Protocol):
    """A source of our own that must have been read before a payment may be judged."""

    name: str
    """As heartbeats tell it when it did not answer."""

    async def seen_since(self, asked_s: float) -> None:
        """Return once all that was there at `asked_s`, on the monotonic clock, is in the journal. May wait for ever."""
        ...


Count = Callable[[str], None]
"""Counts one more of something, by its result; the name comes from a closed set."""


class Task(enum.StrEnum):
    """What runs for as long as the sidecar does, and tries again when it fails."""

    FOLLOWER = "follower"
    """Reads the journal."""
    BEAT = "beat"
    """Writes heartbeats."""
    DECIDE = "decide"
    """Writes decisions."""
    MAINTENANCE = "maintenance"
    """Writes checkpoints and snapshots."""
    OBSERVERS = "observers"
    """Writes what arrived on our sockets."""
    PROBES = "probes"
    """Probes, and writes what came of it."""
    WATCHES = "watches"
    """Writes the ends of watches."""
    NOTIFICATIONS = "notifications"
    """Claims what is to be told; a target that fails is no failure of it."""


Failed = Callable[[Task], None]
"""Counts one more failure of a task."""


def uncounted(_: Task) -> None:
    """Count nothing: for whoever runs a part alone."""
