"""The command that writes the report for the release record."""

import enum
import os
import stat
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from sidecar.cli.operator_client import Unanswered, Url, address_and_environment, get
from sidecar.cli.program import CANNOT_KNOW, DEFAULT_CONFIG, ConfigFile, cli, fail, with_shape
from sidecar.console.report import Report, markdown, page
from sidecar.core.facts.policy import Mode
from sidecar.journal.sqlite.lock import PRIVATE


class Format(enum.StrEnum):
    """The format of a report."""

    HTML = "html"
    MD = "md"
    JSON = "json"


@cli.command()
def report(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    since: Annotated[str, typer.Option("--since", help="The period of the report.")] = "30d",
    form: Annotated[Format, typer.Option("--format", help="The format.")] = Format.HTML,
    output: Annotated[
        Path | None, typer.Option("--output", help="The file to write; default: standard output.")
    ] = None,
    mode: Annotated[
        Mode, typer.Option("--mode", metavar="MODE", help="For the release check in the report, as for `gate`.")
    ] = Mode.PUSH_ONLY,
    span: Annotated[str, typer.Option("--for", help="For the release check, as for `gate`.")] = "14d",
    environment: Annotated[str, typer.Option("--environment", help="As for `gate`.")] = "",
    url: Url = "",
) -> None:
    """Write what was served, measured and decided: one HTML file without scripts, or Markdown, or JSON."""
    address, named = address_and_environment(config, url, environment)
    query = {"since": since, "mode": mode.value, "for": span, "environment": named}
    try:
        _, found = get(address, f"/api/report?{urlencode(query)}", Report)
    except Unanswered as error:
        fail(error.message, error.code)
    text = {Format.HTML: page, Format.MD: markdown, Format.JSON: _indented}[form](found)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        _write(output, text)
    except OSError as error:
        fail(f"{output}: cannot be written ({error.strerror})", CANNOT_KNOW)
    typer.echo(f"{output}: {found.environment}, {len(text.encode())} bytes")


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner can read: a report names people and their reasons. Raises `OSError`."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE), "w", encoding="utf-8") as file:
        if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            os.fchmod(file.fileno(), PRIVATE)
        file.write(text)


def _indented(report: Report) -> str:
    return with_shape("report", report, is_indented=True) + "\n"
