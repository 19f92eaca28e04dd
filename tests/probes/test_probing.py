"""A real sidecar beside a Reverb and an app on loopback, while parts of them fail."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.console import Console

from sidecar import clock, probes
from sidecar.config import Isolation, Probe, ProbeSecrets, Reverb
from sidecar.console.status import Status
from sidecar.console.status_text import print_status
from sidecar.demo.standin.booking_app import BookingApp
from sidecar.demo.standin.reverb import Reverb as StandIn
from sidecar.demo.standin.reverb_bus import Bus
from sidecar.demo.standin.reverb_sockets import Setup
from sidecar.pusher.signing import signed_target
from tests.e2e.processes import until
from tests.probes.world import APP, ORIGIN, TOKEN
from tests.shells.running import CONFIG, SECRETS, Running, event, running
from tests.waiting import HANGS_AFTER_S

EVENT = "App\\Events\\LiveRefreshContextsUpdated"


class Watched:
    """A sidecar, and the Reverb and the app that it probes."""

    def __init__(self, sidecar: Running, nodes: list[StandIn], app: BookingApp, port: int) -> None:
        self.sidecar, self.nodes, self.app, self.port = sidecar, nodes, app, port

    async def broadcast(
        self,
        payment_intent: str,
        user_id: str = "7",
        *,
        channels: list[str] | None = None,
        data: dict[str, Any] | None = None,
    ) -> int:
        """Broadcast a payment on the user's channel and on the observer channel in one call; return the status."""
        data = data or {"contexts": ["bookings"], "payment_intent": payment_intent}
        body = msgspec.json.encode(
            {
                "name": EVENT,
                "data": msgspec.json.encode(data).decode(),
                "channels": channels or [f"private-live-refresh.{user_id}", "private-reverb-sidecar"],
            }
        )
        target = signed_target(APP, "POST", f"/apps/{APP.app_id}/events", body, timestamp_s=clock.wall_ms() // 1000)
        async with self.sidecar.session.post(f"http://127.0.0.1:{self.port}{target}", data=body) as response:
            return response.status

    async def wire(self) -> None:
        """Wait for visibility, and deliver a first payment."""
        await self.at_least(ok("trip"), 2)
        await self.at_least(ok("auth_probe"), 1)
        paid = event("pi_first")
        await self.sidecar.deliver(paid)
        await self.broadcast("pi_first")
        await self.metric_is('payment_outcomes_total{outcome="on_time"}', 1)

    async def status(self) -> dict[str, Any]:
        """Return the sidecar's status."""
        async with self.sidecar.session.get(f"{self.sidecar.urls.operator}/api/status") as response:
            return dict(await response.json())

    async def metric_is(self, name: str, value: float, within_s: float = HANGS_AFTER_S) -> None:
        """Wait until a metric has a value."""
        await self.at_least(name, value, within_s)

    async def at_least(self, name: str, value: float, within_s: float = HANGS_AFTER_S) -> None:
        """Wait until a metric has reached a value."""

        async def is_reached() -> bool:
            return await self.sidecar.metric(f"reverb_sidecar_{name}") >= value

        await until(is_reached, f"{name} is {value}", within_s=within_s)


@asynccontextmanager
async def watched(
    *,
    nodes: int = 1,
    observers: int = 3,
    reference: str | None = None,
    browser_secrets: tuple[str, ...] = (),
    path: str = "",
    prepare: Callable[[BookingApp], None] = lambda _: None,
) -> AsyncIterator[Watched]:
    """Start a Reverb, an app, and a sidecar that probes them once a second."""
    bus = Bus() if nodes > 1 else None
    reverbs = [StandIn(APP, bus=bus, setup=Setup(path=path)) for _ in range(nodes)]
    app = BookingApp(APP, origins=(ORIGIN,), users={TOKEN: "0"})
    prepare(app)
    ports = [await each.start() for each in reverbs]
    app_port = await app.start()
    balancer = await balanced(ports) if nodes > 1 else None
    port = balancer.sockets[0].getsockname()[1] if balancer else ports[0]
    reverb = Reverb(
        url=f"ws://127.0.0.1:{port}{path}",
        app_id=APP.app_id,
        app_key=APP.key,
        origin=ORIGIN,
        auth_endpoint=f"http://127.0.0.1:{app_port}/broadcasting/auth",
        observers=observers,
        probe=Probe(user_id="0", round_trip_every_ms=1000, auth_every_ms=1000, isolation_every_ms=1000),
        isolation=Isolation(channel_user_id="1"),
        reference=reference,
    )
    config = msgspec.structs.replace(CONFIG, reverb=reverb)
    secrets = msgspec.structs.replace(
        SECRETS, probe=ProbeSecrets(app_secret=APP.secret, token=TOKEN), browser=browser_secrets
    )
    try:
        async with running(config, secrets) as sidecar:
            yield Watched(sidecar, reverbs, app, port)
    finally:
        if balancer is not None:
            balancer.close()
        for each in reverbs:
            await each.stop()
        await app.stop()


async def balanced(ports: list[int]) -> asyncio.Server:
    """Return a load balancer that passes each connection to the next port."""
    turn = 0

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65_536):
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        turn += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", ports[turn % len(ports)])
        except OSError:
            writer.close()
            return
        await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))

    return await asyncio.start_server(serve, "127.0.0.1", 0)


def ok(what: str) -> str:
    """Return the metric of a clean probe."""
    return {
        "auth_probe": 'channel_auth_attempts_total{outcome="ok",source="probe"}',
        "trip": 'round_trips_total{outcome="ok"}',
    }[what]


async def test_a_payment_is_delivered_once_all_sockets_have_received_its_broadcast() -> None:
    """The observer channel is enough, without an ack from the backend."""
    async with watched() as it:
        await it.at_least(ok("trip"), 1)
        paid = event()
        await it.sidecar.deliver(paid)
        assert await it.broadcast(paid["data"]["object"]["id"]) == 200
        await it.metric_is('payment_outcomes_total{outcome="on_time"}', 1)
        assert await it.sidecar.metric('reverb_sidecar_observed_broadcasts_total{result="delivered"}') == 1
        status = await it.status()
        assert status["outcomes"] == {"on_time": 1}


async def test_all_probes_run_and_end_the_suspension_after_a_start() -> None:
    """The flag is suspended until a round trip and an auth probe were clean."""
    async with watched() as it:
        await it.at_least(ok("trip"), 2)
        await it.at_least(ok("auth_probe"), 2)
        await it.at_least('isolation_probes_total{outcome="refused"}', 1)
        assert (await it.status())["suspensions"] == []
        assert await it.sidecar.metric('reverb_sidecar_observer_up{observer="2"}') == 1
        assert await it.sidecar.metric("reverb_sidecar_round_trip_seconds_count") >= 2


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [("is_deaf", "lost"), ("api_status", "api_status"), ("is_frozen", "api_timeout")],
)
async def test_a_failed_round_trip_has_its_outcome(fault: str, outcome: str) -> None:
    """The event is accepted and not delivered, refused, or not answered."""
    async with watched() as it:
        await it.at_least(ok("trip"), 1)
        setattr(it.nodes[0].faults, fault, 503 if fault == "api_status" else True)
        await it.at_least(f'round_trips_total{{outcome="{outcome}"}}', 1)
        setattr(it.nodes[0].faults, fault, None if fault == "api_status" else False)


async def test_a_signature_that_the_api_refuses_has_its_outcome() -> None:
    """The sidecar's REVERB_APP_SECRET is not Reverb's."""
    async with watched() as it:
        await it.at_least(ok("trip"), 1)
        it.nodes[0].app = msgspec.structs.replace(APP, secret="rotated")
        await it.at_least('round_trips_total{outcome="api_signature_401"}', 1)
        it.nodes[0].app = msgspec.structs.replace(APP, app_id="9")
        await it.at_least('round_trips_total{outcome="api_app_unknown_404"}', 1)


async def test_a_deaf_node_has_its_own_outcome() -> None:
    """One of two nodes does not receive from the other: its users and half of the sockets get no push."""
    async with watched(nodes=2) as it:
        await it.wire()
        it.nodes[1].faults.is_deaf = True
        await it.at_least('round_trips_total{outcome="deaf_node"}', 1)
        paid = event()
        await it.sidecar.deliver(paid)
        await it.broadcast(paid["data"]["object"]["id"])
        await it.metric_is('payment_outcomes_total{outcome="missed"}', 1)
        await it.at_least('observed_broadcasts_total{result="deaf"}', 1)


async def test_sockets_that_reverb_closes_are_journalled_and_opened_again() -> None:
    """A payment in between is missed, and not in a visibility gap."""
    async with watched() as it:
        await it.wire()
        port = it.port
        await it.nodes[0].stop()
        await it.at_least('round_trips_total{outcome="sockets_down"}', 1)
        await it.sidecar.deliver(event())
        await it.metric_is('payment_outcomes_total{outcome="missed"}', 1)
        before = await it.sidecar.metric(f"reverb_sidecar_{ok('trip')}")
        await it.nodes[0].start(port)
        await it.at_least(ok("trip"), before + 1)


async def test_a_403_is_counted_while_round_trips_are_clean() -> None:
    """The transport works, but no user can subscribe."""
    async with watched() as it:
        await it.at_least(ok("auth_probe"), 1)
        it.app.faults.refuses = frozenset({"0"})
        await it.at_least('channel_auth_attempts_total{outcome="refused_403",source="probe"}', 1)
        assert await it.sidecar.metric("reverb_sidecar_last_channel_auth_ok") == 0
        status = await it.status()
        assert status["reverb"]["last_auth_probe"] == "refused_403"
        assert status["reverb"]["cause"].startswith("The app refused the channel (403)")
        console = Console(width=100, record=True, file=io.StringIO())
        print_status(console, msgspec.convert(status, Status))
        screen = " ".join(console.export_text().split())
        assert (
            "channel auth: The app refused the channel (403). Laravel gives no reason, and logs nothing. (refused_403)"
            in screen
        )
        assert "3 of 3 sockets are up" in screen
        trips = await it.sidecar.metric(f"reverb_sidecar_{ok('trip')}")
        await it.at_least(ok("trip"), trips + 1)


async def test_an_allowed_isolation_probe_is_an_alarm() -> None:
    """The channel's callback returns true for every user."""
    async with watched() as it:
        await it.at_least('isolation_probes_total{outcome="refused"}', 1)
        it.app.faults.lets_everybody_in = True
        await it.metric_is("isolation_probes_allowed", 1)


async def test_auth_reports_of_the_backend_are_counted_by_result() -> None:
    """They concern the user's own channel, a guest, another user's channel, or are invalid."""
    async with watched() as it:
        for report in (
            {"auth": "ok", "user_id": "7", "channel": "private-live-refresh.7"},
            {"auth": "guest", "channel": "private-live-refresh.7"},
            {"auth": "refused", "user_id": "8", "channel": "private-live-refresh.7"},
        ):
            status, _ = await it.sidecar.ack(report)
            assert status == 200
        assert (await it.sidecar.ack({"auth": "maybe", "user_id": "7"}))[0] == 400
        assert (await it.sidecar.ack({"auth": "ok"}))[0] == 400
        for result in ("ok", "guest", "refused"):
            await it.metric_is(f'channel_auth_attempts_total{{outcome="{result}",source="backend"}}', 1)


async def test_a_reverb_behind_a_path_is_probed() -> None:
    """The prefix of REVERB_SERVER_PATH is part of the URL, and not of the signature."""
    async with watched(path="/reverb") as it:
        await it.at_least(ok("trip"), 1)
        await it.at_least(ok("auth_probe"), 1)


async def test_no_secret_is_in_metrics_status_or_log(capsys: pytest.CaptureFixture[str]) -> None:
    """No failure puts a secret into metrics, status or log."""
    async with watched() as it:
        await it.at_least(ok("trip"), 1)
        it.app.faults.status, it.app.faults.body = 500, f"Exception: {TOKEN} {APP.secret}"
        it.nodes[0].app = msgspec.structs.replace(APP, secret="rotated")
        await it.at_least('channel_auth_attempts_total{outcome="server_error_5xx",source="probe"}', 1)
        await it.at_least('round_trips_total{outcome="api_signature_401"}', 1)
        shown = f"{await it.sidecar.metrics()} {await it.status()}"
    shown += capsys.readouterr().out
    assert "probe.failed" in shown
    assert not any(secret in shown for secret in (TOKEN, APP.secret))


def test_the_probes_make_no_call_that_can_stop_reverb() -> None:
    """One call of terminate_connections, or an invalid message on Reverb's Redis channel, stops every node."""
    folder = Path(probes.__file__).parent
    sources = {path.name: path.read_text() for path in folder.glob("*.py")}
    assert not [name for name, text in sources.items() if "terminate_connections" in text]
    assert not [name for name, text in sources.items() if "import redis" in text and not name.startswith("ack_")]


async def test_being_cut_off_suspends_and_is_not_a_failure_of_reverb() -> None:
    """Reverb, the app and the reference target are all unreachable."""
    async with watched(reference="http://127.0.0.1:9") as it:
        await it.wire()
        await it.nodes[0].stop()
        await it.app.stop()

        async def is_cut_off() -> bool:
            return bool("cut_off" in {each["reason"] for each in (await it.status())["suspensions"]})

        await until(is_cut_off, "it is cut off")
        status = await it.status()
        streams = {stream["name"]: stream for stream in status["indicators"]}
        assert streams["round_trips"]["bad"] <= 1
        await it.sidecar.deliver(event())
        await it.metric_is('unmeasured_payments_total{reason="cut_off"}', 1)
