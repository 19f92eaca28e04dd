"""The parts that all commands share: the program, common options, output and failure."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer
from rich.console import Console

from sidecar import __version__
from sidecar.config import Config, read_config

DEFAULT_CONFIG = Path("config/sidecar.yaml")
NO = 1
CANNOT_KNOW = 2

cli = typer.Typer(
    name="sidecar",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Measure whether payment push over Laravel Reverb is reliable, and move a feature flag accordingly.",
    epilog="Try it first: `sidecar demo`. Browsers get 403? `sidecar doctor`. Then: `sidecar check`, `sidecar run`, "
    "`sidecar status`.",
)
ConfigFile = Annotated[
    Path,
    typer.Option("--config", envvar="SIDECAR_CONFIG", help="The YAML file.", show_default=True),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Reason = Annotated[str, typer.Option("--reason", help="The reason; it stays in the record.")]


def fail(message: str, code: int = CANNOT_KNOW) -> NoReturn:
    """Print a message to the error output, and exit."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(message, style="red", markup=False)
    sys.exit(code)


def screen() -> Console:
    """Return the console for formatted output."""
    return Console(highlight=False)


def print_json(value: object, *, is_indented: bool = False) -> None:
    """Print a value as JSON."""
    body = msgspec.json.encode(value)
    typer.echo((msgspec.json.format(body) if is_indented else body).decode())


def read_file(path: Path) -> Config:
    """Return the configuration. Raises `ConfigInvalid`; exits if the file does not exist."""
    if not path.exists():
        fail(f"{path}: no such file; name the configuration with --config or SIDECAR_CONFIG")
    return read_config(path)


@cli.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,  # noqa: FBT002
) -> None:
    """Handle the options before a command."""
    if version:
        typer.echo(f"sidecar {__version__}")
        raise typer.Exit
