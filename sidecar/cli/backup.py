"""Commands for the journal's file: verify, back up, restore, begin anew."""

import contextlib
import re
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from sidecar.cli.program import (
    COMMANDS,
    DEFAULT_CONFIG,
    NO,
    AsJson,
    ConfigFile,
    Reason,
    cli,
    fail,
    print_json,
    read_file,
)
from sidecar.cli.reason import checked
from sidecar.cli.results import Restored
from sidecar.config import SqlitePlace, policy_of
from sidecar.core.facts.meaning import why_not_here
from sidecar.journal.sqlite.backup import backup as make_backup
from sidecar.journal.sqlite.backup import begin_anew
from sidecar.journal.sqlite.backup import restore as restore_backup
from sidecar.journal.sqlite.mark import Marks
from sidecar.journal.sqlite.verification import inspect, present
from sidecar.ports import SidecarError


@cli.command()
def verify(
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    head: Annotated[str, typer.Option("--head", help="A former head of the chain, at least its first 16 digits.")] = "",
    as_json: AsJson = False,
) -> None:
    """Verify every page, every record and the chain of the journal, also of a running sidecar."""
    if head and re.fullmatch(r"[0-9a-fA-F]{16,64}", head) is None:
        fail("--head is 16 to 64 hex digits; a notification, a report and `sidecar verify` have them")
    place = _journal(config)
    path = Path(place.path).resolve()
    found = inspect(path, head.lower(), Marks(path, _second_mark(place)))
    if as_json:
        print_json("verify", found)
    else:
        for defect in found.defects:
            typer.echo(defect)
        snapshot = "no snapshot" if found.snapshot_seq is None else f"the snapshot of record {found.snapshot_seq}"
        verdict = (
            "NOT SOUND: restore it from a backup, with `sidecar restore FILE --replace --reason '...'`"
            if found.defects
            else "sound"
        )
        typer.echo(
            f"{found.path}: {found.records} records up to {found.last_seq}, {found.bytes} bytes, "
            f"compared with {snapshot}: {verdict}."
        )
        typer.echo(
            f"Decisions, actions and policies: {found.links}; the head of their chain is {found.head or 'none'}."
        )
        if found.noted_seq is not None:
            verdict = "see the defects above" if found.defects else "all records up to it are unchanged"
            typer.echo(f"The given head is the head after record {found.noted_seq}: {verdict}.")
    if found.defects:
        raise typer.Exit(NO)


@cli.command()
def backup(
    to: Annotated[Path, typer.Argument(metavar="TO", help="The file to write.")],
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the journal, also of a running sidecar, into one file, and verify the copy."""
    found = make_backup(_journal_path(config), to, is_forced=force)
    if as_json:
        print_json("backup", msgspec.structs.replace(found, path=str(to)))
    else:
        typer.echo(f"{to}: {found.records} records up to {found.last_seq}, {found.bytes} bytes, sound.")


@cli.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FROM", help="A file that `sidecar backup` wrote.")],
    reason: Reason,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Move an existing journal aside.")] = False,
    as_json: AsJson = False,
) -> None:
    """Replace the journal by a backup. The flag starts on the bottom rung, with a hold until `resume --hold`."""
    reason = checked(reason)
    place = _journal(config)
    path = Path(place.path).resolve()
    with contextlib.suppress(SidecarError):  # a file that cannot be read is refused below
        if other := why_not_here(present(source).policy, policy_of(read_file(config))):
            fail(f"{source}: {other}")
    aside = restore_backup(source, path, reason=reason, is_replacing=replace, second_mark=_second_mark(place))
    now = "restored. Start the sidecar and check it. `sidecar status` shows the hold and how to lift it"
    _report("restore", path, aside, now, as_json=as_json)


journal = typer.Typer(no_args_is_help=True, help=COMMANDS["journal"][1])
cli.add_typer(journal, name="journal")


@journal.command()
def init(
    reason: Reason,
    config: ConfigFile = DEFAULT_CONFIG,
    *,
    replace: Annotated[bool, typer.Option("--replace", help="Move an existing journal aside.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make the next start begin a new journal, without the alarms, holds and evidence of the previous one."""
    place = _journal(config)
    path = Path(place.path).resolve()
    aside = begin_anew(path, reason=checked(reason), is_replacing=replace, second_mark=_second_mark(place))
    now = "the next start begins a new journal, on the bottom rung and without evidence"
    _report("journal", path, aside, now, as_json=as_json)


def _report(command: str, path: Path, aside: Path | None, now: str, *, as_json: bool) -> None:
    """Print where the journal is and what is so `now`, and where the previous one is; None: there was none."""
    if as_json:
        print_json(command, Restored(path=str(path), aside=None if aside is None else str(aside)))
        return
    if aside is not None:
        typer.echo(f"{aside}: the previous journal")
    typer.echo(f"{path}: {now}")


def _journal(config: Path) -> SqlitePlace:
    place = read_file(config).journal_place
    if not isinstance(place, SqlitePlace):
        fail(f"{config}: `journal` is not a file; this command needs sqlite:PATH")
    return place


def _journal_path(config: Path) -> Path:
    return Path(_journal(config).path).resolve()


def _second_mark(place: SqlitePlace) -> Path | None:
    return Path(place.mark).resolve() if place.mark else None
