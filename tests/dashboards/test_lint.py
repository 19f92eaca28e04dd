"""The rules of Grafana's dashboard-linter and additional ones: https://github.com/grafana/dashboard-linter/tree/main/docs/rules."""

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
"""Units in use."""
FIXED = {*WINDOWS, "10m", "15m", "30d"}
"""Windows of the rules and of the error budget."""
NUMBERS = {f"reverb-sidecar-{name}" for name in NAMES}
STATIC = re.compile(r"\[(?!\$__)(\w+)(?::\w+)?\]")


def _variable(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (each for each in document["templating"]["list"] if each["name"] == name)
    return dict(found)


def test_the_linter_configuration_excludes_one_rule_with_a_reason() -> None:
    """Grafana's own linter reports no known exceptions."""
    excluded = yaml.safe_load((files.FOLDER / ".lint").read_text())["exclusions"]
    assert list(excluded) == ["target-rate-interval-rule"]
    assert len(excluded["target-rate-interval-rule"]["reason"]) > 30


def test_there_are_five_dashboards() -> None:
    """The files are those that the documentation lists."""
    assert sorted(NAMES) == ["decision", "itself", "overview", "payments", "reverb"]


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_has_a_stable_uid_and_is_not_editable(name: str) -> None:
    """The URL never changes, and Grafana shows the dashboard as provisioned. (uneditable-dashboard)"""
    document = files.DOCUMENTS[name]
    assert (document["uid"], document["schemaVersion"], document["editable"]) == (f"reverb-sidecar-{name}", 42, False)
    assert document["tags"] == ["reverb-sidecar"]
    assert "id" not in document
    assert len({each["title"] for each in files.DOCUMENTS.values()}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_has_the_standard_variables(name: str) -> None:
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
def test_every_panel_has_a_description_and_a_unit(name: str) -> None:
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
def test_panels_have_unique_ids_and_do_not_overlap(name: str) -> None:
    """No two panels overlap, none exceeds the grid of 24 columns, and no line of the grid is empty."""
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


def test_every_query_uses_the_variables() -> None:
    """target-promql, target-job, target-instance; and the environment."""
    for asked in (*files.targets(), *files.annotations()):
        read = list(selectors(asked.expr))
        assert read, asked.where
        for selector in read:
            matched = {label for label, values in selector.labels if values == {".+"}}
            assert {"job", "instance", "environment"} <= matched, f"{asked.where}: {selector.name}"


def test_counters_are_read_by_their_increase() -> None:
    """target-counter-agg, target-rate-interval: over a window of the graph, the time range, or the rules."""
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


def test_good_outcomes_are_green() -> None:
    """Grafana colours in alphabetical order: `late` would be green, and `missed` yellow."""
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
            assert {colours.get(good, "green") for good in ("ok", "good", "delivered", "refused")} == {"green"}
    assert seen == 2


def test_a_single_payment_of_a_quiet_day_is_visible() -> None:
    """Isolated values have points, heat maps have wide columns, and counts have bars of a minute."""
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
def test_links_have_targets(name: str) -> None:
    """Links lead to the other dashboards, the console and existing runbooks."""
    document = files.DOCUMENTS[name]
    assert [link["type"] for link in document["links"]] == ["dashboards", "link"]
    assert document["links"][0]["tags"] == document["tags"]
    assert document["links"][1]["url"] == "${console}/"
    assert _variable(document, "console")["query"].startswith("http")
    for panel in files.panels(document):
        *others, console = panel["links"]
        assert (console["title"], console["url"]) in {
            ("Console", f"${{console}}{path}") for path in ("/", "/payments", "/decisions")
        }
        for link in others:
            if link["title"] == "Runbook":
                assert link["url"].endswith(".md")
                continue
            uid = re.match(r"/d/([\w-]+)\?\$\{__url_time_range\}&\$\{__all_variables\}$", link["url"])
            assert uid, link["url"]
            assert uid[1] in NUMBERS - {document["uid"]}
        for runbook in re.findall(r"docs/runbooks/\w+\.md", panel["description"]):
            assert (ROOT / runbook).exists(), runbook


def test_every_dashboard_has_the_annotations() -> None:
    """Notifications, moves of the flag, suspensions, releases of the app and versions of the sidecar are in every graph."""
    for document in files.DOCUMENTS.values():
        assert [each["name"] for each in document["annotations"]["list"]][1:] == [
            "Notifications",
            "Moves",
            "Suspensions",
            "Releases",
            "Sidecar versions",
        ]
