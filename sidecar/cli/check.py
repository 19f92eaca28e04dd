"""Commands that look at the configuration, and print what follows from it: no running sidecar is needed."""

import os
import re
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sidecar import dashboards, metrics, rules
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, cli, fail, read_file
from sidecar.composition import kinds_of
from sidecar.config import Config, ConfigInvalid, SqlitePlace, policy_of, read_secrets
from sidecar.core.facts.policy import Lifecycle, policy_hash
from sidecar.core.fold import lifecycle
from sidecar.journal.sqlite.verification import present
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
    refused, unknown = _refused(read)
    try:
        read_secrets(os.environ, read)
        missing: list[str] = []
    except SidecarError as error:
        missing = error.message.splitlines()
    if as_json:
        is_good = not missing and not refused
        answer = {"ok": is_good, "policy_hash": found, "problems": [], "secrets": missing, "refused": refused or None}
        typer.echo(msgspec.json.encode(answer).decode())
    else:
        is_off = read.lifecycle is Lifecycle.REMOVED
        ladder = "the ladder is off (lifecycle: removed)" if is_off else f"{len(read.ladder)} rungs"
        typer.echo(f"{config}: good. Policy {found[:12]}, {ladder}, environment {read.environment}.")
        for line in (*missing, *filter(None, (refused, unknown))):
            typer.echo(line)
    if missing or refused:
        raise typer.Exit(1)


def _refused(read: Config) -> tuple[str, str]:
    """Return why the journal would refuse this policy as things stand, and why that cannot be known; empty: neither."""
    if read.lifecycle is not Lifecycle.REMOVED or not isinstance(read.journal, SqlitePlace):
        return "", ""
    path = Path(read.journal.path)
    if not path.exists():
        asked = "`sidecar run` asks it, and refuses on an empty one"
        return (
            "",
            f"Whether `lifecycle: removed` is accepted is for the journal to say, and {path} is not here: {asked}.",
        )
    try:
        return lifecycle.why_not(present(path), policy_of(read)) or "", ""
    except SidecarError as error:
        return "", f"Whether `lifecycle: removed` is accepted cannot be known: {error.message}"


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


@cli.command(name="dashboards")
def write_dashboards(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    output: Annotated[Path, typer.Option("--output", help="The folder that Grafana provisions from.")] = Path(
        "dashboards"
    ),
    runbooks: Annotated[
        str, typer.Option("--runbooks", help="Where people find the runbooks, as for `sidecar rules`.")
    ] = rules.DEFAULT_RUNBOOKS,
    console: Annotated[
        str, typer.Option("--console", help="Where people's browsers find the operator listener.")
    ] = dashboards.DEFAULT_CONSOLE,
) -> None:
    """Write Grafana's dashboards for this configuration, as files for its provisioning."""
    if re.fullmatch(r"https?://[A-Za-z0-9_./:\[\]~-]{1,200}", console) is None:
        fail("--console is not the address of a page: it begins with http:// or https://, and has no query")
    shown = dashboards.shown_of(read_file(config), runbooks=runbooks, console=console)
    try:
        for path in dashboards.write(output, shown):
            typer.echo(path)
    except OSError as error:
        fail(f"--output: {error.filename} cannot be written ({error.strerror})")


@cli.command(name="metrics")
def describe_metrics(*, as_json: AsJson = False) -> None:
    """Print every metric with its type, labels, scope and highest number of series, as Markdown."""
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(metrics.catalogue(kinds_of()))).decode())
    else:
        typer.echo(metrics.page(kinds_of()), nl=False)
