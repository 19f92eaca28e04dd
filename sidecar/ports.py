"""The journal's protocol, and the errors of all packages."""

import enum
from collections.abc import Sequence
from typing import Protocol

import msgspec

from sidecar.core.facts.observations import Observation, Record
from sidecar.core.fold.state import State


class ErrorCode(enum.StrEnum):
    """The kind of error, for machines. `sidecar.http.errors` maps each to an HTTP status."""

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
    EXPECTATION_REFUSED = "expectation_refused"
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
    """The parent of the sidecar's exceptions: a stable code for machines, and a sentence for people.

    The sentence contains what was found, where, and what is allowed or what to do.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Appended(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an append."""

    record: Record
    """The record in the journal; for a duplicate, the existing one."""
    duplicate: bool


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """A decision, an operator action or a policy, as a link of the chain (`core.facts.chain`)."""

    record: Record
    head: str
    """The head of the chain after this record, in hex."""


class Creation(msgspec.Struct, frozen=True, kw_only=True):
    """The beginning of a journal."""

    at_ms: int = 0
    """The stamp of its first link, in Unix milliseconds; 0: it has none yet."""
    reason: str = ""
    """Why an operator began a new one, if this process made its first start; empty: nobody did."""


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """The appends that wait for the journal."""

    waiting_count: int = 0
    """Observations that are not durable yet."""
    oldest_ms: int = 0
    """Age of the oldest of them in milliseconds; 0: none waits."""
    refused_count: int = 0
    """Appends that were refused since opening, because too many were waiting."""
    commit_count: int = 0
    """Transactions that were made durable since opening."""


class Journal(Protocol):
    """The durable, ordered, append-only log of observations, and the clock."""

    async def append(self, observation: Observation) -> Appended:
        """Append the observation and return once it would survive `kill -9`.

        The same fact (`core.facts.identities.identity`) is stored once. Raises `SidecarError` with
        `journal_unavailable` if it could not be stored, or `journal_overloaded` if too many are waiting.
        """
        ...

    async def read(self, after: int, limit: int) -> Sequence[Record]:
        """Return up to `limit` records with a `seq` greater than `after`, in order."""
        ...

    async def links(self, before: int, limit: int) -> Sequence[Link]:
        """Return up to `limit` links of the chain whose `seq` is less than `before`, newest first."""
        ...

    async def find(self, key: str) -> Record | None:
        """Return the record with this key (`core.facts.identities.identity`); None: none, or it was trimmed."""
        ...

    async def load_snapshot(self) -> State:
        """Return the state from which a process continues; all records after its `seq` are in the journal.

        It is the newest valid snapshot, else the start of a full fold. Raises `SidecarError` with
        `journal_unavailable` if there is neither.
        """
        ...

    async def save_snapshot(self, seq: int, body: bytes) -> None:
        """Store the state after record `seq`, as encoded by `core.fold.state.encode`, for `load_snapshot`."""
        ...

    async def check(self) -> None:
        """Verify the whole journal, which may take long. Raises `journal_unavailable` if it is damaged."""
        ...

    async def recheck(self) -> None:
        """Verify what follows the last call, at a slow pace: for ever in turn. Raises like `check`."""
        ...

    async def trim(self, before_ms: int) -> int:
        """Examine the next records that a checkpoint older than `before_ms` (Unix milliseconds) replaces.

        Remove those that need not be kept for ever. Return how many were examined; 0: none are left.
        """
        ...

    async def wait(self, after: int) -> None:
        """Return once a record with a `seq` greater than `after` is there. May return early: read, then wait again."""
        ...

    def now_ms(self) -> int:
        """Return the present in Unix milliseconds on the journal's clock; never earlier than any stamp given."""
        ...

    def creation(self) -> Creation:
        """Return when the journal began, and why."""
        ...

    def backlog(self) -> Backlog:
        """Return the appends that wait now."""
        ...

    async def close(self) -> None:
        """Complete pending appends and release the journal. Appending afterwards raises `journal_unavailable`."""
        ...
