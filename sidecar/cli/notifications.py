"""The command that lists the notification targets, and tests them."""

import asyncio
import os
from typing import Annotated

import typer

from sidecar.cli.program import CANNOT_KNOW, DEFAULT_CONFIG, NO, AsJson, ConfigFile, cli, fail, print_json, read_file
from sidecar.cli.results import Listed, ListedTarget, Tested
from sidecar.config import NotificationTarget, read_notification_secrets
from sidecar.notifications import Attempt, targets_of, try_targets


@cli.command(name="notifications")
def show_notifications(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    test: Annotated[bool, typer.Option("--test", help="Send one test notification to each target.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the targets for moves, suspensions and alarms; with --test, send each a notification."""
    read = read_file(config)
    if read.notifications is None:
        fail(f"{config}: no notification targets; add `notifications` (docs/notifications.md)", CANNOT_KNOW)
    targets = targets_of(read.notifications, read_notification_secrets(os.environ, read))
    if not test and as_json:
        print_json("notifications", Listed(targets=tuple(map(_listed, read.notifications.targets))))
        return
    if not test:
        for each in read.notifications.targets:
            key = f", with the key {each.stem}_KEY" if each.needs_key else ""
            typer.echo(f"{each.name} ({each.kind}): sent to {each.stem}_URL{key}")
        return
    tried = asyncio.run(try_targets(read, targets))
    if as_json:
        print_json("notifications", Tested(tested=tuple(tried)))
    else:
        for one in tried:
            typer.echo(f"{one.name} ({one.kind}): {one.sentence}")
    if any(one.attempt is not Attempt.SENT for one in tried):
        raise typer.Exit(NO)


def _listed(target: NotificationTarget) -> ListedTarget:
    key = f"{target.stem}_KEY" if target.needs_key else None
    return ListedTarget(name=target.name, kind=target.kind, url_variable=f"{target.stem}_URL", key_variable=key)
