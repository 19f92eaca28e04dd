"""Rules, runbooks and dashboards read only exported metrics."""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from sidecar.composition import kinds_of
from sidecar.metrics import PREFIX, catalogue
from sidecar.parts.metrics import Scope
from sidecar.rules.recordings import FOLDED
from tests.dashboards import files
from tests.rules.contract import RECORDED, RULES, problems, scrape
from tests.rules.promtool import ROOT, called
from tests.rules.runbooks import RUNBOOKS, queries
from tests.rules.selectors import selectors

NAMED = re.compile(rf"{PREFIX}\w+")
PAGES = (
    ROOT / "README.md",
    *(
        path
        for folder in ("docs", "clients")
        for path in sorted((ROOT / folder).glob("**/*.md"))
        if "node_modules" not in path.parts
    ),
)
SUFFIXES = ("", "_bucket", "_sum", "_count")
WORST_OF_REPLICAS = {"flag_mode", "ack_stream_up", "journal_created_timestamp_seconds", "webhooks_only_refused"}
"""Process metrics that are read by `max`: the worst value of any replica counts."""


def _of_rules() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule.get("record", rule.get("alert")), rule["expr"]


def _of_runbooks() -> Iterator[tuple[str, str]]:
    for runbook in RUNBOOKS:
        yield from ((runbook.name, query) for query in queries(runbook))


def _of_dashboards() -> Iterator[tuple[str, str]]:
    for asked in (*files.targets(), *files.annotations(), *files.variables()):
        yield asked.where, asked.expr


async def test_every_selector_of_rules_runbooks_and_dashboards_exists_with_its_labels() -> None:
    """A misspelt metric would silently never fire, and never be drawn."""
    scraped = await scrape()
    read = [*_of_rules(), *_of_runbooks(), *_of_dashboards()]
    assert len(read) > 300
    assert [problem for where, expr in read for problem in problems(where, expr, scraped)] == []


async def test_a_misspelt_selector_is_detected() -> None:
    """The check above finds wrong names, labels and label values anywhere in an expression."""
    scraped = await scrape()
    for wrong in (
        "reverb_sidecar_payment_outcome_total",
        'sum(rate(reverb_sidecar_payment_outcomes_total{outcomes="late"}[$__rate_interval]))',
        'vector(1) or job:reverb_sidecar_payment_outcomes_total:max{job=~"$job", outcome=~"late|mised"}',
        "job:reverb_sidecar_payment_outcomes:max",
        "upp",
    ):
        assert list(problems("here", wrong, scraped)), wrong


def test_every_metric_named_in_the_documentation_exists() -> None:
    """Names of metrics in the documentation can be copied into a query."""
    known = {f"{each.name}{end}" for each in catalogue(kinds_of()).metrics for end in SUFFIXES}
    recorded = {NAMED.findall(name)[0] for name in RECORDED}
    assert len(PAGES) > 20
    for page in PAGES:
        assert set(NAMED.findall(page.read_text())) - known - recorded == set(), page


def test_every_metric_is_used() -> None:
    """Every metric is read by a rule, a runbook or a dashboard."""
    read = {
        selector.name for _, expr in (*_of_rules(), *_of_runbooks(), *_of_dashboards()) for selector in selectors(expr)
    }
    unread = {
        each.name for each in catalogue(kinds_of()).metrics if not any(f"{each.name}{end}" in read for end in SUFFIXES)
    }
    assert unread == set()


def test_folded_metrics_are_read_by_max_and_process_metrics_are_not() -> None:
    """The sum of the equal values of three replicas would be three times too high."""
    scopes = {
        each.name.removeprefix(PREFIX).removesuffix("_total"): each.scope for each in catalogue(kinds_of()).metrics
    }
    assert {scopes[name.removesuffix("_total")] for name in FOLDED} == {Scope.FOLDED}
    for where, expr in (*_of_rules(), *_of_dashboards()):
        for name, is_max in _read(expr):
            scope = scopes[re.sub(r"_(total|bucket|sum|count)$", "", name)]
            assert is_max is (scope is Scope.FOLDED) or name in WORST_OF_REPLICAS, f"{where}: {name}"


def test_runbooks_never_sum_folded_metrics() -> None:
    """A sum of folded metrics over replicas would be too high."""
    scopes = {
        each.name.removeprefix(PREFIX).removesuffix("_total"): each.scope for each in catalogue(kinds_of()).metrics
    }
    for where, expr in _of_runbooks():
        for found in re.finditer(rf"(\w+)(?: (?:by|without) \([^)]*\) )?\((?:\w+\()?{PREFIX}(\w+)", expr):
            scope = scopes[re.sub(r"_(total|bucket|sum|count)$", "", found[2])]
            assert scope is Scope.PROCESS or found[1] not in {"sum", "avg", "count"}, f"{where}: {expr}"


def _read(expr: str) -> Iterator[tuple[str, bool]]:
    """Yield each of the sidecar's metrics without its prefix, and whether it is read by `max without (instance, pod)`."""
    for found in re.finditer(rf"(?<![\w:]){PREFIX}(\w+)", expr):
        before = expr[: found.start()]
        yield found[1], re.search(r"max without \(instance, pod(?:, \w+)?\) \((?:\w+\()?$", before) is not None


def test_every_recording_is_used() -> None:
    """Every recording is read by a rule or a runbook."""
    read = {selector.name for _, expr in (*_of_rules(), *_of_runbooks()) for selector in selectors(expr)}
    assert set(RECORDED) - read == set()


def test_every_query_of_runbooks_and_dashboards_is_valid(tmp_path: Path) -> None:
    """Prometheus itself parses every query."""
    found = [re.sub(r"\$__\w+", "5m", expr) for _, expr in (*_of_runbooks(), *_of_dashboards())]
    rules = [{"record": f"tried:{number}", "expr": query} for number, query in enumerate(found)]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "tried", "rules": rules}]}))
    checked = called("promtool", "check", "rules", path)
    assert checked.returncode == 0, checked.stdout + checked.stderr
