"""Is a journal's file sound? It is read from outside, also while a sidecar writes it."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from sidecar.core.facts.observations import Checkpoint
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import FOLD_VERSION, State, encode
from sidecar.journal.snapshots import Snapshot, loaded, state_before_fold
from sidecar.journal.sqlite import batches, links
from sidecar.journal.sqlite.failures import as_unavailable, damaged, unavailable
from sidecar.journal.sqlite.mark import UNMARKED, Marks
from sidecar.journal.sqlite.opening import connect
from sidecar.journal.sqlite.reader import Reader
from sidecar.journal.sqlite.schema import SCHEMA_VERSION, version_of
from sidecar.ports import SidecarError

_READ_MAX = 1_000
_PAGE_DEFECTS_MAX = 5
_PAUSE_S = 0.01
"""Between slices of a thousand records, which take two milliseconds: the event loop needs the same interpreter lock."""
_PATROL_RECORDS = 500
"""Records in one slice: a few milliseconds of the reading thread."""
_PATROL_PAGES = 16
"""The cache of a patrol, in pages: it must see the file, not what it read before."""


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


def inspect(path: Path, noted: str = "", marks: Marks | None = None) -> Inspection:
    """Check every page, every batch of records, the marks, the fold against the newest snapshot, and the chain.

    `noted` is a former head of the chain, or its first digits; a chain that never had it is a defect. `marks` are the
    copies of the high-water mark; None: the file is a backup, which has none. Raises `SidecarError` with
    `journal_unavailable` if the file cannot be opened, or is not a journal.
    """
    marked = [] if marks is None else _read(marks)  # before the records: a running sidecar may append some
    with opened_to_read(path) as (connection, reader):
        defects = page_defects(path, connection) + marked
        try:
            with as_unavailable(path, "read"):
                defects += batches.defects(connection)
                defects += [f"the journal {defect}" for defect in marks.contradictions(connection)] if marks else []
                if marks and not marked and not marks.found and batches.last(connection)[0]:
                    defects.append(f"the journal {UNMARKED}")
        except SidecarError as error:
            defects.append(error.message)
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
            defects=tuple(dict.fromkeys(defects)),
        )


def _read(marks: Marks) -> list[str]:
    """Read the marks; return a defect if none can be used."""
    try:
        marks.read()
    except SidecarError as error:
        return [error.message]
    return []


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
    """A check of the pages and records of a file in use; it takes long for a large file, and can be stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        """Check every page and every record; blocks. Raises `journal_unavailable` if one is damaged."""
        with as_unavailable(self._path, "read"), contextlib.ExitStack() as opened:
            self._connection = connect(self._path, opened, read_only=True)
            (defect, *_) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
            if defect != "ok":
                raise damaged(self._path, defect)
            verifier, more = batches.Verifier(self._connection), True
            while more and not self._stopped.wait(_PAUSE_S):
                more = _verified(self._path, verifier, batches.BATCH_MAX)

    def stop(self) -> None:
        """Stop the check from another thread."""
        self._stopped.set()
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):  # the check has just ended by itself
                self._connection.interrupt()


class Patrol:
    """A check of the records of a file in use, again and again, in slices that take milliseconds.

    `PRAGMA quick_check` is one statement, which for a large file takes longer than a slice may. Reading the records
    by `seq` and by key passes all pages that hold them.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = contextlib.ExitStack()
        self._verifier: batches.Verifier | None = None

    def slice(self) -> None:
        """Check the next records. Raises `SidecarError` with `journal_unavailable` if one is damaged."""
        with as_unavailable(self._path, "read"):
            if self._verifier is None:
                connection = connect(self._path, self._opened, read_only=True)
                connection.execute(f"PRAGMA cache_size = {_PATROL_PAGES}")
                self._verifier = batches.Verifier(connection)
            if not _verified(self._path, self._verifier, _PATROL_RECORDS):
                self.close()

    def close(self) -> None:
        """Close the file; the next slice begins anew."""
        self._verifier = None
        self._opened.close()


def _verified(path: Path, verifier: batches.Verifier, records_max: int) -> bool:
    """Verify a slice, and return whether there may be more. Raises `journal_unavailable` if a record is damaged."""
    more, defects = verifier.slice(records_max)
    for defect in defects:
        raise damaged(path, defect)
    return more


def page_defects(path: Path, connection: sqlite3.Connection) -> list[str]:
    """Return the defects that SQLite finds in the file's pages and indexes."""
    try:
        with as_unavailable(path, "read"):
            rows = connection.execute(f"PRAGMA integrity_check({_PAGE_DEFECTS_MAX})").fetchall()
    except SidecarError as error:
        return [error.message]
    return [f"SQLite reports: {defect}" for (defect,) in rows if defect != "ok"]


@contextlib.contextmanager
def opened_to_read(path: Path, *, is_older_read: bool = False) -> Iterator[tuple[sqlite3.Connection, Reader]]:
    """Open a file read-only, also while a sidecar writes it; all reads see the same moment.

    `is_older_read`: a file of an older schema is opened too, to copy it.

    Raises `SidecarError` with `journal_unavailable` if it cannot be opened, or is not a journal of this version.
    """
    if not path.is_file():
        raise unavailable(path, "does not exist")
    with as_unavailable(path, "opened"), contextlib.ExitStack() as opened:
        connection = connect(path, opened, read_only=True)
        version = version_of(path, connection)
        if version != SCHEMA_VERSION and not (is_older_read and version):
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
