"""Messages for files that cannot be used: what was found, where, and what to do."""

import asyncio
import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.journal.sqlite.schema import APPLICATION_ID
from sidecar.ports import ErrorCode, SidecarError

from .files import everything, opened
from .samples import heartbeat, payment

NOBODY = 65_534
"""A user without rights: the tests may be run by root, whom no permission stops."""


async def refusal(path: Path) -> str:
    """Return the message for a file that cannot be opened, and assert that no lock is left."""
    with pytest.raises(SidecarError) as caught:
        await SqliteJournal.open(path)
    assert caught.value.code is ErrorCode.JOURNAL_UNAVAILABLE
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("journal")]
    return caught.value.message


async def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    """The folder is not created: a mistyped path would create an empty journal in another place."""
    path = tmp_path / "missing" / "journal.db"
    assert await refusal(path) == (
        f"The journal {path} could not be opened: there is no folder {path.parent}; create it, or name another."
    )


async def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    """The path of a folder is refused."""
    assert await refusal(tmp_path) == (
        f"The journal {tmp_path} could not be opened: it is a folder; name another file under `journal:`."
    )


@pytest.fixture
def forbidden(tmp_path: Path) -> Iterator[Path]:
    """Yield a path in a folder that the user who asks may not enter."""
    folder = tmp_path / "forbidden"
    folder.mkdir(mode=0o000)
    user = os.geteuid()
    os.seteuid(user or NOBODY)
    yield folder / "journal.db"
    os.seteuid(user)


async def test_missing_permission_is_reported(forbidden: Path) -> None:
    """The message names the missing permission."""
    message = await refusal(forbidden)
    assert message.startswith(f"The journal {forbidden} could not be opened: Permission denied (")
    assert message.endswith(
        "); allow this user to read and write the file and its folder, or name another file under `journal:`."
    )


@pytest.mark.parametrize("content", [b"x", b"not a database\n" * 100, b"\x00" * 5_000], ids=["short", "text", "zeros"])
async def test_a_file_that_is_not_a_database_is_reported_and_unchanged(tmp_path: Path, content: bytes) -> None:
    """A file of another kind is refused and not written to."""
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    assert await refusal(path) == (
        f"The journal {path} could not be opened: it is not a SQLite database; name another file under `journal:`."
    )
    assert path.read_bytes() == content


async def test_the_database_of_another_application_is_reported_and_unchanged(tmp_path: Path) -> None:
    """A database that is not a journal is refused and not written to."""
    path = tmp_path / "journal.db"
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("CREATE TABLE observations (seq INTEGER)")
    content = path.read_bytes()
    assert await refusal(path) == (
        f"The journal {path} could not be opened: it is the database of another application; "
        "name another file under `journal:`."
    )
    assert path.read_bytes() == content


async def test_a_newer_schema_is_reported_and_unchanged(tmp_path: Path) -> None:
    """The file of a later sidecar is refused, with both versions in the message."""
    path = tmp_path / "journal.db"
    async with opened(path) as journal:
        await journal.append(payment(1))
    with contextlib.closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        file.execute("PRAGMA user_version = 5")
    assert await refusal(path) == (
        f"The journal {path} has schema version 5, and this sidecar reads up to version 4; "
        "run the version that wrote it, or name another file under `journal:`."
    )


async def test_a_damaged_page_is_reported_when_it_is_read(tmp_path: Path) -> None:
    """The read of a damaged page in the middle of the file fails with a message."""
    path = tmp_path / "journal.db"
    async with opened(path) as journal:
        await asyncio.gather(*(journal.append(payment(number)) for number in range(2_000)))
    content = bytearray(path.read_bytes())
    content[8 * 4_096 : -8 * 4_096] = b"\xff" * (len(content) - 16 * 4_096)
    path.write_bytes(content)
    async with opened(path) as journal:
        with pytest.raises(SidecarError) as caught:
            await journal.read(0, 10_000)
    assert caught.value.code is ErrorCode.JOURNAL_UNAVAILABLE
    assert caught.value.message == (
        f"The journal {path} could not be read: it is damaged (SQLITE_CORRUPT: database disk image is malformed); "
        "restore it from a backup, or name another file under `journal:`."
    )


@pytest.mark.parametrize("body", [b'{"type":"from_the_future"}', b'{"type":"heartbeat"}', b"{", b'"\xff"'])
async def test_a_record_of_a_later_version_is_reported(tmp_path: Path, body: bytes) -> None:
    """A record that this version cannot decode is named, and not skipped."""
    path = tmp_path / "journal.db"
    async with opened(path) as journal:
        await journal.append(heartbeat(1))
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute("INSERT INTO observations VALUES (2, 0, NULL, ?)", (body,))
    with pytest.raises(SidecarError, match=f"^The journal {path} has a record 2 that cannot be read: ") as caught:
        await everything(path)
    assert caught.value.code is ErrorCode.JOURNAL_UNAVAILABLE
