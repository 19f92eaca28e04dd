"""Which tables does the journal's file have, and how is an older version migrated?"""

import sqlite3
from pathlib import Path

from sidecar.journal.sqlite import batches, links
from sidecar.journal.sqlite.failures import unavailable

APPLICATION_ID = 0x52765363
"""Marks the file as a journal (`file` and `PRAGMA application_id` show it): "RvSc" in ASCII."""

_MIGRATIONS = (
    (
        """CREATE TABLE observations (
          seq INTEGER PRIMARY KEY,
          at_ms INTEGER NOT NULL,
          key TEXT UNIQUE,
          body BLOB NOT NULL
        )""",
    ),
    (
        """CREATE TABLE snapshots (
          seq INTEGER PRIMARY KEY,
          fold_version INTEGER NOT NULL,
          digest BLOB NOT NULL,
          body BLOB NOT NULL
        )""",
        "CREATE TABLE trimmed (seq INTEGER NOT NULL)",
        "INSERT INTO trimmed (seq) VALUES (0)",
    ),
    ("CREATE TABLE chain (seq INTEGER PRIMARY KEY, head BLOB NOT NULL)",),
    ("CREATE TABLE batches (seq INTEGER PRIMARY KEY, digest BLOB NOT NULL)",),
)
"""The statements that migrate a file of each version, from 0 (empty), to the next. Entries are added, never changed.

`observations`: the records. `snapshots`: states to continue from after a restart, as `core.fold.state.encode` returns
them, with their SHA-256. `trimmed`: the last record up to which old ones were removed; 0: none. `chain`: the head
after each decision, operator action and policy. `batches`: the last record of each commit, and the checksum of the
records up to it (`batches`).
"""

_CHAINED_FROM = 3
"""The first version with a chain; an older file gets one from its records."""

CHECKED_FROM = 4
"""The first version with checksums of batches, and always with a high-water mark; an older file gets both."""

_TABLES = (
    {"observations"},
    {"observations", "snapshots", "trimmed"},
    {"observations", "snapshots", "trimmed", "chain"},
    {"observations", "snapshots", "trimmed", "chain", "batches"},
)
"""The tables of each version, from 1."""

SCHEMA_VERSION = len(_MIGRATIONS)
"""The `PRAGMA user_version` of files that this code reads and writes."""


def prepare(path: Path, connection: sqlite3.Connection, page_count_max: int | None) -> None:
    """Check that the file is a journal before the first write, and migrate it; create the tables if it is empty.

    Raises `SidecarError` with `journal_unavailable` if it is not a journal, or of a later version.
    """
    version = version_of(path, connection)
    if pragma(connection, "journal_mode = WAL") != "wal":
        raise unavailable(path, "is on a file system without shared memory, which SQLite's WAL mode needs")
    connection.execute("PRAGMA synchronous = FULL")
    if page_count_max is not None:
        connection.execute(f"PRAGMA max_page_count = {page_count_max}")
    if version < SCHEMA_VERSION:
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            for statements in _MIGRATIONS[version:]:
                for statement in statements:
                    connection.execute(statement)
            if version < _CHAINED_FROM:
                links.fill(connection)
            if version < CHECKED_FROM:
                batches.fill(connection)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def version_of(path: Path, connection: sqlite3.Connection) -> int:
    """Return the file's schema version; 0: it is empty. Raises as `prepare` does."""
    application_id, version = pragma(connection, "application_id"), pragma(connection, "user_version")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (application_id, version, tables) == (0, 0, 0):
        return 0
    if application_id != APPLICATION_ID:
        raise unavailable(path, "could not be opened: it is the database of another application")
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        found = f"has schema version {version}, and this sidecar reads up to version {SCHEMA_VERSION}"
        raise unavailable(path, found, "run the version that wrote it, or name another file under `journal:`")
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    if names != _TABLES[version - 1]:
        found = f"says that it has schema version {version}, and has the tables of another"
        raise unavailable(path, found, "restore it from a backup: `sidecar restore FILE --replace --reason '...'`")
    return version


def pragma(connection: sqlite3.Connection, name: str) -> int | str:
    """Return the value of a PRAGMA, or the result of setting one."""
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    found: int | str = value
    return found
