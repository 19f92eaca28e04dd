"""Mutation test of the rules: changes every limit and every `for`, and prints the changes that no case detects.

    python -m tests.rules.mutate

Counts are changed by one, shares and seconds by two fifths, and `for` by a factor. At least one case must then fail.
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
"""Whole numbers up to this are counts too, of rungs."""
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FACTORS = (0.7, 1.4)
_DURATION_FACTORS = (0.4, 2.5)


class Mutant(NamedTuple):
    """The rules with one changed number."""

    alert: str
    says: str
    rules: str


def mutants() -> Iterator[Mutant]:
    """Yield every mutant of the shipped rules."""
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
        for factor in _DURATION_FACTORS:
            yield f"for {rule['for']} is {seconds * factor:.0f}s", {"for": f"{seconds * factor:.0f}s"}


def about(alert: str) -> Iterator[Case]:
    """Yield the cases for an alert, those of its limits first."""
    for case in (*LIMITS, *CASES):
        if alert in alerts_of(case):
            yield case


def is_detected(mutant: Mutant) -> bool:
    """Return whether at least one case fails."""
    for case in about(mutant.alert):
        with tempfile.TemporaryDirectory() as folder:
            rules = extracted(mutant.rules, alerts_of(case))
            if tried(Path(folder), rules, case.world, case.fires).returncode != 0:
                return True
    return False


def main() -> int:
    """Print the undetected mutants; return 1 if there are any."""
    count, survivors = 0, 0
    for mutant in mutants():
        count += 1
        if not is_detected(mutant):
            survivors += 1
            print(f"undetected: {mutant.says}", flush=True)
    print(f"{count} limits and durations were changed; {survivors} of them undetected")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
