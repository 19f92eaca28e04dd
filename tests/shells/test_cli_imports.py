"""The command line imports what a command needs, so that its help comes at once."""

import importlib
import os
import subprocess
import sys

import pytest
import typer.main

from sidecar.cli.program import COMMANDS, cli
from tests.waiting import HANGS_AFTER_S

HEAVY = (
    "aiohttp",
    "asyncio",
    "msgspec",
    "yaml",
    "sidecar.config",
    "sidecar.core",
    "sidecar.ports",
    "jinja2",
    "redis",
    "requests",
    "stripe",
    "uvloop",
    "sidecar.app",
    "sidecar.demo",
)
SHOWN = """
import contextlib, sys
from sidecar.cli import main
sys.argv = ["sidecar", *sys.argv[1:]]
with contextlib.suppress(SystemExit):
    main()
print("modules:", *sys.modules)
"""


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["-h"]], ids=" ".join)
def test_version_and_help_import_no_command_and_no_heavy_library(arguments: list[str]) -> None:
    """Neither the sidecar, nor its libraries, nor the module of a command is imported."""
    command = [sys.executable, "-c", SHOWN, *arguments]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=True)
    modules = set(shown.stdout.rpartition("modules: ")[2].split())
    assert "sidecar.cli.program" in modules
    assert modules.isdisjoint(HEAVY)
    assert {name for name in modules if name.startswith("sidecar.cli.")} == {"sidecar.cli.program"}


def test_the_help_lists_each_command_with_its_own_words() -> None:
    """The list has every command that a module registers, where it says, with the first paragraph of its help."""
    for module, _ in COMMANDS.values():
        importlib.import_module(f"sidecar.cli.{module}")
    registered = {
        command.name or getattr(command.callback, "__name__", ""): command for command in cli.registered_commands
    }
    for group in cli.registered_groups:
        assert group.typer_instance is not None
        registered[group.name or ""] = group.typer_instance.registered_commands[0]
    assert set(registered) == set(COMMANDS)
    loaded = typer.main.get_command(cli)
    assert isinstance(loaded, typer.core.TyperGroup)
    for name, (module, words) in COMMANDS.items():
        assert registered[name].callback.__module__ == f"sidecar.cli.{module}"
        help_text = loaded.commands[name].help or ""
        assert " ".join(help_text.split("\n\n")[0].split()) == words


def test_the_shell_completes_commands_and_their_options() -> None:
    """As typer gives it, although a command is imported only when it is called."""
    for words, expected in (("sidecar sta", "status"), ("sidecar status --", "--watch")):
        env = os.environ | {
            "_SIDECAR_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))
        }  # fmt: skip
        command = [sys.executable, "-c", "from sidecar.cli import cli; cli(prog_name='sidecar')"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False, env=env)
        assert expected in shown.stdout.split(), shown.stderr


def test_a_command_is_found_where_only_its_module_is_imported() -> None:
    """A fresh process shows the help of a command, also for `-h`."""
    command = [sys.executable, "-m", "sidecar", "hold", "-h"]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "sidecar hold" in shown.stdout
