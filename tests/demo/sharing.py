"""Climb once per test run, also with several processes: the first climbs, the others wait for its journal."""

import fcntl
import shutil
from pathlib import Path

from sidecar.demo.show import folder_for
from sidecar.demo.world.operator_view import is_push
from sidecar.demo.world.world import World
from tests.demo.worlds import HEADLESS, live


def climbed_once(folder: Path) -> Path:
    """Return the journal of a world in which everybody is served push; `folder` is shared by all processes of the run."""
    kept = folder / "climbed.db"
    with (folder / "climbed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            with folder_for(HEADLESS) as lived_in:
                live(lived_in, _climb)
                copy_journal(lived_in / "demo.db", kept)
    return kept


def copy_journal(journal: Path, to: Path) -> None:
    """Copy a journal that nothing uses, with its high-water mark."""
    for suffix in ("", ".mark"):
        shutil.copy(f"{journal}{suffix}", f"{to}{suffix}")


async def _climb(world: World) -> None:
    assert await world.watching.until(is_push, 1800), "it climbs"
