"""How does the writer notice that another program cut, overwrote or replaced a file that SQLite has open?

The problem: SQLite reads its own log through shared memory and its page cache. If the log or the database is cut or
overwritten under it, commits succeed, and the records are gone after a restart.

Only this process writes the files, so it knows what they must look like. Between two transactions the header of the
log is unchanged, no file shrinks (the journal is never vacuumed), and the constants of the database's header stay. Our
own transaction may restart the log, which adds one to its first salt (https://www.sqlite.org/fileformat2.html#walformat).
"""

import contextlib
import os
from pathlib import Path

from sidecar.journal.sqlite.failures import RESTORE, unavailable

_LOG_HEADER_BYTES = 32
_LOG_MAGICS = (0x377F0682, 0x377F0683)
_SALT = slice(16, 20)
_CONSTANT_BYTES = 24
"""The part of the database's header that never changes: the magic string, the page size and the format."""
OPENED_AGAIN = f"it is opened again and checked; if it stays refused, {RESTORE}"


class Watch:
    """What the open files of a journal must look like; `database` is a descriptor that stays open.

    A descriptor of the database that is closed would release SQLite's locks of this process, so there is one only.
    """

    def __init__(self, path: Path, database: int) -> None:
        self._path = path
        self._database = database
        self._inodes: dict[str, tuple[int, int]] = {}
        self._sizes: dict[str, int] = {}
        self._constants = _constants(database)
        self._log_header = b""
        self.observe()

    def check(self) -> None:
        """Raise `journal_unavailable` if a file was removed, replaced, cut or overwritten since `observe`."""
        sizes = self._checked_sizes()
        if _constants(self._database) != self._constants:
            raise self._overwritten("")
        if "-wal" in sizes and self._read_log_header() != self._log_header:
            raise self._overwritten("-wal")

    def observe(self) -> None:
        """Note how the files look after an own transaction, successful or not. Raises like `check`."""
        self._sizes = self._checked_sizes()
        if _constants(self._database) != self._constants:
            raise self._overwritten("")
        header = self._read_log_header()
        if self._log_header and header != self._log_header and not _restarted(self._log_header, header):
            raise self._overwritten("-wal")
        self._log_header = header

    def resize_shared_memory(self) -> None:
        """Give a shared memory that was cut its size again: closing it touches it, and SIGBUS would end the process."""
        path, size = self._named("-shm"), self._sizes.get("-shm", 0)
        with contextlib.suppress(OSError):
            if path.stat().st_size < size:
                os.truncate(path, size)

    def _checked_sizes(self) -> dict[str, int]:
        sizes: dict[str, int] = {}
        for suffix in ("", ".lock", "-wal", "-shm"):
            path = self._named(suffix)
            try:
                status = path.stat()
            except FileNotFoundError:
                if suffix not in self._inodes:
                    continue  # the first commit creates the log
                raise unavailable(path, "was removed or replaced while it was in use", OPENED_AGAIN) from None
            inode = (status.st_dev, status.st_ino)
            if self._inodes.setdefault(suffix, inode) != inode:
                raise unavailable(path, "was removed or replaced while it was in use", OPENED_AGAIN)
            if status.st_size < self._sizes.get(suffix, 0):
                found = f"was cut from {self._sizes[suffix]} to {status.st_size} bytes while it was in use"
                raise unavailable(path, found, OPENED_AGAIN)
            sizes[suffix] = status.st_size
        return sizes

    def _read_log_header(self) -> bytes:
        try:
            with self._named("-wal").open("rb", buffering=0) as log:
                return log.read(_LOG_HEADER_BYTES) or b""
        except FileNotFoundError:
            return b""

    def _overwritten(self, suffix: str) -> Exception:
        return unavailable(self._named(suffix), "was overwritten while it was in use", OPENED_AGAIN)

    def _named(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)


def _constants(database: int) -> bytes:
    return os.pread(database, _CONSTANT_BYTES, 0)


def _restarted(before: bytes, header: bytes) -> bool:
    """Return whether the log was begun anew after `before`, by SQLite."""
    if len(header) < _LOG_HEADER_BYTES or int.from_bytes(header[:4]) not in _LOG_MAGICS:
        return False
    return int.from_bytes(header[_SALT]) == (int.from_bytes(before[_SALT]) + 1) % 2**32
