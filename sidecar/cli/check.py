"""Commands that check the configuration and print files derived from it; none needs a running sidecar."""

import os
import re
from pathlib import Path
from typing import Annotated

import typer

from sidecar import dashboards, metrics, rules
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, cli, fail, print_json, read_file
from sidecar.composition import kinds_of
from sidecar.config import Config, ConfigInvalid, SqlitePlace, policy_of, read_secrets
from sidecar.core.facts.policy import Lifecycle, policy_hash
from sidecar.core.fold import lifecycle
from sidecar.journal.sqlite.verification import present
from sidecar.ports import SidecarError


@cli.command()
def check(config: ConfigFile = DEFAULT_CONFIG, *, as_json: AsJson = False) -> None:
    """Check the configuration and the secrets, and print each problem with its place."""
    try:
        read = read_file(config)
    except ConfigInvalid as error:
        if as_json:
            print_json({"ok": False, "problems": error.problems})
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
        print_json(answer)
    else:
        is_off = read.lifecycle is Lifecycle.REMOVED
        ladder = "the ladder is off (lifecycle: removed)" if is_off else f"{len(read.ladder)} rungs"
        typer.echo(f"{config}: good. Policy {found[:12]}, {ladder}, environment {read.environment}.")
        for line in (*missing, *filter(None, (refused, unknown))):
            typer.echo(line)
    if missing or refused:
        raise typer.Exit(1)


def _refused(read: Config) -> tuple[str, str]:
    """Return why the journal would refuse this policy now, and why that cannot be known; empty: not so."""
    if read.lifecycle is not Lifecycle.REMOVED or not isinstance(read.journal, SqlitePlace):
        return "", ""
    path = Path(read.journal.path)
    if not path.exists():
        unknown = f"{path} does not exist; `sidecar run` checks it, and refuses an empty journal."
    else:
        try:
            return lifecycle.why_not(present(path), policy_of(read)) or "", ""
        except SidecarError as error:
            unknown = error.message
    return "", f"Whether `lifecycle: removed` is accepted cannot be known: {unknown}"


@cli.command(name="rules")
def print_rules(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    form: Annotated[
        rules.Format, typer.Option("--format", help="For Prometheus itself, or for its operator.")
    ] = rules.Format.PROMETHEUS,
    job: Annotated[str, typer.Option("--job", help="The name of the scrape job in Prometheus.")] = rules.DEFAULT_JOB,
    runbooks: Annotated[
        str,
        typer.Option("--runbooks", help="The URL of the runbooks, such as https://wiki.test/runbooks/."),
    ] = rules.DEFAULT_RUNBOOKS,
) -> None:
    """Print Prometheus' recording and alert rules for this configuration."""
    if re.fullmatch(r"[A-Za-z0-9_./:-]{1,100}", job) is None:
        fail("--job has characters that are not allowed: use A-Z a-z 0-9 _ . / : -")
    typer.echo(rules.printed(rules.terms_of(read_file(config), job=job, runbooks=runbooks), form), nl=False)


@cli.command(name="dashboards")
def write_dashboards(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    output: Annotated[Path, typer.Option("--output", help="The folder for Grafana's provisioning.")] = Path(
        "dashboards"
    ),
    runbooks: Annotated[
        str, typer.Option("--runbooks", help="The URL of the runbooks, as for `sidecar rules`.")
    ] = rules.DEFAULT_RUNBOOKS,
    console: Annotated[
        str, typer.Option("--console", help="The URL of the operator listener in a browser.")
    ] = dashboards.DEFAULT_CONSOLE,
) -> None:
    """Write Grafana's dashboards for this configuration, as files for its provisioning."""
    if re.fullmatch(r"https?://[A-Za-z0-9_./:\[\]~-]{1,200}", console) is None:
        fail("--console is not a URL that begins with http:// or https:// and has no query")
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
        print_json(metrics.catalogue(kinds_of()), is_indented=True)
    else:
        typer.echo(metrics.page(kinds_of()), nl=False)
