"""`/metrics`: lint-clean, complete from the first scrape, and read from the state."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import msgspec
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from sidecar.composition import kinds_of
from sidecar.config import RedisStream, SqlitePlace
from sidecar.metrics import catalogue
from sidecar.parts.metrics import Scope
from sidecar.probes.ack_entries import StreamResult
from tests.core.world import LAX, World
from tests.shells.ack_reading import NAME, add
from tests.shells.everything import everything
from tests.shells.metrics_view import Scrape, exposition_of
from tests.shells.redis_server import RedisServer
from tests.shells.running import CONFIG, event, running
from tests.waiting import HANGS_AFTER_S

TOOLS = Path(__file__).parents[2] / ".tools"
CONTRACT = {
    "reverb_sidecar_payment_outcomes",
    "reverb_sidecar_webhook_to_broadcast_seconds",
    "reverb_sidecar_flag_mode",
    "reverb_sidecar_flag_transitions",
    "reverb_sidecar_flag_valid_until_timestamp_seconds",
    "reverb_sidecar_gate_satisfied",
    "reverb_sidecar_evidence_reliability_lower_bound_ratio",
    "reverb_sidecar_timers_would_have_worked",
    "reverb_sidecar_channel_auth_attempts",
    "reverb_sidecar_round_trip_seconds",
    "reverb_sidecar_build_info",
}
"""The design's names, as far as this version has a source for them."""


async def test_promtool_finds_nothing_to_complain_about() -> None:
    """Names, units, help texts and types follow Prometheus' conventions, of all that can be configured."""
    async with everything() as sidecar:
        text = await sidecar.metrics()
    promtool = shutil.which("promtool", path=f"{TOOLS}{os.pathsep}{os.environ['PATH']}")
    assert promtool is not None, "promtool is missing: `make .tools/promtool` fetches it"
    command = [promtool, "check", "metrics"]
    checked = await asyncio.to_thread(
        subprocess.run, command, input=text, capture_output=True, text=True, check=False, timeout=HANGS_AFTER_S
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


async def test_every_metric_of_the_contract_is_there_from_the_first_scrape() -> None:
    """A series that appears late makes `increase()` miss the first event and `absent()` misfire."""
    async with running() as sidecar:
        families = {family.name: family for family in text_string_to_metric_families(await sidecar.metrics())}
    assert set(families) >= CONTRACT
    assert set(families) >= {each.name.removesuffix("_total") for each in catalogue(kinds_of()).metrics}
    empty = [name for name, family in families.items() if not family.samples]
    absent = ["reverb_sidecar_coverage_ratio", "reverb_sidecar_ack_stream_up", "reverb_sidecar_observer_up"]
    assert sorted(empty) == sorted(absent), "of nothing there is no number"


def test_the_values_of_a_replay_are_not_exposed() -> None:
    """Counters that start at 0 again are growth to `increase`, and a isolation of last month would wake somebody tonight."""
    world = World(LAX)
    world.wire()
    scopes = {each.name.removesuffix("_total"): each.scope for each in catalogue(kinds_of()).metrics}
    past, present = (
        {name.removesuffix("_total") for name, _ in Scrape(exposition_of(world.state, has_caught_up=caught_up)).values}
        for caught_up in (lambda: False, lambda: True)
    )
    progress = {"reverb_sidecar_journal_records", "reverb_sidecar_last_record_timestamp_seconds"}
    assert {name for name in past if scopes[name] is Scope.FOLDED} == progress
    assert "reverb_sidecar_isolation_probes_allowed" in present - past


async def test_without_a_journal_folded_metrics_are_not_exposed(tmp_path: Path) -> None:
    """Zeros until it is recovered would make all that ever happened happen again."""
    damaged = tmp_path / "journal.db"
    damaged.write_bytes(b"no journal" * 1000)
    async with running(msgspec.structs.replace(CONFIG, journal=SqlitePlace(path=str(damaged)))) as sidecar:
        assert "reverb_sidecar_payment_outcomes_total{" not in await sidecar.metrics()
        assert await sidecar.metric("reverb_sidecar_journal_records_total") == 0
        assert await sidecar.metric('reverb_sidecar_flag_reason{reason="starting"}') == 1


async def test_the_ack_stream_has_its_own_series_where_it_is_configured(tmp_path: Path) -> None:
    """Whether it answers, what became of its entries, and what was lost; each result from the first scrape."""
    with RedisServer(tmp_path) as server:
        acks = msgspec.structs.replace(CONFIG.acks, redis_stream=RedisStream(url=server.url))
        async with running(msgspec.structs.replace(CONFIG, acks=acks)) as sidecar:
            await sidecar.metric_is("reverb_sidecar_ack_stream_up", 1)
            for result in StreamResult:
                assert await sidecar.metric(f'reverb_sidecar_ack_stream_entries_total{{result="{result}"}}') == 0
            add(server, "pi_1")
            await sidecar.metric_is('reverb_sidecar_ack_stream_entries_total{result="accepted"}', 1)
            server.client().delete(NAME)
            await sidecar.metric_is("reverb_sidecar_acks_lost_total", 1)
            before = await sidecar.metric("reverb_sidecar_ack_stream_reconnects_total")
            server.kill()
            await sidecar.metric_is("reverb_sidecar_ack_stream_up", 0)
            assert await sidecar.metric("reverb_sidecar_ack_stream_reconnects_total") > before


async def test_latency_has_a_bucket_at_every_objective() -> None:
    """`le` of the objective counts exactly the payments that were on time."""
    async with running() as sidecar:
        await sidecar.ack({"stage": "delivered", "payment_intent": "pi_before"})
        await sidecar.deliver(event("pi_1"))
        await sidecar.ack({"stage": "delivered", "payment_intent": "pi_1"})
        await sidecar.metric_is('reverb_sidecar_webhook_to_broadcast_seconds_bucket{le="0.8"}', 1)
        await sidecar.metric_is('reverb_sidecar_payment_outcomes_total{outcome="on_time"}', 1)
        assert await sidecar.metric("reverb_sidecar_webhook_to_broadcast_seconds_count") == 1


async def test_openmetrics_is_spoken_too() -> None:
    """Prometheus asks for it, and exemplars need it; its own parser, which is strict, reads the same series."""
    async with running() as sidecar:
        headers = {"Accept": "application/openmetrics-text; version=1.0.0"}
        async with sidecar.session.get(sidecar.urls.metrics, headers=headers) as response:
            assert response.content_type == "application/openmetrics-text"
            text = await response.text()
        parsed = openmetrics.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]  # the library's
        read = {family.name: family for family in parsed}
        plain = {family.name: family for family in text_string_to_metric_families(await sidecar.metrics())}
    assert {name: (family.type, len(family.samples)) for name, family in read.items()} == {
        name: (family.type, len(family.samples)) for name, family in plain.items()
    }


async def test_health_and_readiness_are_separate() -> None:
    """Alive at once; ready once the policy is in force and a heartbeat went through the journal."""
    async with running() as sidecar:
        async with sidecar.session.get(f"{sidecar.urls.public}/healthz") as response:
            assert (response.status, await response.json()) == (200, {"ok": True})
        await sidecar.metric_is("reverb_sidecar_flag_rung", 0)
        async with sidecar.session.get(f"{sidecar.urls.public}/readyz") as response:
            parts = {part["name"]: part["is_ready"] for part in (await response.json())["parts"]}
            assert parts["policy"] is True
            assert set(parts) == {"policy", "journal"}


async def test_an_unknown_path_and_a_wrong_method_are_answered_with_a_message() -> None:
    """Every error is a small JSON object with a code and a sentence."""
    async with running() as sidecar:
        async with sidecar.session.get(f"{sidecar.urls.public}/stripe/webhook") as response:
            assert (response.status, (await response.json())["code"]) == (405, "method_not_allowed")
            assert response.headers["Allow"] == "POST"
        async with sidecar.session.get(f"{sidecar.urls.public}/metrics") as response:
            assert (response.status, (await response.json())["code"]) == (404, "not_found")
