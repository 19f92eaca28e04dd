"""The command that writes the report for the release record."""

import asyncio
import enum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import msgspec
import typer

from sidecar.cli.gate import Url, where
from sidecar.cli.operator_client import Unanswered, ask_at, known_token
from sidecar.cli.program import CANNOT_KNOW, DEFAULT_CONFIG, ConfigFile, cli, fail
from sidecar.console.report import Report, markdown, page
from sidecar.core.facts.policy import Mode


class Format(enum.StrEnum):
    """What the report is written as."""

    HTML = "html"
    MD = "md"
    JSON = "json"


@cli.command()
def report(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    since: Annotated[str, typer.Option("--since", help="How long it reaches back.")] = "30d",
    form: Annotated[Format, typer.Option("--format", help="What it is written as.")] = Format.HTML,
    output: Annotated[Path | None, typer.Option("--output", help="The file to write; else it is printed.")] = None,
    mode: Annotated[Mode, typer.Option("--mode", help="As of `gate`, whose verdict is in it.")] = Mode.PUSH_ONLY,
    span: Annotated[str, typer.Option("--for", help="As of `gate`.")] = "14d",
    environment: Annotated[str, typer.Option("--environment", help="As of `gate`.")] = "",
    url: Url = "",
) -> None:
    """Write what was served, measured and decided: one HTML file without scripts, or Markdown, or JSON."""
    address, named = where(config, url, environment)
    asked = {"since": since, "mode": mode.value, "for": span, "environment": named}
    try:
        body = asyncio.run(ask_at(address, "GET", f"/api/report?{urlencode(asked)}", token=known_token()))
        told = msgspec.json.decode(body, type=Report)
    except Unanswered as error:
        fail(error.message, error.code)
    except msgspec.DecodeError:
        fail(f"what answers at {address} is no sidecar, or one of another version")
    text = {Format.HTML: page, Format.MD: markdown, Format.JSON: _indented}[form](told)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{output}: cannot be written ({error.strerror})", CANNOT_KNOW)
    typer.echo(f"{output}: {told.environment}, {len(text.encode())} bytes")


def _indented(told: Report) -> str:
    return msgspec.json.format(msgspec.json.encode(told)).decode() + "\n"
