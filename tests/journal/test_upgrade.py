"""A journal of the previous fold version opens, keeps its rung, and says what changed."""

import contextlib
import hashlib
import sqlite3
from pathlib import Path

import msgspec
import pytest
import structlog

from sidecar.core.facts.observations import Checkpoint, Heartbeat
from sidecar.core.fold.checkpoint_rules import changes_since
from sidecar.core.fold.state import FOLD_VERSION, encode
from sidecar.journal.maintenance import Maintenance
from sidecar.journal.sqlite.verification import inspect, present
from tests.core.golden import OLD_PAYERS, checkpoint_path, golden

from .files import opened
from .test_retention_and_snapshots import resumed, write

OLD = 6


def older(path: Path, *, has_snapshot: bool) -> Checkpoint:
    """Write a journal as fold version 6 left it: its records, and its last state in a snapshot or a checkpoint."""
    checkpoint = msgspec.json.decode(checkpoint_path(OLD).read_bytes(), type=Checkpoint)
    records = golden(OLD_PAYERS)
    write(path, records)
    if has_snapshot:
        body = bytes(checkpoint.state)
        with contextlib.closing(sqlite3.connect(path)) as file, file:
            file.execute(
                "INSERT INTO snapshots (seq, fold_version, digest, body) VALUES (?, ?, ?, ?)",
                (checkpoint.folded_seq, OLD, hashlib.sha256(body).digest(), body),
            )
    return checkpoint


async def with_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Append the checkpoint of the older version, as its process did once a day."""
    async with opened(path) as journal:
        await journal.append(checkpoint)


@pytest.mark.parametrize("has_snapshot", [True, False])
async def test_what_the_older_rules_concluded_stands(tmp_path: Path, *, has_snapshot: bool) -> None:
    """Folded again by the new rules, its climbs would be stale and the flag on the bottom rung."""
    path = tmp_path / "j.db"
    checkpoint = older(path, has_snapshot=has_snapshot)
    if not has_snapshot:
        await with_checkpoint(path, checkpoint)
    before = msgspec.json.decode(checkpoint.state)
    with structlog.testing.capture_logs() as logs:
        state = await resumed(path)
    assert (state.flag.rung, len(state.moves)) == (before["flag"]["rung"], len(before["moves"]))
    assert state.indicators["payments"].good >= before["indicators"]["payments"]["good"]
    (upgraded,) = [line for line in logs if line["event"] == "journal.upgraded"]
    assert (upgraded["from_fold_version"], upgraded["to_fold_version"]) == (OLD, FOLD_VERSION)
    assert len(upgraded["changes"]) > 3


def test_an_upgrade_says_only_what_changed_since() -> None:
    """Sentences of rules that already applied would mislead."""
    everything, latest = changes_since(OLD), changes_since(FOLD_VERSION - 1)
    assert len(latest) == 2
    assert set(latest) < set(everything)


async def test_the_upgrade_is_recorded_and_a_full_fold_starts_there(tmp_path: Path) -> None:
    """`verify` and a restart without a snapshot must come to the state that the running process has."""
    path = tmp_path / "j.db"
    older(path, has_snapshot=True)
    async with opened(path) as journal:
        state = await journal.load_snapshot()
        maintenance = Maintenance(journal, state, replica="a")
        await maintenance.look()
        await journal.append(Heartbeat(replica="a", beat=1))
    live = await resumed(path)
    assert (state.upgraded_from, live.upgraded_from) == (OLD, 0)
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute("DELETE FROM snapshots")
    assert encode(await resumed(path)) == encode(live)
    assert encode(present(path)) == encode(live)
    assert inspect(path).defects == ()
    assert not [line for line in await _logs_of(path) if line["event"] == "journal.upgraded"], "it is said once"


async def _logs_of(path: Path) -> list[structlog.typing.EventDict]:
    with structlog.testing.capture_logs() as logs:
        await resumed(path)
    return list(logs)


async def test_the_upgrade_has_its_own_checkpoint_on_a_day_that_has_one(tmp_path: Path) -> None:
    """Checkpoints are one a day: that of the older version must not take the place of the upgrade's."""
    path = tmp_path / "j.db"
    checkpoint = older(path, has_snapshot=True)
    await with_checkpoint(path, checkpoint)
    async with opened(path) as journal:
        state = await journal.load_snapshot()
        await Maintenance(journal, state, replica="a").look()
        kept = [record.observation for record in await journal.read(0, 1_000_000)]
    versions = [each.fold_version for each in kept if isinstance(each, Checkpoint) and each.upgraded_from]
    assert versions == [FOLD_VERSION]
