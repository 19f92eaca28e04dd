"""The story, run by the command; and one seed gives one journal."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from sidecar.demo.world.story import STEPS, Step, Story
from sidecar.demo.world.switches import Key
from sidecar.demo.world.world import World
from tests.demo.worlds import live
from tests.e2e.test_json import validate
from tests.waiting import HANGS_AFTER_S


def _summary(*arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
    """Run the command, and return its exit code and what it printed."""
    command = [sys.executable, "-m", "sidecar", "demo", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False, env=os.environ | environment
    )
    assert done.stdout, done.stderr[-2000:]
    summary: dict[str, Any] = json.loads(done.stdout)
    validate("demo", summary)
    return done.returncode, summary


def test_the_command_runs_the_story_to_its_end() -> None:
    """Every step is done, in order, with the moves of the flag that it expects."""
    code, summary = _summary("--story", "--headless", "--json", "--seed", "11")
    assert (code, summary["is_whole"], summary["failure"]) == (0, True, "")
    assert [step["key"] for step in summary["steps"]] == [step.key for step in STEPS]
    assert [(move["from_rung"], move["to_rung"], move["cause"]) for move in summary["moves"]] == [
        (0, 1, "proven"),
        (1, 2, "proven"),
        (2, 0, "alarm"),
        (0, 1, "proven"),
        (1, 2, "proven"),
        (2, 3, "proven"),
    ]
    assert summary["epochs"]["payments"] == 2, "the fall began a second epoch"
    suspension = next(step for step in summary["steps"] if step["key"] == "suspension")
    assert not any(suspension["began_s"] < move["at_s"] < suspension["done_s"] for move in summary["moves"])
    assert summary["unmeasured"].get("stopped", 0) == 0


def test_a_story_that_fails_reports_why_and_can_run_again(tmp_path: Path) -> None:
    """If a visitor kills the sidecar before the approval, the page shows the failure, and the story can start again."""
    removes = next(step for step in STEPS if step.key == "remove")
    watches = next(step for step in STEPS if step.key == "watch")

    async def run_stories(world: World) -> None:
        assert await world.watching.until(lambda status: status is not None, 60)
        step = msgspec.structs.replace(removes, actions=lambda world: _killed(world, removes))
        world.story = Story(world, (step,))
        world.start_story()
        assert await world.watching.until(lambda _: not world.story.is_running, 60)
        assert world.view().story_failure == f"{removes.title}: approve: the sidecar does not answer"
        world.turn(Key.SIDECAR_KILLED, on=False)
        assert await world.watching.until(lambda status: status is not None, 60)
        world.story = Story(world, (removes,))
        world.start_story()
        assert await world.watching.until(lambda _: not world.story.is_running, 60)
        assert (
            world.view().story_failure == f"{removes.title}: approve: rung 1 (push_with_safety_net) needs no approval"
        )
        world.story = Story(world, (watches,))
        world.start_story()
        assert await world.watching.until(lambda _: not world.story.is_running, 300)
        assert (world.view().story_failure, world.view().story[0].is_done) == ("", True)

    live(tmp_path, run_stories)


async def _killed(world: World, step: Step) -> None:
    """Run a step's action without a sidecar."""
    world.turn(Key.SIDECAR_KILLED, on=True)
    assert await world.watching.until(lambda status: status is None, 60)
    acting = step.actions(world)
    assert acting is not None
    await acting


async def troubles(world: World) -> str:
    """Run for some minutes with several faults: a restart, a freeze, a deaf node, refusals."""
    await asyncio.sleep(30)
    for key in (Key.SIDECAR_KILLED, Key.REVERB_FROZEN, Key.NODE_DEAF, Key.AUTH_REFUSED_FIFTH, Key.BROADCASTS_LOST):
        world.turn(key, on=True)
        await asyncio.sleep(8)
        world.turn(key, on=False)
        await asyncio.sleep(4)
    return ""


SCRIPT = """
import sys, msgspec
from sidecar import logs
from sidecar.demo.show import Show, lived
from tests.demo.test_story import troubles
lines = logs.configure(as_json=True, descriptor=2)
summary = lived(Show(is_headless=True, seed=int(sys.argv[1])), lines, troubles)
print(summary.journal.records, summary.journal.sha256)
"""


def _digest(seed: int, hash_seed: str) -> str:
    command = [sys.executable, "-c", SCRIPT, str(seed)]
    env = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False, env=env)
    assert done.stdout, done.stderr[-2000:]
    return done.stdout


def test_one_seed_gives_one_journal_byte_for_byte_with_any_fault() -> None:
    """Two processes with different hash seeds write the same records; another seed writes others."""
    once = _digest(7, "1")
    assert _digest(7, "2") == once
    assert _digest(8, "1") != once
