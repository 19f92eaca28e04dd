"""Commands that look at the configuration, and print what follows from it: no running sidecar is needed."""

import os
import re
from typing import Annotated

import msgspec
import typer

from sidecar import metrics, rules
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, cli, fail, read_file
from sidecar.composition import SETS
from sidecar.config import ConfigInvalid, policy_of, read_secrets
from sidecar.core.policy import policy_hash
from sidecar.ports import SidecarError


@cli.command()
def check(config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Check the configuration and the secrets, and say each mistake with its place."""
    try:
        read = read_file(config)
    except ConfigInvalid as error:
        if as_json:
            typer.echo(msgspec.json.encode({"ok": False, "problems": error.problems}).decode())
        else:
            typer.echo(error.message)
        raise typer.Exit(1) from None
    found = policy_hash(policy_of(read))
    try:
        read_secrets(os.environ, read)
        missing: list[str] = []
    except SidecarError as error:
        missing = error.message.splitlines()
    if as_json:
        answer = {"ok": not missing, "policy_hash": found, "problems": [], "secrets": missing}
        typer.echo(msgspec.json.encode(answer).decode())
    else:
        typer.echo(f"{config}: good. Policy {found[:12]}, {len(read.ladder)} rungs, environment {read.environment}.")
        for line in missing:
            typer.echo(line)
    if missing:
        raise typer.Exit(1)


@cli.command(name="rules")
def print_rules(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    form: Annotated[rules.Format, typer.Option("--format", help="Who reads them.")] = rules.Format.PROMETHEUS,
    job: Annotated[str, typer.Option("--job", help="Prometheus' name of the scrape job.")] = rules.DEFAULT_JOB,
    runbooks: Annotated[
        str,
        typer.Option("--runbooks", help="Where people find the runbooks, such as https://wiki.example.test/runbooks/."),
    ] = rules.DEFAULT_RUNBOOKS,
) -> None:
    """Print Prometheus' recording and alert rules for this configuration."""
    if re.fullmatch(r"[A-Za-z0-9_./:-]{1,100}", job) is None:
        fail("--job has characters that no job has: use A-Z a-z 0-9 _ . / : -")
    typer.echo(rules.printed(rules.terms_of(read_file(config), job=job, runbooks=runbooks), form), nl=False)


@cli.command(name="metrics")
def describe_metrics(*, as_json: AsJson = False) -> None:
    """Print every metric with its type, labels, scope and highest number of series, as Markdown."""
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(metrics.catalogue(SETS))).decode())
    else:
        typer.echo(metrics.page(SETS), nl=False)
