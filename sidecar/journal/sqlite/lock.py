"""One process per journal: a lock that the system takes back when its holder dies, even by `kill -9`."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from sidecar.ports import ErrorCode, SidecarError

PRIVATE = 0o600
"""The mode of what we create: the journal names payments."""

_PID_BYTES_MAX = 20


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the journal's file at `path` for this process alone; the holder's pid is in `<path>.lock`.

    The lock file stays behind, because removing it would let two processes lock two files of the same name.
    Raises `SidecarError` with `journal_in_use` if another holds it, and `OSError` if it cannot be opened.
    """
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, PRIVATE)
    try:
        _take(path, descriptor)
        yield
    finally:
        os.close(descriptor)


def _take(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(descriptor, _PID_BYTES_MAX, 0).decode("ascii", "replace").strip() or "unknown"
        message = (
            f"The journal {path} is in use by process {holder}, and one file serves one sidecar; "
            "stop that process, or name another file under `journal:`."
        )
        raise SidecarError(ErrorCode.JOURNAL_IN_USE, message) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
