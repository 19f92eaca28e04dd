"""A few cases of `make damage`: random damage of each file, while it runs and while it is stopped, gives no wrong answer."""

import collections

from tests.harm.damage import FILES, HARMS, SITUATIONS, Counts, Verdict, table, tried

CASES = 3 * len(HARMS)


def _total(counts: Counts, **wanted: str) -> collections.Counter[Verdict]:
    names = ("situation", "suffix", "harm")
    rows = [
        found
        for key, found in counts.items()
        if all(dict(zip(names, key, strict=True))[name] == value for name, value in wanted.items())
    ]
    return sum(rows, collections.Counter())


def test_damage_of_any_file_is_noticed_or_harmless() -> None:
    """Cut, altered and swapped files; `python -m tests.harm.damage --seed 2` repeats the cases."""
    counts = tried(CASES, 2)
    total = _total(counts)
    assert total.total() == len(FILES) * len(SITUATIONS) * CASES
    assert total[Verdict.WRONG] == 0, table(counts)
    for suffix in ("", "-wal"):
        assert _total(counts, situation="running", suffix=suffix, harm="truncation")[Verdict.REFUSED] == 3
    assert _total(counts, situation="stopped", suffix="-wal", harm="bits")[Verdict.REFUSED] == 3
    assert _total(counts, situation="stopped", suffix=".mark", harm="bits")[Verdict.REFUSED] == 3
