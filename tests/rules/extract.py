"""A subset of the rules with their recordings, so that a case evaluates only what it needs."""

from collections.abc import Collection
from typing import Any

import yaml

from tests.rules.case import Case
from tests.rules.selectors import selectors


def alerts_of(case: Case) -> set[str]:
    """Return the names of the alerts in a case."""
    return {name.split()[0] for name in (*(name for name, _ in case.fires), *case.spares)}


def extracted(rules: str, alerts: Collection[str]) -> str:
    """Return the rules of these alerts and the recordings that they depend on."""
    recorded, watched = yaml.safe_load(rules)["groups"]
    by_name = {rule["record"]: rule for rule in recorded["rules"]}
    kept = [rule for rule in watched["rules"] if rule["alert"] in alerts]
    needed: set[str] = set()

    def need(rule: dict[str, Any]) -> None:
        for selector in selectors(rule["expr"]):
            if selector.name in by_name and selector.name not in needed:
                needed.add(selector.name)
                need(by_name[selector.name])

    for rule in kept:
        need(rule)
    groups = [
        {**recorded, "rules": [rule for name, rule in by_name.items() if name in needed]},
        {**watched, "rules": kept},
    ]
    return yaml.safe_dump({"groups": [group for group in groups if group["rules"]]}, sort_keys=False)
