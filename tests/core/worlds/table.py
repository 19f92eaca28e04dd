"""The table of worlds: every row, and its lines in `docs/how-it-decides.md`."""

import functools
import pathlib

import msgspec

from tests.core.worlds import attribution, bursts, changes, climbing, payers, speed
from tests.core.worlds.rows import Row, Shown, Sum

ROWS = (*attribution.ROWS, *climbing.ROWS, *payers.ROWS, *changes.ROWS, *speed.ROWS, *bursts.ROWS)
PAGE = pathlib.Path(__file__).parents[3] / "docs" / "how-it-decides.md"
BEGIN, END = "<!-- worlds: python -m tests.core.worlds --write -->", "<!-- worlds: end -->"
_BEFORE = pathlib.Path(__file__).parent / "before.json"
_HEAD = (
    "| world | volume | truth | event | left behind, before | after | climbs | after | falls | after "
    "| days to rungs 1, 2, 3; to timers | after | promised |"
)


@functools.cache
def _before() -> dict[str, Shown]:
    return msgspec.json.decode(_BEFORE.read_bytes(), type=dict[str, Shown])


def line(row: Row, after: Sum) -> str:
    """Return the row of the table."""
    before, now = _before()[row.key], after.shown()
    cells = [
        row.name,
        row.volume,
        row.truth,
        row.event,
        f"{before.left:g}",
        f"{now.left:g}",
        str(before.climbs),
        str(now.climbs),
        str(before.falls),
        str(now.falls),
        _days(before),
        _days(now),
        row.promise,
    ]
    return f"| {' | '.join(cells)} |"


def _days(shown: Shown) -> str:
    rungs = [f"{days:g}" if days is not None else "never" for days in shown.days]
    while rungs and rungs[-1] == "never":
        rungs.pop()
    timers = [] if shown.timers_days is None else [f"timers {shown.timers_days:g}"]
    return "; ".join([", ".join(rungs), *timers]) if rungs else "".join(timers) or "-"


def documented() -> list[str]:
    """Return the lines that the page has now."""
    text = PAGE.read_text(encoding="utf-8")
    return text.partition(BEGIN)[2].partition(END)[0].strip().splitlines()[2:]


def write(lines: list[str]) -> None:
    """Put these lines into the page, in place of those that are there."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    table = "\n".join((_HEAD, "|" + "---|" * (_HEAD.count("|") - 1), *lines))
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
