"""The example for Alertmanager is valid, and inhibits only what it should."""

import re
from itertools import product

import yaml

from sidecar import rules
from sidecar.config import read_config
from tests.rules.promtool import ROOT, called

PATH = ROOT / "deploy" / "alertmanager.yml"
ALERTS = rules.alerts(rules.terms_of(read_config(ROOT / "sidecar" / "config" / "sidecar.yaml")))
LABELS = [{"alertname": alert.name, "severity": alert.severity.value, **alert.labels} for alert in ALERTS]
_MATCHER = re.compile(r'(\w+) (=~|=) "([^"]*)"')

Labels = dict[str, str]


def _matches(matchers: list[str], labels: Labels) -> bool:
    parsed = [_MATCHER.fullmatch(matcher) for matcher in matchers]
    assert all(parsed), matchers
    return all(re.fullmatch(found[3], labels.get(found[1], "")) is not None for found in parsed if found is not None)


def _inhibited() -> set[tuple[str, str, str, str]]:
    """Return every pair of alerts of which the first inhibits the second."""
    found = set()
    for rule in yaml.safe_load(PATH.read_text())["inhibit_rules"]:
        for source, target in product(LABELS, LABELS):
            are_equal = all(source[label] == target[label] for label in rule["equal"] if label != "environment")
            if are_equal and _matches(rule["source_matchers"], source) and _matches(rule["target_matchers"], target):
                found.add((source["alertname"], source["severity"], target["alertname"], target["severity"]))
    return found


def test_amtool_accepts_the_configuration() -> None:
    """Routes, receivers and inhibition rules are valid."""
    checked = called("amtool", "check-config", PATH)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_no_ticket_inhibits_a_page_and_no_alert_inhibits_itself() -> None:
    """A page is inhibited only by another page."""
    pairs = _inhibited()
    assert [pair for pair in pairs if pair[1] != "page" and pair[3] == "page"] == []
    assert [pair for pair in pairs if pair[:2] == pair[2:]] == []


def test_isolation_and_lease_alerts_are_never_inhibited() -> None:
    """These alerts are valid regardless of others."""
    inhibited = {pair[2] for pair in _inhibited()}
    assert (
        inhibited
        & {
            "ReverbSidecarIsolationBroken",
            "ReverbSidecarLeaseNotHonoured",
            "ReverbSidecarTargetGone",
            "ReverbSidecarWatchdog",
            "ReverbSidecarBurningWithoutFalling",
        }
        == set()
    )


def test_a_missing_replica_inhibits_nothing() -> None:
    """`TargetGone` can be about one replica of several, and the others still export metrics."""
    assert {pair[2:] for pair in _inhibited() if pair[0] == "ReverbSidecarTargetGone"} == set()


def test_every_inhibition_rule_matches_alerts() -> None:
    """A misspelt name in a matcher would have no effect."""
    for rule in yaml.safe_load(PATH.read_text())["inhibit_rules"]:
        assert any(_matches(rule["source_matchers"], labels) for labels in LABELS), rule
        assert any(_matches(rule["target_matchers"], labels) for labels in LABELS), rule
        named = re.findall(
            r'alertname =~ "(\w+)\(([\w|]+)\)"', " ".join(rule["source_matchers"] + rule["target_matchers"])
        )
        for before, endings in named:
            names = {f"{before}{ending}" for ending in endings.split("|")}
            assert names <= {labels["alertname"] for labels in LABELS}


def test_alerts_are_routed_to_their_receivers() -> None:
    """Amtool returns the expected receiver for every alert."""
    for labels in LABELS:
        security = labels.get("category") == "security"
        expected = (
            "security" if security else {"page": "pager", "ticket": "tickets", "none": "watchdog"}[labels["severity"]]
        )
        words = [f"{name}={value}" for name, value in labels.items()]
        routed = called("amtool", "config", "routes", "test", f"--config.file={PATH}", *words)
        assert routed.stdout.strip() == expected, (labels, routed.stdout, routed.stderr)


def test_compose_mounts_the_rules_at_the_configured_path() -> None:
    """Prometheus in compose.yaml loads the rule file."""
    (named,) = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["rule_files"]
    volumes = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["prometheus"]["volumes"]
    assert f"./deploy/rules.yml:{named}:ro" in volumes
