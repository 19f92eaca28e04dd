"""The command line in a terminal: its output and its exit codes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import aiohttp

from sidecar.journal.sqlite.journal import SqliteJournal
from tests.e2e.processes import READ_TOKEN, SidecarProcess, until
from tests.e2e.test_main_job import LAX
from tests.waiting import HANGS_AFTER_S

ROOT = Path(__file__).parents[2]
SHIPPED = "sidecar/config/sidecar.yaml"


def sidecar(*arguments: str, env: dict[str, str] | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a command without a running sidecar."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("SIDECAR_", "STRIPE_"))}
    return subprocess.run(
        [sys.executable, "-m", "sidecar", *arguments],
        capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False, env=clean | (env or {}), cwd=cwd,
    )  # fmt: skip


def test_without_arguments_it_prints_the_help() -> None:
    """The help names the commands, and the first one to try."""
    shown = sidecar()
    assert shown.returncode == 2
    assert "Try it first: `sidecar demo`" in " ".join((shown.stdout + shown.stderr).split())


def test_check_accepts_the_shipped_configuration() -> None:
    """A valid file gives exit code 0 and the policy's hash, without secrets and whatever this machine is."""
    shown = sidecar("check", "--config", SHIPPED)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "sidecar/config/sidecar.yaml: good. Policy " in shown.stdout


def test_check_prints_each_problem_with_its_place() -> None:
    """Problems give exit code 1, and one line each."""
    shown = sidecar("check", "--config", "tests/config_files/invalid-duration-space.yaml")
    assert shown.returncode == 1
    assert shown.stdout.startswith("tests/config_files/invalid-duration-space.yaml:")


def test_check_prints_json_for_machines() -> None:
    """The same problems, with places as numbers."""
    shown = sidecar("check", "--json", "--config", "tests/config_files/invalid-duration-space.yaml")
    problems = json.loads(shown.stdout)["problems"]
    assert (shown.returncode, len(problems)) == (1, 1)
    assert problems[0]["line"] > 0


def test_run_does_not_start_without_its_secrets_and_names_them() -> None:
    """One line per secret with its remedy, and no traceback."""
    shown = sidecar("run", "--config", SHIPPED)
    assert shown.returncode == 2
    assert "STRIPE_WEBHOOK_SECRET" in shown.stderr
    assert f"sidecar check --here --config {SHIPPED}" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_status_without_a_running_sidecar_is_a_message(tmp_path: Path) -> None:
    """Without an answer the exit code is 2."""
    shown = SidecarProcess(tmp_path, LAX).cli("status")
    assert shown.returncode == 2
    assert "start it with `sidecar run`" in shown.stderr


def test_invalid_arguments_and_tokens_are_refused_with_a_message() -> None:
    """A typing error must not print a traceback."""
    for arguments, env in (
        (("hold", "--reason", "\udcff"), {"SIDECAR_TOKEN": "x" * 20}),
        (("hold", "--reason", "why"), {"SIDECAR_TOKEN": "a\nb"}),
        (("hold", "--reason", "why"), {"SIDECAR_TOKEN": ""}),
        (("status", "--config", "nowhere.yaml"), {}),
    ):
        shown = sidecar(*arguments, env=env)
        assert shown.returncode == 2
        assert len(shown.stderr.splitlines()) == 1, shown.stderr


def _in_a_week() -> str:
    """Return a date in a week, as `sidecar freeze` takes it."""
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + 7 * 86_400))


async def test_acts_and_status_of_a_running_sidecar(tmp_path: Path) -> None:
    """Hold, resume, rollback, approve and reset print their effect; a read token is refused."""
    process = SidecarProcess(tmp_path, LAX)
    async with aiohttp.ClientSession() as session:
        with process:
            await process.ready(session)
            held = process.cli("hold", "--reason", "school holidays")
            assert held.returncode == 0, held.stderr
            assert held.stdout.startswith("ada: hold: nothing climbs until `sidecar resume --hold ")

            async def is_held() -> bool:
                return bool((await process.status(session))["holds"])

            await until(is_held, "the hold is in force")
            status = process.cli("status")
            assert "on hold by ada: school holidays" in status.stdout
            assert "Timers compared with push" in status.stdout
            as_json = process.cli("status", "--json")
            assert json.loads(as_json.stdout)["holds"][0]["reason"] == "school holidays"
            refused = process.cli("resume", "--reason", "x", env={"SIDECAR_TOKEN": READ_TOKEN})
            assert (refused.returncode, "need the role `operate`" in refused.stderr) == (2, True)
            assert process.cli("resume", "--reason", "holidays are over").returncode == 0
            rolled = process.cli("rollback", "--reason", "a feeling", "--json")
            unnamed = process.cli("resume", "--reason", "it was nothing")
            hold = json.loads(rolled.stdout)["seq"]
            assert (unnamed.returncode, f"sidecar resume --hold {hold}" in unnamed.stderr) == (1, True)
            assert process.cli("resume", "--hold", str(hold), "--reason", "it was nothing").returncode == 0
            freeze = ("freeze", "term", "--until", _in_a_week(), "--reason", "exams")
            assert process.cli(*freeze).returncode == 0
            taken = process.cli(*freeze)
            assert (taken.returncode, "replace it with --replace" in taken.stderr) == (1, True)
            assert process.cli(*freeze, "--replace").returncode == 0
            assert process.cli("reset", "--reason", "a new start").returncode == 0
            needless = process.cli("approve", "--reason", "why not")
            assert (needless.returncode, "needs no approval" in needless.stderr) == (1, True)


async def test_a_second_process_on_the_same_journal_and_a_port_in_use_are_refused_in_words(tmp_path: Path) -> None:
    """Each conflict gives one sentence with a remedy, and the first process keeps running."""
    first = SidecarProcess(tmp_path, LAX)
    async with aiohttp.ClientSession() as session:
        with first:
            await first.ready(session)
            second = first.cli("run")
            assert second.returncode == 2
            assert str(first.journal) in second.stderr
            assert "Traceback" not in second.stderr
            other = tmp_path / "other"
            other.mkdir()
            third = SidecarProcess(other, LAX)
            third.config.write_text(third.config.read_text().replace(str(third.public_port), str(first.public_port)))
            port = third.cli("run")
            assert port.returncode == 2
            assert "listen.public: cannot listen on" in port.stderr
            untouched = await SqliteJournal.open(third.journal)
            assert await untouched.read(0, 10) == [], "a start that failed adopts no policy"
            await untouched.close()
            assert (await first.flag(session))["mode"] == "timer_polling"


async def test_a_superseded_policy_returns_only_by_an_operators_word(tmp_path: Path) -> None:
    """A process with an old file does not revert the policy: it serves timers and makes no decisions."""
    process = SidecarProcess(tmp_path, LAX)
    old = process.config.read_text()
    async with aiohttp.ClientSession() as session:
        for text in (old, old.replace("reliability: 75%", "reliability: 80%")):
            process.config.write_text(text)
            with process:
                await process.ready(session)
                assert process.stop() == 0
        process.config.write_text(old)
        with process:

            async def differs() -> bool:
                try:
                    return bool((await process.flag(session))["reason"] == "policy_differs")
                except aiohttp.ClientError:
                    return False

            await until(differs, "timers, because the policy differs")
            async with session.get(f"{process.public}/readyz") as response:
                assert response.status == 503
            assert process.stop() == 0
        assert process.lines("policy.superseded")
        process.start("--adopt-policy", "--reason", "the newer one was wrong")
        with_word = process
        await with_word.ready(session)

        async def is_well() -> bool:
            return bool((await with_word.flag(session))["reason"] == "bottom_rung")

        await until(is_well, "the bottom rung, once it has seen that all is in the journal")
        assert with_word.stop() == 0
