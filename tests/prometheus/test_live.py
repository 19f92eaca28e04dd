"""What dashboards and alerts are worth is known when a real Prometheus has scraped a real sidecar that was in trouble.

An hour is half a minute here: durations in the rules are divided by 120, and Prometheus scrapes every second. How the
alerts behave at their own pace, `tests/rules` tries on series that never happened.
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
"""A window has two scrapes at least."""
_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(?<=\[)(\d+)([smhd])(?=\])|(?<=offset )(\d+)([smhd])|(?<=    for: )(\d+)([smhd])")
LONG = re.compile(r"\[\d+[hd]:\d+m\]")
"""Windows of hours and days, asked in steps of minutes: the whole life is a minute or two."""
LIFE_S = 120
FIRED = 'group by (alertname) (ALERTS{alertstate="firing"})'
EXPECTED = {"ReverbSidecarRoundTripsFailing", "ReverbSidecarDeliveryBurning", "ReverbSidecarWatchdog"}
"""What the life's troubles must raise, and what is raised always."""
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
"""What they may raise beside it: auth probes fail with Reverb, a slow burn stays for minutes, and what waits for as long as a
machine may take that is busy with other things, some seconds here, is quarters of an hour at the rules' own pace."""


def faster(rules: str) -> str:
    """Return rules whose windows and patience are so much shorter, windows as far as they may be."""

    def shorter(found: re.Match[str]) -> str:
        number, unit = (group for group in found.groups() if group)
        shortest = SHORTEST_MS if found[1] else 0
        return f"{max(shortest, int(number) * _UNITS_MS[unit] // FASTER)}ms"

    return _DURATION.sub(shorter, rules)


def test_all_windows_are_shorter() -> None:
    """None is left behind, and nothing else is touched."""
    shipped = (ROOT / "deploy" / "rules.yml").read_text()
    assert re.findall(r"\[\d+[smhd]\]|offset \d+[smhd]\b|for: \d+[smhd]\b", faster(shipped)) == []
    assert len(re.findall(r"\d+ms", faster(shipped))) > 50
    assert len(faster(shipped).splitlines()) == len(shipped.splitlines())


async def test_every_panel_has_data_and_alerts_come_and_go(tmp_path: Path) -> None:
    """Reverb goes and comes back, broadcasts cease and go on: what must fire does, falls silent, and every panel draws."""
    rules = faster((ROOT / "deploy" / "rules.yml").read_text())
    async with life(tmp_path) as (lived, port):
        target = lived.sidecar.urls.metrics.removeprefix("http://").removesuffix("/metrics")
        await lived.sidecar.act("hold", {"reason": "until it is watched"})
        async with prometheus(tmp_path, {target: {"environment": "production"}}, rules) as it:
            await it.has_scraped(2)
            await lived.sidecar.act("resume", {"reason": "it is watched"})
            await lived.sidecar.act("note", {"reason": "a new release", "release": "1.2.3"})
            await be_in_trouble(lived, port, it)
            fired = {alert for alert, _ in await alerts(it)}
            assert EXPECTED <= fired <= EXPECTED | POSSIBLE
            assert await without_data(it) == []
            assert await unhealthy_rules(it) == []
            await check_exemplars(it)


async def be_in_trouble(lived: Life, port: int, it: Prometheus) -> None:
    """Live through two outages, each until its alert is there, and then until it is gone."""
    await lived.serves(Mode.PUSH_WITH_SAFETY_NET)
    await lived.lose_reverb()
    await fires(it, "ReverbSidecarRoundTripsFailing")
    await lived.serves(Mode.TIMER_POLLING)
    await lived.get_reverb_back(port)
    await lived.serves(Mode.PUSH_WITH_SAFETY_NET)
    await is_silent(it, "ReverbSidecarRoundTripsFailing")
    lived.is_broken = True
    await fires(it, "ReverbSidecarDeliveryBurning")
    await lived.serves(Mode.TIMER_POLLING)
    lived.is_broken = False
    await is_silent(it, "ReverbSidecarDeliveryBurning")


async def fires(it: Prometheus, alert: str) -> None:
    """Wait until an alert fires."""

    async def is_firing() -> bool:
        return any(name == alert for name, is_on in await alerts(it) if is_on)

    await until(is_firing, f"{alert} fires")


async def is_silent(it: Prometheus, alert: str) -> None:
    """Wait until an alert has ceased to fire."""

    async def has_ceased() -> bool:
        return not any(name == alert for name, is_on in await alerts(it) if is_on)

    await until(has_ceased, f"{alert} is silent again", within_s=60)


async def alerts(it: Prometheus) -> set[tuple[str, bool]]:
    """Return the alerts that have fired so far, and whether they do now."""
    now = {each["metric"]["alertname"] for each in await it.now(FIRED)}
    return {(each["metric"]["alertname"], each["metric"]["alertname"] in now) for each in await it.range(FIRED)}


async def without_data(it: Prometheus, *, environment: str = "production") -> list[str]:
    """Ask what every panel and every mark asks, as Grafana would, and return which have nothing to show."""
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
    """Return rules that could not be evaluated."""
    groups = (await it.api("rules"))["groups"]
    assert sum(len(group["rules"]) for group in groups) > 50
    return [
        f"{rule['name']}: {rule['lastError']}" for group in groups for rule in group["rules"] if rule["health"] != "ok"
    ]


async def check_exemplars(it: Prometheus) -> None:
    """See that Prometheus keeps the references of payments, and that none is a name."""
    found = await it.exemplars("reverb_sidecar_webhook_to_broadcast_seconds_bucket")
    refs = [each["labels"]["payment_ref"] for series in found for each in series["exemplars"]]
    assert refs
    assert all(re.fullmatch("[0-9a-f]{16}", ref) for ref in refs)
