"""What is in the journal's file, by version, and how an older file becomes a newer one."""

import sqlite3
from pathlib import Path

from sidecar.journal.sqlite import links
from sidecar.journal.sqlite.failures import unavailable

APPLICATION_ID = 0x52765363
"""Marks the file as ours (`file` and `PRAGMA application_id` show it): "RvSc" in ASCII."""

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
)
"""What makes of a file of each version, from 0 (empty), one of the next. Never changed; only added to.

`observations`: the records. `snapshots`: states that a restart may go on from, as `core.fold.state.encode` wrote them,
with their SHA-256. `trimmed`: up to which record old ones were removed; 0: none was. `chain`: the head after each
decision, act and policy.
"""

_CHAINED_FROM = 3
"""The first version with a chain; an older file's is made from its records."""

SCHEMA_VERSION = len(_MIGRATIONS)
"""What `PRAGMA user_version` says of a file that this code reads and writes."""


def prepare(path: Path, connection: sqlite3.Connection, page_count_max: int | None) -> None:
    """Look whose file it is before the first change to it, and bring it up to date; set it up if it is empty.

    Raises `SidecarError` with `journal_unavailable` if it is not ours, or of a later version.
    """
    version = version_of(path, connection)
    if pragma(connection, "journal_mode = WAL") != "wal":
        raise unavailable(path, "is on a file system that cannot hold it (SQLite's WAL mode needs shared memory)")
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
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def version_of(path: Path, connection: sqlite3.Connection) -> int:
    """Return the file's schema version; 0: it is empty. Raises as `prepare` does."""
    application_id, version = pragma(connection, "application_id"), pragma(connection, "user_version")
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if (application_id, version, tables) == (0, 0, 0):
        return 0
    if application_id != APPLICATION_ID:
        raise unavailable(path, "could not be opened: it is a database of another application")
    if not isinstance(version, int) or not 1 <= version <= SCHEMA_VERSION:
        found = f"has schema version {version}, and this sidecar reads up to version {SCHEMA_VERSION}"
        raise unavailable(path, found, "run the version that wrote it, or name another file under `journal:`")
    return version


def pragma(connection: sqlite3.Connection, name: str) -> int | str:
    """Return what SQLite says to a PRAGMA, or to setting one."""
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    found: int | str = value
    return found
