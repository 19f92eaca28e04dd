"""Dashboards and alerts with a real Prometheus that scrapes a real sidecar through two outages.

Durations in the rules are divided by 120, so that an hour is half a minute, and Prometheus scrapes every second.
`tests/rules` tests the alerts with their real durations on synthetic series.
"""

import re
import time
from pathlib import Path

from sidecar.core.facts.policy import Mode
from tests.dashboards import files
from tests.e2e.processes import until
from tests.prometheus.life import Life, life
from tests.prometheus.server import Prometheus, prometheus
from tests.rules.promtool import ROOT

FASTER = 120
SHORTEST_MS = 2500
"""A window has at least two scrapes."""
_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=offset )(\d+)([smhd])|(?<=    for: )(\d+)([smhd])")
LONG = re.compile(r"\[\d+[hd]:\d+m\]")
"""Subqueries over hours and days; the test takes a minute or two."""
LIFE_S = 120
FIRED = 'group by (alertname) (ALERTS{alertstate="firing"})'
EXPECTED = {
    "ReverbSidecarRoundTripsFailing",
    "ReverbSidecarDeliveryBurning",
    "ReverbSidecarJournalCreated",
    "ReverbSidecarWatchdog",
}
"""Alerts that the outages must raise, that of a new journal, and the watchdog."""
POSSIBLE = {
    "ReverbSidecarChannelAuthFailing",
    "ReverbSidecarPayersCannotSubscribe",
    "ReverbSidecarDeliveryEroding",
    "ReverbSidecarCoverageLow",
    "ReverbSidecarSuspended",
    "ReverbSidecarAckStreamSilent",
    "ReverbSidecarJournalUnavailable",
    "ReverbSidecarTargetGone",
}
"""Alerts that may fire as well: auth probes fail with Reverb, a slow burn lasts for minutes, and a delay of seconds on a busy
machine corresponds to a quarter of an hour in the rules."""

DECIDED_LATER = {"payments, Payers who answer, A"}
"""Panels of what is decided ten minutes after a payment. `make story`, which takes longer, requires data in these too."""


def faster(rules: str) -> str:
    """Return rules with shorter durations; windows are at least `SHORTEST_MS`."""

    def shorter(found: re.Match[str]) -> str:
        number, unit = (group for group in found.groups() if group)
        shortest = SHORTEST_MS if found[1] else 0
        return f"{max(shortest, int(number) * _UNITS_MS[unit] // FASTER)}ms"

    return _DURATION.sub(shorter, rules)


def test_all_windows_are_shorter() -> None:
    """Every duration is changed, and nothing else."""
    shipped = (ROOT / "deploy" / "rules.yml").read_text()
    assert re.findall(r"\[\d+[smhd]\]|offset \d+[smhd]\b|for: \d+[smhd]\b", faster(shipped)) == []
    assert len(re.findall(r"\d+ms", faster(shipped))) > 50
    assert len(faster(shipped).splitlines()) == len(shipped.splitlines())


async def test_every_panel_has_data_and_alerts_fire_and_resolve(tmp_path: Path) -> None:
    """Reverb stops and starts, and broadcasts stop and resume: the expected alerts fire and resolve, and every panel has data."""
    rules = faster((ROOT / "deploy" / "rules.yml").read_text())
    async with life(tmp_path) as (lived, port):
        target = lived.sidecar.urls.metrics.removeprefix("http://").removesuffix("/metrics")
        await lived.sidecar.act("hold", {"reason": "until it is watched"})
        async with prometheus(tmp_path, {target: {"environment": "production"}}, rules) as it:
            await it.has_scraped(2)
            await lived.sidecar.act("resume", {"reason": "it is watched"})
            await lived.sidecar.act("note", {"reason": "a new release", "release": "1.2.3"})
            await two_outages(lived, port, it)
            fired = {alert for alert, _ in await alerts(it)}
            assert EXPECTED <= fired <= EXPECTED | POSSIBLE
            assert set(await without_data(it)) <= DECIDED_LATER
            assert await unhealthy_rules(it) == []
            await check_exemplars(it)


async def two_outages(lived: Life, port: int, it: Prometheus) -> None:
    """Cause two outages, each until its alert fires and then resolves."""
    await lived.serves(Mode.PUSH_WITH_SAFETY_NET)
    await lived.lose_reverb()
    await fires(it, "ReverbSidecarRoundTripsFailing")
    await lived.serves(Mode.TIMER_POLLING)
    await lived.get_reverb_back(port)
    await lived.serves(Mode.PUSH_WITH_SAFETY_NET)
    await resolves(it, "ReverbSidecarRoundTripsFailing")
    lived.is_broken = True
    await fires(it, "ReverbSidecarDeliveryBurning")
    await lived.serves(Mode.TIMER_POLLING)
    lived.is_broken = False
    await resolves(it, "ReverbSidecarDeliveryBurning")


async def fires(it: Prometheus, alert: str) -> None:
    """Wait until an alert fires."""

    async def is_firing() -> bool:
        return any(name == alert for name, is_on in await alerts(it) if is_on)

    await until(is_firing, f"{alert} fires")


async def resolves(it: Prometheus, alert: str) -> None:
    """Wait until an alert has resolved."""

    async def has_resolved() -> bool:
        return not any(name == alert for name, is_on in await alerts(it) if is_on)

    await until(has_resolved, f"{alert} resolves")


async def alerts(it: Prometheus) -> set[tuple[str, bool]]:
    """Return the alerts that have fired, and whether they fire now."""
    now = {each["metric"]["alertname"] for each in await it.now(FIRED)}
    return {(each["metric"]["alertname"], each["metric"]["alertname"] in now) for each in await it.range(FIRED)}


async def without_data(it: Prometheus, *, environment: str = "production") -> list[str]:
    """Evaluate the queries of all panels and annotations like Grafana, and return those without data."""
    values = {
        "$__rate_interval": "4s",
        "$__interval": "1s",
        "$__range": f"{time.time() - it.began_s:.0f}s",
        "$environment": environment,
        "$job": "reverb-sidecar",
        "$instance": ".+",
    }
    empty = []
    for asked in (*files.targets(), *files.annotations()):
        query = LONG.sub(f"[{LIFE_S}s:1s]", asked.expr)
        for variable, value in values.items():
            query = query.replace(variable, value)
        if not await (it.now(query) if asked.is_instant else it.range(query)):
            empty.append(asked.where)
    return empty


async def unhealthy_rules(it: Prometheus) -> list[str]:
    """Return rules with evaluation errors."""
    groups = (await it.api("rules"))["groups"]
    assert sum(len(group["rules"]) for group in groups) > 50
    return [
        f"{rule['name']}: {rule['lastError']}" for group in groups for rule in group["rules"] if rule["health"] != "ok"
    ]


async def check_exemplars(it: Prometheus) -> None:
    """Check that exemplars have references of payments, and not their ids."""
    found = await it.exemplars("reverb_sidecar_webhook_to_broadcast_seconds_bucket")
    refs = [each["labels"]["payment_ref"] for series in found for each in series["exemplars"]]
    assert refs
    assert all(re.fullmatch("[0-9a-f]{16}", ref) for ref in refs)
