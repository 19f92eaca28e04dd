"""A journal that is behind its high-water mark, or is another one, is refused; one without a mark gains it."""

import contextlib
import functools
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from sidecar.core.facts.operator_actions import Held
from sidecar.journal.sqlite import mark
from sidecar.journal.sqlite.backup import backup, restore
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.ports import ErrorCode, SidecarError
from tests.e2e.processes import until

from .files import everything, opened
from .samples import payment


async def _written(path: Path, first: int = 0) -> None:
    async with opened(path) as journal:
        for number in range(first, first + 5):
            await journal.append(payment(number))
        await journal.append(Held(actor="ada", reason=f"the hold {first}"))


def _remove(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _cut_the_tail(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute("DELETE FROM observations WHERE seq > 10")
        file.execute("DELETE FROM chain WHERE seq > 10")


def _put_back_a_copy(path: Path) -> None:
    shutil.copyfile(path.with_name("copy.db"), path)


def _put_another(path: Path) -> None:
    shutil.copyfile(path.with_name("other.db"), path)


def _alter_a_link(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute("UPDATE chain SET head = randomblob(32) WHERE seq = 12")


HARMS = {
    # what happened to the stopped journal        message
    "removed":              (_remove,          "is missing, and its high-water mark says that it had 12 records"),
    "emptied":              (_empty,           "has no records, and its high-water mark says that it had 12"),
    "its tail cut off":     (_cut_the_tail,    "has 10 records, and its high-water mark says that it had 12"),
    "an older copy":        (_put_back_a_copy, "has 6 records, and its high-water mark says that it had 12"),
    "another journal":      (_put_another,     "is not the journal of its high-water mark"),
    "another last link":    (_alter_a_link,    "has other links up to record 12 than its high-water mark says"),
}  # fmt: skip


@pytest.mark.parametrize(("harm", "said"), HARMS.values(), ids=HARMS)
async def test_a_journal_that_its_mark_contradicts_is_refused_until_it_is_restored(
    tmp_path: Path, harm: Callable[[Path], None], said: str
) -> None:
    """The message says what is missing and the way back, trying again does not help, and `restore` does."""
    path = tmp_path / "journal.db"
    await _written(path)
    shutil.copyfile(path, tmp_path / "copy.db")
    for first in (0, 5, 10):
        await _written(tmp_path / "other.db", first)
    await _written(path, 5)
    backup(path, tmp_path / "backup.db", is_forced=False)
    harm(path)
    for _ in range(2):
        with pytest.raises(SidecarError, match=said) as caught:
            await SqliteJournal.open(path)
        assert caught.value.code is ErrorCode.JOURNAL_UNAVAILABLE
        assert "sidecar restore FILE" in caught.value.message
    restore(tmp_path / "backup.db", path, reason="it was harmed", is_replacing=True)
    assert len(await everything(path)) == 13


@pytest.mark.parametrize("position", range(0, 240, 7))
async def test_a_damaged_mark_is_refused(tmp_path: Path, position: int) -> None:
    """A changed or missing byte anywhere is noticed: the mark could otherwise say less than was there."""
    path = tmp_path / "journal.db"
    await _written(path)
    place = tmp_path / "journal.db.mark"
    content = bytearray(place.read_bytes())
    for harmed in (content[: position % len(content)], _flipped(content, position % len(content))):
        place.write_bytes(harmed)
        with pytest.raises(SidecarError, match="is a high-water mark that is damaged"):
            await SqliteJournal.open(path)


def _flipped(content: bytearray, position: int) -> bytes:
    flipped = bytearray(content)
    flipped[position] ^= 1
    return bytes(flipped)


async def test_a_journal_without_a_mark_is_refused_if_it_had_one(tmp_path: Path) -> None:
    """A backup that was copied by hand would forget what followed; one of a version without marks gains one."""
    path = tmp_path / "journal.db"
    await _written(path)
    place = tmp_path / "journal.db.mark"
    written = place.read_bytes()
    place.unlink()
    with pytest.raises(SidecarError, match=r"has records and no high-water mark.*sidecar restore JOURNAL"):
        await SqliteJournal.open(path)
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute("DROP TABLE batches")
        file.execute("PRAGMA user_version = 3")
    assert len(await everything(path)) == 6
    assert mark.read(place) == msgspec.structs.replace(_decoded(written), records=_decoded(place.read_bytes()).records)


def _decoded(content: bytes) -> mark.Mark:
    return msgspec.json.decode(content.split(b"\n")[0], type=mark.Mark)


async def test_the_mark_follows_while_the_journal_is_open(tmp_path: Path) -> None:
    """A process that is killed leaves a mark; it is private, as the journal is."""
    path = tmp_path / "journal.db"
    async with opened(path) as journal:
        for number in (1, 2):
            await journal.append(payment(number))
            await until(functools.partial(_is_marked, path, number), "the mark follows")
        assert (tmp_path / "journal.db.mark").stat().st_mode & 0o777 == 0o600


async def _is_marked(path: Path, seq: int) -> bool:
    found = mark.read(path.with_name(f"{path.name}.mark"))
    return found is not None and found.seq >= seq
