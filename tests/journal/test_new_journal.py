"""When a new journal may begin: only where nothing says that there was one, or an operator says that it is intended."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from sidecar.core.facts.operator_actions import RolledBack
from sidecar.journal.sqlite import mark
from sidecar.journal.sqlite.backup import begin_anew, restore
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.journal.sqlite.lock import locked
from sidecar.ports import ErrorCode, SidecarError

from .files import everything, opened
from .samples import payment

REASON = "the disk failed, and there is no backup"


async def _written(path: Path, **options: object) -> None:
    async with opened(path, **options) as journal:
        for number in range(5):
            await journal.append(payment(number))


async def _refused(path: Path, said: str, **options: object) -> None:
    """Assert that the start is refused in words, with both ways back, and that it creates and changes nothing."""
    before = _files(path)
    with pytest.raises(SidecarError, match=said) as caught:
        await SqliteJournal.open(path, **options)  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.JOURNAL_UNAVAILABLE
    assert "sidecar restore FILE" in caught.value.message
    assert "sidecar journal init" in caught.value.message
    assert _files(path) == before


def _files(path: Path) -> dict[str, bytes]:
    return {each.name: each.read_bytes() for each in path.parent.iterdir() if not each.name.endswith(".lock")}


def _remove(path: Path) -> None:
    path.unlink()


def _empty(path: Path) -> None:
    os.truncate(path, 0)


def _remove_with_its_mark(path: Path) -> None:
    for each in path.parent.glob("journal.db*"):
        each.unlink()


LOSSES = {"removed": _remove, "emptied": _empty, "removed with its mark": _remove_with_its_mark}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
async def test_a_lost_journal_that_must_exist_is_refused_until_a_new_one_is_intended(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    """Its alarms, holds and evidence would be forgotten; `journal init` says that this is intended, once."""
    path = tmp_path / "journal.db"
    await _written(path)
    lose(path)
    for _ in range(2):
        await _refused(path, "is missing|has no records", must_exist=True)
    begin_anew(path, reason=REASON, is_replacing=False)
    async with opened(path, must_exist=True) as journal:
        assert (journal.creation().at_ms, journal.creation().reason) == (0, REASON)
        await journal.append(payment(1))
    async with opened(path, must_exist=True) as journal:
        assert journal.creation().reason == ""
        assert len(await journal.read(0, 10)) == 1
    lose(path)
    await _refused(path, "is missing|has no records", must_exist=True)


@pytest.mark.parametrize("lose", [_remove, _empty])
async def test_a_lost_journal_is_refused_because_of_its_mark(tmp_path: Path, lose: Callable[[Path], None]) -> None:
    """Also without `journal_must_exist`; the previous files are moved aside, with their mark."""
    path = tmp_path / "journal.db"
    await _written(path)
    lose(path)
    await _refused(path, "its high-water mark says that it had 5")
    begin_anew(path, reason=REASON, is_replacing=False)
    assert await everything(path) == []
    await _written(path)


async def test_a_log_without_its_journal_is_refused(tmp_path: Path) -> None:
    """SQLite would remove the log, with the records that are in it only."""
    path = tmp_path / "journal.db"
    async with opened(path) as journal:
        await journal.append(payment(1))
        shutil.copyfile(tmp_path / "journal.db-wal", tmp_path / "lost.db-wal")
    await _refused(tmp_path / "lost.db", r"is missing or empty, and its log lost\.db-wal is still there")
    aside = begin_anew(tmp_path / "lost.db", reason=REASON, is_replacing=False)
    assert aside is not None
    assert aside.with_name(f"{aside.name}-wal").stat().st_size > 0
    await _written(tmp_path / "lost.db")


@pytest.mark.parametrize("is_intended", [False, True])
async def test_a_start_that_fails_leaves_no_empty_journal(tmp_path: Path, *, is_intended: bool) -> None:
    """Such as one whose address is in use: the next start is the first one, and still intended."""
    path = tmp_path / "journal.db"
    if is_intended:
        begin_anew(path, reason=REASON, is_replacing=False)
    before = _files(path)
    assert await everything(path) == []
    assert _files(path) == before


async def test_a_journal_is_not_replaced_by_mistake(tmp_path: Path) -> None:
    """`journal init` refuses a journal with records without `--replace`, and one in use."""
    path = tmp_path / "journal.db"
    await _written(path)
    with pytest.raises(SidecarError, match="exists already; replace it with --replace"):
        begin_anew(path, reason=REASON, is_replacing=False)
    with locked(path), pytest.raises(SidecarError, match="is in use by process"):
        begin_anew(path, reason=REASON, is_replacing=True)
    aside = begin_anew(path, reason=REASON, is_replacing=True)
    assert aside is not None
    assert len(await everything(aside)) == 5
    await _written(path)


async def test_a_damaged_mark_can_be_replaced_by_accepting_the_journal(tmp_path: Path) -> None:
    """What was lost cannot be known, so the journal continues with a rollback and a hold."""
    path = tmp_path / "journal.db"
    await _written(path)
    (tmp_path / "journal.db.mark").write_bytes(b"scribble")
    with pytest.raises(SidecarError, match=r"accept the journal as it is, with a hold \(`sidecar restore JOURNAL"):
        await SqliteJournal.open(path)
    restore(path, path, reason="the mark was damaged", is_replacing=True)
    *before, last = await everything(path)
    assert (len(before), type(last.observation)) == (5, RolledBack)


async def test_a_restore_has_the_records_that_are_in_the_log_only(tmp_path: Path) -> None:
    """A journal that was moved aside after a crash has its last records in its log."""
    path = tmp_path / "journal.db"
    async with opened(path) as journal:
        await asyncio.gather(*(journal.append(payment(number)) for number in range(5)))
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{path}{suffix}", tmp_path / f"crashed.db{suffix}")
    restore(tmp_path / "crashed.db", path, reason="a crash", is_replacing=True)
    assert len(await everything(path)) == 6


async def test_a_second_mark_elsewhere_notices_that_all_files_were_lost(tmp_path: Path) -> None:
    """Both copies are written; one is enough, and the other is written again."""
    (tmp_path / "here").mkdir()
    path, second = tmp_path / "here" / "journal.db", tmp_path / "elsewhere.mark"
    await _written(path, second_mark=second)
    beside = path.with_name("journal.db.mark")
    assert mark.read(second) == mark.read(beside)
    for place in (beside, second):
        for harmed in (b"scribble", None):
            place.unlink()
            if harmed is not None:
                place.write_bytes(harmed)
            await _written(path, second_mark=second)
            assert mark.read(second) == mark.read(beside)
    _remove_with_its_mark(path)
    await _refused(path, "is missing, and its high-water mark says that it had 5 records", second_mark=second)
    begin_anew(path, reason=REASON, is_replacing=False, second_mark=second)
    await _written(path, second_mark=second)
    assert mark.read(second) == mark.read(beside)


async def test_a_second_mark_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    """Not when it is needed; a mark that fails later is logged once, and appends continue."""
    path, second = tmp_path / "journal.db", tmp_path / "missing" / "second.mark"
    with pytest.raises(SidecarError, match="could not be marked: No such file"):
        await _written(path, second_mark=second)
    second.parent.mkdir()
    await _written(path, second_mark=second)
    second.unlink()
    second.parent.rmdir()
    with pytest.raises(SidecarError, match="could not be opened: No such file"):
        await _written(path, second_mark=second)
    second.parent.mkdir()
    with structlog.testing.capture_logs() as logs:
        async with opened(path, second_mark=second) as journal:
            shutil.rmtree(second.parent)
            for number in (10, 11):
                await journal.append(payment(number))
                await journal._run(journal._write_thread, journal._writer.mark)
    assert [line["event"] for line in logs] == ["journal.unmarked"]


async def test_a_journal_with_two_names_is_used_by_one_process(tmp_path: Path) -> None:
    """Its log is named after the journal: two processes would write two logs for one file."""
    path, other = tmp_path / "journal.db", tmp_path / "other.db"
    await _written(path)
    other.hardlink_to(path)
    shutil.copyfile(f"{path}.mark", f"{other}.mark")
    async with opened(path):
        with pytest.raises(SidecarError, match="in use by another process, under another name of the file") as caught:
            await SqliteJournal.open(other)
    assert caught.value.code is ErrorCode.JOURNAL_IN_USE


async def test_a_second_mark_of_another_journal_is_refused(tmp_path: Path) -> None:
    """Two sidecars must not share it."""
    second = tmp_path / "elsewhere.mark"
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    await _written(tmp_path / "one" / "journal.db", second_mark=second)
    await _refused(tmp_path / "other" / "journal.db", "is missing, and its high-water mark says", second_mark=second)
