"""`--json`: what each command prints matches its documented, versioned shape."""

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import jsonschema_rs
import pytest
from typer.testing import CliRunner

from sidecar.cli import cli
from sidecar.cli.program import COMMANDS, EXITS
from sidecar.cli.shapes import SHAPES, schema
from tests.e2e.processes import SECRETS, SidecarProcess, free_port
from tests.e2e.test_main_job import LAX

ROOT = Path(__file__).parents[2]
DOCUMENTED = json.loads((ROOT / "docs" / "cli.schema.json").read_text())
WITHOUT_JSON = {"run", "rules"}
WHY = ("--reason", "a test")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in an empty folder, with the secrets of the tests."""
    monkeypatch.chdir(tmp_path)
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return iter((None,))


def printed(command: str, *arguments: str, codes: tuple[int, ...] = (0,), form: str = "--json") -> dict[str, Any]:
    """Run a command, and return its JSON, validated against the documented shape."""
    ended = CliRunner().invoke(cli, [command, *arguments, *form.split()])
    assert ended.exit_code in codes, (command, ended.output, ended.exception)
    found: dict[str, Any] = json.loads(ended.stdout)
    assert next(iter(found)) == "shape", "it comes first"
    validate(command, found)
    return found


def validate(command: str, found: object) -> None:
    """Fail unless this is the documented JSON of a command."""
    document = {**DOCUMENTED, "$ref": f"#/$defs/{command}"}
    errors = [
        f"{error.instance_path}: {error.message}" for error in jsonschema_rs.validator_for(document).iter_errors(found)
    ]
    assert not errors, (command, errors[:3])


def test_the_documented_schema_is_that_of_the_code() -> None:
    """`python -m sidecar.cli.shapes > docs/cli.schema.json` regenerates it."""
    assert json.loads(json.dumps(schema(), sort_keys=True)) == DOCUMENTED


def test_every_command_has_a_shape_a_row_on_the_page_and_exit_codes() -> None:
    """A command that prints prose prints JSON too; only `run` and `rules` have another output."""
    page = (ROOT / "docs" / "json.md").read_text()
    assert set(SHAPES) == set(COMMANDS) - WITHOUT_JSON
    assert set(EXITS) == set(COMMANDS)
    for command in COMMANDS:
        assert re.search(rf"`(sidecar )?{command}( --headless| init)?`", page), command
        shown = CliRunner().invoke(cli, [command, "--help"])
        assert " ".join(f"Exit codes: {EXITS[command]}.".split()) in " ".join(shown.stdout.split()), command


def test_the_schema_refuses_another_shape() -> None:
    """Otherwise the other tests prove nothing."""
    check = jsonschema_rs.validator_for({**DOCUMENTED, "$ref": "#/$defs/check"})
    assert check.is_valid({"shape": "check/1", "ok": True, "policy_hash": None, "problems": [], "blocked": []})
    assert not check.is_valid({"shape": "check/2", "ok": True})
    assert not check.is_valid({"shape": "check/1", "ok": "yes"})
    assert not check.is_valid({"ok": True})


def test_commands_that_need_no_running_sidecar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From an empty folder to a backup; also where something is wrong."""
    made = printed("init", "--public", f"127.0.0.1:{free_port()}", "--operator", f"127.0.0.1:{free_port()}")
    assert made["config"] == "sidecar.yaml"
    assert printed("check")["here"] is None
    assert printed("check", "--here")["ok"] is True
    broken = tmp_path / "broken.yaml"
    broken.write_text("environment: [x]\nlease: 30s\n")
    assert printed("check", "--config", str(broken), codes=(1,))["problems"]
    printed("metrics")
    assert len(printed("dashboards", "--output", "made")["files"]) == 5
    with Path("sidecar.yaml").open("a") as file:
        file.write("notifications: {targets: [{name: ops, kind: slack}]}\n")
    monkeypatch.setenv("SIDECAR_NOTIFICATION_OPS_URL", "http://127.0.0.1:1/")
    assert printed("notifications")["targets"][0]["key_variable"] is None
    assert printed("notifications", "--test", codes=(1,))["tested"][0]["attempt"] != "sent"
    assert printed("gate", codes=(2,))["answer"] == "cannot_know"
    options = ("--url", "ws://127.0.0.1:1", "--app-key", "k", "--origin", "http://localhost", "--user-id", "1")
    endpoint = ("--auth-endpoint", "http://127.0.0.1:1/broadcasting/auth")
    assert printed("doctor", *options, *endpoint, codes=tuple(range(3, 126)))["outcome"] == "connection_refused"
    assert printed("test-payment", codes=(2,))["steps"][0]["is_ok"] is False


async def test_commands_to_a_running_sidecar_and_its_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads, every operator action, and then the journal's file."""
    process = SidecarProcess(tmp_path, LAX)
    monkeypatch.setenv("SIDECAR_CONFIG", str(process.config))
    async with aiohttp.ClientSession() as session:
        with process:
            await process.ready(session)
            await asyncio.to_thread(_reads_and_actions)
            assert process.stop() == 0
    assert printed("verify")["defects"] == []
    assert printed("backup", "copy.db")["path"] == "copy.db"
    assert printed("restore", "copy.db", "--replace", *WHY)["aside"]
    assert printed("journal", "init", "--replace", *WHY)["aside"]


def _reads_and_actions() -> None:
    assert printed("test-payment")["outcome"] == "on_time"
    assert printed("status")["environment"] == "end-to-end"
    assert printed("explain")["seq"] is None
    assert printed("gate", codes=(1, 2))["checks"]
    printed("report", form="--format json")
    seq = printed("hold", *WHY)["seq"]
    printed("explain", str(seq))
    printed("resume", *WHY, "--hold", str(seq))
    printed("note", *WHY, "--release", "1.2.3")
    day = datetime.fromtimestamp(printed("status")["now_ms"] / 1000, UTC) + timedelta(days=7)
    printed("override", "7")
    printed("freeze", "term", "--until", f"{day:%Y-%m-%d}", *WHY)
    printed("thaw", "term", *WHY)
    printed("reset", *WHY)
    rolled = printed("rollback", *WHY)["seq"]
    printed("resume", *WHY, "--hold", str(rolled))
