"""The example for Alertmanager is sound, and silences nothing that it must not."""

import re
from itertools import product

import yaml

from sidecar import rules
from sidecar.config import read_config
from tests.rules.promtool import ROOT, called

PATH = ROOT / "deploy" / "alertmanager.yml"
ALERTS = rules.alerts(rules.terms_of(read_config(ROOT / "config" / "sidecar.yaml")))
LABELS = [{"alertname": alert.name, "severity": alert.severity.value, **alert.labels} for alert in ALERTS]
_MATCHER = re.compile(r'(\w+) (=~|=) "([^"]*)"')

Labels = dict[str, str]


def _matches(matchers: list[str], labels: Labels) -> bool:
    parsed = [_MATCHER.fullmatch(matcher) for matcher in matchers]
    assert all(parsed), matchers
    return all(re.fullmatch(found[3], labels.get(found[1], "")) is not None for found in parsed if found is not None)


def _silenced() -> set[tuple[str, str, str, str]]:
    """Return every pair of alerts of which the first silences the second."""
    found = set()
    for rule in yaml.safe_load(PATH.read_text())["inhibit_rules"]:
        for source, target in product(LABELS, LABELS):
            are_equal = all(source[label] == target[label] for label in rule["equal"] if label != "environment")
            if are_equal and _matches(rule["source_matchers"], source) and _matches(rule["target_matchers"], target):
                found.add((source["alertname"], source["severity"], target["alertname"], target["severity"]))
    return found


def test_amtool_finds_nothing_to_complain_about() -> None:
    """Routes, receivers and inhibitions are what Alertmanager can read."""
    checked = called("amtool", "check-config", PATH)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_ticket_silences_a_page_and_nothing_silences_itself() -> None:
    """What wakes a person is silenced only by what has woken them already."""
    pairs = _silenced()
    assert [pair for pair in pairs if pair[1] != "page" and pair[3] == "page"] == []
    assert [pair for pair in pairs if pair[:2] == pair[2:]] == []


def test_a_isolation_probe_and_a_lease_are_silenced_by_nothing() -> None:
    """Both are true whatever else is."""
    silenced = {pair[2] for pair in _silenced()}
    assert (
        silenced
        & {
            "ReverbSidecarIsolationBroken",
            "ReverbSidecarLeaseNotHonoured",
            "ReverbSidecarTargetGone",
            "ReverbSidecarWatchdog",
            "ReverbSidecarBurningWithoutFalling",
        }
        == set()
    )


def test_a_replica_that_is_gone_silences_nothing_that_the_others_see() -> None:
    """`TargetGone` is about one of them; where all are gone, what they told is gone with them."""
    assert {pair[2:] for pair in _silenced() if pair[0] == "ReverbSidecarTargetGone"} == set()


def test_every_rule_of_inhibition_silences_something() -> None:
    """A misspelt name in a matcher would be a rule about nothing."""
    for rule in yaml.safe_load(PATH.read_text())["inhibit_rules"]:
        assert any(_matches(rule["source_matchers"], labels) for labels in LABELS), rule
        assert any(_matches(rule["target_matchers"], labels) for labels in LABELS), rule
        named = re.findall(
            r'alertname =~ "(\w+)\(([\w|]+)\)"', " ".join(rule["source_matchers"] + rule["target_matchers"])
        )
        for before, endings in named:
            names = {f"{before}{ending}" for ending in endings.split("|")}
            assert names <= {labels["alertname"] for labels in LABELS}


def test_alerts_go_where_they_must() -> None:
    """Amtool itself says which receiver gets which alert."""
    for labels in LABELS:
        security = labels.get("category") == "security"
        expected = (
            "security" if security else {"page": "pager", "ticket": "tickets", "none": "watchdog"}[labels["severity"]]
        )
        words = [f"{name}={value}" for name, value in labels.items()]
        routed = called("amtool", "config", "routes", "test", f"--config.file={PATH}", *words)
        assert routed.stdout.strip() == expected, (labels, routed.stdout, routed.stderr)


def test_compose_mounts_the_rules_where_prometheus_reads_them() -> None:
    """Rules that are not mounted are not there."""
    (named,) = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["rule_files"]
    volumes = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["prometheus"]["volumes"]
    assert f"./deploy/rules.yml:{named}:ro" in volumes
