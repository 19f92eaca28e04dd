"""Is a journal's file sound? Looked at from outside, also while a sidecar writes it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sidecar.core.facts.observations import Checkpoint
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import FOLD_VERSION, State, encode
from sidecar.journal.snapshots import Snapshot, loaded, state_to_fold_from
from sidecar.journal.sqlite import links
from sidecar.journal.sqlite.failures import told, unavailable
from sidecar.journal.sqlite.file import Reader, connect
from sidecar.journal.sqlite.schema import SCHEMA_VERSION, version_of
from sidecar.ports import SidecarError

_READ_MAX = 1_000
_PAGE_DEFECTS_MAX = 5


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What was found in a journal's file."""

    path: str
    bytes: int
    records: int
    """That were folded: all that are there, less those before the checkpoint from which a full fold starts."""
    last_seq: int
    trimmed_seq: int
    """Up to which record old ones were removed; 0: none was."""
    snapshot_seq: int | None
    """The newest snapshot, which the fold was compared with; None: there is none of this fold version."""
    links: int
    """Decisions, actions and policies, which are all of the chain."""
    head: str
    """Of the chain after the last of them, in hex; note it outside, and `verify --head` finds what is gone since."""
    noted_seq: int | None = None
    """After which record the head was the one that was asked for; None: none was asked for, or it never was."""
    defects: tuple[str, ...]
    """What is wrong, a sentence each; empty: nothing is."""


def inspect(path: Path, noted: str = "") -> Inspection:
    """Check every page, read and fold every record, compare with the newest snapshot, and go along the chain.

    `noted` is a head of the chain, or how one begins, that somebody noted: it must have been one. Raises `SidecarError`
    with `journal_unavailable` if the file cannot be opened, or is not one of ours.
    """
    with opened_to_read(path) as (connection, reader):
        defects = page_defects(path, connection)
        snapshot = next((each for each in reader.snapshots() if each.fold_version == FOLD_VERSION), None)
        trimmed_seq = reader.trimmed_seq()
        state, records, probed = State(), 0, links.ChainReading()
        try:
            state = state_to_fold_from(reader.checkpoints(), trimmed_seq=trimmed_seq, head_at=reader.head_at)
            for checks_of_one in _folded(reader, state, snapshot):
                records += 1
                defects += checks_of_one
        except SidecarError as error:
            defects.append(error.message)
        else:
            if snapshot is not None and snapshot.seq > state.seq:
                defects.append(f"the snapshot is of record {snapshot.seq}, and the last is {state.seq}")
        try:
            probed = reader.read_chain(noted)
            defects += [*probed.defects, *_chain_defects(probed, state, noted)]
        except SidecarError as error:
            defects.append(error.message)
        return Inspection(
            path=str(path),
            bytes=path.stat().st_size,
            records=records,
            last_seq=state.seq,
            trimmed_seq=trimmed_seq,
            snapshot_seq=snapshot.seq if snapshot else None,
            links=probed.links,
            head=probed.head,
            noted_seq=probed.noted_seq,
            defects=tuple(defects),
        )


def present(path: Path) -> State:
    """Return the state that a journal's file gives, also of a running sidecar; nothing is compared with anything.

    Raises `SidecarError` with `journal_unavailable` if the file cannot be opened or folded.
    """
    with opened_to_read(path) as (_, reader):
        found = (loaded(snapshot, snapshot.seq)[0] for snapshot in reader.snapshots())
        state = next((each for each in found if each is not None), None)
        if state is None:
            state = state_to_fold_from(reader.checkpoints(), trimmed_seq=reader.trimmed_seq(), head_at=reader.head_at)
        for _ in _folded(reader, state, None):
            pass
        return state


def _chain_defects(probed: links.ChainReading, state: State, noted: str) -> Iterator[str]:
    """Yield what the chain is not: that to which the records fold, or that which was noted."""
    if not probed.defects and state.seq and probed.head != state.chain:
        yield "the chain is not the one that the checkpoint and the records after it give"
    if noted and probed.noted_seq is None:
        yield (
            f"the chain never had the head {noted[:12]}…: records were changed, or the last ones removed, since it was "
            "noted; or it is of another journal"
        )


class PageCheck:
    """Whether the pages of a file that is in use are sound: takes long for a large one, and can be stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def run(self) -> None:
        """Look at every page; blocks. Raises `SidecarError` with `journal_unavailable` if one is damaged."""
        with told(self._path, "read"), contextlib.ExitStack() as opened:
            self._connection = connect(self._path, opened, read_only=True)
            (defect, *_) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if defect != "ok":
            raise unavailable(self._path, f"is damaged: {defect}", "restore it from a backup: sidecar restore FILE")

    def stop(self) -> None:
        """End it from another thread."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):  # it has just ended by itself
                self._connection.interrupt()


def page_defects(path: Path, connection: sqlite3.Connection) -> list[str]:
    """Return what SQLite finds wrong with the file's pages and indexes."""
    try:
        with told(path, "read"):
            rows = connection.execute(f"PRAGMA integrity_check({_PAGE_DEFECTS_MAX})").fetchall()
    except SidecarError as error:
        return [error.message]
    return [f"SQLite says of the file: {defect}" for (defect,) in rows if defect != "ok"]


@contextlib.contextmanager
def opened_to_read(path: Path) -> Iterator[tuple[sqlite3.Connection, Reader]]:
    """Open a file for reading alone, also while a sidecar writes it; what is read is of one moment.

    Raises `SidecarError` with `journal_unavailable` if it cannot be opened, or is not a journal of this version.
    """
    if not path.is_file():
        raise unavailable(path, "is not there")
    with told(path, "opened"), contextlib.ExitStack() as opened:
        connection = connect(path, opened, read_only=True)
        version = version_of(path, connection)
        if version != SCHEMA_VERSION:
            found = f"has schema version {version}, and this sidecar reads version {SCHEMA_VERSION}"
            raise unavailable(path, found, "start the sidecar on it once, which brings it up to date")
        connection.execute("BEGIN")
        yield connection, Reader(path, connection)


class _Chained(msgspec.Struct):
    chain: str = ""


def _checkpoint_defects(reader: Reader, seq: int, checkpoint: Checkpoint) -> list[str]:
    """Return what is wrong with the chain that a checkpoint, on the day that it was written, knew."""
    chain = msgspec.json.decode(checkpoint.state, type=_Chained).chain
    if not chain or chain == reader.head_at(checkpoint.folded_seq):  # before version 5 it knew of none
        return []
    return [
        f"the checkpoint in record {seq} knew another chain: a decision, an action or a policy before it was changed"
    ]


def _folded(reader: Reader, state: State, snapshot: Snapshot | None) -> Iterator[list[str]]:
    """Fold every record into the state; yield what is wrong with each."""
    while records := reader.read(state.seq, _READ_MAX):
        for record in records:
            defects = []
            if record.seq != state.seq + 1 and state.seq:
                defects.append(f"record {state.seq + 1} is missing: after {state.seq} comes {record.seq}")
            if record.at_ms < state.now_ms:
                defects.append(f"record {record.seq} was stamped before the one that it follows")
            if isinstance(record.observation, Checkpoint):
                defects += _checkpoint_defects(reader, record.seq, record.observation)
            fold(state, record)
            if snapshot is not None and record.seq == snapshot.seq and encode(state) != snapshot.body:
                defects.append(f"the snapshot of record {record.seq} is not what the records give; it will not be used")
            yield defects
