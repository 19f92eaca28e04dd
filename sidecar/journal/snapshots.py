"""From which state does a process continue? From the newest snapshot that is certain to match the records.

A damaged snapshot, or one of a later fold version, is never loaded. The next older one is, or the records are folded
again: from the first record, or from the oldest checkpoint if old records were removed. A snapshot or checkpoint of an
earlier fold version is converted: what its rules concluded stands, and the records after it are folded by today's.
"""

import hashlib
from collections.abc import Callable, Sequence

import msgspec
import structlog

from sidecar.core.facts.observations import UNREADABLE, Checkpoint
from sidecar.core.fold.checkpoint_rules import changes_since
from sidecar.core.fold.checkpoints import restored, upgraded
from sidecar.core.fold.state import FOLD_VERSION, State
from sidecar.ports import ErrorCode, SidecarError

HeadAt = Callable[[int], str]
"""Returns the head of the chain after the last link up to a record, in hex."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """An encoded state, stored beside the records."""

    seq: int
    """The last record in the state."""
    fold_version: int
    digest: bytes
    """SHA-256 of `body`."""
    body: bytes


def snapshot_of(seq: int, body: bytes) -> Snapshot:
    """Return the snapshot of an encoded state."""
    return Snapshot(seq=seq, fold_version=FOLD_VERSION, digest=hashlib.sha256(body).digest(), body=body)


def latest_state(
    snapshots: Sequence[Snapshot],
    checkpoints: Sequence[Checkpoint],
    *,
    last_seq: int,
    trimmed_seq: int,
    head_at: HeadAt,
) -> State:
    """Return the latest state after which all records exist. Snapshots are newest first, checkpoints oldest first.

    Raises `SidecarError` with `journal_unavailable` if records were removed and no checkpoint can be read.
    """
    for snapshot in snapshots:
        state, fault = loaded(snapshot, last_seq)
        if state is not None:
            return _continued(state)
        structlog.get_logger().warning("snapshot.refused", seq=snapshot.seq, why=fault)
    return _continued(state_before_fold(checkpoints, trimmed_seq=trimmed_seq, head_at=head_at))


def _continued(state: State) -> State:
    """Log what is different from here on, if rules of an older version led to this state."""
    if state.upgraded_from:
        structlog.get_logger().warning(
            "journal.upgraded",
            from_fold_version=state.upgraded_from,
            to_fold_version=FOLD_VERSION,
            changes=changes_since(state.upgraded_from),
        )
    return state


def state_before_fold(checkpoints: Sequence[Checkpoint], *, trimmed_seq: int, head_at: HeadAt) -> State:
    """Return the state at which a full fold starts, after which all records exist. Raises like `latest_state`.

    A checkpoint of a version without the chain gets its head from the journal, which has every link.
    """
    is_older = any(each.fold_version < FOLD_VERSION for each in checkpoints)
    begun = [each for each in checkpoints if each.upgraded_from and each.fold_version == FOLD_VERSION]
    if trimmed_seq == 0 and not is_older and not begun:
        return State()
    newest = reversed(checkpoints) if is_older else checkpoints
    for checkpoint in (*reversed(begun), *newest):
        if checkpoint.folded_seq >= trimmed_seq:
            try:
                state = restored(checkpoint)
            except (*UNREADABLE, ValueError) as error:
                structlog.get_logger().warning("checkpoint.refused", folded_seq=checkpoint.folded_seq, why=str(error))
            else:
                state.chain = state.chain or head_at(state.seq)
                return state
    if trimmed_seq == 0:
        return State()
    raise SidecarError(
        ErrorCode.JOURNAL_UNAVAILABLE,
        f"The journal has no records up to {trimmed_seq}, and no readable checkpoint after it; "
        "restore it from a backup: sidecar restore FILE --replace --reason '...'",
    )


def loaded(snapshot: Snapshot, last_seq: int) -> tuple[State | None, str]:
    """Return the state of a snapshot, or why it must not be used."""
    if snapshot.seq > last_seq:
        return None, f"it is of record {snapshot.seq}, and the last is {last_seq}"
    if hashlib.sha256(snapshot.body).digest() != snapshot.digest:
        return None, "its digest does not match: it is damaged"
    try:
        state = upgraded(snapshot.body, snapshot.fold_version)
    except (*UNREADABLE, ValueError, KeyError, TypeError) as error:
        return None, f"it cannot be read: {error}"
    if (state.seq, state.fold_version) != (snapshot.seq, FOLD_VERSION):
        return None, "its state does not match its seq and fold version"
    return state, ""
