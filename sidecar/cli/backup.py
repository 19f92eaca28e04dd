"""Commands that keep the journal's file: defect it, copy it, bring it back."""

import re
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sidecar.cli.program import DEFAULT_CONFIG, NO, AsJson, ConfigFile, Reason, cli, fail, read_file
from sidecar.config import SqlitePlace
from sidecar.journal.sqlite.backup import backup as make_backup
from sidecar.journal.sqlite.backup import restore as restore_backup
from sidecar.journal.sqlite.verification import inspect


@cli.command()
def verify(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    head: Annotated[
        str, typer.Option("--head", help="A head of the chain that was noted, whole or its first 16 digits or more.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Check the journal, also of a running sidecar: every page, every record, what they give, and the chain."""
    if head and re.fullmatch(r"[0-9a-fA-F]{16,64}", head) is None:
        fail("--head is 16 to 64 hex digits, as a notification, a report or `sidecar verify` printed them")
    found = inspect(_journal_path(config), head.lower())
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
    else:
        for defect in found.defects:
            typer.echo(defect)
        snapshot = "no snapshot" if found.snapshot_seq is None else f"the snapshot of record {found.snapshot_seq}"
        verdict = "NOT SOUND: restore it from a backup, with `sidecar restore FILE`" if found.defects else "sound"
        typer.echo(
            f"{found.path}: {found.records} records up to {found.last_seq}, {found.bytes} bytes, "
            f"compared with {snapshot}: {verdict}."
        )
        typer.echo(
            f"Decisions, actions and policies: {found.links}; the head of their chain is {found.head or 'none'}."
        )
        if found.noted_seq is not None:
            verdict = "what is wrong stands above" if found.defects else "all up to it is as it was then"
            typer.echo(f"The head that was noted is that of record {found.noted_seq}: {verdict}.")
    if found.defects:
        raise typer.Exit(NO)


@cli.command()
def backup(
    to: Annotated[Path, typer.Argument(metavar="TO", help="The file to write.")],
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the journal, also of a running sidecar, into one file, and defect the copy."""
    found = make_backup(_journal_path(config), to, is_forced=force)
    if as_json:
        typer.echo(msgspec.json.encode(msgspec.structs.replace(found, path=str(to))).decode())
    else:
        typer.echo(f"{to}: {found.records} records up to {found.last_seq}, {found.bytes} bytes, sound.")


@cli.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="A file that `backup` wrote.")],
    reason: Reason,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Set a journal that is there aside.")] = False,
) -> None:
    """Put a backup in the journal's place. The flag begins on the bottom rung, and holds until `resume`."""
    path = _journal_path(config)
    aside = restore_backup(source, path, reason=reason, is_replacing=replace)
    if aside is not None:
        typer.echo(f"{aside}: the journal that was there")
    typer.echo(
        f"{path}: restored. Start the sidecar; when you have seen that all is well: sidecar resume --reason '...'"
    )


def _journal_path(config: Path) -> Path:
    place = read_file(config).journal
    if not isinstance(place, SqlitePlace):
        fail(f"{config}: `journal` is no file, so there is nothing to look at: it ends with the process")
    return Path(place.path)
