"""The command that says why it is as it is."""

import asyncio
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from sidecar.cli.operator_client import ask, known_token
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, cli, fail, read_file
from sidecar.console import explanation_text as telling
from sidecar.console.explanation import Explanation


@cli.command()
def explain(
    decision: Annotated[
        str, typer.Argument(metavar="[DECISION]", help="A record's number, from `/api/decisions`; else the present.")
    ] = "",
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Say in sentences why it is as it is now, and what each gate of the next rung needs; or why it was decided."""
    if decision and not (decision.isascii() and decision.isdecimal()):
        fail("DECISION is a record's number, such as 4711")
    path = f"/api/explanation?decision={decision}" if decision else "/api/explanation"
    body = asyncio.run(ask(read_file(config), "GET", path, token=known_token()))
    if as_json:
        typer.echo(body.decode())
    else:
        telling.print_explanation(Console(highlight=False), msgspec.json.decode(body, type=Explanation))
