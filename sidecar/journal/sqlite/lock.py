"""Who may write a journal? The process with the lock, which the system releases when that ends, even by `kill -9`."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sidecar.ports import ErrorCode, SidecarError

PRIVATE = 0o600
"""The mode of new files: the journal contains payment ids."""

_PID_BYTES_MAX = 20


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Lock the journal's file at `path` for this process; its pid is in `<path>.lock`.

    The lock file is never removed: otherwise two processes could lock two files of the same name.
    Raises `SidecarError` with `journal_in_use` if another process has the lock, and `OSError` if it cannot be opened.
    """
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, PRIVATE)
    try:
        _take(path, descriptor)
        yield
    finally:
        os.close(descriptor)


def holder_of(path: Path) -> int | None:
    """Return the process that has the lock of the journal at `path`; None: no process has it. Nothing is changed."""
    try:
        descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(descriptor, _PID_BYTES_MAX, 0).decode("ascii", "replace").strip()
        return int(pid) if pid.isdecimal() else 0
    finally:
        os.close(descriptor)
    return None


def lock(path: Path, descriptor: int, holder: str = "another process, under another name of the file") -> None:
    """Lock an open file for as long as it is open; SQLite's own locks are of another kind. Raises `journal_in_use`."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = (
            f"The journal {path} is in use by {holder}, and only one sidecar can use a file; "
            "stop that process, or name another file under `journal:`."
        )
        raise SidecarError(ErrorCode.JOURNAL_IN_USE, message) from error


def _take(path: Path, descriptor: int) -> None:
    pid = os.pread(descriptor, _PID_BYTES_MAX, 0).decode("ascii", "replace").strip() or "unknown"
    lock(path, descriptor, f"process {pid}")
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
