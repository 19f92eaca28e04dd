"""A power cut at any moment of a recorded run: no answered event is lost, and the file is intact."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from sidecar.core.facts.observations import PaymentSucceeded
from sidecar.journal.sqlite.file import Writer
from sidecar.journal.sqlite.mark import Mark, Marks
from sidecar.journal.sqlite.reader import Reader
from tests.harm.power import Disk, Operation, recorded
from tests.waiting import HANGS_AFTER_S

ROOT = Path(__file__).parents[2]
CUTS = int(os.environ.get("POWER_CUTS", "60"))


def run(folder: Path, synchronous: str) -> list[Operation]:
    """Record a run of a process that appends, with the shim before it."""
    shim, log, work = folder / "powercut.so", folder / "log", folder / "work"
    work.mkdir()
    source = Path(__file__).with_name("powercut.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", shim, source, "-ldl"], check=True)
    preload = {"LD_PRELOAD": str(shim), "POWERCUT_FOLDER": str(work), "POWERCUT_LOG": str(log)}
    command = [sys.executable, "-m", "tests.harm.writer", str(work), synchronous]
    subprocess.run(command, cwd=ROOT, env=os.environ | preload, check=True, timeout=HANGS_AFTER_S)
    return recorded(log)


def lost_by(operations: list[Operation], folder: Path, cut: int, seed: int) -> set[str]:
    """Cut the power after a number of operations; open the rest, and return the answered events that are lost."""
    disk = Disk()
    for operation in operations[:cut]:
        disk.do(operation)
    folder.mkdir()
    disk.after_a_cut(folder, random.Random(seed))
    answered = set(disk.answered.decode().split())
    Marks(folder / "journal.db").write(Mark())  # it was synced before the first record; renames are not modelled
    if not (folder / "journal.db").exists():
        return answered
    writer = Writer(folder / "journal.db")
    writer.close()
    reader = Reader.beside(folder / "journal.db")
    kept = {
        record.observation.payment_intent
        for record in reader.read(0, 1_000_000)
        if isinstance(record.observation, PaymentSucceeded)
    }
    for record, expected in zip(reader.read(0, 1_000_000), range(1, 1_000_000), strict=False):
        assert record.seq == expected
    (found,) = reader._connection.execute("PRAGMA integrity_check").fetchone()
    reader.close()
    assert found == "ok"
    return answered - kept


def test_after_a_power_cut_at_any_moment_what_was_answered_is_there(tmp_path: Path) -> None:
    """Whatever the disk kept of what was not synced: a commit is there whole, or not at all and was not answered."""
    operations = run(tmp_path, "full")
    assert sum(operation.kind == "s" for operation in operations) > 20, "the shim sees the syncs"
    assert sum(operation.kind == "m" for operation in operations) == 480
    randomness = random.Random(5)
    for number in range(CUTS):
        cut = randomness.randrange(len(operations))
        assert lost_by(operations, tmp_path / f"cut-{number}", cut, number) == set(), f"cut after {cut}, seed {number}"


def test_the_simulation_loses_what_is_not_synced(tmp_path: Path) -> None:
    """With SQLite's syncs switched off the same cuts lose answers, or the file: so the test above can fail."""
    operations = run(tmp_path, "off")
    cuts = [len(operations) - 3 * number - 1 for number in range(CUTS)]
    with pytest.raises(AssertionError, match="lost"):
        assert not any(lost_by(operations, tmp_path / f"cut-{cut}", cut, cut) for cut in cuts), "lost"
