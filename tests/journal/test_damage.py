"""What the writer notices while it runs: files that were cut, overwritten or replaced, and nothing that it did itself."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from sidecar.journal.sqlite.file import Draft, Writer
from sidecar.ports import ErrorCode, SidecarError

from .files import everything, opened
from .samples import heartbeat, payment


def _cut(path: Path) -> None:
    os.truncate(path, 0)


def _cut_a_byte(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def _overwrite(content: bytes) -> Callable[[Path], None]:
    def overwrite(path: Path) -> None:
        with path.open("r+b") as file:
            file.write((content * path.stat().st_size)[: path.stat().st_size])

    return overwrite


def _copy_over(path: Path) -> None:
    """Copy as `cp` does: into the same inode."""
    os.truncate(path, 0)
    path.write_bytes(b"another file" * 10_000)


HARMS = {
    "cut to nothing":   _cut,
    "cut by a byte":    _cut_a_byte,
    "zeroed":           _overwrite(b"\x00"),
    "scribbled":        _overwrite(b"\xa5"),
    "copied over":      _copy_over,
    "removed":          Path.unlink,
}  # fmt: skip


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
@pytest.mark.parametrize("suffix", ["", "-wal"])
async def test_a_harmed_file_accepts_no_more_appends(tmp_path: Path, suffix: str, harm: Callable[[Path], None]) -> None:
    """No append succeeds after the harm, new or duplicate, and the message names the file and the way back."""
    path = tmp_path / "journal.db"
    async with opened(path) as journal:
        for number in range(20):
            await journal.append(payment(number))
        harmed = path.with_name(path.name + suffix)
        harm(harmed)
        for number in (20, 0, 21):
            with pytest.raises(SidecarError, match="while it was in use; it is opened again and checked") as caught:
                await journal.append(payment(number))
            assert caught.value.code is ErrorCode.JOURNAL_UNAVAILABLE
            assert caught.value.message.startswith(f"The journal {harmed} was ")


async def test_a_shared_memory_file_that_was_cut_is_noticed_before_it_is_touched(tmp_path: Path) -> None:
    """Touching the cut part of a mapped file would end the process with SIGBUS."""
    path = tmp_path / "journal.db"
    async with opened(path) as journal:
        await journal.append(payment(1))
        shared = path.with_name("journal.db-shm")
        content = shared.read_bytes()
        os.truncate(shared, 0)
        with pytest.raises(SidecarError, match=r"journal\.db-shm was cut from 32768 to 0 bytes"):
            await journal.append(payment(2))
        shared.write_bytes(content)  # closing it touches it


async def test_own_restarts_of_the_log_are_no_damage(tmp_path: Path) -> None:
    """Copying the log into the file, and beginning the log anew, goes on for ever."""
    path = tmp_path / "journal.db"
    async with opened(path) as journal:
        for start in range(0, 10_000, 500):
            await asyncio.gather(*(journal.append(heartbeat(start + each)) for each in range(500)))
            await journal._run(journal._read_thread, journal._reader.checkpoint_log)
    assert len(await everything(path)) == 10_000


def test_a_refused_transaction_that_began_the_log_anew_is_no_damage(tmp_path: Path) -> None:
    """A full disk may be met after the log's header was written."""
    path = tmp_path / "journal.db"
    writer = Writer(path, 16)
    try:
        writer.commit([_draft(b"x")])
        for _ in range(3):
            writer._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            with pytest.raises(SidecarError, match="its disk is full"):
                writer.commit([_draft(b"x" * 200_000)])
            writer._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            assert not writer.commit([_draft(b"x")])[0].duplicate
    finally:
        writer.close()


def _draft(body: bytes) -> Draft:
    return Draft(at_ms=1, key=None, observation=heartbeat(0), body=body)
