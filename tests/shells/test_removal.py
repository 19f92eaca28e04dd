"""The page about removing the timers: every command exists, with its options."""

import importlib
import re
from pathlib import Path

import typer

from sidecar.cli.program import COMMANDS, cli

PAGES = [Path(__file__).parents[2] / "docs" / name for name in ("removal.md", "notifications.md")]
CALLED = re.compile(r"(?:^ *|`)sidecar ([a-z]+)([^`#\n]*)", flags=re.MULTILINE)


def test_every_command_of_the_page_exists_with_its_options() -> None:
    """The page is followed once, step by step."""
    for module, _ in COMMANDS.values():
        importlib.import_module(f"sidecar.cli.{module}")
    known = {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in typer.main.get_command(cli).commands.items()  # type: ignore[attr-defined]
    }
    called = [found for page in PAGES for found in CALLED.findall(page.read_text())]
    assert len(called) > 15
    for command, words in called:
        assert command in known, f"sidecar {command}"
        assert set(re.findall(r"--[a-z-]+", words)) <= known[command], f"sidecar {command}{words}"
