"""Rules and runbooks read what `/metrics` tells, and nothing else."""

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec
import yaml
from prometheus_client.parser import text_string_to_metric_families

from sidecar.config import RedisStream
from sidecar.metrics import TABLE
from sidecar.metrics.view import Scope
from sidecar.rules.recordings import FOLDED
from tests.rules.promtool import ROOT, called
from tests.rules.runbooks import RUNBOOKS, queries
from tests.rules.selectors import Selector, selectors
from tests.shells.ack_reading import add
from tests.shells.redis_server import RedisServer
from tests.shells.running import CONFIG, event, running

SHIPPED = yaml.safe_load((ROOT / "deploy" / "rules.yml").read_text())
RULES = [rule for group in SHIPPED["groups"] for rule in group["rules"]]
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
ADDED = {"job", "instance", "pod"}
"""Labels that Prometheus puts on, and not we."""

Scrape = dict[str, dict[str, set[str]]]
"""By metric and label: the values."""


async def test_every_selector_of_the_rules_and_runbooks_exists_with_its_labels(tmp_path: Path) -> None:
    """A misspelt metric never fires, and nobody notices: that is the worst that a rule can do."""
    scraped = await _scrape(tmp_path)
    read = [*_of_rules(), *_of_runbooks()]
    assert len(read) > 100
    assert [problem for where, selector in read for problem in _problems(where, selector, scraped)] == []


async def test_a_misspelt_selector_would_be_found(tmp_path: Path) -> None:
    """The check above sees a wrong name, a wrong label and a wrong value."""
    scraped = await _scrape(tmp_path)
    for wrong in (
        "reverb_sidecar_payment_outcome_total",
        'reverb_sidecar_payment_outcomes_total{outcomes="late"}',
        'job:reverb_sidecar_payment_outcomes_total:max{outcome=~"late|mised"}',
        "job:reverb_sidecar_payment_outcomes:max",
    ):
        (selector,) = selectors(wrong)
        assert _problems("here", selector, scraped), wrong


def test_folded_metrics_are_read_by_max_and_those_of_a_process_are_not() -> None:
    """The sum of three replicas' equal numbers is three times the truth."""
    scopes = {row.name: row.scope for row in TABLE}
    assert {scopes[name.removesuffix("_total")] for name in FOLDED} == {Scope.FOLDED}
    for rule in RULES:
        for selector in selectors(rule["expr"]):
            if selector.name.startswith("reverb_sidecar_"):
                scope = scopes[selector.name.removeprefix("reverb_sidecar_").removesuffix("_total")]
                is_max = rule["expr"].startswith(f"max without (instance, pod) ({selector.name}")
                assert (scope is Scope.PROCESS) or is_max, rule["expr"]


def test_every_recorded_name_is_used_or_is_a_part_of_one_that_is() -> None:
    """What nobody reads is only in the way."""
    read = {selector.name for _, selector in (*_of_rules(), *_of_runbooks())}
    assert set(RECORDED) - read == set()


def test_every_query_of_the_runbooks_is_one(tmp_path: Path) -> None:
    """Prometheus itself can read them."""
    found = [query for runbook in RUNBOOKS for query in queries(runbook)]
    rules = [{"record": f"tried:{number}", "expr": query} for number, query in enumerate(found)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "tried", "rules": rules}]}))
    checked = called("promtool", "check", "rules", path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def _of_rules() -> Iterator[tuple[str, Selector]]:
    for rule in RULES:
        for selector in selectors(rule["expr"]):
            yield rule.get("record", rule.get("alert")), selector


def _of_runbooks() -> Iterator[tuple[str, Selector]]:
    for runbook in RUNBOOKS:
        for query in queries(runbook):
            for selector in selectors(query):
                yield runbook.name, selector


def _problems(where: str, selector: Selector, scraped: Scrape) -> list[str]:
    """Say what is wrong with a selector; a recorded name has the labels of what it records."""
    if selector.name in RECORDED:
        parts = list(selectors(RECORDED[selector.name]))
        there: dict[str, set[str]] = {}
        for part in parts:
            known = _labels(part.name, scraped)
            there |= {} if known is None else known
    else:
        known = _labels(selector.name, scraped)
        if known is None:
            return [f"{where}: {selector.name} is not there"]
        there = known
    problems = []
    for label, values in selector.labels:
        if label in ADDED:
            continue
        if label not in there:
            problems.append(f"{where}: {selector.name} has no label {label}")
        else:
            problems += [f"{where}: {selector.name} is never {label}={value}" for value in values - there[label]]
    return problems


def _labels(name: str, scraped: Scrape) -> dict[str, set[str]] | None:
    if name in RECORDED:
        return {
            label: values
            for part in selectors(RECORDED[name])
            for label, values in (_labels(part.name, scraped) or {}).items()
        }
    return scraped.get(name)


async def _scrape(folder: Path) -> Scrape:
    """Scrape a real sidecar with a stream of acks, once a payment was judged."""
    with RedisServer(folder) as server:
        acks = msgspec.structs.replace(CONFIG.acks, redis_stream=RedisStream(url=server.url))
        async with running(msgspec.structs.replace(CONFIG, acks=acks)) as sidecar:
            await sidecar.metric_is("reverb_sidecar_ack_stream_up", 1)
            add(server, "pi_before")
            await sidecar.metric_is('reverb_sidecar_ack_stream_entries_total{result="accepted"}', 1)
            await sidecar.deliver(event("pi_1"))
            await sidecar.ack({"stage": "delivered", "payment_intent": "pi_1"})
            await sidecar.metric_is('reverb_sidecar_payment_outcomes_total{outcome="on_time"}', 1)
            text = await sidecar.metrics()
    found: Scrape = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values = found.setdefault(sample.name, defaultdict(set))
            for label, value in sample.labels.items():
                values[label].add(value)
    return found
