"""What does an error of SQLite or of the file system mean? A message with the cause, the file and the remedy."""

import contextlib
import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path

from sidecar.ports import ErrorCode, SidecarError

_PRIMARY = 0xFF
"""The bits of a SQLite result code with the primary code (https://www.sqlite.org/rescode.html#pve)."""

_NAME_ANOTHER = "name another file under `journal:`"
RESTORE = "restore it from a backup (`sidecar restore FILE --replace --reason '...'`)"
_ALLOW_THIS_USER = f"allow this user to read and write the file and its folder, or {_NAME_ANOTHER}"

_CAUSES = {
    sqlite3.SQLITE_FULL: (
        "its disk is full, or the file has reached its limit",
        "free space there; appends continue as soon as there is space",
    ),
    sqlite3.SQLITE_IOERR: ("its disk reports an error", "check that disk; each append tries again"),
    sqlite3.SQLITE_READONLY: ("it is read-only", _ALLOW_THIS_USER),
    sqlite3.SQLITE_CANTOPEN: ("it, or a file beside it, cannot be opened", _ALLOW_THIS_USER),
    sqlite3.SQLITE_BUSY: ("another program has locked it", "stop that program's use of the file"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", f"restore it from a backup, or {_NAME_ANOTHER}"),
    sqlite3.SQLITE_NOTADB: (
        "it is not a SQLite database, or is damaged",
        f"restore it from a backup, or {_NAME_ANOTHER}",
    ),
}
"""The cause and the remedy for each primary result code."""

UNREADABLE_ROWS = (TypeError, AttributeError, ValueError, OverflowError, struct.error)
"""What reading a row raises that has other types than were written."""

_OTHER = ("SQLite reports an error", f"correct its cause, or {_NAME_ANOTHER}")


def unavailable(path: Path, found: str, advice: str = _NAME_ANOTHER) -> SidecarError:
    """Return the error for the journal's file at `path`; `found` continues "The journal PATH"."""
    return SidecarError(ErrorCode.JOURNAL_UNAVAILABLE, f"The journal {path} {found}; {advice}.")


def damaged(path: Path, defect: str) -> SidecarError:
    """Return the error for a journal with a defect."""
    return unavailable(path, f"is damaged: {defect}", RESTORE)


@contextlib.contextmanager
def as_unavailable(path: Path, doing: str) -> Iterator[None]:
    """Turn errors of SQLite and of files into `journal_unavailable`; `doing` is "opened", "written" or "read"."""
    try:
        yield
    except sqlite3.Error as error:
        found, advice = _cause(error)
        raise unavailable(path, f"could not be {doing}: {found}", advice) from error
    except UNREADABLE_ROWS as error:
        if doing == "written":
            raise
        raise damaged(path, f"a row cannot be read ({error})") from error
    except OSError as error:
        found = f"{error.strerror} ({error.filename or path})"
        advice = _ALLOW_THIS_USER if isinstance(error, PermissionError) else _NAME_ANOTHER
        raise unavailable(path, f"could not be {doing}: {found}", advice) from error


def _cause(error: sqlite3.Error) -> tuple[str, str]:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    defect, advice = _OTHER if code is None else _CAUSES.get(code & _PRIMARY, _OTHER)
    return f"{defect} ({getattr(error, 'sqlite_errorname', type(error).__name__)}: {error})", advice
