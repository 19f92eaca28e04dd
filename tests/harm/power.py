"""A simulated power cut: a process's file operations are replayed up to a moment, without unsynced data.

Modelled: contents. Whatever a `fsync` or `fdatasync` of the same file followed is there; of the writes after it any
subset is, each whole, torn at a sector of 512 bytes, or not at all. Not modelled: names (a file that was created is
there, one that was removed is not) and disks that lie about a sync.
"""

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEAD = struct.Struct("=cIQQ")
_SECTOR = 512


class Operation(NamedTuple):
    """One operation on one file."""

    kind: str
    name: str
    offset: int
    data: bytes


def recorded(log: Path) -> list[Operation]:
    """Read what `powercut.c` wrote; a record that was cut off by a kill is left out."""
    return list(_records(log.read_bytes()))


def _records(content: bytes) -> Iterator[Operation]:
    start = 0
    while start + _HEAD.size <= len(content):
        kind, name_length, offset, length = _HEAD.unpack_from(content, start)
        start += _HEAD.size
        end = start + name_length + length
        if end > len(content):
            return
        name = content[start : start + name_length].decode()
        yield Operation(kind.decode(), name, offset, content[start + name_length : end])
        start = end


class Disk:
    """Files as they are durably, and what was written to them since."""

    def __init__(self) -> None:
        self._durable: dict[str, bytearray] = {}
        self._unsynced: dict[str, list[Operation]] = {}
        self.answered = b""
        """The answers that were sent."""

    def do(self, operation: Operation) -> None:
        """Apply the operation."""
        if operation.kind == "m":
            self.answered += operation.data
        elif operation.kind == "u":
            self._durable.pop(operation.name, None)
            self._unsynced.pop(operation.name, None)
        elif operation.kind == "s":
            for each in self._unsynced.pop(operation.name, ()):
                _apply(self._durable.setdefault(operation.name, bytearray()), each)
        else:
            self._unsynced.setdefault(operation.name, []).append(operation)

    def after_a_cut(self, folder: Path, randomness: random.Random) -> None:
        """Write the files as a disk might hold them when the power comes back."""
        for name in {*self._durable, *self._unsynced}:
            content = bytearray(self._durable.get(name, b""))
            for operation in self._unsynced.get(name, ()):
                fate = randomness.random()
                if fate < 0.4:
                    _apply(content, operation)
                elif fate < 0.6 and len(operation.data) > _SECTOR:
                    sectors = randomness.randrange(1, len(operation.data) // _SECTOR + 1)
                    _apply(content, operation._replace(data=operation.data[: sectors * _SECTOR]))
            (folder / name).write_bytes(content)


def _apply(content: bytearray, operation: Operation) -> None:
    if operation.kind == "t":
        del content[operation.offset :]
        content.extend(b"\x00" * (operation.offset - len(content)))
        return
    if len(content) < operation.offset:
        content.extend(b"\x00" * (operation.offset - len(content)))
    content[operation.offset : operation.offset + len(operation.data)] = operation.data
