"""`sidecar status --watch`: one screen with mode, rung, gates, last payments and alarms, drawn until Ctrl-C."""

import asyncio
import io
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from rich.console import Console, RenderableType

from sidecar.console.last_payments import LAST_MAX
from sidecar.console.status import Status
from sidecar.console.status_watch import screen_of, unreachable
from sidecar.core.decision.gate import about
from tests.e2e.processes import SECRETS, SidecarProcess, until
from tests.e2e.test_main_job import LAX
from tests.shells.running import Running, event, running
from tests.waiting import HANGS_AFTER_S


def shown(renderable: RenderableType) -> str:
    """Return what a terminal of 120 columns shows."""
    console = Console(width=120, record=True, file=io.StringIO())
    console.print(renderable)
    return console.export_text()


async def status_of(sidecar: Running) -> Status:
    """Return the status, as the command reads it."""
    return msgspec.convert(await sidecar.status(), Status)


async def test_the_screen_has_mode_rung_gates_payments_and_alarms() -> None:
    """A payment is on its way, and then on time, with the times of its acks."""
    async with running() as sidecar:
        await sidecar.deliver(event("pi_1"))
        await sidecar.deliver(event("pi_2", metadata={}))

        async def is_seen(words: str) -> Any:
            screen = shown(screen_of(await status_of(sidecar)))
            return screen if words in screen else ""

        first = await until(lambda: is_seen("left out (missing_metadata)"), "a payment is left out")
        for words in ("payment-refresh in test: timer_polling", "rung 0 of 3", "alarms: none", "✗ soak", "on its way"):
            assert words in " ".join(first.split()), words
        await sidecar.ack({"stage": "delivered", "payment_intent": "pi_1"})
        second = await until(lambda: is_seen("on_time"), "the payment is judged")
        assert "delivered" in second


async def test_only_the_last_payments_are_kept() -> None:
    """The newest is first."""
    async with running() as sidecar:
        for number in range(LAST_MAX + 3):
            await sidecar.deliver(event(f"pi_{number}"))

        async def names() -> Any:
            found = [each["payment_intent"] for each in (await sidecar.status())["last_payments"]]
            return found if found[:1] == [f"pi_{LAST_MAX + 2}"] else []

        assert len(await until(names, "the last payment is there")) == LAST_MAX


def test_an_estimate_is_a_range_that_does_not_jump() -> None:
    """It is rounded, so that a second more or less changes nothing."""
    hour = 3_600_000
    assert about((20 * hour, 40 * hour)) == "20 to 40 h"
    assert {about((20 * hour + 1000 * second, 40 * hour - 1000 * second)) for second in range(60)} <= {"20 to 40 h"}
    assert about((0, 500)) == "0 to 1 s"
    assert about((9 * 24 * hour, 9 * 24 * hour)) == "9 d"


def test_while_nothing_answers_the_screen_says_for_how_long() -> None:
    """The view outlives a restart of the sidecar."""
    assert "No answer for 12 s: no sidecar answers" in shown(unreachable("no sidecar answers", 12.0))


async def test_the_command_draws_until_ctrl_c(tmp_path: Path) -> None:
    """On a terminal; Ctrl-C is no failure."""
    process = SidecarProcess(tmp_path, LAX)
    async with aiohttp.ClientSession() as session:
        with process:
            await process.ready(session)
            code, screen = await asyncio.to_thread(_watched, process)
    assert (code, b"payment-refresh" in screen) == (0, True), screen


def _watched(process: SidecarProcess) -> tuple[int, bytes]:
    main, end = pty.openpty()
    termios.tcsetwinsize(end, (70, 140))
    # A shell starts what runs in the background with SIGINT ignored, and its children inherit that.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "sidecar", "status", "--watch"]
    command += ["--config", str(process.config)]
    sized = {"LINES", "COLUMNS"}  # of the terminal that the tests run in: they would win over the size above
    environment = {name: value for name, value in os.environ.items() if name not in sized} | {"TERM": "xterm"}
    with subprocess.Popen(command, stdout=end, stderr=end, env={**environment, **SECRETS}) as watching:
        os.close(end)
        screen = b""
        while screen.count(b"Last payments") < 2:  # drawn a second time
            screen += os.read(main, 65_536)
        watching.send_signal(signal.SIGINT)
        try:
            while os.read(main, 65_536):
                pass
        except OSError:
            pass  # its end is closed
        os.close(main)
        return watching.wait(HANGS_AFTER_S), screen
