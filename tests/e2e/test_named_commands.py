"""Every command that an output names runs as it is printed: none has a missing option, argument or value."""

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from typer.testing import CliRunner

from sidecar.cli import cli
from sidecar.cli.program import COMMANDS
from tests.e2e.processes import SidecarProcess
from tests.e2e.test_main_job import LAX

ROOT = Path(__file__).parents[2]
_VALUE = r"(?:'[^']*'|\{[^}]*\}|[A-Z][A-Z_]*|[a-z0-9./:+-]+)"
_WORDS = rf"(?: (?:--?[a-z][a-z-]*(?:[= ]{_VALUE})?|'[^']*'|\{{[^}}]*\}}|[A-Z][A-Z_]+))*"
COMMAND = re.compile(rf"\bsidecar ({'|'.join(COMMANDS)})\b(?: init\b)?{_WORDS}")
EXAMPLES = {
    "FILE": "backup.db", "JOURNAL": "sidecar.db", "ID": "4711", "NAME": "term", "HEAD": "0123456789abcdef",
    "VERSION": "1.2.3", "KEY": "key", "DECISION": "12", "URL": "http://localhost", "...": "a reason", "…": "a reason",
}  # fmt: skip
BEGINNINGS = {"sidecar resume --hold {value}"}
"""Of commands that are printed with a reason after them."""
USAGE = ("Usage: sidecar", "No such option", "Missing", "requires an argument", "Got unexpected")


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a file: of Python its strings, whose values are in braces; of a template all of it."""
    if path.suffix != ".py":
        yield re.sub(r"\{\{.*?\}\}", "0123456789abcdef", re.sub(r"<[^>]+>", "`", path.read_text()))
        return
    tree = ast.parse(path.read_text())
    parts_of = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if id(node) in parts_of:
            continue
        if isinstance(node, ast.JoinedStr):
            parts = (each.value if isinstance(each, ast.Constant) else "{value}" for each in node.values)
            yield "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def named() -> dict[str, str]:
    """Return every command that the package names with an option or an argument, and where it is named first."""
    found: dict[str, str] = {}
    paths = [*(ROOT / "sidecar").rglob("*.py"), *(ROOT / "sidecar").rglob("*.html")]
    for path in sorted(paths):
        for text in texts(path):
            for match in COMMAND.finditer(" ".join(text.split())):
                if match[0] not in {f"sidecar {match[1]}", "sidecar journal init", *BEGINNINGS}:
                    found.setdefault(match[0], str(path.relative_to(ROOT)))
    return found


NAMED = named()


def filled(command: str) -> list[str]:
    """Return the words of a command, with an example for each placeholder."""
    words = shlex.split(command)[1:]
    filled = [EXAMPLES.get(word, "4711" if "{" in word else word) for word in words]
    for option, value in (("--mode", "push_only"), ("--for", "14d")):
        if option in filled:
            filled[filled.index(option) + 1] = value
    return filled


def test_the_commands_are_found() -> None:
    """A collector that finds nothing proves nothing."""
    assert len(NAMED) > 20
    assert any(command.startswith("sidecar verify --head") for command in NAMED)
    assert any(command.startswith("sidecar approve --reason") for command in NAMED)
    assert "sidecar check --here" in NAMED


@pytest.mark.parametrize("command", NAMED)
def test_a_named_command_runs_as_it_is_printed(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder it may fail for what is not there, and never for how it is written."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIDECAR_CONFIG", raising=False)
    ended = CliRunner().invoke(cli, filled(command))
    error = "" if isinstance(ended.exception, SystemExit) else str(ended.exception or "")
    said = f"{ended.output}{error}"
    assert not any(usage in said for usage in USAGE), (NAMED[command], said)


async def test_the_commands_of_a_running_sidecar_do_what_they_say(tmp_path: Path) -> None:
    """What `status` prints for the head of the chain and for a hold; and the run ends with one line that says why."""
    process = SidecarProcess(tmp_path, LAX)
    async with aiohttp.ClientSession() as session:
        with process:
            await process.ready(session)
            held = process.cli("hold", "--reason", "a test").stdout
            shown = " ".join(process.cli("status").stdout.split())
            verify = re.search(r"sidecar (verify --head [0-9a-f]{16,})", shown)
            lift = re.search(r"to lift it: sidecar (resume --hold \d+ --reason '\.\.\.')", shown)
            assert verify is not None
            assert lift is not None
            assert lift[1] in held
            reason = lift[1].replace("...", "it is over")
            for words in (verify[1], reason):
                ran = process.cli(*shlex.split(words))
                assert ran.returncode == 0, (words, ran.stdout, ran.stderr)
            assert not (await process.status(session))["holds"]
            assert process.stop() == 0
    last = json.loads(process.log.read_text().splitlines()[-1])
    assert (last["event"], last["why"]) == ("sidecar.stopped", "SIGTERM was received")
    assert f"is in sqlite:{process.journal}" in last["message"]
