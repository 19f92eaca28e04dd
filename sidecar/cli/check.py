"""Commands that check the configuration and print files derived from it; none needs a running sidecar."""

import os
import re
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sidecar import dashboards, metrics, rules
from sidecar.cli.program import DEFAULT_CONFIG, AsJson, ConfigFile, cli, fail, print_json, read_file
from sidecar.composition import kinds_of
from sidecar.config import Config, ConfigInvalid, SqlitePlace, policy_of, read_secrets
from sidecar.core.facts.meaning import carried, changed_keys, why_not_here
from sidecar.core.facts.policy import Lifecycle, Policy, policy_hash
from sidecar.core.fold import lifecycle
from sidecar.core.fold.state import State
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
    effect = _effect(read)
    try:
        read_secrets(os.environ, read)
        missing: list[str] = []
    except SidecarError as error:
        missing = error.message.splitlines()
    is_good = not missing and not effect.refused
    if as_json:
        answer = {
            "ok": is_good,
            "policy_hash": found,
            "problems": [],
            "secrets": missing,
            "refused": effect.refused or None,
            "changed": effect.changed,
            "effect": effect.sentence or None,
        }
        print_json(answer)
    else:
        is_off = read.lifecycle is Lifecycle.REMOVED
        ladder = "the ladder is off (lifecycle: removed)" if is_off else f"{len(read.ladder)} rungs"
        typer.echo(f"{config}: good. Policy {found[:12]}, {ladder}, environment {read.environment}.")
        for line in (*missing, *filter(None, (effect.refused, effect.sentence))):
            typer.echo(line)
    if not is_good:
        raise typer.Exit(1)


class _Effect(msgspec.Struct, frozen=True, kw_only=True):
    """What a start with this configuration would do to the evidence and the rung of its journal."""

    refused: str = ""
    """Why the journal would refuse the policy now; empty: it would not."""
    changed: tuple[str, ...] = ()
    """The keys by which an outcome would mean something else."""
    sentence: str = ""
    """Empty: the policy is in force, or there is no journal to compare with."""


def _effect(read: Config) -> _Effect:
    """Compare the configuration with the policy that is in force in its journal, which is only read."""
    if not isinstance(read.journal, SqlitePlace):
        return _Effect()
    path, is_removed = Path(read.journal.path), read.lifecycle is Lifecycle.REMOVED
    if not path.exists():
        unknown = f"{path} does not exist; `sidecar run` checks it, and refuses an empty journal."
        return _Effect(sentence=f"{_UNKNOWN} {unknown}" if is_removed else "")
    try:
        state = present(path)
    except SidecarError as error:
        return _Effect(sentence=f"{_UNKNOWN if is_removed else _NOT_COMPARED} {error.message}")
    policy = policy_of(read) if state.policy is None else carried(policy_of(read), state.policy)
    refused = why_not_here(state.policy, policy) or lifecycle.why_not(state, policy)
    if refused:
        return _Effect(refused=refused)
    wanted = policy_hash(policy_of(read))
    if state.policy is None or state.measured is None or state.policy_hash == wanted:
        return _Effect()
    changed = changed_keys(state.measured, policy)
    sentence = _sentence(state, state.policy, policy, changed, is_known=wanted in state.policies)
    return _Effect(changed=changed, sentence=sentence)


_UNKNOWN = "Whether `lifecycle: removed` is accepted cannot be known:"
_NOT_COMPARED = "The policy cannot be compared with that of the journal:"


def _sentence(state: State, before: Policy, policy: Policy, changed: tuple[str, ...], *, is_known: bool) -> str:
    """Return what adopting the policy would do."""
    if changed:
        effect = (
            f"{', '.join(changed)} changed, so an outcome means something else: the flag moves to the bottom rung "
            f"(now: rung {state.flag.rung}), and every indicator begins a new epoch"
        )
    elif before.proof != policy.proof:
        effect = "What must be proven changed: every indicator begins a new epoch, and the rung is kept"
    else:
        effect = "The evidence is kept"
    if policy.ladder != before.ladder or policy.dry_run != before.dry_run:
        effect += "; the ladder or the dry run changed too, which may move the flag down"
    if is_known:
        effect += ". It was in force before: it returns only with `sidecar run --adopt-policy --reason '...'`"
    return f"The policy differs from the one in force in the journal. {effect}."


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
