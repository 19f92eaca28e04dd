"""Reverb killed, frozen, restarted, unreachable, slow, refusing, deaf; the app down; the sidecar cut off or stopped.

One row each: what becomes of payments in that time, what is served and why, and that it ends. Push is really served
before: the journal is given the proof that takes a day, and the rest is as in production, over real sockets.
"""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sidecar import clock
from sidecar.config import (
    Config,
    LadderRung,
    Objective,
    PolicyKeys,
    Probe,
    ProbeSecrets,
    Reverb,
    SqlitePlace,
    policy_of,
)
from sidecar.core.facts.auth_probes import AuthProbeOutcome, RoundTripOutcome, Step
from sidecar.core.facts.observations import (
    AckReceived,
    ChannelAuthProbed,
    Heartbeat,
    ObserverChanged,
    PaymentSucceeded,
    PolicyAdopted,
    RoundTripEnded,
    Started,
)
from sidecar.core.facts.policy import Mode, Stage, policy_hash
from sidecar.demo.standin.booking_app import BookingApp
from sidecar.demo.standin.reverb import Reverb as StandIn
from sidecar.demo.standin.reverb_bus import Bus
from sidecar.journal import open_journal
from sidecar.ports import Journal
from sidecar.pusher.signing import signed_target
from tests.e2e.processes import free_port, until
from tests.probes.test_probing import balanced
from tests.probes.world import APP, ORIGIN, TOKEN
from tests.shells.running import CONFIG, SECRETS, Running, event, running

SECRETS_HERE = msgspec.structs.replace(SECRETS, probe=ProbeSecrets(app_secret=APP.secret, token=TOKEN))
FAILED_MAX = 5
"""The most round trips that may fail from the onset to timers."""


async def give_proof(journal: Journal, config: Config) -> None:
    """Write a journal of a day of clean probes and a few payments."""
    policy = policy_of(config)
    await journal.append(Started(replica="before", version="test"))
    adopted = PolicyAdopted(policy=policy, policy_hash=policy_hash(policy), adoption=0, actor="test", reason="test")
    await journal.append(adopted)
    await journal.append(ObserverChanged(replica="before", observer=0, is_up=True, outcome=AuthProbeOutcome.OK))
    trip = RoundTripEnded(replica="before", outcome=RoundTripOutcome.OK, took_ms=9)
    auth_probe = ChannelAuthProbed(replica="before", outcome=AuthProbeOutcome.OK, step=Step.SUBSCRIBE, took_ms=30)
    for _ in range(20):
        await asyncio.gather(
            *(journal.append(trip) for _ in range(150)), *(journal.append(auth_probe) for _ in range(50))
        )
    for number in range(25):
        name, now_s = f"pi_before_{number}", clock.wall_ms() // 1000
        await journal.append(
            PaymentSucceeded(payment_intent=name, event_id=f"evt_{name}", created_s=now_s, signed_s=now_s)
        )
        await journal.append(AckReceived(source="observer", stage=Stage.DELIVERED, payment_intent=name))
    await asyncio.sleep(config.objective.on_time_within_ms / 1000 + 0.05)
    await journal.append(Heartbeat(replica="before", beat=1))


class World:
    """A sidecar that serves push, and what it depends on."""

    def __init__(self, config: Config, port: int, nodes: list[StandIn], app: BookingApp) -> None:
        self.config, self.port, self.nodes, self.app = config, port, nodes, app
        self.sidecar: Running
        self.process: asyncio.subprocess.Process | None = None
        self.payments = 0

    async def spawn(self) -> None:
        """Start a Reverb in a separate process."""
        self.process = await asyncio.create_subprocess_exec(sys.executable, "-m", "tests.harm.standin", str(self.port))
        await until(self.is_up, "the Reverb's process listens")

    async def is_up(self) -> bool:
        """Return whether a port accepts connections."""
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def pay(self) -> None:
        """Send a payment, and broadcast it on the user's channel and on the observer channel."""
        self.payments += 1
        name = f"pi_{self.payments}"
        await self.sidecar.deliver(event(name))
        data = msgspec.json.encode({"contexts": ["bookings"], "payment_intent": name}).decode()
        channels = ["private-live-refresh.7", "private-reverb-sidecar"]
        body = msgspec.json.encode(
            {"name": "App\\Events\\LiveRefreshContextsUpdated", "data": data, "channels": channels}
        )
        target = signed_target(APP, "POST", f"/apps/{APP.app_id}/events", body, timestamp_s=clock.wall_ms() // 1000)
        try:
            async with (
                asyncio.timeout(1),
                self.sidecar.session.post(f"http://127.0.0.1:{self.port}{target}", data=body),
            ):
                pass
        except (OSError, TimeoutError):
            pass

    async def status(self) -> dict[str, Any]:
        """Return the sidecar's status."""
        return await self.sidecar.status()

    async def serves(self, mode: str, reason: str = "") -> bool:
        """Return whether this mode is served, for this reason."""
        served = (await self.status())["served"]
        return bool(served["mode"] == mode and (not reason or reason in {served["reason"], served["suspension"]}))

    async def failed(self) -> int:
        """Return how many round trips failed."""
        return sum(
            count for outcome, count in (await self.status())["reverb"]["round_trips"].items() if outcome != "ok"
        )


@asynccontextmanager
async def serving_push(
    folder: Path, *, nodes: int = 1, is_process: bool = False, reference: str | None = None
) -> AsyncIterator[World]:
    """Start a world in which push is served."""
    bus = Bus() if nodes > 1 else None
    reverbs = [] if is_process else [StandIn(APP, bus=bus) for _ in range(nodes)]
    app = BookingApp(APP, origins=(ORIGIN,), users={TOKEN: "0"})
    ports = [await each.start() for each in reverbs]
    app_port = await app.start()
    balancer = await balanced(ports) if nodes > 1 else None
    port = balancer.sockets[0].getsockname()[1] if balancer else (ports[0] if ports else free_port())
    reverb = Reverb(
        url=f"ws://127.0.0.1:{port}",
        app_id=APP.app_id,
        app_key=APP.key,
        origin=ORIGIN,
        auth_endpoint=f"http://127.0.0.1:{app_port}/broadcasting/auth",
        probe=Probe(user_id="0", round_trip_every_ms=1000, auth_every_ms=1000),
        reference=reference,
    )
    config = msgspec.structs.replace(
        CONFIG,
        journal=SqlitePlace(path=str(folder / "journal.db")),
        reverb=reverb,
        objective=Objective(on_time_within_ms=800, missed_after_ms=4000, reliability_ppm=600_000),
        policy=PolicyKeys(
            lease_ms=10_000,
            suspension_ms=3_000,
            false_promotion_risk_ppm=200_000,
            unacceptable_reliability_ppm=300_000,
            false_alarm_once_in=1000,
            coverage_ppm=10_000,
            coverage_floor_ppm=0,
        ),
        ladder=(LadderRung(mode=Mode.TIMER_POLLING), LadderRung(mode=Mode.PUSH_WITH_SAFETY_NET)),
    )
    journal = await open_journal(config.journal)
    await give_proof(journal, config)
    await journal.close()
    world = World(config, port, reverbs, app)
    try:
        if is_process:
            await world.spawn()
        async with running(config, SECRETS_HERE) as sidecar:
            world.sidecar = sidecar
            await until(lambda: world.serves("push_with_safety_net"), "push is served")
            yield world
    finally:
        if world.process is not None and world.process.returncode is None:
            world.process.kill()
            await world.process.wait()
        if balancer is not None:
            balancer.close()
        for each in reverbs:
            await each.stop()
        await app.stop()


Harm = Callable[[World], Awaitable[None]]


async def kill(world: World) -> None:
    """Kill Reverb."""
    assert world.process is not None
    world.process.kill()
    await world.process.wait()


async def freeze(world: World) -> None:
    """Freeze Reverb: its kernel still takes connections."""
    assert world.process is not None
    os.kill(world.process.pid, signal.SIGSTOP)


async def thaw(world: World) -> None:
    """Resume it."""
    assert world.process is not None
    os.kill(world.process.pid, signal.SIGCONT)


async def restart(world: World) -> None:
    """Start Reverb again."""
    await world.spawn()


def node(**faults: object) -> Harm:
    """Return an action that sets a fault of the last node."""

    async def change(world: World) -> None:
        for name, value in faults.items():
            setattr(world.nodes[-1].faults, name, value)

    return change


def app(**faults: object) -> Harm:
    """Return an action that sets a fault of the app."""

    async def change(world: World) -> None:
        for name, value in faults.items():
            setattr(world.app.faults, name, value)

    return change


async def blackhole(world: World) -> None:
    """Make Reverb unreachable: connections are neither accepted nor refused."""
    port = world.port
    await world.nodes[0].stop()
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen(0)
    world.held = [listening]  # type: ignore[attr-defined]
    for _ in range(3):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", port))
        world.held.append(one)  # type: ignore[attr-defined]


async def unblock(world: World) -> None:
    """Make it reachable."""
    for held in world.held:  # type: ignore[attr-defined]
        held.close()
    await world.nodes[0].start(world.port)


async def leave_app(world: World) -> None:
    """Stop the app, and keep its port."""
    world.app_port = int(world.config.reverb.auth_endpoint.rpartition(":")[2].partition("/")[0])  # type: ignore[attr-defined, union-attr]
    await world.app.stop()


async def return_app(world: World) -> None:
    """Restart the app on its port."""
    await world.app.start(world.app_port)  # type: ignore[attr-defined]


async def cut_off(world: World) -> None:
    """Stop every peer."""
    await leave_app(world)
    await world.nodes[0].stop()


async def reconnect(world: World) -> None:
    """Restart every peer."""
    await world.nodes[0].start(world.port)
    await return_app(world)


# fmt: off
HARMS = [
    # what happens,            how,                                 and how it ends,               a payment then,    why timers are served
    ("Reverb is killed",       kill,                                restart,                       "missed",          "reverb_unstable"),
    ("Reverb is frozen",       freeze,                              thaw,                          "missed",          "reverb_unstable"),
    ("Reverb is unreachable",  blackhole,                           unblock,                       "missed",          "reverb_unstable"),
    ("Reverb is slow",         node(delay_s=2.5),                   node(delay_s=0.0),             "late",            "reverb_unstable"),
    ("Reverb's API refuses",   node(api_status=503),                node(api_status=None),         "missed",          "reverb_unstable"),
    ("one node is deaf",       node(is_deaf=True),                  node(is_deaf=False),           "missed",          "reverb_unstable"),
    ("the app refuses all",    app(refuses=frozenset({"0"})),       app(refuses=frozenset()),      "on_time",         "reverb_unstable"),
    ("the app is away",        leave_app,                           return_app,                    "on_time",         "reverb_unstable"),
    ("we are cut off",         cut_off,                             reconnect,                     "unmeasured",      "cut_off"),
]
# fmt: on


@pytest.mark.parametrize(("what", "harm", "recover", "outcome", "reason"), HARMS, ids=[row[0] for row in HARMS])
async def test_a_harm_costs_what_the_table_says_and_ends(
    what: str, harm: Harm, recover: Harm, outcome: str, reason: str, tmp_path: Path
) -> None:
    """Timers are served within five failed round trips, the rung and epochs are kept, and push resumes."""
    is_process = harm in {kill, freeze}
    nodes = 2 if "node" in what else 1
    reference = "http://127.0.0.1:9" if outcome == "unmeasured" else None
    async with serving_push(tmp_path, is_process=is_process, nodes=nodes, reference=reference) as world:
        before = await world.status()
        await harm(world)
        if outcome != "unmeasured":
            await world.pay()
        await until(lambda: world.serves("timer_polling", reason), f"{what}: timers, because {reason}")
        if outcome == "unmeasured":  # until the sidecar detects that it is cut off, a payment counts against push
            await world.pay()
        assert await world.failed() <= FAILED_MAX
        ended = {**(await world.status())["outcomes"]}

        async def is_settled() -> bool:
            nonlocal ended
            ended = (await world.status())["outcomes"]
            return bool(sum(ended.values()) > sum(before["outcomes"].values()))

        await until(is_settled, "the payment is settled")
        assert {name for name, count in ended.items() if count > before["outcomes"].get(name, 0)} == {outcome}
        await recover(world)
        await until(lambda: world.serves("push_with_safety_net"), f"{what}: it is over, and push is served")
        after = await world.status()
    assert after["rung"] == before["rung"] == 1
    assert [each["epoch"] for each in after["indicators"]] == [each["epoch"] for each in before["indicators"]]


async def test_we_are_stopped_and_come_back(tmp_path: Path) -> None:
    """The payment of the gap is unmeasured, and push is suspended until the probes are clean."""
    async with serving_push(tmp_path) as world:
        await world.sidecar.deliver(event("pi_in_flight"))
        seen = (await world.status())["outcomes"]
        # the process ends here, and another opens the journal
        again = msgspec.structs.replace(world.config, listen=world.config.listen)
    async with stopped_world(tmp_path, again, world) as sidecar:
        world.sidecar = sidecar
        assert await world.serves("timer_polling")
        await until(lambda: world.serves("push_with_safety_net"), "push is served again")
        status = await world.status()
    assert status["unmeasured"].get("stopped") == 1
    assert status["outcomes"]["unmeasured"] == seen.get("unmeasured", 0) + 1
    assert status["rung"] == 1


@asynccontextmanager
async def stopped_world(folder: Path, config: Config, world: World) -> AsyncIterator[Running]:
    """Restart Reverb, the app and the sidecar on their ports."""
    assert (folder / "journal.db").exists()
    assert config.reverb is not None
    port = int(config.reverb.auth_endpoint.rpartition(":")[2].partition("/")[0])
    reverb, app_again = StandIn(APP), BookingApp(APP, origins=(ORIGIN,), users={TOKEN: "0"})
    await reverb.start(world.port)
    await app_again.start(port)
    try:
        async with running(config, SECRETS_HERE) as sidecar:
            yield sidecar
    finally:
        await reverb.stop()
        await app_again.stop()
