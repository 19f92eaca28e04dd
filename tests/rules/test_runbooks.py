"""Each alert has its runbook, and each runbook answers the same five questions."""

import re

import pytest
from typer.testing import CliRunner

from sidecar import rules
from sidecar.cli import cli
from sidecar.config import read_config
from tests.dashboards import files
from tests.rules.promtool import ROOT
from tests.rules.runbooks import FOLDER, PARTS, RUNBOOKS, parts, queries

ALERTS = rules.alerts(rules.terms_of(read_config(ROOT / "config" / "sidecar.yaml")))
NAMES = sorted({alert.name for alert in ALERTS})


def test_each_alert_has_its_runbook_and_each_runbook_its_alert() -> None:
    """A page without an answer, and an answer to nothing, are both mistakes."""
    assert [path.stem for path in RUNBOOKS] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_runbook_has_one_shape(name: str) -> None:
    """Who was woken finds everything where it always is."""
    path = FOLDER / f"{name}.md"
    text, found = path.read_text(), parts(path)
    summary = next(alert.summary for alert in ALERTS if alert.name == name)
    assert text.startswith(f"# {name}\n\n{summary}\n")
    assert tuple(found) == PARTS
    assert all(body.strip() for body in found.values())
    assert queries(path), "it has queries to look at"
    assert re.findall(r"^```promql$", found["What to look at first"], flags=re.MULTILINE)
    assert "sidecar " in found["What to look at first"]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "ReverbSidecarWatchdog"])
def test_a_runbook_leads_to_the_panels_that_ask_the_same(name: str) -> None:
    """By the dashboard's address and the panels' titles, one of which names the alert: who was woken does not search."""
    first = " ".join(parts(FOLDER / f"{name}.md")["What to look at first"].split())
    (board, told) = re.findall(r"Grafana, \*[\w ]+\* \(`/d/reverb-sidecar-(\w+)`\): ([^`]*?)\.(?: \d\.|$)", first)[0]
    descriptions = {panel["title"]: panel["description"] for panel in files.panels(files.DOCUMENTS[board])}
    titles = re.findall(r"\*([^*]+)\*", told)
    assert titles
    assert set(titles) <= set(descriptions)
    assert any(name in descriptions[title] for title in titles)


def test_runbooks_name_commands_that_there_are() -> None:
    """A command that is not there costs a person at night more than none."""
    helped = CliRunner().invoke(cli, ["--help"]).stdout
    known = set(re.findall(r"^\W*([a-z]+)  ", helped, flags=re.MULTILINE))
    for path in RUNBOOKS:
        for command in re.findall(r"(?:^|`)sidecar ([a-z]+)", path.read_text(), flags=re.MULTILINE):
            assert command in known, f"{path.name}: sidecar {command}"


def test_the_list_of_runbooks_names_every_alert_with_its_severity() -> None:
    """`docs/runbooks/README.md` is what one looks through beforehand."""
    listed = dict(
        re.findall(r"^\| \[(\w+)\]\(\1\.md\) \| ([a-z, ]+) \|", (FOLDER / "README.md").read_text(), re.MULTILINE)
    )
    severities: dict[str, list[str]] = {}
    for alert in ALERTS:
        seen = severities.setdefault(alert.name, [])
        if alert.severity.value not in seen:
            seen.append(alert.severity.value)
    assert listed == {name: ", ".join(seen) for name, seen in severities.items()}
