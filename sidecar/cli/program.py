"""What all commands share: the program that they belong to, its options, and how it fails."""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

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
    help="Proves that payment push over Laravel Reverb can be trusted, and moves a feature flag accordingly.",
    epilog="Try it first: `sidecar demo`. Browsers get 403? `sidecar doctor`. Then: `sidecar check`, `sidecar run`, "
    "`sidecar status`.",
)
ConfigFile = Annotated[
    Path,
    typer.Option("--config", envvar="SIDECAR_CONFIG", help="The YAML file.", show_default=True),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it stands in the record for ever.")]


def fail(message: str, code: int = CANNOT_KNOW) -> NoReturn:
    """Print a sentence to the error output, and exit."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(message, style="red", markup=False)
    sys.exit(code)


def read_file(path: Path) -> Config:
    """Return the configuration. Raises `ConfigInvalid`; exits where there is no such file."""
    if not path.exists():
        fail(f"{path}: there is no such file; name the configuration with --config or SIDECAR_CONFIG")
    return read_config(path)


@cli.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,  # noqa: FBT002
) -> None:
    """Take what goes before a command."""
    if version:
        typer.echo(f"sidecar {__version__}")
        raise typer.Exit
