"""The table of the flag's versions, with what changed in each."""

from sidecar.console import labels
from sidecar.console.labels import moment
from sidecar.console.page.section import Cell, Table
from sidecar.console.versions import FlagVersion


def table_of(versions: tuple[FlagVersion, ...], now_ms: int) -> Table:
    """Return the table, newest first."""
    return Table(
        caption="Versions of the flag, newest first",
        heads=("version", "made by", "when", "what changed"),
        rows=tuple(_row(each, now_ms) for each in versions),
        numbers=frozenset({0}),
        is_caption_visible=False,
    )


def _row(each: FlagVersion, now_ms: int) -> tuple[Cell, ...]:
    changed = [f"`{change.name}`: {change.before or 'none'} → {change.after or 'none'}" for change in each.changes]
    if not each.changes[:1] or not each.changes[0].before:  # the first policy names every key
        changed = changed[:1] if len(changed) == 1 else [f"{len(changed)} keys, none of which were set before"]
    return (
        Cell(text=labels.count(each.version)),
        Cell(text=f"{each.who}: {labels.name(each.what)}", aside=each.reason),
        Cell(text="", moment=moment(each.at_ms, now_ms), aside=f"record {each.seq}"),
        Cell(text="", meaning="; ".join(changed)),
    )
