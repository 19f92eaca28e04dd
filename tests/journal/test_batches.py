"""`verify`, the start and the running sidecar agree: records that are not those that were written are noticed."""

import os
import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from sidecar.core.facts.observations import PaymentSucceeded
from sidecar.core.fold.state import encode
from sidecar.journal.sqlite import batches
from sidecar.journal.sqlite.backup import restore
from sidecar.journal.sqlite.mark import Marks
from sidecar.journal.sqlite.schema import SCHEMA_VERSION
from sidecar.journal.sqlite.verification import Patrol, inspect
from sidecar.ports import ErrorCode, SidecarError
from tests.core.world import World, on

from .files import opened
from .samples import payment
from .test_chain import changing
from .test_retention_and_snapshots import resumed, write

VERSIONS = Path(__file__).parent / "versions"
"""Files that earlier versions wrote."""

HARMS = {
    # damage                          statements
    "a missing record":              "DELETE FROM observations WHERE seq = {seq}",
    "a record with its checksum":    "DELETE FROM observations WHERE seq = {seq}; DELETE FROM batches WHERE seq = {seq}",
    "another body":                  "UPDATE observations SET body = replace(body, 'pi_', 'pj_') WHERE seq = {seq}",
    "another key":                   "UPDATE observations SET key = 'payment:pi_never_seen' WHERE seq = {seq}",
    "another stamp":                 "UPDATE observations SET at_ms = at_ms + 1 WHERE seq = {seq}",
    "another checksum":              "UPDATE batches SET digest = randomblob(32) WHERE seq = (SELECT min(seq) FROM batches WHERE seq >= {seq})",
    "two checksums less":                  "DELETE FROM batches WHERE seq IN (SELECT seq FROM batches WHERE seq >= {seq} LIMIT 2)",
}  # fmt: skip


class Written(msgspec.Struct, frozen=True):
    """A life, and a payment before and after its snapshot."""

    world: World
    before: int
    after: int


async def written(path: Path) -> Written:
    """Write a life with a snapshot in its middle, in batches of a few records."""
    world = on(1)
    world.good(15)
    middle = (world.state.seq, encode(world.state))
    world.good(30)
    write(path, world.records, batch_max=3)
    async with opened(path) as journal:
        await journal.save_snapshot(*middle)
    payments = [each.seq for each in world.records if isinstance(each.observation, PaymentSucceeded)]
    return Written(world, payments[5], next(seq for seq in payments if seq > middle[0] + 10))


def harmed(path: Path, statements: str) -> None:
    """Change a file as another program."""
    with changing(path) as file:
        file.executescript(statements)


async def start(path: Path) -> None:
    """Start on a file as far as a sidecar that answers."""
    async with opened(path) as journal:
        await journal.load_snapshot()


async def noticed(doing: Callable[[], Awaitable[object]]) -> str:
    """Return the message with which the damage is refused."""
    with pytest.raises(SidecarError) as caught:
        await doing()
    assert caught.value.code is ErrorCode.JOURNAL_UNAVAILABLE
    assert "sidecar restore FILE" in caught.value.message
    return caught.value.message


@pytest.mark.parametrize("statements", HARMS.values(), ids=HARMS)
async def test_damage_after_the_snapshot_is_refused_by_the_start_and_by_verify(tmp_path: Path, statements: str) -> None:
    """The state would be wrong."""
    path = tmp_path / "j.db"
    harmed(path, statements.format(seq=(await written(path)).after))
    assert inspect(path, "", Marks(path)).defects
    await noticed(lambda: start(path))


@pytest.mark.parametrize("statements", HARMS.values(), ids=HARMS)
async def test_damage_before_the_snapshot_is_found_while_it_runs(tmp_path: Path, statements: str) -> None:
    """The state is right, since the snapshot has it; a later fold from the beginning would be wrong."""
    path = tmp_path / "j.db"
    life = await written(path)
    harmed(path, statements.format(seq=life.before))
    assert inspect(path, "", Marks(path)).defects
    assert encode(await resumed(path)) == encode(life.world.state)
    async with opened(path) as journal:
        await noticed(journal.check)

    async def patrol() -> None:
        await patrolled(path)

    await noticed(patrol)


async def patrolled(path: Path) -> int:
    """Check all records in slices; return how many it took."""
    patrol, slices = Patrol(path), 0
    try:
        while True:
            patrol.slice()
            slices += 1
            if patrol._verifier is None:
                return slices
    finally:
        patrol.close()


async def test_a_cut_tail_is_refused_by_verify_and_by_the_start(tmp_path: Path) -> None:
    """The file is sound without its last records, whoever removed them from all tables; the mark knows better."""
    path = tmp_path / "j.db"
    life = await written(path)
    with changing(path) as file:
        (end, _) = batches.last(file, life.after)
        file.execute("DELETE FROM observations WHERE seq > ?", (end,))
        file.execute("DELETE FROM batches WHERE seq > ?", (end,))
        file.execute("DELETE FROM chain WHERE seq > ?", (end,))
        file.execute("DELETE FROM snapshots")
    said = f"and its high-water mark says that it had {life.world.state.seq}"
    assert inspect(path).defects == ()
    assert [each for each in inspect(path, "", Marks(path)).defects if said in each]
    assert said in await noticed(lambda: start(path))


async def test_a_record_with_new_checksums_is_found_by_the_mark(tmp_path: Path) -> None:
    """Who can compute the checksums must alter the mark as well."""
    path = tmp_path / "j.db"
    life = await written(path)
    with changing(path) as file:
        file.execute(HARMS["another body"].format(seq=life.after))
        file.execute("DELETE FROM batches")
        batches.fill(file)
        (end,) = file.execute("SELECT max(seq) FROM observations").fetchone()
        file.execute("DELETE FROM batches WHERE seq = ?", (end,))
        batches.store(file, end, batches.digest_of(*_last_batch(file, end)))
    assert inspect(path).defects == ()
    said = "has other records up to"
    assert [each for each in inspect(path, "", Marks(path)).defects if said in each]
    assert said in await noticed(lambda: start(path))


def _last_batch(file: sqlite3.Connection, end: int) -> tuple[bytes, list[batches.Row]]:
    begin, before = batches.last(file, end - 1)
    rows = file.execute("SELECT seq, at_ms, key, body FROM observations WHERE seq > ? ORDER BY seq", (begin,))
    return before, rows.fetchall()


async def test_a_key_that_its_index_has_lost_is_found(tmp_path: Path) -> None:
    """SQLite checks the structure of an index while it runs, and not that it has every record."""
    path = tmp_path / "j.db"
    life = await written(path)
    content = path.read_bytes()
    with changing(path) as file:
        ((key,),) = file.execute("SELECT key FROM observations WHERE seq = ?", (life.after,))
    first = content.index(key.encode())
    places = [first, content.index(key.encode(), first + 1)]
    for place in places:  # in the record, and in the index
        path.write_bytes(content[:place] + key.replace("pi_", "pj_").encode() + content[place + len(key) :])
        await noticed(lambda: start(path))
        assert inspect(path).defects


async def test_the_file_of_the_version_before_is_checked_from_its_migration_on(tmp_path: Path) -> None:
    """Written by that version, with records removed: nothing is rewritten, and the state is the same."""
    path = tmp_path / "j.db"
    for suffix in ("", ".mark"):
        shutil.copyfile(VERSIONS / f"schema-3.journal{suffix}", f"{path}{suffix}")
    with changing(path) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (3,)
        before = file.execute("SELECT * FROM observations ORDER BY seq").fetchall()
    state = await resumed(path)
    found = inspect(path, "", Marks(path))
    assert (found.defects, found.trimmed_seq > 100, state.seq) == ((), True, found.last_seq)
    with changing(path) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        assert file.execute("SELECT * FROM observations ORDER BY seq").fetchall() == before
    async with opened(path) as journal:
        await journal.append(payment(1))
    assert inspect(path, "", Marks(path)).defects == ()
    harmed(path, "UPDATE observations SET at_ms = at_ms + 1 WHERE key IS NULL")
    assert inspect(path).defects


async def test_a_backup_of_the_version_before_is_restored(tmp_path: Path) -> None:
    """The last backup before an upgrade is of the older schema."""
    path = tmp_path / "j.db"
    source = VERSIONS / "schema-3.journal"
    before = source.read_bytes()
    restore(source, path, reason="the upgrade went wrong", is_replacing=False)
    assert source.read_bytes() == before
    assert inspect(path, "", Marks(path)).defects == ()
    assert (await resumed(path)).flag.rung == 0
    assert not (tmp_path / "j.db.part.lock").exists()
    assert not (tmp_path / "j.db.part.mark").exists()


async def test_a_patrol_reads_a_few_records_at_once_while_records_are_written_and_removed(tmp_path: Path) -> None:
    """It never blocks a commit, and takes no removed record for a missing one."""
    path = tmp_path / "j.db"
    await written(path)
    async with opened(path) as journal:
        await journal.recheck()
        for number in range(300):
            await journal.append(payment(number))
            if number % 50 == 0:
                await journal.recheck()
                await journal.trim(journal.now_ms())
    assert await patrolled(path) >= 1


async def test_a_foreign_writer_is_refused(tmp_path: Path) -> None:
    """What it wrote is in none of our checksums, and nothing is appended after it."""
    path = tmp_path / "j.db"
    async with opened(path) as journal:
        await journal.append(payment(1))
        harmed(path, "UPDATE observations SET at_ms = at_ms + 1")
        assert "was written by another program while it was in use" in await noticed(lambda: journal.append(payment(2)))
        await noticed(journal.recheck)
    await noticed(lambda: start(path))


async def test_closing_after_damage_copies_no_log_into_the_file(tmp_path: Path) -> None:
    """The log may be what is damaged. The mark says what was acknowledged, so that the next start misses it."""
    path = tmp_path / "j.db"
    async with opened(path) as journal:
        await journal.append(payment(1))
    before = path.read_bytes()
    async with opened(path) as journal:
        for number in range(2, 20):
            await journal.append(payment(number))
        log = tmp_path / "j.db-wal"
        os.truncate(log, len(log.read_bytes()) - 1)
        await noticed(journal.recheck)
    assert path.read_bytes() == before
    assert "has 18 records, and its high-water mark says that it had 19" in await noticed(lambda: start(path))


async def test_a_foreign_copy_of_the_log_loses_nothing(tmp_path: Path) -> None:
    """The running process refuses it, and a new start finds everything in its place."""
    path = tmp_path / "j.db"
    async with opened(path) as journal:
        for number in range(20):
            await journal.append(payment(number))
        harmed(path, "PRAGMA wal_checkpoint(TRUNCATE)")
        await noticed(journal.recheck)
    async with opened(path) as journal:
        await journal.load_snapshot()
        assert len(await journal.read(0, 100)) == 20
    assert inspect(path, "", Marks(path)).defects == ()
