"""Every alert fires under its condition only, and each guard in an expression is necessary."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from sidecar import rules
from sidecar.cli import cli
from sidecar.config import Config, Objective, read_config
from tests.rules.case import BURNING, CURRENT_RUNG, KEPT, PAGE, TICKET, Case
from tests.rules.cases import CASES
from tests.rules.extract import alerts_of, extracted
from tests.rules.limits import LIMITS
from tests.rules.promtool import ROOT, World, called, tried

SHIPPED = ROOT / "deploy" / "rules.yml"
TERMS = rules.terms_of(read_config(ROOT / "sidecar" / "config" / "sidecar.yaml"))
ALERTS = {alert.name for alert in rules.alerts(TERMS)}


def _case(says: str) -> Case:
    return next(case for case in CASES if case.says == says)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_exactly_the_expected_alerts_fire(case: Case, tmp_path: Path) -> None:
    """Only the expected alerts fire."""
    ended = tried(tmp_path, SHIPPED.read_text(), case.world, case.fires)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("case", LIMITS, ids=lambda case: case.says)
def test_a_limit_is_where_it_is(case: Case, tmp_path: Path) -> None:
    """An alert fires just above its limit and not just below; `make mutate` checks that every limit is covered."""
    assert alerts_of(case)
    ended = tried(tmp_path, extracted(SHIPPED.read_text(), alerts_of(case)), case.world, case.fires)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_alert_has_a_case_that_it_fires_in_and_one_that_it_does_not() -> None:
    """Both states of every alert are covered."""
    always = {"ReverbSidecarWatchdog"}
    assert {name.split()[0] for case in CASES for name, _ in case.fires} == ALERTS - always
    assert {name for case in CASES for name in case.spares} == ALERTS - always
    assert all(name.split()[0] not in case.spares for case in CASES for name, _ in case.fires)


def test_every_severity_of_every_alert_was_seen() -> None:
    """The page and the ticket of an alert are two rules, and each has a case."""
    seen = {fired for case in CASES for fired in case.fires}
    there = {(" ".join([alert.name, *_window(alert)]), alert.severity.value) for alert in rules.alerts(TERMS)}
    assert there - seen == {("ReverbSidecarWatchdog", "none")}


def _window(alert: rules.Alert) -> list[str]:
    return [alert.labels["window"]] if "window" in alert.labels else []


MUTATIONS = (
    (
        "without the low-traffic guard one failed payment pages",
        "one failed payment in a quiet hour fires nothing",
        r"(failed_payments:increase\w+\{[^}]*\}) >= 2\.9",
        r"\1 > 0",
    ),
    (
        "without the guard for served push an outage under timers pages",
        "the same outage with timers served is a ticket",
        r"(and|unless)\n +min_over_time\(job:reverb_sidecar_push_served:max\{[^}]*\}\[\w+\]\) == 1",
        "",
    ),
    (
        "with `sum` instead of `max` three replicas count one payment three times",
        "one failed payment exported by three replicas fires nothing",
        r"max without \(instance, pod\)",
        "sum without (instance, pod)",
    ),
    (
        "without the short window an outage that is over still pages",
        "an outage that is over pages no more",
        r"and job:reverb_sidecar_failed_per_judged_payments:ratio_increase(5m|30m)\{[^}]*\} > [\d.]+\n",
        "\n",
    ),
    (
        "without the mode an expired lease under timers pages",
        "an expired lease under timers fires nothing",
        r"and ignoring \(mode\)\n +reverb_sidecar_flag_mode\{[^}]*\} == 1",
        "",
    ),
    (
        "without the offset a new Prometheus reports everything as stuck",
        "a new Prometheus without history does not report it as stuck",
        r"and [^\n]* offset 14d >= 0",
        "",
    ),
)


@pytest.mark.parametrize(("says", "case", "guard", "instead"), MUTATIONS, ids=[row[0] for row in MUTATIONS])
def test_a_rule_without_its_guard_is_detected(says: str, case: str, guard: str, instead: str, tmp_path: Path) -> None:
    """The case for a guard fails when the guard is removed."""
    whole = SHIPPED.read_text()
    mutated = re.sub(guard, instead, whole)
    assert mutated != whole, f"{says}: the guard was not found"
    (tmp_path / "mutated.yml").write_text(mutated)
    assert called("promtool", "check", "rules", tmp_path / "mutated.yml").returncode == 0, (
        "the mutated rule is still valid"
    )
    ended = tried(tmp_path, mutated, _case(case).world, _case(case).fires)
    assert ended.returncode != 0, says
    assert "got:" in ended.stdout + ended.stderr


def test_the_page_names_payers_and_the_ticket_says_that_nobody_is_affected(tmp_path: Path) -> None:
    """The page states how many payers are affected, and the ticket why nobody is."""
    page, ticket = (
        _descriptions(tmp_path, changed)
        for changed in ({}, _case("the same outage with timers served is a ticket").changed)
    )
    assert page == (
        "payers did not receive their broadcast within 2s in the last 1h, more than 14.4% of those who paid. Push is served: "
        'those of them who were served push see "Pay now" although they have paid.'
    )
    assert ticket == (
        "payers did not receive their broadcast within 2s in the last 1h, more than 14.4% of those who paid. "
        "Nobody is affected: all payers are served timers, or were until the condition ended."
    )


def _descriptions(folder: Path, changed: dict[str, str]) -> str:
    case = _case("an outage under push is a page")
    world = World(minutes=60, series=Case(says="", changed=case.changed | changed).world.series)
    severity = TICKET if changed else PAGE
    wanted = [{"alertname": BURNING, "eval_time": "60m", "exp_alerts": []}]
    ended = tried(folder, SHIPPED.read_text(), world, (), alert_rule_test=wanted)
    descriptions = re.findall(r'description=(?:"((?:[^"\\]|\\.)*)")', ended.stdout + ended.stderr)
    found = [text.replace('\\"', '"') for text in descriptions if "in the last 1h" in text]
    assert found, f"{severity}: {ended.stdout}{ended.stderr}"
    return str(found[0]).split(" ", 1)[1]


def test_promtool_accepts_the_rules() -> None:
    """Duplicates, which promtool only warns about by default, are errors here."""
    checked = called("promtool", "check", "rules", "--lint=all", "--lint-fatal", SHIPPED)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_shipped_rules_are_those_of_the_default_configuration() -> None:
    """`sidecar rules --config sidecar/config/sidecar.yaml > deploy/rules.yml` regenerates them."""
    printed = CliRunner().invoke(cli, ["rules", "--config", str(ROOT / "sidecar" / "config" / "sidecar.yaml")])
    assert (printed.exit_code, printed.stdout) == (0, SHIPPED.read_text())


def test_the_prometheus_operator_gets_the_same_rules_as_a_resource() -> None:
    """`--format operator` prints a PrometheusRule."""
    config = str(ROOT / "sidecar" / "config" / "sidecar.yaml")
    printed = CliRunner().invoke(cli, ["rules", "--config", config, "--format", "operator"])
    document = yaml.safe_load(printed.stdout)
    assert (document["apiVersion"], document["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert document["spec"] == yaml.safe_load(SHIPPED.read_text())


def test_rules_follow_the_objective_environment_job_and_runbooks() -> None:
    """Configured values appear in the rules."""
    config = Config(environment="staging", objective=Objective(reliability_ppm=995_000, on_time_within_ms=500))
    text = rules.printed(rules.terms_of(config, job="payments", runbooks="https://wiki.example.test/runbooks"))
    assert 'ratio_increase1h{job="payments", environment=~"staging|"} > 0.072' in text
    assert "within 0.5s" in text
    assert "https://wiki.example.test/runbooks/ReverbSidecarSuspended.md" in text
    assert "reverb-sidecar" not in text.replace("- name: reverb-sidecar.", "")
    alerts = yaml.safe_load(text)["groups"][1]["rules"]
    assert {rule["labels"]["environment"] for rule in alerts} == {"staging"}


def test_an_alert_for_a_loose_objective_can_fire(tmp_path: Path) -> None:
    """14.4 times 10 % exceeds 100 % of payments: the limit is capped."""
    text = rules.printed(rules.terms_of(Config(environment="demo", objective=Objective(reliability_ppm=900_000))))
    case = _case("an outage under push is a page")
    ended = tried(tmp_path, text, World(minutes=60, series=case.world.series | _only_missed(case)), case.fires)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "> 1.44" not in text


def _only_missed(case: Case) -> dict[str, str]:
    return {name: "0+0x61" for name in case.world.series if 'outcome="on_time"' in name}


def test_a_dry_run_does_not_count_as_suspended(tmp_path: Path) -> None:
    """A dry run climbs and serves timers by design."""
    rehearsing = {'flag_reason{reason="dry_run"}': "1+0xN", CURRENT_RUNG: "0+0xN"}
    case = Case(says="", changed=KEPT | rehearsing)
    ended = tried(tmp_path, SHIPPED.read_text(), case.world, ())
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_ticket_about_a_suspension_names_the_reason(tmp_path: Path) -> None:
    """The reason is in the description and not a label: a changed reason must not restart the pending time."""
    for case, words in (
        ("a suspension of a quarter of an hour is a ticket, whatever its reasons", "cut_off"),
        ("no replica with a lease is a ticket", "lease"),
    ):
        wanted = [{"alertname": "ReverbSidecarSuspended", "eval_time": "60m", "exp_alerts": []}]
        ended = tried(tmp_path, SHIPPED.read_text(), _case(case).world, _case(case).fires, alert_rule_test=wanted)
        (reason,) = re.findall(r"Reason: ([^\"]*)\"", ended.stdout + ended.stderr)
        assert words in reason


def test_a_job_name_that_breaks_an_expression_is_rejected() -> None:
    """A quote in a job name is an error."""
    config = str(ROOT / "sidecar" / "config" / "sidecar.yaml")
    printed = CliRunner().invoke(cli, ["rules", "--config", config, "--job", 'a"} or vector(1) #'])
    assert printed.exit_code == 2
