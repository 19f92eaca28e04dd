"""Drawn limits are those of the rules and gates, or metrics of their own."""

import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from typer.testing import CliRunner

from sidecar import dashboards, rules
from sidecar.cli import cli
from sidecar.config import Config, Objective, policy_of, read_config
from sidecar.metrics import TABLE, histogram_family
from sidecar.metrics.rows import Histogram
from tests.core.world import World
from tests.dashboards.files import DOCUMENTS, FILES, FOLDER, panels
from tests.rules.promtool import ROOT

DEFAULT = ROOT / "sidecar" / "config" / "sidecar.yaml"
LIMITS = (
    ("overview", "Failed share of payments", "ReverbSidecarDeliveryBurning", {0.06, 0.144}),
    ("overview", "Coverage", "ReverbSidecarCoverageLow", {0.95}),
    ("payments", "Failed payments of the last hour", "ReverbSidecarDeliveryBurning", {2.9}),
    ("payments", "Payers who report that push failed", "ReverbSidecarReachDegraded", {3}),
    ("reverb", "Failed share of auth probes", "ReverbSidecarChannelAuthFailing", {0.5}),
    ("reverb", "Failed share of payers' authorizations", "ReverbSidecarPayersCannotSubscribe", {0.2}),
    ("reverb", "Lost share of canaries", "ReverbSidecarRoundTripsFailing", {0.1}),
    ("itself", "Time since the lease expired, by Prometheus' clock", "ReverbSidecarLeaseNotHonoured", {5}),
    ("itself", "Restarts in the last hour", "ReverbSidecarRestarting", {3}),
    ("itself", "Age of the journal", "ReverbSidecarJournalCreated", {86_400}),
    ("itself", "Ahead of other clocks", "ReverbSidecarClockWrong", {5}),
)


def _panel(documents: dict[str, Any], name: str, title: str) -> dict[str, Any]:
    (found,) = (panel for panel in panels(documents[name]) if panel["title"] == title)
    return dict(found)


def _drawn(panel: dict[str, Any]) -> set[float]:
    return {step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]} - {None}


def _numbers(alert: str) -> set[float]:
    """Return all numbers in the expressions of an alert."""
    found: set[float] = set()

    def keep(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.NumberLiteral):
            found.add(node.val)

    for each in rules.alerts(rules.terms_of(read_config(DEFAULT))):
        if each.name == alert:
            promql_parser.walk(promql_parser.parse(each.expr), keep)
    return found


@pytest.mark.parametrize(("name", "title", "alert", "limits"), LIMITS, ids=[row[1] for row in LIMITS])
def test_a_drawn_limit_is_that_of_the_alert(name: str, title: str, alert: str, limits: set[float]) -> None:
    """The alert's condition is true above the drawn limit."""
    panel = _panel(DOCUMENTS, name, title)
    assert limits <= _drawn(panel)
    assert limits <= _numbers(alert)
    assert alert in panel["description"]


def test_the_burn_rates_limits_are_those_of_the_alerts_about_delivery() -> None:
    """Multiplied with the error budget, each drawn limit is one that an alert compares failed shares with."""
    budget = rules.terms_of(read_config(DEFAULT)).error_budget_ratio
    drawn = _drawn(_panel(DOCUMENTS, "payments", "Burn rate of the error budget"))
    compared = _numbers("ReverbSidecarDeliveryEroding") | _numbers("ReverbSidecarDeliveryBurning")
    assert len(drawn) == 4
    assert {round(limit * budget, 6) for limit in drawn} <= {round(number, 6) for number in compared}


@pytest.mark.parametrize("within_ms", [500, 800, 2000])
def test_the_axis_of_the_heat_map_names_the_objective(within_ms: int) -> None:
    """A heat map draws no thresholds, so the row that ends at the objective has a label."""
    config = Config(environment="test", objective=Objective(on_time_within_ms=within_ms))
    shown = dashboards.shown_of(config, runbooks="runbooks")
    documents = {board.name: board.document(shown) for board in dashboards.boards(shown)}
    panel = _panel(documents, "payments", f"Latency (on time: below {within_ms / 1000:g} s)")
    (renamed,) = panel["transformations"]
    assert renamed["id"] == "renameByRegex"
    assert renamed["options"]["renamePattern"] == f"▼ on time: {within_ms / 1000:g} s"
    world = World(policy_of(config))
    (latency,) = (row for row in TABLE if isinstance(row, Histogram) and row.has_exemplars)
    rows = {sample.labels["le"] for sample in histogram_family(latency, world.state).samples if "le" in sample.labels}
    assert len(rows) > 5
    assert {row for row in rows if re.fullmatch(renamed["options"]["regex"], row)} == {str(within_ms / 1000)}


def test_the_percentiles_are_beside_the_heat_map_with_the_objectives_as_lines() -> None:
    """The panel to the right of the heat map draws the objectives, at the same height."""
    heat, beside = (panel for panel in panels(DOCUMENTS["payments"]) if panel["title"].startswith("Latency"))
    assert (heat["type"], beside["type"]) == ("heatmap", "timeseries")
    assert (heat["gridPos"]["y"], heat["gridPos"]["h"]) == (beside["gridPos"]["y"], beside["gridPos"]["h"])
    (limit,) = beside["fieldConfig"]["overrides"]
    assert limit["matcher"] == {"id": "byRegexp", "options": "objective .*"}


def test_every_alert_is_named_by_a_panel() -> None:
    """Every alert but the watchdog has a panel."""
    there = {alert.name for alert in rules.alerts(rules.terms_of(read_config(DEFAULT)))}
    drawn = {
        alert
        for document in DOCUMENTS.values()
        for panel in panels(document)
        for alert in re.findall(r"Alert: \[?(\w+)", panel["description"])
    }
    assert there - drawn == {"ReverbSidecarWatchdog"}
    assert drawn <= there


def test_limits_follow_the_configuration() -> None:
    """Limits are computed from the configured objective."""
    config = Config(environment="test", objective=Objective(reliability_ppm=995_000, on_time_within_ms=500))
    shown = dashboards.shown_of(
        config, runbooks="https://wiki.example.test/runbooks", console="https://sidecar.example.test/"
    )
    documents = {board.name: board.document(shown) for board in dashboards.boards(shown)}
    assert _drawn(_panel(documents, "overview", "Failed share of payments")) == {0.03, 0.072}
    latency = _panel(documents, "payments", "Latency (on time: below 0.5 s)")
    assert "(https://wiki.example.test/runbooks/ReverbSidecarDeliveryBurning.md)" in latency["description"]
    assert documents["overview"]["templating"]["list"][-1]["query"] == "https://sidecar.example.test"


def test_the_committed_dashboards_are_those_of_the_default_configuration(tmp_path: Path) -> None:
    """`sidecar dashboards --config sidecar/config/sidecar.yaml` regenerates them."""
    written = CliRunner().invoke(cli, ["dashboards", "--config", str(DEFAULT), "--output", str(tmp_path / "made")])
    assert written.exit_code == 0, written.stderr
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [path.name for path in FILES]
    for path in FILES:
        assert (tmp_path / "made" / path.name).read_text() == path.read_text(), f"{FOLDER.name}/{path.name}"


@pytest.mark.parametrize("console", ["javascript:alert(1)", "sidecar", "http://x/?q=1"])
def test_a_console_url_that_is_not_a_page_is_rejected(console: str, tmp_path: Path) -> None:
    """The URL becomes a link."""
    written = CliRunner().invoke(
        cli, ["dashboards", "--config", str(DEFAULT), "--output", str(tmp_path), "--console", console]
    )
    assert written.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """The error names the folder."""
    (tmp_path / "file").write_text("")
    written = CliRunner().invoke(cli, ["dashboards", "--config", str(DEFAULT), "--output", str(tmp_path / "file")])
    assert written.exit_code == 2
