"""Errors of SQLite and of the file system, told as a sentence: what was found, where, and what to do."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from sidecar.ports import ErrorCode, SidecarError

_PRIMARY = 0xFF
"""The bits of a SQLite result code that say the kind (https://www.sqlite.org/rescode.html#pve)."""

_NAME_ANOTHER = "name another file under `journal:`"
_LET_THIS_USER = f"let this user read and write the file and its folder, or {_NAME_ANOTHER}"

_FINDINGS = {
    sqlite3.SQLITE_FULL: (
        "its disk is full, or the file has reached its limit",
        "free space there; appending goes on as soon as there is room",
    ),
    sqlite3.SQLITE_IOERR: ("its disk reports an error", "look after that disk; each append tries it again"),
    sqlite3.SQLITE_READONLY: ("it is read-only", _LET_THIS_USER),
    sqlite3.SQLITE_CANTOPEN: ("it, or a file beside it, cannot be opened", _LET_THIS_USER),
    sqlite3.SQLITE_BUSY: ("another program keeps it locked", "end what that program is doing with the file"),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", f"restore it from a backup, or {_NAME_ANOTHER}"),
    sqlite3.SQLITE_NOTADB: (
        "it is not a SQLite database, or is damaged",
        f"restore it from a backup, or {_NAME_ANOTHER}",
    ),
}
"""Primary result code → what was found, and what to do."""

_UNFORESEEN = ("SQLite refuses", f"read what it says, and correct that, or {_NAME_ANOTHER}")


def unavailable(path: Path, found: str, advice: str = _NAME_ANOTHER) -> SidecarError:
    """Return the refusal of the journal's file at `path`; `found` goes on after "The journal PATH"."""
    return SidecarError(ErrorCode.JOURNAL_UNAVAILABLE, f"The journal {path} {found}; {advice}.")


@contextlib.contextmanager
def told(path: Path, doing: str) -> Iterator[None]:
    """Tell what errors in here mean for the journal's file at `path`; `doing` is "opened", "written" or "read"."""
    try:
        yield
    except sqlite3.Error as error:
        found, advice = _sqlite_defect(error)
        raise unavailable(path, f"could not be {doing}: {found}", advice) from error
    except OSError as error:
        found = f"{error.strerror} ({error.filename or path})"
        advice = _LET_THIS_USER if isinstance(error, PermissionError) else _NAME_ANOTHER
        raise unavailable(path, f"could not be {doing}: {found}", advice) from error


def _sqlite_defect(error: sqlite3.Error) -> tuple[str, str]:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    defect, advice = _UNFORESEEN if code is None else _FINDINGS.get(code & _PRIMARY, _UNFORESEEN)
    return f"{defect} ({getattr(error, 'sqlite_errorname', type(error).__name__)}: {error})", advice
