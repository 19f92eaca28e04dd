"""Alerts pass through a real Alertmanager with the shipped file: each arrives once, grouped, and inhibition holds."""

import asyncio
from pathlib import Path

from tests.prometheus.alertmanager import Alertmanager, Labels, alertmanager, shortened
from tests.rules.promtool import ROOT

_QUIET_S = 1.5
"""Longer than all of the shortened waits before a first notification."""


def alert(name: str, severity: str, **labels: str) -> Labels:
    """Return the labels of an alert, as Prometheus sends them."""
    return {"alertname": f"ReverbSidecar{name}", "severity": severity, "environment": "production", **labels}


async def quiet(it: Alertmanager) -> set[tuple[str, str]]:
    """Return what has fired at the receivers, after all first waits are over."""
    await asyncio.sleep(_QUIET_S)
    return it.received()


def test_all_waits_are_shorter_and_all_receivers_are_ours() -> None:
    """Nothing else of the shipped file is changed."""
    shipped = (ROOT / "deploy" / "alertmanager.yml").read_text()
    changed = shortened(shipped, "http://127.0.0.1:1")
    differing = [(a, b) for a, b in zip(shipped.splitlines(), changed.splitlines(), strict=True) if a != b]
    assert len(differing) == shipped.count("_wait:") + shipped.count("_interval:") + shipped.count("example.test")
    assert "example.test" not in changed


async def test_an_outage_is_one_page_and_what_it_contains_stays_silent(tmp_path: Path) -> None:
    """A fast burn on two windows pages once; its tickets, the slow burn and the failing probes behind it do not arrive."""
    page = [alert("DeliveryBurning", "page", window=window) for window in ("1h", "6h")]
    contained = [
        *(alert("DeliveryBurning", "ticket", window=window) for window in ("1h", "6h")),
        alert("DeliveryEroding", "ticket", window="1d"),
        alert("ChannelAuthFailing", "ticket"),
        alert("PayersCannotSubscribe", "ticket"),
    ]
    async with alertmanager(tmp_path) as it:
        await it.post([*page, alert("RoundTripsFailing", "page"), *contained])
        got = await it.has_received("pager", "firing", *("ReverbSidecarDeliveryBurning page",) * 2)
        assert got.grouped_by == {"alertname": "ReverbSidecarDeliveryBurning", "environment": "production"}
        await it.has_received("pager", "firing", "ReverbSidecarRoundTripsFailing page")
        await it.post([*page, alert("RoundTripsFailing", "page"), *contained])  # Prometheus repeats them
        assert await quiet(it) == {
            ("pager", "ReverbSidecarDeliveryBurning page"),
            ("pager", "ReverbSidecarRoundTripsFailing page"),
        }
        assert len(it.got) == 2, "each group arrives once"
        await it.post([*page, *contained], is_over=True)
        await it.has_received("pager", "resolved", *("ReverbSidecarDeliveryBurning page",) * 2)


async def test_a_ticket_inhibits_no_page_and_another_environment_nothing(tmp_path: Path) -> None:
    """Isolation and lease arrive whatever else fires; staging's page silences no ticket of production."""
    async with alertmanager(tmp_path) as it:
        await it.post(
            [
                alert("RoundTripsFailing", "ticket"),
                alert("ChannelAuthFailing", "page"),
                alert("PayersCannotSubscribe", "ticket"),
                alert("IsolationBroken", "page", category="security"),
                alert("LeaseNotHonoured", "page"),
                alert("JournalUnavailable", "page"),
                alert("Suspended", "ticket"),
                alert("DeliveryBurning", "page", window="1h") | {"environment": "staging"},
                alert("DeliveryEroding", "ticket", window="1d"),
                alert("Watchdog", "none"),
            ]
        )
        assert await quiet(it) == {
            ("tickets", "ReverbSidecarRoundTripsFailing ticket"),
            ("pager", "ReverbSidecarChannelAuthFailing page"),
            ("security", "ReverbSidecarIsolationBroken page"),
            ("pager", "ReverbSidecarLeaseNotHonoured page"),
            ("pager", "ReverbSidecarJournalUnavailable page"),
            ("pager", "ReverbSidecarDeliveryBurning page"),
            ("tickets", "ReverbSidecarDeliveryEroding ticket"),
            ("watchdog", "ReverbSidecarWatchdog none"),
        }
