"""The command that explains the current state or a decision."""

from typing import Annotated

import typer

from sidecar.cli.operator_client import get_or_fail
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, cli, print_json, screen
from sidecar.console.explanation import Explanation
from sidecar.console.explanation_text import print_explanation


@cli.command()
def explain(
    decision: Annotated[
        int | None,
        typer.Argument(metavar="DECISION", min=1, help="A record number of `/api/decisions`; default: the present."),
    ] = None,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    as_json: AsJson = False,
) -> None:
    """Explain the current mode and each gate of the next rung, or a past decision."""
    path = f"/api/explanation?decision={decision}" if decision else "/api/explanation"
    body, found = get_or_fail(config, path, Explanation)
    if as_json:
        print_json("explain", body)
    else:
        print_explanation(screen(), found)
