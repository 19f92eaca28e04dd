"""Each alert has a runbook, and all runbooks have the same sections."""

import re

import pytest
from typer.testing import CliRunner

from sidecar import rules
from sidecar.cli import cli
from sidecar.config import read_config
from tests.dashboards import files
from tests.rules.promtool import ROOT
from tests.rules.runbooks import FOLDER, PARTS, RUNBOOKS, parts, queries

ALERTS = rules.alerts(rules.terms_of(read_config(ROOT / "sidecar" / "config" / "sidecar.yaml")))
NAMES = sorted({alert.name for alert in ALERTS})


def test_each_alert_has_its_runbook_and_each_runbook_its_alert() -> None:
    """The runbooks' files are named after the alerts."""
    assert [path.stem for path in RUNBOOKS] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_all_runbooks_have_the_same_sections(name: str) -> None:
    """A runbook begins with the alert's summary and has all sections, with queries and a command to check."""
    path = FOLDER / f"{name}.md"
    text, found = path.read_text(), parts(path)
    summary = next(alert.summary for alert in ALERTS if alert.name == name)
    assert text.startswith(f"# {name}\n\n{summary}\n")
    assert tuple(found) == PARTS
    assert all(body.strip() for body in found.values())
    assert queries(path), "a runbook has queries"
    assert re.findall(r"^```promql$", found["How to check"], flags=re.MULTILINE)
    assert "sidecar " in found["How to check"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "ReverbSidecarWatchdog"])
def test_a_runbook_names_panels_of_its_alert(name: str) -> None:
    """A runbook names a dashboard and existing panels; at least one of the panels names the alert."""
    first = " ".join(parts(FOLDER / f"{name}.md")["How to check"].split())
    (board, panels) = re.findall(r"Grafana, \*[\w ]+\* \(`/d/reverb-sidecar-(\w+)`\): ([^`]*?)\.(?: \d\.|$)", first)[0]
    descriptions = {panel["title"]: panel["description"] for panel in files.panels(files.DOCUMENTS[board])}
    titles = re.findall(r"\*([^*]+)\*", panels)
    assert titles
    assert set(titles) <= set(descriptions)
    assert any(name in descriptions[title] for title in titles)


def test_runbooks_name_existing_commands() -> None:
    """Every command in a runbook exists."""
    helped = CliRunner().invoke(cli, ["--help"]).stdout
    known = set(re.findall(r"^\W*([a-z]+)  ", helped, flags=re.MULTILINE))
    for path in RUNBOOKS:
        for command in re.findall(r"(?:^|`)sidecar ([a-z]+)", path.read_text(), flags=re.MULTILINE):
            assert command in known, f"{path.name}: sidecar {command}"


def test_the_reference_lists_every_alert_with_its_severities_and_summary() -> None:
    """The table in `docs/runbooks/README.md` is complete."""
    text = (FOLDER / "README.md").read_text()
    listed = re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| ([a-z, ]+) \| (.+) \|$", text, re.MULTILINE)
    severities: dict[str, dict[str, None]] = {}
    for alert in ALERTS:
        severities.setdefault(alert.name, {})[alert.severity.value] = None
    summaries = {alert.name: alert.summary for alert in ALERTS}
    assert listed == [(name, ", ".join(seen), summaries[name]) for name, seen in severities.items()]
