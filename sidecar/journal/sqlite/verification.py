"""Is a journal's file sound? It is read from outside, also while a sidecar writes it."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sidecar.core.facts.observations import Checkpoint
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import FOLD_VERSION, State, encode
from sidecar.journal.snapshots import Snapshot, loaded, state_before_fold
from sidecar.journal.sqlite import links
from sidecar.journal.sqlite.failures import as_unavailable, unavailable
from sidecar.journal.sqlite.file import Reader
from sidecar.journal.sqlite.opening import connect
from sidecar.journal.sqlite.schema import SCHEMA_VERSION, version_of
from sidecar.ports import SidecarError

_READ_MAX = 1_000
_PAGE_DEFECTS_MAX = 5


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """The result of verifying a journal's file."""

    path: str
    bytes: int
    records: int
    """The number of folded records: all without those before the checkpoint at which a full fold starts."""
    last_seq: int
    trimmed_seq: int
    """The last record up to which old ones were removed; 0: none."""
    snapshot_seq: int | None
    """The newest snapshot, which was compared with the fold; None: there is none of this fold version."""
    links: int
    """The number of links: decisions, operator actions and policies."""
    head: str
    """The head of the chain, in hex. With a copy of it outside, `verify --head` detects removed records."""
    noted_seq: int | None = None
    """The record after which the head was the given one; None: none was given, or it never was."""
    defects: tuple[str, ...]
    """A sentence for each defect; empty: the file is sound."""


def inspect(path: Path, noted: str = "") -> Inspection:
    """Check every page, fold every record, compare the result with the newest snapshot, and verify the chain.

    `noted` is a former head of the chain, or its first digits; a chain that never had it is a defect. Raises
    `SidecarError` with `journal_unavailable` if the file cannot be opened, or is not a journal.
    """
    with opened_to_read(path) as (connection, reader):
        defects = page_defects(path, connection)
        snapshot = next((each for each in reader.snapshots() if each.fold_version == FOLD_VERSION), None)
        trimmed_seq = reader.trimmed_seq()
        state, records, chain = State(), 0, links.ChainReading()
        try:
            state = state_before_fold(reader.checkpoints(), trimmed_seq=trimmed_seq, head_at=reader.head_at)
            for checks_of_one in _folded(reader, state, snapshot):
                records += 1
                defects += checks_of_one
        except SidecarError as error:
            defects.append(error.message)
        else:
            if snapshot is not None and snapshot.seq > state.seq:
                defects.append(f"the snapshot is of record {snapshot.seq}, but the last record is {state.seq}")
        try:
            chain = reader.read_chain(noted)
            defects += [*chain.defects, *_chain_defects(chain, state, noted)]
        except SidecarError as error:
            defects.append(error.message)
        return Inspection(
            path=str(path),
            bytes=path.stat().st_size,
            records=records,
            last_seq=state.seq,
            trimmed_seq=trimmed_seq,
            snapshot_seq=snapshot.seq if snapshot else None,
            links=chain.links,
            head=chain.head,
            noted_seq=chain.noted_seq,
            defects=tuple(defects),
        )


def present(path: Path) -> State:
    """Return the current state of a journal's file, also of a running sidecar, without verifying the file.

    Raises `SidecarError` with `journal_unavailable` if the file cannot be opened or folded.
    """
    with opened_to_read(path) as (_, reader):
        found = (loaded(snapshot, snapshot.seq)[0] for snapshot in reader.snapshots())
        state = next((each for each in found if each is not None), None)
        if state is None:
            state = state_before_fold(reader.checkpoints(), trimmed_seq=reader.trimmed_seq(), head_at=reader.head_at)
        for _ in _folded(reader, state, None):
            pass
        return state


def _chain_defects(chain: links.ChainReading, state: State, noted: str) -> Iterator[str]:
    """Yield a defect if the chain does not match the fold, or never had the given head."""
    if not chain.defects and state.seq and chain.head != state.chain:
        yield "the chain does not match the checkpoint and the records after it"
    if noted and chain.noted_seq is None:
        yield (
            f"the chain never had the head {noted[:12]}…: since then records were changed or the last ones removed, or "
            "it is the head of another journal"
        )


class PageCheck:
    """A check of the pages of a file in use; it takes long for a large file, and can be stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def run(self) -> None:
        """Check every page; blocks. Raises `SidecarError` with `journal_unavailable` if one is damaged."""
        with as_unavailable(self._path, "read"), contextlib.ExitStack() as opened:
            self._connection = connect(self._path, opened, read_only=True)
            (defect, *_) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if defect != "ok":
            raise unavailable(
                self._path,
                f"is damaged: {defect}",
                "restore it from a backup: sidecar restore FILE --replace --reason '...'",
            )

    def stop(self) -> None:
        """Stop the check from another thread."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):  # the check has just ended by itself
                self._connection.interrupt()


def page_defects(path: Path, connection: sqlite3.Connection) -> list[str]:
    """Return the defects that SQLite finds in the file's pages and indexes."""
    try:
        with as_unavailable(path, "read"):
            rows = connection.execute(f"PRAGMA integrity_check({_PAGE_DEFECTS_MAX})").fetchall()
    except SidecarError as error:
        return [error.message]
    return [f"SQLite reports: {defect}" for (defect,) in rows if defect != "ok"]


@contextlib.contextmanager
def opened_to_read(path: Path) -> Iterator[tuple[sqlite3.Connection, Reader]]:
    """Open a file read-only, also while a sidecar writes it; all reads see the same moment.

    Raises `SidecarError` with `journal_unavailable` if it cannot be opened, or is not a journal of this version.
    """
    if not path.is_file():
        raise unavailable(path, "does not exist")
    with as_unavailable(path, "opened"), contextlib.ExitStack() as opened:
        connection = connect(path, opened, read_only=True)
        version = version_of(path, connection)
        if version != SCHEMA_VERSION:
            found = f"has schema version {version}, and this sidecar reads version {SCHEMA_VERSION}"
            raise unavailable(path, found, "start the sidecar with it once, which migrates it")
        connection.execute("BEGIN")
        yield connection, Reader(path, connection)


class _Chained(msgspec.Struct):
    chain: str = ""


def _checkpoint_defects(reader: Reader, seq: int, checkpoint: Checkpoint) -> list[str]:
    """Return the defects of the chain in a checkpoint, which has the head of the day when it was written."""
    chain = msgspec.json.decode(checkpoint.state, type=_Chained).chain
    if not chain or chain == reader.head_at(checkpoint.folded_seq):  # fold versions before 5 have no chain
        return []
    return [
        f"the checkpoint in record {seq} has another chain: a decision, an action or a policy before it was changed"
    ]


def _folded(reader: Reader, state: State, snapshot: Snapshot | None) -> Iterator[list[str]]:
    """Fold every record into the state; yield the defects of each."""
    while records := reader.read(state.seq, _READ_MAX):
        for record in records:
            defects = []
            if record.seq != state.seq + 1 and state.seq:
                defects.append(f"record {state.seq + 1} is missing: {record.seq} follows {state.seq}")
            if record.at_ms < state.now_ms:
                defects.append(f"record {record.seq} has an earlier stamp than the record before it")
            if isinstance(record.observation, Checkpoint):
                defects += _checkpoint_defects(reader, record.seq, record.observation)
            fold(state, record)
            if snapshot is not None and record.seq == snapshot.seq and encode(state) != snapshot.body:
                defects.append(f"the snapshot of record {record.seq} does not match the records; it is not used")
            yield defects
