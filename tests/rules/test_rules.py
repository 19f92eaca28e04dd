"""Every alert fires when it must and at no other time, and its guards are there for a reason."""

import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from sidecar import rules
from sidecar.cli import cli
from sidecar.config import Config, Objective, read_config
from tests.rules.case import BURNING, KEPT, PAGE, TICKET, Case
from tests.rules.cases import CASES
from tests.rules.extract import alerts_of, extracted
from tests.rules.limits import LIMITS
from tests.rules.promtool import ROOT, World, called, tried

SHIPPED = ROOT / "deploy" / "rules.yml"
TERMS = rules.terms_of(read_config(ROOT / "config" / "sidecar.yaml"))
ALERTS = {alert.name for alert in rules.alerts(TERMS)}


def _case(says: str) -> Case:
    return next(case for case in CASES if case.says == says)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_exactly_the_expected_alerts_fire(case: Case, tmp_path: Path) -> None:
    """Whatever happens, nothing fires beside what must."""
    ended = tried(tmp_path, SHIPPED.read_text(), case.world, case.fires)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("case", LIMITS, ids=lambda case: case.says)
def test_a_limit_is_where_it_is(case: Case, tmp_path: Path) -> None:
    """A little more and an alert fires, a little less and it does not; `make mutate` moves each to see who notices."""
    assert alerts_of(case)
    ended = tried(tmp_path, extracted(SHIPPED.read_text(), alerts_of(case)), case.world, case.fires)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_every_alert_has_a_case_that_it_fires_in_and_one_that_it_does_not() -> None:
    """An alert that was never seen silent pages always, and one that was never seen firing never does."""
    always = {"ReverbSidecarWatchdog"}
    assert {name.split()[0] for case in CASES for name, _ in case.fires} == ALERTS - always
    assert {name for case in CASES for name in case.spares} == ALERTS - always
    assert all(name.split()[0] not in case.spares for case in CASES for name, _ in case.fires)


def test_every_severity_of_every_alert_was_seen() -> None:
    """The page of an alert and its ticket are two rules, and each was tried."""
    seen = {fired for case in CASES for fired in case.fires}
    there = {(" ".join([alert.name, *_window(alert)]), alert.severity.value) for alert in rules.alerts(TERMS)}
    assert there - seen == {("ReverbSidecarWatchdog", "none")}


def _window(alert: rules.Alert) -> list[str]:
    return [alert.labels["window"]] if "window" in alert.labels else []


MUTATIONS = (
    (
        "without the low-traffic guard one bad payment pages",
        "one bad payment in a quiet hour pages nobody",
        r"(failed_payments:increase\w+\{[^}]*\}) >= 2\.9",
        r"\1 > 0",
    ),
    (
        "without `push is served` an outage under timers pages",
        "the same outage with timers served is a ticket",
        r"(and|unless)\n +min_over_time\(job:reverb_sidecar_push_served:max\{[^}]*\}\[\w+\]\) == 1",
        "",
    ),
    (
        "with `sum` for `max` three replicas make three of one payment",
        "three replicas that tell of one bad payment page nobody",
        r"max without \(instance, pod\)",
        "sum without (instance, pod)",
    ),
    (
        "without the short window an outage that is over goes on paging",
        "an outage that is over pages no more",
        r"and job:reverb_sidecar_failed_per_judged_payments:ratio_increase(5m|30m)\{[^}]*\} > [\d.]+\n",
        "\n",
    ),
    (
        "without a look at the mode a lease that lapsed under timers pages",
        "a lease that lapsed under timers is none",
        r"and ignoring \(mode\)\n +reverb_sidecar_flag_mode\{[^}]*\} == 1",
        "",
    ),
    (
        "without a look back a young Prometheus calls everything stuck",
        "a young Prometheus does not call it stuck",
        r"and [^\n]* offset 14d >= 0",
        "",
    ),
)


@pytest.mark.parametrize(("says", "case", "guard", "instead"), MUTATIONS, ids=[row[0] for row in MUTATIONS])
def test_a_rule_without_its_guard_is_found_out(says: str, case: str, guard: str, instead: str, tmp_path: Path) -> None:
    """Each guard is taken away, and the case that it is for turns red."""
    whole = SHIPPED.read_text()
    mutated = re.sub(guard, instead, whole)
    assert mutated != whole, f"{says}: the guard was not found"
    (tmp_path / "mutated.yml").write_text(mutated)
    assert called("promtool", "check", "rules", tmp_path / "mutated.yml").returncode == 0, "it is still a rule"
    ended = tried(tmp_path, mutated, _case(case).world, _case(case).fires)
    assert ended.returncode != 0, says
    assert "got:" in ended.stdout + ended.stderr


def test_the_page_names_payers_and_the_ticket_says_that_nobody_is_affected(tmp_path: Path) -> None:
    """A person who was woken reads how many people wait, and one who was not why nobody does."""
    page, ticket = (
        _descriptions(tmp_path, changed)
        for changed in ({}, _case("the same outage with timers served is a ticket").changed)
    )
    assert page == (
        "payers of the last 1h had no news by push within 2s, more than 14.4% of those who paid, and push is served: those of them who were told push "
        'see "Pay now" although they have paid.'
    )
    assert ticket == (
        "payments of the last 1h had no news by push within 2s, more than 14.4%. Nobody is affected, because every payer is served timers, "
        "or was until it was well again."
    )


def _descriptions(folder: Path, changed: dict[str, str]) -> str:
    case = _case("an outage under push is a page")
    world = World(minutes=60, series=Case(says="", changed=case.changed | changed).world.series)
    severity = TICKET if changed else PAGE
    wanted = [{"alertname": BURNING, "eval_time": "60m", "exp_alerts": []}]
    ended = tried(folder, SHIPPED.read_text(), world, (), alert_rule_test=wanted)
    told = re.findall(r'description=(?:"((?:[^"\\]|\\.)*)")', ended.stdout + ended.stderr)
    found = [text.replace('\\"', '"') for text in told if "of the last 1h" in text]
    assert found, f"{severity}: {ended.stdout}{ended.stderr}"
    return str(found[0]).split(" ", 1)[1]


def test_promtool_finds_nothing_to_complain_about() -> None:
    """Also not for duplicates, which it only warns of by itself."""
    checked = called("promtool", "check", "rules", "--lint=all", "--lint-fatal", SHIPPED)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_shipped_rules_are_what_is_printed_for_the_default_configuration() -> None:
    """`sidecar rules > deploy/rules.yml` renews them."""
    printed = CliRunner().invoke(cli, ["rules", "--config", str(ROOT / "config" / "sidecar.yaml")])
    assert (printed.exit_code, printed.stdout) == (0, SHIPPED.read_text())


def test_the_operator_gets_the_same_rules_in_its_own_envelope() -> None:
    """`--format operator` prints a PrometheusRule."""
    config = str(ROOT / "config" / "sidecar.yaml")
    printed = CliRunner().invoke(cli, ["rules", "--config", config, "--format", "operator"])
    document = yaml.safe_load(printed.stdout)
    assert (document["apiVersion"], document["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert document["spec"] == yaml.safe_load(SHIPPED.read_text())


def test_rules_follow_the_objective_the_environment_the_job_and_the_place_of_the_runbooks() -> None:
    """What is configured stands in them."""
    config = Config(environment="staging", objective=Objective(reliability_ppm=995_000, on_time_within_ms=500))
    text = rules.printed(rules.terms_of(config, job="payments", runbooks="https://wiki.example.test/runbooks"))
    assert 'ratio_increase1h{job="payments", environment=~"staging|"} > 0.072' in text
    assert "within 0.5s" in text
    assert "https://wiki.example.test/runbooks/ReverbSidecarSuspended.md" in text
    assert "reverb-sidecar" not in text.replace("- name: reverb-sidecar.", "")
    alerts = yaml.safe_load(text)["groups"][1]["rules"]
    assert {rule["labels"]["environment"] for rule in alerts} == {"staging"}


def test_a_loose_objective_leaves_an_alert_that_can_fire(tmp_path: Path) -> None:
    """14.4 times ten per cent is more than all payments: the limit stays below them."""
    text = rules.printed(rules.terms_of(Config(environment="demo", objective=Objective(reliability_ppm=900_000))))
    case = _case("an outage under push is a page")
    ended = tried(tmp_path, text, World(minutes=60, series=case.world.series | _only_missed(case)), case.fires)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "> 1.44" not in text


def _only_missed(case: Case) -> dict[str, str]:
    return {name: "0+0x61" for name in case.world.series if 'outcome="on_time"' in name}


def test_a_dry_run_is_not_called_blind(tmp_path: Path) -> None:
    """It climbs and serves timers: that is what it is for."""
    rehearsing = {'flag_reason{reason="dry_run"}': "1+0xN", 'flag_reason{reason="held"}': "0+0xN"}
    case = Case(says="", changed=KEPT | rehearsing)
    ended = tried(tmp_path, SHIPPED.read_text(), case.world, ())
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_a_ticket_about_rest_says_what_it_rests_for(tmp_path: Path) -> None:
    """The reason stands in the text and not in the labels: a reason that changes must not begin the quarter of an hour anew."""
    for case, words in (
        ("resting is a ticket, whatever for", "cut_off"),
        ("replicas that all have no lease are a ticket", "lease"),
    ):
        wanted = [{"alertname": "ReverbSidecarSuspended", "eval_time": "60m", "exp_alerts": []}]
        ended = tried(tmp_path, SHIPPED.read_text(), _case(case).world, _case(case).fires, alert_rule_test=wanted)
        (told,) = re.findall(r"It rests for: ([^\"]*)\"", ended.stdout + ended.stderr)
        assert words in told


def test_a_job_that_would_break_an_expression_is_refused() -> None:
    """A quote in a name is a mistake or worse."""
    config = str(ROOT / "config" / "sidecar.yaml")
    printed = CliRunner().invoke(cli, ["rules", "--config", config, "--job", 'a"} or vector(1) #'])
    assert printed.exit_code == 2
