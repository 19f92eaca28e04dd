"""What is drawn as a limit is the limit: the rules', the gates', or a metric of its own."""

import re
from pathlib import Path
from typing import Any

import promql_parser
import pytest
from typer.testing import CliRunner

from sidecar import dashboards, rules
from sidecar.cli import cli
from sidecar.config import Config, Objective, policy_of, read_config
from sidecar.core.statistics.alarms import bank
from sidecar.dashboards.decision import CALM_BELOW
from sidecar.metrics import TABLE, histogram_family
from sidecar.metrics.rows import Histogram
from tests.core.world import World
from tests.dashboards.files import DOCUMENTS, FILES, FOLDER, panels
from tests.rules.promtool import ROOT

DEFAULT = ROOT / "config" / "sidecar.yaml"
LIMITS = (
    ("overview", "Share of payments without their news in time", "ReverbSidecarDeliveryBurning", {0.06, 0.144}),
    ("overview", "Coverage", "ReverbSidecarCoverageLow", {0.95}),
    ("payments", "Failed payments of the last hour", "ReverbSidecarDeliveryBurning", {2.9}),
    ("payments", "Payers who report that push failed", "ReverbSidecarReachDegraded", {3}),
    ("reverb", "Share of auth probes that failed", "ReverbSidecarChannelAuthFailing", {0.5}),
    ("reverb", "Share of payers who did not get in", "ReverbSidecarPayersCannotSubscribe", {0.2}),
    ("reverb", "Share of canaries that did not come back", "ReverbSidecarRoundTripsFailing", {0.1}),
    ("itself", "Lease that has run out, by Prometheus' clock", "ReverbSidecarLeaseNotHonoured", {5}),
    ("itself", "Starts of the last hour", "ReverbSidecarRestarting", {3}),
    ("itself", "Ahead of other clocks", "ReverbSidecarClockWrong", {5}),
)


def _panel(documents: dict[str, Any], name: str, title: str) -> dict[str, Any]:
    (found,) = (panel for panel in panels(documents[name]) if panel["title"] == title)
    return dict(found)


def _drawn(panel: dict[str, Any]) -> set[float]:
    return {step["value"] for step in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]} - {None}


def _numbers(alert: str) -> set[float]:
    """Return every number that the rules of an alert compare with."""
    found: set[float] = set()

    def keep(node: promql_parser.Expr) -> None:
        if isinstance(node, promql_parser.NumberLiteral):
            found.add(node.val)

    for each in rules.alerts(rules.terms_of(read_config(DEFAULT))):
        if each.name == alert:
            promql_parser.walk(promql_parser.parse(each.expr), keep)
    return found


@pytest.mark.parametrize(("name", "title", "alert", "limits"), LIMITS, ids=[row[1] for row in LIMITS])
def test_a_limit_that_is_drawn_is_the_rules(name: str, title: str, alert: str, limits: set[float]) -> None:
    """Where the line is crossed, the alert's condition holds."""
    panel = _panel(DOCUMENTS, name, title)
    assert limits <= _drawn(panel)
    assert limits <= _numbers(alert)
    assert alert in panel["description"]


@pytest.mark.parametrize("within_ms", [500, 800, 2000])
def test_the_heat_maps_axis_says_where_on_time_ends(within_ms: int) -> None:
    """A heat map draws no thresholds: the row that ends at the objective is named, by whatever the client calls it."""
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


def test_the_quantiles_stand_beside_the_heat_map_with_the_objective_as_a_line() -> None:
    """What the axis names, the panel at its right draws, at the same height."""
    heat, beside = (panel for panel in panels(DOCUMENTS["payments"]) if panel["title"].startswith("Latency"))
    assert (heat["type"], beside["type"]) == ("heatmap", "timeseries")
    assert (heat["gridPos"]["y"], heat["gridPos"]["h"]) == (beside["gridPos"]["y"], beside["gridPos"]["h"])
    (limit,) = beside["fieldConfig"]["overrides"]
    assert limit["matcher"] == {"id": "byRegexp", "options": "objective .*"}


def test_every_alert_stands_on_a_panel() -> None:
    """Whoever was woken finds the picture; the watchdog has none."""
    there = {alert.name for alert in rules.alerts(rules.terms_of(read_config(DEFAULT)))}
    drawn = {
        alert
        for document in DOCUMENTS.values()
        for panel in panels(document)
        for alert in re.findall(r"Alert: \[?(\w+)", panel["description"])
    }
    assert there - drawn == {"ReverbSidecarWatchdog"}
    assert drawn <= there


def test_the_line_of_recent_failures_is_the_gates() -> None:
    """From half its threshold on a level is not calm, and the gate `recent` is closed."""
    recent = bank(990_000, 950_000, 100_000).recent
    assert not recent.is_calm(int(CALM_BELOW * recent.threshold) + 1)
    assert recent.is_calm(int(CALM_BELOW * recent.threshold) - 1)


def test_limits_follow_the_configuration() -> None:
    """Another objective, other lines."""
    config = Config(environment="test", objective=Objective(reliability_ppm=995_000, on_time_within_ms=500))
    shown = dashboards.shown_of(
        config, runbooks="https://wiki.example.test/runbooks", console="https://sidecar.example.test/"
    )
    documents = {board.name: board.document(shown) for board in dashboards.boards(shown)}
    assert _drawn(_panel(documents, "overview", "Share of payments without their news in time")) == {0.03, 0.072}
    latency = _panel(documents, "payments", "Latency (on time: below 0.5 s)")
    assert "(https://wiki.example.test/runbooks/ReverbSidecarDeliveryBurning.md)" in latency["description"]
    assert documents["overview"]["templating"]["list"][-1]["query"] == "https://sidecar.example.test"


def test_the_committed_dashboards_are_what_is_written_for_the_default_configuration(tmp_path: Path) -> None:
    """`sidecar dashboards` renews them."""
    written = CliRunner().invoke(cli, ["dashboards", "--config", str(DEFAULT), "--output", str(tmp_path / "made")])
    assert written.exit_code == 0, written.stderr
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [path.name for path in FILES]
    for path in FILES:
        assert (tmp_path / "made" / path.name).read_text() == path.read_text(), f"{FOLDER.name}/{path.name}"


@pytest.mark.parametrize("console", ["javascript:alert(1)", "sidecar", "http://x/?q=1"])
def test_a_console_that_is_no_page_is_refused(console: str, tmp_path: Path) -> None:
    """It becomes a link that people click."""
    written = CliRunner().invoke(
        cli, ["dashboards", "--config", str(DEFAULT), "--output", str(tmp_path), "--console", console]
    )
    assert written.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """With its name."""
    (tmp_path / "file").write_text("")
    written = CliRunner().invoke(cli, ["dashboards", "--config", str(DEFAULT), "--output", str(tmp_path / "file")])
    assert written.exit_code == 2
