"""Alerts and dashboards during the demo's story and a day of outages: `python -m tests.prometheus.story`.

First headless, in the demo's own time: every 15 s of it are scraped, and promtool evaluates the rules for the demo's
configuration with their real windows. Then live, twenty times as fast, with a real Prometheus: every query of every panel
must have data. At last every alert that fired is given to a real Alertmanager: each arrives once, at its receiver.
"""

import asyncio
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

import msgspec
import structlog
import yaml

from sidecar.config import RedisStream
from sidecar.demo.world.switches import Key
from sidecar.demo.world.world import World
from tests.prometheus.alertmanager import alertmanager
from tests.prometheus.life import err
from tests.prometheus.recording import STEP_S, Recording, recorded
from tests.prometheus.server import prometheus
from tests.prometheus.test_live import without_data
from tests.rules.promtool import called
from tests.shells.ack_reading import add
from tests.shells.redis_server import RedisServer
from tests.shells.running import CONFIG, running

_FIRING = (
    'group by (alertname, severity) (ALERTS{alertstate="firing", alertname!~"ReverbSidecar(Watchdog|JournalCreated)"})'
)
_GOT = re.compile(r"time: (\S+),.*?got:(.*?)(?=\n\s+expr:|\Z)", re.DOTALL)
_ALERT = re.compile(r'alertname="ReverbSidecar(\w+)", severity="(\w+)"')
_MINUTE_S = 60
SLOW_TO_FORGET = {"DeliveryEroding ticket", "Flapping ticket", "PayersCannotSubscribe ticket"}
"""Alerts with windows of hours and days."""


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """A fault, its duration, the time to recover, and the alerts that must and may fire."""

    key: Key
    lasts_s: int
    heals_s: int
    must: frozenset[str]
    may: frozenset[str] = frozenset()


BAD_DAY = (
    Outage(
        key=Key.REVERB_GONE,
        lasts_s=6 * _MINUTE_S,
        heals_s=12 * _MINUTE_S,
        must=frozenset({"RoundTripsFailing ticket"}),
        may=frozenset({"ChannelAuthFailing ticket"}),
    ),
    Outage(
        key=Key.AUTH_REFUSED,
        lasts_s=14 * _MINUTE_S,
        heals_s=14 * _MINUTE_S,
        must=frozenset({"ChannelAuthFailing ticket", "PayersCannotSubscribe ticket"}),
        may=frozenset({"ReachDegraded ticket"}),
    ),
    Outage(key=Key.SIDECAR_KILLED, lasts_s=8 * _MINUTE_S, heals_s=6 * _MINUTE_S, must=frozenset({"TargetGone ticket"})),
    Outage(
        key=Key.SIDECAR_BLIND,
        lasts_s=18 * _MINUTE_S,
        heals_s=8 * _MINUTE_S,
        must=frozenset({"Suspended ticket"}),
        may=frozenset({"RoundTripsFailing ticket", "ChannelAuthFailing ticket"}),
    ),
)


async def live(world: World, recording: Recording) -> str:
    """Run the story, then switch on one fault after the other."""
    failure = await world.story.run(lambda step: recording.happens(step.title))
    for outage in BAD_DAY:
        recording.happens(f"{outage.key} begins")
        world.turn(outage.key, on=True)
        await asyncio.sleep(outage.lasts_s)
        world.turn(outage.key, on=False)
        recording.happens(f"{outage.key} ends")
        await asyncio.sleep(outage.heals_s)
        recording.happens(f"{outage.key} is over")
    return failure


def firing(recording: Recording) -> list[tuple[int, set[str]]]:
    """Return the firing alerts at each scrape, as evaluated by promtool."""
    times = range(0, STEP_S * len(recording.scrapes), STEP_S)
    never = [{"labels": '{nothing="fires"}', "value": 1}]
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{STEP_S}s",
        "group_eval_order": [group["name"] for group in yaml.safe_load(recording.rules)["groups"]],
        "tests": [
            {
                "interval": f"{STEP_S}s",
                "input_series": [{"series": name, "values": values} for name, values in recording.series.items()],
                "promql_expr_test": [{"expr": _FIRING, "eval_time": f"{at}s", "exp_samples": never} for at in times],
            }
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rules.yml").write_text(recording.rules)
        (Path(folder) / "test.yml").write_text(yaml.safe_dump(document, sort_keys=False, width=10**9))
        tried = called("promtool", "test", "rules", Path(folder) / "test.yml")
    said = _GOT.findall(tried.stdout + tried.stderr)
    assert len(said) == len(times), (tried.stdout + tried.stderr)[:2000]
    return [(at, {" ".join(found) for found in _ALERT.findall(got)}) for at, (_, got) in zip(times, said, strict=True)]


async def delivered(fired: set[str]) -> list[str]:
    """Give the alerts to an Alertmanager, one after the other; return what did not arrive once at its receiver."""
    wrong = []
    receivers = {"page": "pager", "ticket": "tickets"}
    with tempfile.TemporaryDirectory() as folder:
        async with alertmanager(Path(folder)) as it:
            for name, severity in sorted(each.split() for each in fired):
                labels = {"alertname": f"ReverbSidecar{name}", "severity": severity, "environment": "demo"}
                for _ in range(3):  # Prometheus repeats an alert for as long as it fires
                    await it.post([labels])
                await it.has_received(receivers[severity], "firing", f"ReverbSidecar{name} {severity}")
                await it.post([labels], is_over=True)
                await it.has_received(receivers[severity], "resolved", f"ReverbSidecar{name} {severity}")
            times = Counter((each.receiver, each.status, each.alerts) for each in it.got)
            wrong += [f"{what} arrived {count} times" for what, count in times.items() if count != 1]
    print(f"Alertmanager: {len(fired)} alerts arrived, each once as firing and once as resolved")
    return wrong


def judged(recording: Recording) -> list[str]:
    """Print when alerts fire and resolve, and return the unexpected ones."""
    found, lines = firing(recording), []
    events = [(at, f"      {what}") for at, what in recording.happened]
    before: set[str] = set()
    for at, alerts in found:
        events += [(at, f"  fires   {alert}") for alert in sorted(alerts - before)]
        events += [(at, f"  silent  {alert}") for alert in sorted(before - alerts)]
        before = alerts
    for at, what in sorted(events):
        lines.append(f"{at // 60:4d}:{at % 60:02d} {what}")
    print("\n".join(lines))
    wrong = []
    when = {what: at for at, what in recording.happened}
    day_s = when[f"{BAD_DAY[0].key} begins"]
    in_story = {alert for at, alerts in found if at < day_s for alert in alerts}
    if in_story - SLOW_TO_FORGET:
        wrong.append(f"the story: {sorted(in_story - SLOW_TO_FORGET)} fired, and none was expected")
    for outage in BAD_DAY:
        begins, over = when[f"{outage.key} begins"], when[f"{outage.key} is over"]
        fired = {alert for at, alerts in found if begins <= at < over for alert in alerts}
        at_last = {alert for at, alerts in found if over - 2 * STEP_S <= at < over for alert in alerts}
        if not outage.must <= fired:
            wrong.append(f"{outage.key}: {sorted(outage.must - fired)} did not fire")
        if fired - outage.must - outage.may - SLOW_TO_FORGET:
            wrong.append(f"{outage.key}: {sorted(fired - outage.must - outage.may - SLOW_TO_FORGET)} fired too")
        if at_last - SLOW_TO_FORGET:
            wrong.append(f"{outage.key}: {sorted(at_last - SLOW_TO_FORGET)} still fires after the fault")
    return wrong


async def drawn() -> list[str]:
    """Scrape the demo's story with a real Prometheus; return the queries without data.

    A second sidecar has a Redis stream of acks, which the demo lacks.
    """
    command = [sys.executable, "-m", "sidecar", "demo", "--story", "--speed", "20"]
    ports = [option for name in ("", "operator-", "page-", "reverb-", "app-") for option in (f"--{name}port", "0")]
    child = await asyncio.create_subprocess_exec(*command, *ports, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    try:
        target = ""
        while not target:
            line = (await child.stdout.readline()).decode()
            assert line, "the demo ended before it printed the URL of its metrics"
            target = "".join(re.findall(r"curl http://(127\.0\.0\.1:\d+)/metrics", line))
        with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as redis:
            acks = msgspec.structs.replace(CONFIG.acks, redis_stream=RedisStream(url=redis.url))
            async with running(msgspec.structs.replace(CONFIG, acks=acks)) as other:
                add(redis, "pi_before")
                beside = other.urls.metrics.removeprefix("http://").removesuffix("/metrics")
                targets = {target: {"environment": "demo"}, beside: {"environment": "demo"}}
                async with prometheus(Path(folder), targets) as it:
                    await it.has_scraped(2)
                    await other.act("note", {"reason": "the demo's app has no releases", "release": "1.2.3"})
                    await err(other, "pi_before")
                    while line := (await child.stdout.readline()).decode():
                        if line.startswith("  ✓ Recover"):
                            break
                        if "✓" in line:
                            print(line.rstrip(), flush=True)
                    return await without_data(it, environment="demo")
    finally:
        if child.returncode is None:
            child.terminate()
        await child.wait()


def main() -> int:
    """Print the alerts and errors; return 1 if there are errors."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    recording = recorded(live)
    wrong = judged(recording)
    wrong += asyncio.run(delivered({alert for _, alerts in firing(recording) for alert in alerts}))
    wrong += [f"no data: {where}" for where in asyncio.run(drawn())]
    print("\n".join(wrong) or "all expected alerts fired and resolved, and every panel had data")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
