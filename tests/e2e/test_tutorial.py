"""`docs/tutorial.md`, run word by word in an empty folder: from `init` to a judged payment."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from tests.e2e.processes import LOCALSTRIPE_ON_LOOPBACK, free_port
from tests.waiting import HANGS_AFTER_S

TUTORIAL = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text()
PORTS = ("8080", "8000", "8700", "8701", "8420")


def script() -> str:
    """Return all commands, with free ports; a first command gives the listeners theirs."""
    text = "\n".join(re.findall(r"```sh\n(.*?)```", TUTORIAL, re.DOTALL))
    free = {port: str(free_port()) for port in PORTS}
    text = text.replace("sidecar init --yes", "sidecar init --yes --public 127.0.0.1:8700 --operator 127.0.0.1:8701")
    return re.sub(r"\b(8080|8000|8700|8701|8420)\b", lambda found: free[found[0]], text)


def commands_on(folder: Path) -> str:
    """Return a PATH with this environment's programs; localstripe would listen on all of this machine's addresses."""
    programs = folder / "bin"
    programs.mkdir()
    for name, text in (
        ("localstripe", f"#!{sys.executable}\n{LOCALSTRIPE_ON_LOOPBACK}"),
        ("sidecar", f"#!{sys.executable}\nfrom sidecar.cli import main\nmain()\n"),
        ("python", f'#!/bin/sh\nexec {sys.executable} "$@"\n'),
    ):
        program = programs / name
        program.write_text(text)
        program.chmod(0o755)
    return f"{programs}{os.pathsep}{os.environ['PATH']}"


async def test_the_tutorial_leads_from_an_empty_folder_to_a_judged_payment(tmp_path: Path) -> None:
    """Every command succeeds, and says what the page says."""
    folder = tmp_path / "empty"
    folder.mkdir()
    clean = {name: value for name, value in os.environ.items() if not re.match("SIDECAR_|STRIPE_|REVERB_", name)}
    env = clean | {"PATH": commands_on(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "160"}
    command = ["bash", "-m", "-euo", "pipefail", "-c", script()]
    shell = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        output, _ = await asyncio.wait_for(shell.communicate(), HANGS_AFTER_S)
    finally:
        for group in _groups(shell.pid):
            os.killpg(group, signal.SIGKILL)
    said = output.decode()
    logs = "".join(path.read_text()[-2000:] for path in folder.glob("*.log"))
    assert shell.returncode == 0, f"{said}\n{logs}"
    for words in (
        "sidecar.yaml: good.",
        "This machine: good.",
        "✓ subscribe",
        "✓ deliver",
        "Payments: 1 on_time; 1 of 1 could be judged.",
        "evidence_payments",
        "SIGTERM was received",
        "everything that was acknowledged is in sqlite:reverb-sidecar.db",
    ):
        assert words in said, f"{words}\n{said}"
    assert said.count("on_time: the ack came") == 2, said
    assert {path.name for path in folder.iterdir()} >= {"sidecar.yaml", ".env", "reverb-sidecar.db"}


def _groups(session: int) -> set[int]:
    """Return the process groups of a session that are left: `bash -m` gives each job one."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[3]) == session:
            found.add(int(fields[2]))
    return found
