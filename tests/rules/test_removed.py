"""Alerts with `lifecycle: removed`: they fire as before, and name the remaining fallbacks."""

from pathlib import Path

import msgspec
import pytest
import yaml

from sidecar import rules
from sidecar.config import Config
from sidecar.core.facts.policy import Lifecycle
from sidecar.rules.alert import BEHIND
from tests.rules.case import STUCK, TIMERS, Case
from tests.rules.promtool import Fired, tried
from tests.rules.test_rules import _case

TEXT = rules.printed(rules.terms_of(Config(environment="production", lifecycle=Lifecycle.REMOVED)))
NET = {'flag_mode{mode="push_with_safety_net"}': "1+0xN", 'flag_mode{mode="push_only"}': "0+0xN", "flag_rung": "1+0xN"}
FORTNIGHT = Case(says="", minutes=16 * 24 * 60, step_minutes=60)

# fmt: off
OUTAGE = _case("an outage under push is a page")
CASES = [
    # world                                                      what fires
    (Case(says="", minutes=60, changed=OUTAGE.changed | NET),     OUTAGE.fires),
    (msgspec.structs.replace(FORTNIGHT, changed=NET),                    ()),
    (msgspec.structs.replace(FORTNIGHT, changed=TIMERS),                 ((STUCK, "ticket"),)),
]
# fmt: on


@pytest.mark.parametrize(("case", "fires"), CASES)
def test_without_a_ladder_the_same_alerts_fire_and_the_safety_net_is_the_top_rung(
    case: Case, fires: Fired, tmp_path: Path
) -> None:
    """Timers are still the fallback, so failing delivery under push still pages."""
    ended = tried(tmp_path, TEXT, case.world, fires)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_alerts_about_delivery_name_the_remaining_fallbacks() -> None:
    """No alert refers to the removed timers as a fallback."""
    descriptions = {
        (rule["alert"], rule["labels"]["severity"]): rule["annotations"]["description"]
        for rule in yaml.safe_load(TEXT)["groups"][1]["rules"]
    }
    behind = {alert for (alert, _), description in descriptions.items() if BEHIND in description}
    assert behind == {
        "ReverbSidecarDeliveryBurning",
        "ReverbSidecarDeliveryEroding",
        "ReverbSidecarBurningWithoutFalling",
        "ReverbSidecarChannelAuthFailing",
        "ReverbSidecarRoundTripsFailing",
    }
    assert "although the hand-written timers are removed" in descriptions[(STUCK, "ticket")]
    usual = rules.printed(rules.terms_of(Config(environment="production")))
    assert "lifecycle" not in usual
