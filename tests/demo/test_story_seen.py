"""The story on the page of the very command that tells it: each of the seven steps is seen to come, as it is told.

It takes some minutes, in which the machine has little to do: the world goes at most twenty times as fast as ours.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from sidecar.demo.world.story import STEPS
from tests.demo.browsing import opened
from tests.e2e.processes import free_port, until

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(1200)]
_WITHIN_MS = 900_000
_NET, _SHELTERED = "Yes, with a safety net, for everybody.", "Not this minute."
SEEN = {
    #           what the page answers in it, in this order, to "is push safe yet?"
    "watch":    ["Not yet: timers."],
    "climb":    ["Yes, with a safety net, for 25 % of payers.", _NET],
    "break":    [_SHELTERED],
    "shelter":  [_SHELTERED, _NET],
    "fall":     ["No: push is failing."],
    "recover":  ["No: push is failing.", "Not yet: timers.", "Yes, with a safety net, for 25 % of payers.", _NET],
    "remove":   ["Yes: push alone."],
}  # fmt: skip
_NOTES = """
() => {
  window.seen = {};
  const safe = document.querySelector("[data-answer='safe']");
  const note = () => {
    const steps = [...document.querySelectorAll('#steps li')];
    const now = steps.findIndex((step) => step.dataset.is !== 'done');
    for (const step of now === -1 ? steps.slice(-1) : steps.slice(Math.max(0, now - 1), now + 1)) {
      const said = (window.seen[step.dataset.key] ??= []);
      if (said.at(-1) !== safe.innerText) said.push(safe.innerText);
    }
  };
  const options = { subtree: true, childList: true, characterData: true, attributes: true };
  new MutationObserver(note).observe(document.querySelector('main'), options);
  note();
}
"""
"""Notes what is answered in each step, until the one after it is done."""


async def test_each_step_of_the_story_is_seen_to_come_on_the_page(browser: Browser, tmp_path: Path) -> None:
    """Watch, climb, break, be sheltered, fall, recover, be allowed to remove the timers; then the command ends well."""
    port = free_port()
    ports = [word for name in ("--port", "--operator-port", "--reverb-port", "--app-port") for word in (name, "0")]
    command = (sys.executable, "-m", "sidecar", "demo", "--story", "--page-port", str(port), *ports)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    saying = asyncio.create_task(process.stdout.read())
    try:
        await until(lambda: _listens(port), "the page is there", within_s=60)
        async with opened(browser, f"http://127.0.0.1:{port}") as tab:
            await tab.page.evaluate(_NOTES)
            for step in STEPS:
                done = f"#steps li[data-key='{step.key}'][data-is='done']"
                await tab.page.wait_for_selector(done, state="attached", timeout=_WITHIN_MS)
                await tab.page.screenshot(path=tmp_path / f"{step.key}.png", full_page=True)
            seen: dict[str, list[str]] = await tab.page.evaluate("window.seen")
            for key, answers in SEEN.items():
                assert _in_order(answers, seen[key]), (key, seen[key])
        assert await process.wait() == 0
        said = (await saying).decode()
        assert [line for line in said.splitlines() if line.startswith("  ✓")] == [
            f"  ✓ {step.title}: {step.expect}" for step in STEPS
        ]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        saying.cancel()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def _in_order(wanted: list[str], said: list[Any]) -> bool:
    """Say whether all that is wanted was said, in this order; more may have been said between."""
    rest = iter(said)
    return all(any(each == word for each in rest) for word in wanted)
