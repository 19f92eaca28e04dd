"""A real sidecar in real time, with payments, probes, browsers and acks of every kind, and faults.

Its policy is fast: it climbs, falls, suspends push and climbs again within seconds.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from sidecar.config import Isolation, LadderRung, Objective, PolicyKeys, Probe, ProbeSecrets, RedisStream, Reverb
from sidecar.core.facts.policy import Mode
from sidecar.demo.standin.booking_app import BookingApp
from sidecar.demo.standin.reverb import Reverb as StandIn
from tests.e2e.processes import until
from tests.probes.world import APP
from tests.shells.ack_reading import add
from tests.shells.browser_reports import REPORT, SECRET, send, token
from tests.shells.redis_server import RedisServer
from tests.shells.running import CONFIG, SECRETS, Running, event, running

_BY_REDIS = 10
PROBE_TOKEN = "probe-token-0123456789"
PAYS_EVERY_S = 0.2


class Life:
    """The sidecar, its dependencies, and their faults."""

    def __init__(self, sidecar: Running, reverb: StandIn, redis: RedisServer) -> None:
        self.sidecar, self.redis = sidecar, redis
        self.is_broken = False
        """Whether the backend has stopped its broadcasts."""
        self._reverb, self._number = reverb, 0

    async def serves(self, mode: Mode) -> None:
        """Wait until this mode is served."""

        async def is_served() -> bool:
            return bool((await self.sidecar.status())["served"]["mode"] == mode)

        await until(is_served, f"{mode} is served")

    async def lose_reverb(self) -> None:
        """Stop Reverb's process."""
        await self._reverb.exit()

    async def get_reverb_back(self, port: int) -> None:
        """Start Reverb again at the same port."""
        await self._reverb.start(port)

    async def pay_for_ever(self, group: asyncio.TaskGroup) -> None:
        """Make payments, without end."""
        while True:
            self._number += 1
            group.create_task(self._pay(self._number))
            await asyncio.sleep(PAYS_EVERY_S)

    async def _pay(self, number: int) -> None:
        """Make one payment; every tenth ack is sent through Redis."""
        name, user = f"pi_{number}", str(number % 40)
        sidecar, ack = self.sidecar, {"payment_intent": f"pi_{number}", "contexts": ["bookings"]}
        await sidecar.deliver(event(name, metadata={"user_id": user, "booking_id": "1"}))
        await sidecar.ack({"auth": "ok", "user_id": user, "channel": f"private-live-refresh.{user}"})
        await sidecar.ack({**ack, "stage": "paid"})
        if self.is_broken:
            return
        await sidecar.ack({**ack, "stage": "dispatched"})
        if number % _BY_REDIS:
            await sidecar.ack({**ack, "stage": "delivered"})
        else:
            add(self.redis, name)
            await err(sidecar, name)
        mode = (await sidecar.status())["served"]["mode"]
        await send(sidecar, {**REPORT, "payment_intent": name, "mode": mode, "token": token(user)})


async def err(sidecar: Running, payment_intent: str) -> None:
    """Do what clients do wrong: an ack of another context, and a path that there is not."""
    await sidecar.ack({"payment_intent": payment_intent, "contexts": ["another"], "stage": "dispatched"})
    async with sidecar.session.get(f"{sidecar.urls.public}/nowhere") as response:
        assert response.status == 404


@asynccontextmanager
async def life(folder: Path) -> AsyncIterator[tuple[Life, int]]:
    """Run everything; yield it with Reverb's port."""
    async with contextlib.AsyncExitStack() as stack:
        redis = stack.enter_context(RedisServer(folder))
        reverb, app = StandIn(APP), BookingApp(APP, origins=("http://page.test",), users={PROBE_TOKEN: "0"})
        port, app_port = await reverb.start(), await app.start()
        stack.push_async_callback(reverb.stop)
        stack.push_async_callback(app.stop)
        config = msgspec.structs.replace(
            CONFIG,
            acks=msgspec.structs.replace(CONFIG.acks, redis_stream=RedisStream(url=redis.url)),
            objective=Objective(on_time_within_ms=500, missed_after_ms=1500, reliability_ppm=750_000),
            policy=PolicyKeys(
                false_promotion_risk_ppm=200_000,
                unacceptable_reliability_ppm=600_000,
                false_alarm_once_in=100,
                coverage_floor_ppm=0,
                coverage_ppm=10_000,
                payers_on_rung=0,
                lease_ms=10_000,
                suspension_ms=1000,
                cooldown_ms=1000,
            ),
            ladder=(LadderRung(mode=Mode.TIMER_POLLING, soak_ms=1), LadderRung(mode=Mode.PUSH_WITH_SAFETY_NET)),
            reverb=Reverb(
                url=f"ws://127.0.0.1:{port}",
                app_id=APP.app_id,
                app_key=APP.key,
                origin="http://page.test",
                auth_endpoint=f"http://127.0.0.1:{app_port}/broadcasting/auth",
                observers=0,
                probe=Probe(
                    user_id="0",
                    round_trip_every_ms=200,
                    auth_every_ms=500,
                    isolation_every_ms=1000,
                    round_trip_reliability_ppm=900_000,
                    auth_reliability_ppm=700_000,
                ),
                isolation=Isolation(channel_user_id="1"),
            ),
        )
        secrets = msgspec.structs.replace(
            SECRETS, browser=(SECRET,), probe=ProbeSecrets(app_secret=APP.secret, token=PROBE_TOKEN)
        )
        sidecar = await stack.enter_async_context(running(config, secrets))
        lived = Life(sidecar, reverb, redis)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        paying = group.create_task(lived.pay_for_ever(group))
        stack.callback(paying.cancel)
        yield lived, port
