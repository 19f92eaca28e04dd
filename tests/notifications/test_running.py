"""Notifications of a running sidecar, and the command that tests delivery."""

import asyncio
import json
from pathlib import Path

import msgspec
from typer.testing import CliRunner, Result

from sidecar.cli import cli
from sidecar.config import (
    LadderRung,
    Notifications,
    NotificationSecrets,
    NotificationTarget,
    Objective,
    PolicyKeys,
    TargetKind,
)
from sidecar.core.facts.policy import Mode
from tests.e2e.processes import free_port
from tests.notifications.receiving import annotate, receiving, says
from tests.notifications.sample import KEY
from tests.shells.running import CONFIG, SECRETS, event, running

FILE = """
environment: staging
notifications:
  targets: [{name: ops, kind: slack}, {name: ci, kind: webhook}, {name: plots, kind: grafana}]
  console_url: https://sidecar.example.test
"""


LAX = PolicyKeys(
    false_promotion_risk_ppm=200_000,
    unacceptable_reliability_ppm=600_000,
    false_alarm_once_in=100,
    coverage_ppm=500_000,
    coverage_floor_ppm=200_000,
    lease_ms=3000,
)
"""At 75 % reliability nine clean payments are sufficient proof."""


async def test_a_running_sidecar_notifies_of_a_climb_and_a_rollback() -> None:
    """Events go through journal and fold to the target, and metrics contain no URLs."""
    async with receiving() as receiver:
        config = msgspec.structs.replace(
            CONFIG,
            notifications=Notifications(targets=(NotificationTarget(name="ci", kind=TargetKind.WEBHOOK),)),
            objective=Objective(on_time_within_ms=400, missed_after_ms=1000, reliability_ppm=750_000),
            policy=LAX,
            ladder=(LadderRung(mode=Mode.TIMER_POLLING), LadderRung(mode=Mode.PUSH_WITH_SAFETY_NET)),
        )
        secrets = msgspec.structs.replace(SECRETS, notifications={"ci": NotificationSecrets(url=receiver.url, key=KEY)})
        async with running(config, secrets) as it:
            assert await it.metric('reverb_sidecar_notifications_total{result="given_up",target="grafana"}') == 0
            for number in range(12):
                await it.deliver(event(f"pi_{number}"))
                await it.ack({"stage": "delivered", "payment_intent": f"pi_{number}"})
            await it.metric_is('reverb_sidecar_notifications_total{result="delivered",target="webhook"}', 1)
            await it.act("rollback", {"reason": "a feeling"})
            await it.metric_is('reverb_sidecar_notifications_total{result="delivered",target="webhook"}', 2)
            assert await it.metric('reverb_sidecar_notification_attempts_total{outcome="sent",target="webhook"}') == 2
            assert "/hooks" not in await it.metrics()
        climbed, fell = receiver.bodies
        assert (climbed["kind"], fell["kind"], fell["facts"]["detail"]) == ("climbed", "fell", "ada: a feeling")
        assert fell["chain"] not in {"", climbed["chain"]}
        assert "rolled back by ada: a feeling" in fell["text"]


async def called(*arguments: str, path: Path, env: dict[str, str]) -> Result:
    """Run `sidecar notifications` in a thread."""
    file = path / "sidecar.yaml"
    file.write_text(FILE)
    words = ["notifications", "--config", str(file), *arguments]
    return await asyncio.to_thread(CliRunner().invoke, cli, words, env=env)


def environment(ops: str, ci: str, plots: str) -> dict[str, str]:
    """Return the environment variables of the targets."""
    return {
        "SIDECAR_NOTIFICATION_OPS_URL": ops,
        "SIDECAR_NOTIFICATION_CI_URL": ci,
        "SIDECAR_NOTIFICATION_CI_KEY": KEY,
        "SIDECAR_NOTIFICATION_PLOTS_URL": plots.partition("/hooks")[0],
        "SIDECAR_NOTIFICATION_PLOTS_KEY": KEY,
    }


async def test_the_command_sends_a_test_to_each_target_and_prints_the_results(tmp_path: Path) -> None:
    """The exit code is 0 only if all tests arrived."""
    async with receiving() as ops, receiving() as ci, receiving(annotate) as plots:
        env = environment(ops.url, ci.url, plots.url)
        tried = await called("--test", path=tmp_path, env=env)
        assert (tried.exit_code, tried.stdout.splitlines()) == (
            0,
            ["ops (slack): arrived (200)", "ci (webhook): arrived (200)", "plots (grafana): arrived (200)"],
        )
        assert "a test of notifications" in ops.bodies[0]["text"]
        assert (ci.bodies[0]["kind"], ci.bodies[0]["environment"]) == ("test", "staging")
        assert plots.bodies[0]["tags"][:2] == ["reverb-sidecar", "test"]
        listed = await called(path=tmp_path, env=env)
        assert (
            listed.stdout.splitlines()[1]
            == "ci (webhook): sent to SIDECAR_NOTIFICATION_CI_URL, with the key SIDECAR_NOTIFICATION_CI_KEY"
        )


async def test_the_command_prints_the_error_of_each_target_without_its_url(tmp_path: Path) -> None:
    """The exit code is 1, and each line describes what to check."""
    async with receiving(says(403)) as ops, receiving(says(302, Location="/x")) as ci:
        env = environment(ops.url, ci.url, f"http://127.0.0.1:{free_port()}")
        tried = await called("--test", path=tmp_path, env=env)
        unreachable = "no connection: check the host in the target's URL, and the network"
        assert tried.exit_code == 1
        assert tried.stdout.splitlines() == [
            "ops (slack): the target refused it: check its URL and its key (403)",
            "ci (webhook): the target redirects, and redirects are not followed: configure the URL that it redirects to (302)",
            f"plots (grafana): {unreachable} (ClientConnectorError)",
        ]
        assert "in-the-url" not in tried.output
        as_json = json.loads((await called("--test", "--json", path=tmp_path, env=env)).stdout)
        assert [one["attempt"] for one in as_json["tested"]] == ["refused", "redirected", "unreachable"]


async def test_without_targets_the_command_refers_to_the_documentation(tmp_path: Path) -> None:
    """The exit code is 2."""
    (tmp_path / "bare.yaml").write_text("environment: test\n")
    shown = CliRunner().invoke(cli, ["notifications", "--test", "--config", str(tmp_path / "bare.yaml")])
    assert (shown.exit_code, "docs/notifications.md" in shown.output) == (2, True)
