"""The story on the page of the command that runs it: each of the seven steps is observed.

It takes some minutes with little load: the world runs at most twenty times as fast as real time.
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

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(1200), pytest.mark.long]
_WITHIN_MS = 900_000
_NET, _SUSPENDED = "Yes, with a safety net, for everybody.", "Not this minute."
SEEN = {
    #           the answers to "is push safe yet?" in this step, in this order
    "watch":    ["Not yet: timers."],
    "climb":    ["Yes, with a safety net, for 25 % of payers.", _NET],
    "break":    [_SUSPENDED],
    "suspension": [_SUSPENDED, _NET],
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
      const shown = (window.seen[step.dataset.key] ??= []);
      if (shown.at(-1) !== safe.innerText) shown.push(safe.innerText);
    }
  };
  const options = { subtree: true, childList: true, characterData: true, attributes: true };
  new MutationObserver(note).observe(document.querySelector('main'), options);
  note();
}
"""
"""Record the answers in each step, until the next one is done."""


async def test_the_page_shows_each_step_of_the_story(browser: Browser, tmp_path: Path) -> None:
    """The page answers as expected in each step, and the command exits with 0."""
    port = free_port()
    ports = [word for name in ("--port", "--operator-port", "--reverb-port", "--app-port") for word in (name, "0")]
    command = (sys.executable, "-m", "sidecar", "demo", "--story", "--page-port", str(port), *ports)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    output = asyncio.create_task(process.stdout.read())
    try:
        await until(lambda: _listens(port), "the page is there")
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
        text = (await output).decode()
        assert [line for line in text.splitlines() if line.startswith("  ✓")] == [
            f"  ✓ {step.title}: {step.expect}" for step in STEPS
        ]
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        output.cancel()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


def _in_order(wanted: list[str], shown: list[Any]) -> bool:
    """Return whether the wanted texts occur in this order, with any others between."""
    remaining = iter(shown)
    return all(any(each == word for each in remaining) for word in wanted)
