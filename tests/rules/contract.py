"""Series that a selector may read: those of a real `/metrics`, the recorded ones, and Prometheus' own."""

from collections import defaultdict
from collections.abc import Iterator

import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.rules.promtool import ROOT
from tests.rules.selectors import Selector, selectors
from tests.shells.everything import everything

RULES = [
    rule for group in yaml.safe_load((ROOT / "deploy" / "rules.yml").read_text())["groups"] for rule in group["rules"]
]
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
OWN = {"up", "scrape_duration_seconds", "scrape_samples_scraped", "ALERTS"}
"""Series that Prometheus adds for targets and rules."""
ADDED = {"job", "instance", "pod", "environment"}
"""Labels that Prometheus adds."""

Scrape = dict[str, dict[str, set[str]]]
"""Values by metric and label."""


async def scrape() -> Scrape:
    """Scrape a real sidecar with every part configured, after a payment was judged."""
    async with everything() as sidecar:
        text = await sidecar.metrics()
    found: Scrape = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values = found.setdefault(sample.name, defaultdict(set))
            for label, value in sample.labels.items():
                values[label].add(value)
    return found


def problems(where: str, expression: str, scraped: Scrape) -> Iterator[str]:
    """Yield every metric, label and label value in an expression that does not exist."""
    for selector in selectors(expression):
        if selector.name not in OWN:
            yield from _problems(where, selector, scraped)


def _problems(where: str, selector: Selector, scraped: Scrape) -> Iterator[str]:
    there = _labels(selector.name, scraped)
    if there is None:
        yield f"{where}: {selector.name} does not exist"
        return
    for label, values in selector.labels:
        if label in ADDED:
            continue
        if label not in there:
            yield f"{where}: {selector.name} has no label {label}"
        else:
            yield from (f"{where}: {selector.name} is never {label}={value}" for value in sorted(values - there[label]))


def _labels(name: str, scraped: Scrape) -> dict[str, set[str]] | None:
    """Return the labels of a metric; a recorded series has those of its sources."""
    if name not in RECORDED:
        return scraped.get(name)
    parts = (_labels(part.name, scraped) or {} for part in selectors(RECORDED[name]))
    return {label: values for part in parts for label, values in part.items()}
