"""The command that a visitor runs: over real sockets, with a page, until it is stopped; and its errors."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.processes import free_port, until
from tests.waiting import HANGS_AFTER_S

_NAMES = ("--port", "--operator-port", "--page-port", "--reverb-port", "--app-port")


@contextmanager
def _demo(folder: Path, ports: dict[str, int], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the demo with its journal in this folder, and its log in `demo.log`."""
    options = [word for name, port in ports.items() for word in (name, str(port))]
    with (folder / "demo.log").open("wb") as log:
        command = [sys.executable, "-m", "sidecar", "demo", *options, *arguments]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | {"TMPDIR": str(folder)})
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def test_a_visitor_watches_a_climb_turns_a_switch_and_stops_it(tmp_path: Path) -> None:
    """The first rung is climbed, a switch has its effect, and no file is left after Ctrl-C."""
    ports = dict.fromkeys(_NAMES, 0) | {"--page-port": free_port()}
    page = f"http://127.0.0.1:{ports['--page-port']}"
    async with aiohttp.ClientSession() as session:

        async def world() -> dict[str, Any]:
            try:
                async with session.get(f"{page}/world") as response:
                    seen: dict[str, Any] = await response.json()
                    return seen
            except aiohttp.ClientError:
                return {}

        async def has_climbed() -> bool:
            seen = await world()
            return bool(seen) and seen["flag"]["rung"] > 0

        async def has_come() -> bool:
            return any(switch["came_ms"] for switch in (await world())["switches"])

        with _demo(tmp_path, ports) as process:
            await until(has_climbed, "the first rung is climbed")
            seen = await world()
            assert seen["counts"]["cleared"] > 0
            assert seen["comparison"]["push"]["judged"] > 0
            assert "demo: push_with_safety_net" in await asyncio.to_thread(_status, tmp_path), (
                "as the first screen says"
            )
            async with session.post(f"{page}/switches/reverb_gone", json={"on": True}) as response:
                assert response.status == 204
            await until(has_come, "the effect is observed")
            assert (await world())["flag"]["mode"] == "timer_polling"
            process.send_signal(signal.SIGINT)  # as Ctrl-C does
            assert await asyncio.to_thread(process.wait, HANGS_AFTER_S) == 0
    output = (tmp_path / "demo.log").read_text()
    assert page in output
    assert "Traceback" not in output
    assert output.endswith("Stopped. Nothing is left: no process runs, and the demo's folder is removed.\n")
    assert "payment.settled" not in output, "there are too many of these lines to read"
    assert os.listdir(tmp_path) == ["demo.log"], "the journal is deleted"  # noqa: PTH208 - it has no coroutine


def _status(folder: Path) -> str:
    """Run the status command of the first screen, and return its output."""
    config = next(folder.glob("*/demo.yaml"))
    command = [sys.executable, "-m", "sidecar", "status", "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False).stdout


def _refused(folder: Path, *arguments: str, before: str = "") -> str:
    """Run the demo where it cannot run, and return its error; `before`: Python that is run first."""
    script = (
        f"import sys; sys.argv = ['sidecar', 'demo', *sys.argv[1:]]; {before}\nfrom sidecar.cli import main; main()"
    )
    env = os.environ | {"TMPDIR": str(folder)}
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False, env=env)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())


def test_a_port_in_use_is_reported_with_the_option_to_choose_another(tmp_path: Path) -> None:
    """For the ports of the sidecar and of the stand-ins."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name in ("--operator-port", "--app-port"):
            ports = {each: port if each == name else 0 for each in _NAMES}
            options = [word for each, number in ports.items() for word in (each, str(number))]
            output = _refused(tmp_path, *options)
            assert name in output, output
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    """The error names TMPDIR."""
    no_file = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"
    assert "TMPDIR" in _refused(tmp_path, before=no_file)


def test_options_that_exclude_each_other_are_reported(tmp_path: Path) -> None:
    """JSON is for the headless story."""
    assert "--headless" in _refused(tmp_path, "--json")


def test_an_old_python_is_reported_with_the_way_to_choose_another(tmp_path: Path) -> None:
    """`make run` reports an old or a missing Python before it sets anything up."""
    (tmp_path / "Makefile").symlink_to(Path(__file__).parents[2] / "Makefile")
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.2"\n')
    old.chmod(0o755)
    for python, found in ((old, "Python 3.9.2 was found"), (tmp_path / "none", "no Python was found")):
        command = ["make", "--directory", str(tmp_path), "run", f"PYTHON={python}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False)
        assert done.returncode != 0
        lines = done.stderr.splitlines()
        assert lines[0] == f"Python 3.11 or later is needed; {found}. Set PYTHON=/path/to/python3.11"
        assert not (tmp_path / ".venv").exists()
