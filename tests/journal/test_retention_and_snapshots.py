"""Snapshots, the removal of old records, backups, and the defects of a damaged file."""

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from sidecar.core.facts.identities import identity
from sidecar.core.facts.observations import (
    Checkpoint,
    Heartbeat,
    PaymentSucceeded,
    Record,
)
from sidecar.core.fold.checkpoints import EVERY_MS, checkpoint_of, restored
from sidecar.core.fold.fold import fold
from sidecar.core.fold.state import FOLD_VERSION, State, encode
from sidecar.journal.maintenance import SNAPSHOT_AFTER, Maintenance
from sidecar.journal.sqlite.backup import backup, restore
from sidecar.journal.sqlite.file import Draft, Writer
from sidecar.journal.sqlite.journal import SqliteJournal
from sidecar.journal.sqlite.links import is_link
from sidecar.journal.sqlite.lock import locked
from sidecar.journal.sqlite.schema import SCHEMA_VERSION, prepare
from sidecar.journal.sqlite.verification import inspect, present
from sidecar.ports import ErrorCode, SidecarError
from tests.core.world import World, on

from .files import opened

SCHEMAS = (
    """CREATE TABLE observations (
       seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, key TEXT UNIQUE, body BLOB NOT NULL)""",
    """CREATE TABLE snapshots (
       seq INTEGER PRIMARY KEY, fold_version INTEGER NOT NULL, digest BLOB NOT NULL, body BLOB NOT NULL);
       CREATE TABLE trimmed (seq INTEGER NOT NULL);
       INSERT INTO trimmed (seq) VALUES (0)""",
    "CREATE TABLE chain (seq INTEGER PRIMARY KEY, head BLOB NOT NULL)",
    "CREATE TABLE batches (seq INTEGER PRIMARY KEY, digest BLOB NOT NULL)",
)
"""What each version of the schema added, as its own code wrote it."""


def write(path: Path, records: list[Record], batch_max: int = 500) -> None:
    """Write records with their stamps, as the journal would have over the days."""
    writer = Writer(path)
    folded = {each.observation.folded_seq for each in records if isinstance(each.observation, Checkpoint)}
    ends = sorted({*range(0, len(records), batch_max), *(seq for seq in folded if seq <= len(records)), len(records)})
    for start, end in itertools.pairwise(ends):
        drafts = [
            Draft(
                at_ms=record.at_ms,
                key=identity(record.observation),
                observation=record.observation,
                body=record.kept or msgspec.json.encode(record.observation),
            )
            for record in records[start:end]
        ]
        assert [each.record.seq for each in writer.commit(drafts)] == [record.seq for record in records[start:end]]
    writer.close()


def life(days: int = 3) -> World:
    """Return a world in which payments came for some days, with a checkpoint on each."""
    world = on(1)
    for _ in range(days):
        world.good(20, every_ms=30_000)
        checkpoint = checkpoint_of(world.state, "a")
        world.good(3, every_ms=30_000)
        world.append(checkpoint)
        for _ in range(24):
            world.wait(EVERY_MS // 24)
    world.good(5)
    return world


def folded(records: list[Record]) -> State:
    """Fold from the beginning."""
    state = State()
    for record in records:
        fold(state, record)
    return state


async def resumed(path: Path) -> State:
    """Return the state that a restart comes to."""
    async with opened(path) as journal:
        state = await journal.load_snapshot()
        for record in await journal.read(state.seq, 1_000_000):
            fold(state, record)
        return state


@contextlib.asynccontextmanager
async def kept(path: Path, world: World) -> AsyncIterator[SqliteJournal]:
    """Open a journal that holds this life and a snapshot of its end."""
    write(path, world.records)
    async with opened(path) as journal:
        await journal.save_snapshot(world.state.seq, encode(world.state))
        yield journal


async def test_a_restart_continues_from_the_snapshot_and_folds_only_later_records(tmp_path: Path) -> None:
    """The snapshot is the state, byte for byte, so that the cost of a restart does not grow with history."""
    world = life()
    async with kept(tmp_path / "j.db", world) as journal:
        state = await journal.load_snapshot()
        assert state.seq == world.state.seq
    assert encode(state) == encode(world.state)
    assert encode(await resumed(tmp_path / "j.db")) == encode(folded(world.records))


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE snapshots SET fold_version = fold_version + 1",
        "UPDATE snapshots SET digest = x'00'",
        "UPDATE snapshots SET body = CAST(replace(body, '\"good\":', '\"goof\":') AS BLOB)",
        "UPDATE snapshots SET seq = seq + 100000",
        "UPDATE snapshots SET seq = seq - 1",
        "UPDATE snapshots SET body = x'7b7d', digest = x'44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a'",
    ],
)
async def test_an_invalid_snapshot_is_never_loaded(tmp_path: Path, harm: str) -> None:
    """Another fold version, a wrong digest or other content: all records are folded again, to the same bytes."""
    world = life(1)
    async with kept(tmp_path / "j.db", world):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "j.db")) as file, file:
        file.execute(harm)
    async with opened(tmp_path / "j.db") as journal:
        assert (await journal.load_snapshot()).seq == 0
    assert encode(await resumed(tmp_path / "j.db")) == encode(world.state)


async def test_the_older_snapshot_is_loaded_if_the_newer_is_damaged(tmp_path: Path) -> None:
    """The journal keeps two snapshots."""
    world = life(1)
    write(tmp_path / "j.db", world.records)
    async with opened(tmp_path / "j.db") as journal:
        for seq in (10, 20, 30):
            await journal.save_snapshot(seq, encode(folded(world.records[:seq])))
    with contextlib.closing(sqlite3.connect(tmp_path / "j.db")) as file, file:
        assert file.execute("SELECT seq FROM snapshots ORDER BY seq").fetchall() == [(20,), (30,)]
        file.execute("UPDATE snapshots SET digest = x'00' WHERE seq = 30")
    async with opened(tmp_path / "j.db") as journal:
        assert (await journal.load_snapshot()).seq == 20
    assert encode(await resumed(tmp_path / "j.db")) == encode(world.state)


def test_a_fold_from_any_checkpoint_gives_the_same_bytes() -> None:
    """Also with records between the state in a checkpoint and the record of the checkpoint."""
    world = life()
    facts = [record.observation for record in world.records]
    found = [fact for fact in facts if isinstance(fact, Checkpoint)]
    assert len(found) == 3
    for checkpoint in found:
        state = restored(checkpoint)
        for record in world.records[checkpoint.folded_seq :]:
            fold(state, record)
        assert encode(state) == encode(world.state)


async def test_records_before_a_checkpoint_older_than_the_retention_are_removed(tmp_path: Path) -> None:
    """Payments, acks, ticks and older checkpoints are removed; links stay, and the state is the same."""
    world = life(4)
    world.hold()
    write(tmp_path / "j.db", world.records)
    end_ms = world.records[-1].at_ms
    async with opened(tmp_path / "j.db") as journal:
        maintenance = Maintenance(
            journal, world.state, replica="a", retention_ms=journal.now_ms() - end_ms + 2 * EVERY_MS
        )
        await maintenance.trim()
        left = await journal.read(0, 1_000_000)
    gone = {record.seq for record in world.records} - {record.seq for record in left}
    checkpoints = [record for record in world.records if isinstance(record.observation, Checkpoint)]
    oldest = next(record.observation for record in left if isinstance(record.observation, Checkpoint))
    assert isinstance(oldest, Checkpoint)
    old_enough = [each.observation for each in checkpoints if each.at_ms <= end_ms - 2 * EVERY_MS]
    assert oldest == old_enough[-1]
    assert len(old_enough) > 1, "an older one has gone with its records"
    assert gone == {
        record.seq
        for record in world.records[: oldest.folded_seq]
        if not is_link(msgspec.json.encode(record.observation))
    }
    assert {type(record.observation).__name__ for record in left if record.seq <= oldest.folded_seq} == {
        "PolicyAdopted",
        "Climbed",
    }
    assert encode(await resumed(tmp_path / "j.db")) == encode(world.state)
    found = inspect(tmp_path / "j.db")
    assert (found.defects, found.trimmed_seq) == ((), oldest.folded_seq)


async def test_nothing_is_removed_before_a_checkpoint_is_old_enough(tmp_path: Path) -> None:
    """One millisecond before the end of the retention all records are there; then they are removed."""
    world = life(1)
    write(tmp_path / "j.db", world.records)
    (checkpoint,) = [record for record in world.records if isinstance(record.observation, Checkpoint)]
    async with opened(tmp_path / "j.db") as journal:
        assert await journal.trim(checkpoint.at_ms - 1) == 0
        assert await journal.trim(checkpoint.at_ms) > 0


async def test_a_lost_checkpoint_after_a_removal_is_an_error(tmp_path: Path) -> None:
    """Without the removed records and the checkpoint, no state can be folded."""
    world = life(1)
    write(tmp_path / "j.db", world.records)
    with contextlib.closing(sqlite3.connect(tmp_path / "j.db")) as file, file:
        file.execute("UPDATE trimmed SET seq = 40")
        file.execute("DELETE FROM observations WHERE key LIKE 'checkpoint:%'")
    async with opened(tmp_path / "j.db") as journal:
        with pytest.raises(SidecarError, match="no readable checkpoint after it") as caught:
            await journal.load_snapshot()
    assert caught.value.code is ErrorCode.JOURNAL_UNAVAILABLE


async def test_maintenance_saves_a_snapshot_after_enough_records_and_at_the_end(tmp_path: Path) -> None:
    """It also appends a checkpoint when the last one is a day old."""
    world = life(1)
    async with opened(tmp_path / "j.db") as journal:
        maintenance = Maintenance(journal, world.state, replica="a")
        world.state.checkpointed_ms = world.state.now_ms
        world.state.seq = SNAPSHOT_AFTER - 1
        await maintenance.look()
        assert snapshot_seqs(tmp_path / "j.db") == []
        world.state.seq += 1
        await maintenance.look()
        world.state.seq += SNAPSHOT_AFTER
        await maintenance.look()
        assert snapshot_seqs(tmp_path / "j.db") == [SNAPSHOT_AFTER], "not twice in a minute"
        await maintenance.save()
        assert snapshot_seqs(tmp_path / "j.db") == [SNAPSHOT_AFTER, 2 * SNAPSHOT_AFTER]
        assert await journal.read(0, 10) == []
        world.state.now_ms = world.state.checkpointed_ms + EVERY_MS
        await maintenance.look()
        (record,) = await journal.read(0, 10)
        assert isinstance(record.observation, Checkpoint)
        assert (record.observation.folded_seq, record.observation.fold_version) == (world.state.seq, FOLD_VERSION)
        await maintenance.look()
        assert len(await journal.read(0, 10)) == 1, "once a day, whoever else does it too"


def snapshot_seqs(path: Path) -> list[int]:
    """Return of which records there are snapshots."""
    with contextlib.closing(sqlite3.connect(path)) as file:
        return [seq for (seq,) in file.execute("SELECT seq FROM snapshots ORDER BY seq")]


def write_schema(path: Path, version: int, records: Sequence[Record]) -> None:
    """Write a journal as the version with this schema did; of version 3 before it had linked its chain."""
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        for statements in SCHEMAS[:version]:
            file.executescript(statements)
        file.execute(f"PRAGMA application_id = {0x52765363}")
        file.execute(f"PRAGMA user_version = {version}")
        for record in records:
            fact = record.observation
            row = (record.seq, record.at_ms, identity(fact), msgspec.json.encode(fact))
            file.execute("INSERT INTO observations VALUES (?, ?, ?, ?)", row)


@pytest.mark.parametrize("version", [1, 2])
async def test_a_file_of_each_older_schema_is_migrated_with_all_its_records(tmp_path: Path, version: int) -> None:
    """One transaction migrates the file, and the records are unchanged."""
    world = life(1)
    write_schema(tmp_path / "j.db", version, world.records)
    assert encode(await resumed(tmp_path / "j.db")) == encode(world.state)
    with contextlib.closing(sqlite3.connect(tmp_path / "j.db")) as file:
        assert file.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)


@pytest.mark.parametrize(("tables", "said"), [(1, 2), (1, 3), (2, 1), (2, 3), (3, 1), (3, 2), (3, 4), (4, 3)])
def test_a_file_whose_schema_is_not_what_it_says_is_refused_in_words(tmp_path: Path, tables: int, said: int) -> None:
    """A migration would stop at the first table that exists, or the first query at one that does not."""
    path = tmp_path / "j.db"
    write_schema(path, tables, [])
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute(f"PRAGMA user_version = {said}")
    before = path.read_bytes()
    with (
        contextlib.closing(sqlite3.connect(path)) as file,
        pytest.raises(SidecarError, match="restore it from a backup"),
    ):
        prepare(path, file, None)
    assert path.read_bytes() == before


async def test_the_tail_in_memory_equals_the_file(tmp_path: Path) -> None:
    """A follower that is not behind reads the same records from memory, without duplicates."""
    world = life(1)
    async with opened(tmp_path / "j.db") as journal:
        for _ in range(2):
            await asyncio.gather(*(journal.append(record.observation) for record in world.records))
        from_memory = [await journal.read(after, 7) for after in range(0, 60, 5)]
        everything = await journal.read(0, 1_000_000)
    async with opened(tmp_path / "j.db") as journal:
        assert [await journal.read(after, 7) for after in range(0, 60, 5)] == from_memory
        assert await journal.read(0, 1_000_000) == everything


async def test_a_running_journal_is_verified_and_backed_up_from_outside(tmp_path: Path) -> None:
    """Both see one moment, without the lock, while appends continue."""
    world = life(1)
    async with kept(tmp_path / "j.db", world) as journal:
        found = inspect(tmp_path / "j.db")
        assert (found.defects, found.records, found.snapshot_seq) == ((), len(world.records), world.state.seq)
        copied = backup(tmp_path / "j.db", tmp_path / "copy.db", is_forced=False)
        await journal.append(Heartbeat(replica="a", beat=9_999))
        with pytest.raises(SidecarError, match="--force"):
            backup(tmp_path / "j.db", tmp_path / "copy.db", is_forced=False)
    assert copied.last_seq == world.state.seq
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    assert encode(present(tmp_path / "copy.db")) == encode(world.state)
    with pytest.raises(SidecarError, match="has records and no high-water mark"):
        await resumed(tmp_path / "copy.db")  # a copy put in place by hand would forget what followed


async def test_a_restored_journal_starts_on_the_bottom_rung_with_a_hold(tmp_path: Path) -> None:
    """The backup lacks later alarms, so that push needs an operator's `resume`."""
    world = life(1)
    assert world.state.flag.rung > 0
    write(tmp_path / "j.db", world.records)
    backup(tmp_path / "j.db", tmp_path / "copy.db", is_forced=False)
    async with opened(tmp_path / "j.db") as journal:
        await journal.append(Heartbeat(replica="later", beat=1))
    with pytest.raises(SidecarError, match="--replace"):
        restore(tmp_path / "copy.db", tmp_path / "j.db", reason="lost a disk", is_replacing=False)
    aside = restore(tmp_path / "copy.db", tmp_path / "j.db", reason="lost a disk", is_replacing=True)
    state = await resumed(tmp_path / "j.db")
    held = [(each.reason, each.is_rollback) for each in state.flag.holds]
    assert (state.flag.rung, held) == (0, [("lost a disk", True)])
    assert state.seq == world.state.seq + 1
    assert aside is not None
    assert inspect(aside).last_seq == world.state.seq + 1, "what was there is set aside, whole"


def test_nothing_is_restored_under_a_running_sidecar_or_from_a_damaged_backup(tmp_path: Path) -> None:
    """It is refused with a message, and the journal is unchanged."""
    world = life(1)
    write(tmp_path / "j.db", world.records)
    backup(tmp_path / "j.db", tmp_path / "copy.db", is_forced=False)
    before = (tmp_path / "j.db").read_bytes()
    with locked(tmp_path / "j.db"), pytest.raises(SidecarError) as caught:
        restore(tmp_path / "copy.db", tmp_path / "j.db", reason="r", is_replacing=True)
    assert caught.value.code is ErrorCode.JOURNAL_IN_USE
    content = bytearray((tmp_path / "copy.db").read_bytes())
    content[3 * 4096 : 5 * 4096] = b"\xff" * (2 * 4096)
    (tmp_path / "copy.db").write_bytes(content)
    with pytest.raises(SidecarError, match="is damaged"):
        restore(tmp_path / "copy.db", tmp_path / "j.db", reason="r", is_replacing=True)
    assert (tmp_path / "j.db").read_bytes() == before


FINDINGS = {
    # harm                                                        what is said
    "DELETE FROM observations WHERE seq = 30": "record 30 is missing: 31 follows 29",
    "UPDATE observations SET at_ms = 5 WHERE seq = 30": "record 30 has an earlier stamp than the record before it",
    "UPDATE observations SET body = '{}' WHERE seq = 30": "has a record 30 that cannot be read",
    "UPDATE snapshots SET body = CAST(replace(body, '\"good\":', '\"goof\":') AS BLOB)": "does not match the records",
    "DELETE FROM observations WHERE seq > 50": "but the last record is 50",
}  # fmt: skip


@pytest.mark.parametrize(("harm", "defect"), FINDINGS.items(), ids=FINDINGS.values())
async def test_verify_reports_each_defect(tmp_path: Path, harm: str, defect: str) -> None:
    """A missing record, an earlier stamp, an invalid body, a snapshot that does not match the fold."""
    async with kept(tmp_path / "j.db", life(1)):
        pass
    with contextlib.closing(sqlite3.connect(tmp_path / "j.db")) as file, file:
        file.execute(harm)
    assert defect in " ".join(inspect(tmp_path / "j.db").defects)


async def test_the_check_of_the_whole_file_finds_damage_that_a_restart_does_not_read(tmp_path: Path) -> None:
    """A restart reads only a snapshot and the last records; the check reads every page."""
    path = tmp_path / "j.db"
    async with opened(path) as journal:
        await asyncio.gather(
            *(
                journal.append(PaymentSucceeded(payment_intent=f"pi_{n}", event_id="e", created_s=1, signed_s=1))
                for n in range(3000)
            )
        )
        await journal.check()
    content = bytearray(path.read_bytes())
    content[20 * 4096 : 22 * 4096] = b"\xff" * (2 * 4096)
    path.write_bytes(content)
    async with opened(path) as journal:
        with pytest.raises(SidecarError, match="damaged") as caught:
            await journal.check()
    assert caught.value.code is ErrorCode.JOURNAL_UNAVAILABLE
