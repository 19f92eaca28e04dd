"""The parts that all commands share: the program, common options, output and failure."""

import importlib
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
import typer.core
import typer.main

from sidecar import __version__

if TYPE_CHECKING:
    from rich.console import Console
    from typer._click.core import Command, Context

    from sidecar.config import Config

DEFAULT_CONFIG = Path("sidecar.yaml")
NO = 1
CANNOT_KNOW = 2
SHAPE_VERSION = 1
"""Of what `--json` prints: raised when a field goes, or means something else. New fields keep it."""
# Each command, in the order of the help: the module that has it, and its line there.
COMMANDS = {
    "init": (
        "init",
        "Write a first configuration, with a comment for each key, and generate its secrets.",
    ),
    "run": (
        "run",
        "Run the sidecar until SIGTERM or Ctrl-C.",
    ),
    "demo": (
        "run",
        "Run the sidecar in a simulated world of payers, with a page to watch it, break it and pay.",
    ),
    "test-payment": (
        "test_payment",
        (
            "Send one signed test webhook and an ack through the running sidecar, and print the verdict with each "
            "step's time."
        ),
    ),
    "doctor": (
        "doctor",
        "Find out why a browser cannot subscribe: run one auth probe, or examine a request of the browser.",
    ),
    "check": (
        "check",
        "Check the configuration, and print each problem with its place.",
    ),
    "rules": (
        "check",
        "Print Prometheus' recording and alert rules for this configuration.",
    ),
    "dashboards": (
        "check",
        "Write Grafana's dashboards for this configuration, as files for its provisioning.",
    ),
    "metrics": (
        "check",
        "Print every metric with its type, labels, scope and highest number of series, as Markdown.",
    ),
    "verify": (
        "backup",
        "Verify every page, every record and the chain of the journal, also of a running sidecar.",
    ),
    "backup": (
        "backup",
        "Copy the journal, also of a running sidecar, into one file, and verify the copy.",
    ),
    "restore": (
        "backup",
        "Replace the journal by a backup. The flag starts on the bottom rung, with a hold until `resume --hold`.",
    ),
    "journal": (
        "backup",
        "Begin a new journal on purpose: `sidecar journal init`.",
    ),
    "explain": (
        "explain",
        "Explain the current mode and each gate of the next rung, or a past decision.",
    ),
    "status": (
        "operator_actions",
        "Print the served mode, the gates of the next rung, and the measurements.",
    ),
    "hold": (
        "operator_actions",
        "Forbid climbs until `resume`, beside the holds of others. Falls remain possible.",
    ),
    "approve": (
        "operator_actions",
        (
            "Approve the climb onto the next rung, if it needs approval. An approval is used once, and ends with a "
            "fall or after 7 days."
        ),
    ),
    "rollback": (
        "operator_actions",
        "Serve timers to everybody, and hold until `resume`.",
    ),
    "reset": (
        "operator_actions",
        "Begin a new epoch of every indicator: collect all evidence again, with less risk left to spend.",
    ),
    "resume": (
        "operator_actions",
        "End one hold. The flag climbs when none is left and every other gate passes.",
    ),
    "note": (
        "operator_actions",
        "Add a note to the record, such as a release. It changes nothing else.",
    ),
    "freeze": (
        "operator_actions",
        "Forbid climbs during a window of time, once or every week. Falls remain possible; the freeze ends by itself.",
    ),
    "thaw": (
        "operator_actions",
        "Remove a freeze before it ends by itself.",
    ),
    "override": (
        "operator_actions",
        "Serve one user a mode for a test. What stops push for everybody stops it too; it is never evidence.",
    ),
    "gate": (
        "gate",
        "Check whether the app's timers can be removed: exit code 0 yes, 1 not yet, 2 cannot be known.",
    ),
    "report": (
        "report",
        "Write what was served, measured and decided: one HTML file without scripts, or Markdown, or JSON.",
    ),
    "notifications": (
        "notifications",
        "List the targets for moves, suspensions and alarms; with --test, send each a notification.",
    ),
}

_DONE = "0 done, 2 wrong usage or it cannot be done"
_ACTED = "0 in force, 1 refused as things stand, 2 wrong usage, no answer, or the token does not suffice"
EXITS = {
    "init": _DONE,
    "run": "0 stopped by a signal, 2 it cannot start",
    "demo": "0 done, 1 a step of the story did not complete, 2 wrong usage or it cannot start",
    "test-payment": "0 on time, 1 late, missed or not judged, 2 no verdict: not reached, or refused",
    "doctor": "0 every step passes, 1 a finding of --curl, 2 wrong usage, others name the outcome: see --outcomes",
    "check": "0 good, 1 problems were found, 2 wrong usage or no such file",
    "rules": _DONE,
    "dashboards": _DONE,
    "metrics": _DONE,
    "verify": "0 sound, 1 defects were found, 2 wrong usage or it cannot be read",
    "backup": _DONE,
    "restore": _DONE,
    "journal": _DONE,
    "explain": "0 explained, 2 wrong usage, no such decision, or no answer",
    "status": "0 answered, 2 wrong usage or no answer",
    **dict.fromkeys(("hold", "approve", "rollback", "reset", "resume", "note", "freeze", "thaw", "override"), _ACTED),
    "gate": "0 yes, 1 not yet, 2 cannot be known",
    "report": "0 written, 2 wrong usage, no answer, or the file cannot be written",
    "notifications": "0 listed or all sent, 1 a target did not take its test, 2 wrong usage or none is configured",
}
"""The exit codes of each command, for its help. 130: Ctrl-C."""


class Commands(typer.core.TyperGroup):
    """The commands, of which only the one that is called is imported: the help needs none."""

    def list_commands(self, ctx: "Context") -> list[str]:
        """Return the names in the order of the help."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: "Context", cmd_name: str) -> "Command | None":
        """Return a command for the list of the help."""
        del ctx
        return typer.core.TyperCommand(cmd_name, help=COMMANDS[cmd_name][1]) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: "Context", args: list[str]) -> "tuple[str | None, Command | None, list[str]]":
        """Import the command that is called, and return it."""
        name, command, rest = super().resolve_command(ctx, args)
        if command is None or name is None:
            return name, command, rest
        importlib.import_module(f"sidecar.cli.{COMMANDS[name][0]}")
        called = typer.main.get_group(cli).commands[name]
        called.epilog = f"Exit codes: {EXITS[name]}."
        return name, called, rest


cli = typer.Typer(
    name="sidecar",
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure whether payment push over Laravel Reverb is reliable, and move a feature flag accordingly.",
    epilog="Try it first: `sidecar demo`. Browsers get 403? `sidecar doctor`. Then: `sidecar init`, `sidecar check`, "
    "`sidecar run`, `sidecar status`.",
)
ConfigFile = Annotated[
    Path,
    typer.Option("--config", envvar="SIDECAR_CONFIG", help="The YAML file.", show_default=True),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Reason = Annotated[str, typer.Option("--reason", help="The reason; it stays in the record.")]


def fail(message: str, code: int = CANNOT_KNOW) -> NoReturn:
    """Print a message to the error output, and exit."""
    from rich.console import Console  # noqa: PLC0415 - the help of a command needs none of it

    Console(stderr=True, highlight=False, soft_wrap=True).print(message, style="red", markup=False)
    sys.exit(code)


def command_line(command: str, config: Path) -> str:
    """Return a command as it is typed, with the file of the configuration where it is not the default."""
    named = "" if config == DEFAULT_CONFIG else f" --config {shlex.quote(str(config))}"
    return f"sidecar {command}{named}"


def screen() -> "Console":
    """Return the console for formatted output."""
    from rich.console import Console  # noqa: PLC0415 - likewise

    return Console(highlight=False)


def print_json(command: str, value: object, *, is_indented: bool = False) -> None:
    """Print the result of a command as one JSON object, which begins with the name and the version of its shape."""
    typer.echo(with_shape(command, value, is_indented=is_indented))


def with_shape(command: str, value: object, *, is_indented: bool = False) -> str:
    """Return a struct, or an object that is JSON already, with its shape (docs/json.md)."""
    import msgspec  # noqa: PLC0415 - likewise

    body = value if isinstance(value, bytes) else msgspec.json.encode(value)
    body = b'{"shape":"%s/%d",%s' % (command.encode(), SHAPE_VERSION, body[1:])
    return (msgspec.json.format(body) if is_indented else body).decode()


def read_file(path: Path) -> "Config":
    """Return the configuration. Raises `ConfigInvalid`; exits if the file does not exist."""
    from sidecar.config import read_config  # noqa: PLC0415 - likewise

    if not path.exists():
        fail(
            f"{path}: no such file; write one with `sidecar init`, or name the configuration with --config or "
            "SIDECAR_CONFIG"
        )
    return read_config(path)


@cli.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,  # noqa: FBT002
) -> None:
    """Handle the options before a command."""
    if version:
        typer.echo(f"sidecar {__version__}")
        raise typer.Exit
