"""Moves every limit and every patience of every alert, and says which of those nobody would notice.

    python -m tests.rules.mutate

A count is moved by one, a share and a number of seconds by two fifths and back, a patience by a factor: then some case
of the alert's must turn red.
"""

import copy
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.rules.case import Case
from tests.rules.cases import CASES
from tests.rules.extract import alerts_of, extracted
from tests.rules.limits import LIMITS
from tests.rules.promtool import ROOT, tried

_COMPARED = re.compile(r"(?:>=|<=|>|<) (-?[\d.]+)")
_FEW = 4
"""A whole number up to this is a count as well: of rungs."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FACTORS = (0.7, 1.4)
_PATIENCES = (0.4, 2.5)


class Mutant(NamedTuple):
    """The rules with one number that is another."""

    alert: str
    says: str
    rules: str


def mutants() -> Iterator[Mutant]:
    """Yield every mutant of the shipped rules, with the recordings and that one alert only."""
    document = yaml.safe_load((ROOT / "deploy" / "rules.yml").read_text())
    recorded, watched = document["groups"]
    for index, rule in enumerate(watched["rules"]):
        for says, changed in (*_moved(rule), *_hurried(rule)):
            rules = copy.deepcopy(watched["rules"])
            rules[index] |= changed
            groups = [recorded, {**watched, "rules": rules}]
            severity = f"{rule['labels']['severity']} {rule['labels'].get('window', '')}".strip()
            yield Mutant(rule["alert"], f"{rule['alert']} ({severity}): {says}", yaml.safe_dump({"groups": groups}))


def _moved(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for found in _COMPARED.finditer(rule["expr"]):
        value = float(found[1])
        is_count = found[0].startswith(">=") or (value.is_integer() and abs(value) <= _FEW)
        others = (value - 1, value + 1) if is_count else tuple(value * factor for factor in _FACTORS)
        for other in others if value else ():
            expr = f"{rule['expr'][: found.start(1)]}{other:.6g}{rule['expr'][found.end(1) :]}"
            yield f"{found[0]} is {other:.6g}", {"expr": expr}


def _hurried(rule: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    if "for" in rule:
        seconds = int(rule["for"][:-1]) * _SECONDS[rule["for"][-1]]
        for factor in _PATIENCES:
            yield f"for {rule['for']} is {seconds * factor:.0f}s", {"for": f"{seconds * factor:.0f}s"}


def about(alert: str) -> Iterator[Case]:
    """Yield the cases that say something of an alert, those of its limits first."""
    for case in (*LIMITS, *CASES):
        if alert in alerts_of(case):
            yield case


def is_noticed(mutant: Mutant) -> bool:
    """Say whether some case turns red."""
    for case in about(mutant.alert):
        with tempfile.TemporaryDirectory() as folder:
            rules = extracted(mutant.rules, alerts_of(case))
            if tried(Path(folder), rules, case.world, case.fires).returncode != 0:
                return True
    return False


def main() -> int:
    """Print who survived; 1 where somebody did."""
    count, survivors = 0, 0
    for mutant in mutants():
        count += 1
        if not is_noticed(mutant):
            survivors += 1
            print(f"nobody notices: {mutant.says}", flush=True)
    print(f"{count} limits and patiences were moved; {survivors} of them unnoticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
