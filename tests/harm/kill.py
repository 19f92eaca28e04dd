"""`kill -9` at random moments under load, again and again: `python -m tests.harm.kill --rounds 200 --seed 1`."""

import argparse
import asyncio
import random
import tempfile
import time
from pathlib import Path

import aiohttp

from sidecar.core.fold.state import encode
from sidecar.journal.sqlite.journal import SqliteJournal
from tests.e2e.processes import SidecarProcess, until
from tests.e2e.test_main_job import LAX
from tests.harm.accounting import Audit, assert_sound
from tests.harm.load import Load, ended, under_load


async def campaign(folder: Path, *, rounds: int, seed: int) -> tuple[Load, Audit]:
    """Kill one sidecar repeatedly on one journal; assert after each round, and return the counts."""
    randomness, load = random.Random(seed), Load(seed)
    sidecar = SidecarProcess(folder, LAX)
    with sidecar:
        for number in range(rounds):
            if number:
                sidecar.start()
            await _answers(sidecar)
            at_least = 21 if number == rounds - 1 else 0
            task = await under_load(load, sidecar, randomness.uniform(0.0, 0.5), kept=at_least)
            sidecar.kill()
            await ended(task)
            if number % 20 == 0:
                assert_sound(sidecar.journal, load)
        sidecar.start()
        await _answers(sidecar)
        async with aiohttp.ClientSession() as session:
            await sidecar.ready(session)
        assert sidecar.stop() == 0  # a clean stop saves the state as a snapshot
    audited = assert_sound(sidecar.journal, load)
    journal = await SqliteJournal.open(sidecar.journal)
    kept = await journal.load_snapshot()
    await journal.close()
    assert (kept.seq, audited.found.snapshot_seq) == (audited.found.last_seq, kept.seq), encode(kept)[:200]
    return load, audited


async def _answers(sidecar: SidecarProcess) -> None:
    async def answers() -> bool:
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{sidecar.public}/healthz") as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    await until(answers, "it answers")


def main() -> None:
    """Run the rounds and print the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="reverb-sidecar-kill-") as folder:
        load, audited = asyncio.run(campaign(Path(folder), rounds=options.rounds, seed=options.seed))
    print(
        f"kill -9: seed {options.seed}, {options.rounds} rounds, {time.monotonic() - started:.0f} s; "
        f"{load.sent} webhooks sent, {len(load.kept)} payments got a 2xx: {len(audited.lost)} lost, "
        f"{len(audited.twice)} twice; {len(load.acked)} acks got a 2xx: {len(audited.lost_acks)} lost; "
        f"{audited.found.records} records fold to the snapshot, byte for byte"
    )


if __name__ == "__main__":
    main()
