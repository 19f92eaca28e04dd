"""Play once per run of the tests, also where several processes share them: the first plays, the others wait for it."""

import asyncio
import fcntl
from pathlib import Path

import msgspec

from tests.payers.playing import play
from tests.payers.scenarios import SCENARIOS
from tests.payers.stage import Result


def played_once(folder: Path) -> dict[str, Result]:
    """Return the result of every scenario; `folder` is shared by all processes of the run."""
    kept = folder / "payers.json"
    with (folder / "payers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            kept.write_bytes(msgspec.json.encode(asyncio.run(play(SCENARIOS))))
        results = msgspec.json.decode(kept.read_bytes(), type=list[Result])
    return {result.key: result for result in results}
