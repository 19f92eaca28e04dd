"""Whole worlds: who is left behind in them, what climbs and falls, and when, against what the rules promise.

`tests/core/worlds` has the rows. The short ones are part of `make test`, and all of them of `make test-long`.
"""

import pytest

from tests.core.worlds.rows import Row, live
from tests.core.worlds.table import ROWS, documented, line


@pytest.mark.parametrize(
    "row",
    [pytest.param(row, id=row.key, marks=() if row.is_short else pytest.mark.long) for row in ROWS],
)
def test_a_world_ends_as_the_rules_promise_and_as_the_page_says(row: Row) -> None:
    """A seeded world keeps the row's promise, and its figures are those of `docs/how-it-decides.md`, to the digit."""
    after = live(row)
    assert row.keeps(after), f"promised: {row.promise}; {after}"
    assert line(row, after) in documented(), "run `python -m tests.core.worlds --write`"


def test_the_page_has_every_world_once() -> None:
    """The table of the page has one line for each row, in the same order."""
    assert [each.rsplit(" | ", 9)[0] for each in documented()] == [f"| {row.key}" for row in ROWS]
