"""From which state does a process go on? From the newest that is certain to be what the records give.

A snapshot of another fold version, or one that was damaged, never loads: then the next older one does, or all that is
left is folded again, from the first record or, where old ones were removed, from the oldest checkpoint.
"""

import hashlib
from collections.abc import Callable, Sequence

import msgspec
import structlog

from sidecar.core.facts.observations import UNREADABLE, Checkpoint
from sidecar.core.fold.checkpoints import restored
from sidecar.core.fold.state import FOLD_VERSION, State, decode
from sidecar.ports import ErrorCode, SidecarError

HeadAt = Callable[[int], str]
"""Returns the chain's head after the last link up to a record, in hex."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A state as it is kept beside the records, to go on from."""

    seq: int
    """The last record that is in it."""
    fold_version: int
    digest: bytes
    """SHA-256 of `body`."""
    body: bytes


def snapshot_of(seq: int, body: bytes) -> Snapshot:
    """Return the snapshot of an encoded state."""
    return Snapshot(seq=seq, fold_version=FOLD_VERSION, digest=hashlib.sha256(body).digest(), body=body)


def state_to_go_on_from(
    snapshots: Sequence[Snapshot],
    checkpoints: Sequence[Checkpoint],
    *,
    last_seq: int,
    trimmed_seq: int,
    head_at: HeadAt,
) -> State:
    """Return a state after which all records are there. The snapshots come newest first, the checkpoints oldest first.

    Raises `SidecarError` with `journal_unavailable` if records were removed and no checkpoint is left to start from.
    """
    for snapshot in snapshots:
        state, why_not = loaded(snapshot, last_seq)
        if state is not None:
            return state
        structlog.get_logger().warning("snapshot.refused", seq=snapshot.seq, why=why_not)
    return state_to_fold_from(checkpoints, trimmed_seq=trimmed_seq, head_at=head_at)


def state_to_fold_from(checkpoints: Sequence[Checkpoint], *, trimmed_seq: int, head_at: HeadAt) -> State:
    """Return the state before the oldest record from which on all are there. Raises as above.

    A checkpoint from before there was a chain gets its head from the journal, which has every link.
    """
    if trimmed_seq == 0:
        return State()
    for checkpoint in checkpoints:
        if checkpoint.folded_seq >= trimmed_seq:
            try:
                state = restored(checkpoint)
            except (*UNREADABLE, ValueError) as error:
                structlog.get_logger().warning("checkpoint.refused", folded_seq=checkpoint.folded_seq, why=str(error))
            else:
                state.chain = state.chain or head_at(state.seq)
                return state
    raise SidecarError(
        ErrorCode.JOURNAL_UNAVAILABLE,
        f"The journal has no records up to {trimmed_seq}, and no checkpoint after it that can be read; "
        "restore it from a backup: sidecar restore FILE --reason '...'",
    )


def loaded(snapshot: Snapshot, last_seq: int) -> tuple[State | None, str]:
    """Return the state of a snapshot, or why it must not be believed."""
    if snapshot.fold_version != FOLD_VERSION:
        return None, f"it is of fold version {snapshot.fold_version}, and this is {FOLD_VERSION}"
    if snapshot.seq > last_seq:
        return None, f"it is of record {snapshot.seq}, and the last is {last_seq}"
    if hashlib.sha256(snapshot.body).digest() != snapshot.digest:
        return None, "its digest is wrong: it was damaged"
    try:
        state = decode(snapshot.body)
    except UNREADABLE as error:
        return None, f"it cannot be read: {error}"
    if (state.seq, state.fold_version) != (snapshot.seq, FOLD_VERSION):
        return None, "what it holds is not what it says"
    return state, ""
