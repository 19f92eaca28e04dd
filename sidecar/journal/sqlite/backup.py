"""How is a journal copied while a sidecar writes it, and how is a copy restored?"""

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import msgspec

from sidecar import clock
from sidecar.core.facts.observations import RolledBack
from sidecar.journal.sqlite import mark
from sidecar.journal.sqlite.failures import as_unavailable, unavailable
from sidecar.journal.sqlite.file import Draft, Writer
from sidecar.journal.sqlite.lock import PRIVATE, locked
from sidecar.journal.sqlite.verification import Inspection, inspect, opened_to_read

_PARTS = ("", "-wal", "-shm", mark.SUFFIX)
"""The suffixes of a journal's files, without its lock."""


def backup(path: Path, to: Path, *, is_forced: bool) -> Inspection:
    """Copy the current journal at `path` into one file and verify it; `to` is either complete or unchanged.

    Raises `SidecarError` with `journal_unavailable` if a file cannot be opened, or the copy is not sound.
    """
    if to.exists() and not is_forced:
        raise unavailable(to, "exists already", "name another file, or replace it with --force")
    part = to.with_name(f"{to.name}.part")
    with as_unavailable(to, "written"), contextlib.ExitStack() as cleaned:
        cleaned.callback(part.unlink, missing_ok=True)
        part.unlink(missing_ok=True)
        part.touch(PRIVATE)
        with opened_to_read(path) as (source, _), contextlib.closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a log beside it
        found = inspect(part)
        if found.defects:
            raise unavailable(path, f"was copied, and the copy is not sound: {found.defects[0]}")
        _put(part, to)
    return found


def restore(source: Path, path: Path, *, reason: str, is_replacing: bool) -> Path | None:
    """Replace the journal by a copy of a backup; return the new path of the previous journal, if there was one.

    The backup lacks all later facts, such as an alarm, a fall or an operator action. A rollback is therefore appended:
    the flag starts on the bottom rung, with a hold. Raises `SidecarError` with `journal_in_use` while a
    sidecar runs, or `journal_unavailable`.
    """
    found = inspect(source)
    if found.defects:
        raise unavailable(source, f"is not sound: {found.defects[0]}", "choose another backup")
    if not path.parent.is_dir():
        raise unavailable(path, f"could not be written: there is no folder {path.parent}", "create it, or name another")
    with as_unavailable(path, "written"), locked(path):
        aside = None
        if path.exists():
            if not is_replacing:
                raise unavailable(path, "exists already", "replace it with --replace, which moves it aside")
            aside = path.with_name(f"{path.name}.replaced-{clock.wall_ms()}")
            for suffix in _PARTS:
                with contextlib.suppress(FileNotFoundError):
                    path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
        path.with_name(path.name + mark.SUFFIX).unlink(missing_ok=True)  # of a journal that is gone
        part = path.with_name(f"{path.name}.part")
        part.touch(PRIVATE)
        shutil.copyfile(source, part)
        _put(part, path)
    _roll_back(path, reason)
    return aside


def _roll_back(path: Path, reason: str) -> None:
    fact = RolledBack(actor="restore", reason=reason)
    writer = Writer(path)
    try:
        at_ms = max(clock.wall_ms(), writer.last_ms)
        writer.commit([Draft(at_ms=at_ms, key=None, observation=fact, body=msgspec.json.encode(fact))])
    finally:
        writer.close()


def _put(part: Path, to: Path) -> None:
    """Rename a finished file, so that after a power cut either the new file or the previous one is there, complete."""
    _sync(part)
    part.rename(to)
    _sync(to.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
