"""Commands that check the configuration and print files derived from it; none needs a running sidecar."""

import os
import re
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sidecar import dashboards, metrics, rules
from sidecar.cli.here import Here, here
from sidecar.cli.program import DEFAULT_CONFIG, NO, AsJson, ConfigFile, cli, fail, print_json, read_file
from sidecar.cli.results import WrittenFiles
from sidecar.composition import kinds_of
from sidecar.config import Config, ConfigInvalid, Problem, blocked_by_browsers, policy_of
from sidecar.core.facts.policy import Lifecycle, policy_hash


@cli.command()
def check(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    is_here: Annotated[
        bool, typer.Option("--here", help="Check also whether `sidecar run` could work on this machine.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check the configuration, and print each problem with its place.

    Without `--here` the file alone is judged, as in a pipeline. With it also the secrets in the environment, the
    journal, what the policy would do to its evidence, and the addresses of the listeners.
    """
    try:
        read = read_file(config)
    except ConfigInvalid as error:
        if as_json:
            print_json("check", Checked(ok=False, problems=error.problems))
        else:
            typer.echo(error.message)
        raise typer.Exit(NO) from None
    found = here(read, os.environ) if is_here else Here()
    blocked = blocked_by_browsers(read)
    if as_json:
        checked = Checked(
            ok=found.is_good,
            policy_hash=policy_hash(policy_of(read)),
            blocked=blocked,
            here=found if is_here else None,
        )
        print_json("check", checked)
    else:
        _print(config, read, found, blocked, is_here=is_here)
    if not found.is_good:
        raise typer.Exit(NO)


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on a configuration; `--json` prints it."""

    ok: bool
    policy_hash: str | None = None
    problems: tuple[Problem, ...] = ()
    """Problems of the file."""
    blocked: tuple[str, ...] = ()
    """Addresses that browsers block, as sentences; they do not change the verdict."""
    here: Here | None = None
    """What this machine adds; None: it was not examined."""


def _print(config: Path, read: Config, found: Here, blocked: tuple[str, ...], *, is_here: bool) -> None:
    is_off = read.lifecycle is Lifecycle.REMOVED
    ladder = "the ladder is off (lifecycle: removed)" if is_off else f"{len(read.ladder)} rungs"
    policy = policy_hash(policy_of(read))[:12]
    typer.echo(f"{config}: good. Policy {policy}, {ladder}, environment {read.environment}.")
    for line in (*(f"Blocked by browsers: {each}" for each in blocked), *found.secrets, *found.machine, *found.notes):
        typer.echo(line)
    for line in filter(None, (found.refused, found.effect)):
        typer.echo(line)
    if is_here and found.is_good and not found.notes:
        typer.echo("This machine: good. `sidecar run` can start.")
    elif not is_here:
        typer.echo("The file alone was judged; for this machine and its secrets: sidecar check --here")


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
    as_json: AsJson = False,
) -> None:
    """Write Grafana's dashboards for this configuration, as files for its provisioning."""
    if re.fullmatch(r"https?://[A-Za-z0-9_./:\[\]~-]{1,200}", console) is None:
        fail("--console is not a URL that begins with http:// or https:// and has no query")
    shown = dashboards.shown_of(read_file(config), runbooks=runbooks, console=console)
    try:
        paths = tuple(str(path) for path in dashboards.write(output, shown))
    except OSError as error:
        fail(f"--output: {error.filename} cannot be written ({error.strerror})")
    if as_json:
        print_json("dashboards", WrittenFiles(files=paths))
    else:
        typer.echo("\n".join(paths))


@cli.command(name="metrics")
def describe_metrics(*, as_json: AsJson = False) -> None:
    """Print every metric with its type, labels, scope and highest number of series, as Markdown."""
    if as_json:
        print_json("metrics", metrics.catalogue(kinds_of()), is_indented=True)
    else:
        typer.echo(metrics.page(kinds_of()), nl=False)
