"""How is a journal copied while a sidecar writes it, how is a copy restored, and how is a new one begun?"""

import contextlib
import shutil
import sqlite3
from pathlib import Path

import msgspec

from sidecar import clock
from sidecar.core.facts.operator_actions import RolledBack
from sidecar.journal.sqlite.failures import as_unavailable, unavailable
from sidecar.journal.sqlite.file import Draft, Writer
from sidecar.journal.sqlite.lock import PRIVATE, locked
from sidecar.journal.sqlite.mark import SUFFIX, Mark, Marks, remove, sync
from sidecar.journal.sqlite.opening import remove_files
from sidecar.journal.sqlite.verification import Inspection, inspect, opened_to_read


def backup(path: Path, to: Path, *, is_forced: bool) -> Inspection:
    """Copy the current journal at `path` into one file and verify it; `to` is either complete or unchanged.

    Raises `SidecarError` with `journal_unavailable` if a file cannot be opened, or the copy is not sound.
    """
    if to.exists() and not is_forced:
        raise unavailable(to, "exists already", "name another file, or replace it with --force")
    part = to.with_name(f"{to.name}.part")
    with as_unavailable(to, "written"), contextlib.ExitStack() as cleaned:
        cleaned.callback(part.unlink, missing_ok=True)
        _copy(path, part)
        found = inspect(part)
        if found.defects:
            raise unavailable(path, f"was copied, and the copy is not sound: {found.defects[0]}")
        _put(part, to)
    return found


def restore(
    source: Path, path: Path, *, reason: str, is_replacing: bool, second_mark: Path | None = None
) -> Path | None:
    """Replace the journal by a copy of a backup; return the new path of the previous journal, if there was one.

    The backup lacks all later facts, such as an alarm, a fall or an operator action. A rollback is therefore appended:
    the flag starts on the bottom rung, with a hold. `source` may be the journal itself, to accept it as it is. After a
    crash the previous journal, or none, stands beside the previous mark, and the next start refuses it. Raises
    `SidecarError` with `journal_in_use` while a sidecar runs, or `journal_unavailable`.
    """
    if not path.parent.is_dir():
        raise unavailable(path, f"could not be written: there is no folder {path.parent}", "create it, or name another")
    with as_unavailable(path, "written"), locked(path), contextlib.ExitStack() as cleaned:
        _refuse_to_replace(path, is_replacing=is_replacing)
        part = path.with_name(f"{path.name}.part")
        cleaned.callback(remove_files, part)
        _copy(source, part)
        mark = _roll_back(part, reason, source)
        aside = _moved_aside(path)
        _put(part, path)
        Marks(path, second_mark).write(mark)
    return aside


def begin_anew(path: Path, *, reason: str, is_replacing: bool, second_mark: Path | None = None) -> Path | None:
    """Allow the next start to begin a new journal; return the new path of the previous journal, if there was one.

    Raises `SidecarError` with `journal_in_use` while a sidecar runs, or `journal_unavailable`.
    """
    if not path.parent.is_dir():
        raise unavailable(path, f"could not be written: there is no folder {path.parent}", "create it, or name another")
    with as_unavailable(path, "written"), locked(path):
        _refuse_to_replace(path, is_replacing=is_replacing)
        aside = _moved_aside(path)
        Marks(path, second_mark).write(Mark(reason=reason))
    return aside


def _refuse_to_replace(path: Path, *, is_replacing: bool) -> None:
    if path.exists() and path.stat().st_size and not is_replacing:
        raise unavailable(path, "exists already", "replace it with --replace, which moves it aside")


def _moved_aside(path: Path) -> Path | None:
    """Rename the journal's files and copy its mark; return the new path, or None if there was nothing."""
    aside = path.with_name(f"{path.name}.replaced-{clock.wall_ms()}")
    moved = False
    for suffix in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
            moved = True
    with contextlib.suppress(FileNotFoundError):  # the mark stays until another one replaces it
        shutil.copyfile(path.with_name(path.name + SUFFIX), aside.with_name(aside.name + SUFFIX))
    sync(path.parent)
    return aside if moved else None


def _copy(source: Path, part: Path) -> None:
    """Copy a journal into one file, with the records that are in its log only."""
    remove_files(part)
    part.touch(PRIVATE)
    with opened_to_read(source, is_older_read=True) as (opened, _), contextlib.closing(sqlite3.connect(part)) as copy:
        opened.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it


def _roll_back(path: Path, reason: str, source: Path) -> Mark:
    """Migrate and verify a copy that nothing uses, and append a rollback; return its mark."""
    fact = RolledBack(actor="restore", reason=reason)
    marks = Marks(path)
    marks.write(Mark())
    try:
        writer = Writer(path)
        try:
            found = inspect(path)
            if found.defects:
                raise unavailable(source, f"is not sound: {found.defects[0]}", "choose another backup")
            at_ms = max(clock.wall_ms(), writer.last_ms)
            writer.commit([Draft(at_ms=at_ms, key=None, observation=fact, body=msgspec.json.encode(fact))])
        finally:
            writer.close()
        marks.read()
    finally:
        remove((*marks.places, path.with_name(f"{path.name}.lock")))
    return marks.found[-1]


def _put(part: Path, to: Path) -> None:
    """Rename a finished file, so that after a power cut either the new file or the previous one is there, complete."""
    sync(part)
    part.rename(to)
    sync(to.parent)
