"""The rules of Grafana's dashboard-linter, and our own: https://github.com/grafana/dashboard-linter/tree/main/docs/rules."""

import itertools
import re
from typing import Any

import pytest
import yaml

from sidecar.rules.recordings import WINDOWS
from tests.dashboards import files
from tests.rules.promtool import ROOT
from tests.rules.selectors import selectors

NAMES = tuple(files.DOCUMENTS)
UNITS = {"none", "short", "percentunit", "s", "ops"}
"""Those that we use of Grafana's."""
FIXED = {*WINDOWS, "10m", "15m", "30d"}
"""Windows of the rules, whose thresholds are drawn, and of the error budget."""
NUMBERS = {f"reverb-sidecar-{name}" for name in NAMES}
STATIC = re.compile(r"\[(?!\$__)(\w+)(?::\w+)?\]")


def _variable(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in document["templating"]["list"] if each["name"] == name)
    return dict(found)


def test_the_linter_is_told_of_the_one_rule_that_is_not_kept() -> None:
    """Whoever runs Grafana's own linter is not told what we know."""
    excluded = yaml.safe_load((files.FOLDER / ".lint").read_text())["exclusions"]
    assert list(excluded) == ["target-rate-interval-rule"]
    assert len(excluded["target-rate-interval-rule"]["reason"]) > 30


def test_there_are_the_five_dashboards() -> None:
    """As the issue and the README list them."""
    assert sorted(NAMES) == ["decision", "itself", "overview", "payments", "reverb"]


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_is_of_its_own_name_and_nobody_edits_it_by_hand(name: str) -> None:
    """Its address never changes, and Grafana says that it is provisioned. (uneditable-dashboard)"""
    document = files.DOCUMENTS[name]
    assert (document["uid"], document["schemaVersion"], document["editable"]) == (f"reverb-sidecar-{name}", 42, False)
    assert document["tags"] == ["reverb-sidecar"]
    assert "id" not in document
    assert len({each["title"] for each in files.DOCUMENTS.values()}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_its_variables_are_those_of_every_prometheus_dashboard(name: str) -> None:
    """template-datasource, template-job, template-instance, template-on-time-change-reload; and the environment."""
    document = files.DOCUMENTS[name]
    datasource = _variable(document, "datasource")
    assert (datasource["type"], datasource["query"], datasource["label"]) == ("datasource", "prometheus", "Data source")
    for each, label, all_value in (
        ("job", "Job", ".+"),
        ("instance", "Instance", ".+"),
        ("environment", "Environment", ".*"),
    ):
        variable = _variable(document, each)
        assert (variable["label"], variable["allValue"]) == (label, all_value)
        assert (variable["type"], variable["multi"], variable["includeAll"], variable["refresh"]) == (
            "query",
            True,
            True,
            2,
        )
        assert variable["datasource"]["uid"] == "${datasource}"
        assert variable["query"]["query"].endswith(f", {each})")


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_says_what_it_shows_and_in_which_unit(name: str) -> None:
    """panel-title-description, panel-units, panel-no-targets, panel-datasource."""
    for panel in files.panels(files.DOCUMENTS[name]):
        assert len(panel["title"]) > 2
        assert len(panel["description"]) > 15, panel["title"]
        assert panel["description"].rstrip("`").endswith((".", ".md", ".md)")), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]
        assert panel["targets"]
        for each in (panel, *panel["targets"]):
            assert each["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


@pytest.mark.parametrize("name", NAMES)
def test_panels_have_their_own_numbers_and_stand_side_by_side(name: str) -> None:
    """No two overlap, none leaves the grid of 24 columns, and no line of the grid is left empty."""
    placed = files.DOCUMENTS[name]["panels"]
    assert len({panel["id"] for panel in placed}) == len(placed)
    cells: dict[tuple[int, int], str] = {}
    for panel in placed:
        place = panel["gridPos"]
        assert place["x"] >= 0 < place["w"], panel["title"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        for cell in itertools.product(
            range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
        ):
            assert cells.setdefault(cell, panel["title"]) == panel["title"], f"{panel['title']} lies on {cells[cell]}"
    assert {y for _, y in cells} == set(range(max(y for _, y in cells) + 1))
    titles = [panel["title"] for panel in placed]
    assert len(set(titles)) == len(titles)


def test_every_query_obeys_the_variables() -> None:
    """target-promql, target-job, target-instance; and the environment."""
    for asked in (*files.targets(), *files.annotations()):
        read = list(selectors(asked.expr))
        assert read, asked.where
        for selector in read:
            matched = {label for label, values in selector.labels if values == {".+"}}
            assert {"job", "instance", "environment"} <= matched, f"{asked.where}: {selector.name}"


def test_counters_are_read_by_how_they_grow() -> None:
    """target-counter-agg, target-rate-interval: over a window that fits the graph, the screen, or the rules."""
    for asked in (*files.targets(), *files.annotations()):
        assert not re.search(
            r"(?<!increase\()(?<!rate\()(?<!changes\()(?<!resets\()(?<!increase\(max without \(instance, pod\) \()"
            r"\breverb_sidecar_\w+_total\b",
            asked.expr,
        ), asked.where
        windows = set(STATIC.findall(asked.expr))
        assert windows <= (FIXED if asked.kind != "annotation" else {"5m", "1d"}), f"{asked.where}: {windows}"
        if asked.is_instant:
            assert "$__rate_interval" not in asked.expr, f"{asked.where}: a single number is of the whole screen"


def test_what_is_well_is_green_and_what_is_not_is_not() -> None:
    """Grafana colours by the alphabet: `late` would be green, and `missed` yellow."""
    meant = {"on_time": "green", "late": "orange", "missed": "red", "unmeasured": "text"}
    seen = 0
    for name, document in files.DOCUMENTS.items():
        for panel in files.panels(document):
            colours = {
                override["matcher"]["options"]: override["properties"][0]["value"]["fixedColor"]
                for override in panel["fieldConfig"]["overrides"]
                if override["properties"][0]["id"] == "color"
            }
            if panel["title"] == "Payments by outcome":
                seen += 1
                assert colours == meant, name
            assert {colours.get(good, "green") for good in ("ok", "good", "told", "refused")} == {"green"}
    assert seen == 2


def test_one_payment_of_a_quiet_day_is_seen() -> None:
    """A line between two gaps has no length, a column of a heat map of a day is a pixel, and a bar is one bar."""
    for panel in (panel for document in files.DOCUMENTS.values() for panel in files.panels(document)):
        if panel["type"] == "timeseries":
            custom = panel["fieldConfig"]["defaults"]["custom"]
            assert (custom["showPoints"], custom["drawStyle"], panel.get("interval")) in (
                ("auto", "line", None),
                ("auto", "bars", "1m"),
            ), panel["title"]
        if panel["type"] == "heatmap":
            assert panel["maxDataPoints"] <= 150, panel["title"]


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """To the other dashboards, to the console, and to runbooks that there are."""
    document = files.DOCUMENTS[name]
    assert [link["type"] for link in document["links"]] == ["dashboards", "link"]
    assert document["links"][0]["tags"] == document["tags"]
    assert document["links"][1]["url"] == "${console}/"
    assert _variable(document, "console")["query"].startswith("http")
    for panel in files.panels(document):
        for link in panel["links"]:
            uid = re.match(r"/d/([\w-]+)\?\$\{__url_time_range\}&\$\{__all_variables\}$", link["url"])
            assert uid, link["url"]
            assert uid[1] in NUMBERS - {document["uid"]}
        for runbook in re.findall(r"docs/runbooks/\w+\.md", panel["description"]):
            assert (ROOT / runbook).exists(), runbook


def test_every_dashboard_marks_what_happened() -> None:
    """Notifications that came to Grafana, moves of the flag, shelters, and releases of the app and of the sidecar stand in every graph."""
    for document in files.DOCUMENTS.values():
        assert [each["name"] for each in document["annotations"]["list"]][1:] == [
            "Notifications",
            "Moves",
            "Shelters",
            "Releases",
            "Sidecar's versions",
        ]
