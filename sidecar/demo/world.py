"""The demo's world: a Stripe that signs webhooks, a booking app that sends acks, and a switch that breaks them.

Everything speaks to the sidecar over HTTP, as in production; the sidecar is composed as in production too.
"""

import asyncio
import secrets as random_secrets
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import aiohttp
import msgspec
import stripe
import structlog
from aiohttp import web

from sidecar import app, clock
from sidecar.config import Address, Listen, OperatorToken, Role, Secrets, SqlitePlace, read_config
from sidecar.http.server import Listener

_PAYMENTS_PER_S = 2
_PAID_AFTER_S = 0.05
_DELIVERED_AFTER_S = 0.1
_TOLD_EVERY_S = 5.0
_TIMEOUT = aiohttp.ClientTimeout(total=5)


async def run(*, public_port: int, operator_port: int, switch_port: int) -> None:
    """Run the demo on loopback until it is cancelled. Raises `SidecarError` if a port is in use."""
    with tempfile.TemporaryDirectory(prefix="reverb-sidecar-demo-") as folder:
        config = read_config(Path(__file__).with_name("demo.yaml"))
        config = msgspec.structs.replace(
            config,
            journal=SqlitePlace(path=f"{folder}/demo.db"),
            listen=Listen(public=_on_loopback(public_port), operator=_on_loopback(operator_port)),
        )
        secrets = Secrets(
            stripe_webhook=(f"whsec_{random_secrets.token_hex(16)}",),
            ack_token=random_secrets.token_hex(16),
            operator_tokens=(OperatorToken(name="visitor", role=Role.OPERATE, token=random_secrets.token_hex(16)),),
            identity_key=random_secrets.token_hex(16),
        )
        urls: asyncio.Future[app.Urls] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            group.create_task(app.run(config, secrets, started=urls.set_result), name="sidecar")
            group.create_task(_live(urls, secrets, config.flag, _on_loopback(switch_port)), name="world")


def _on_loopback(port: int) -> Address:
    return Address(host="127.0.0.1", port=port)


async def _live(urls: "asyncio.Future[app.Urls]", secrets: Secrets, flag: str, switch_at: Address) -> None:
    where = await urls
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session, asyncio.TaskGroup() as group:
        world = World(session, where, secrets, flag)
        listener = Listener("switch", switch_at, world.routes())
        switch = await listener.start()
        try:
            _welcome(where, secrets, flag, switch)
            await asyncio.gather(world.pay_for_ever(group), world.tell_for_ever())
        finally:
            await listener.stop()


def _welcome(where: app.Urls, secrets: Secrets, flag: str, switch: str) -> None:
    print(  # noqa: T201 - the first screen is for people, not for the log
        f"""
  A small world is running: two payments a second, each with a signed webhook and three acks.

  The flag:             curl '{where.public}/flags/{flag}?targeting_key=me'
  What it still needs:  sidecar status            (in another terminal; .venv/bin/sidecar from a checkout)
  Break the acks:       curl -X POST {switch}/break     and watch the flag fall
  Mend them:            curl -X POST {switch}/mend      and watch it climb again, with less trust
  Act as an operator:   SIDECAR_TOKEN={secrets.operator_tokens[0].token} sidecar hold --reason 'trying it'
  Metrics:              {where.metrics}

  Ctrl-C ends it.
""",
        flush=True,
    )


class World:
    """Stripe, the booking app and the switch."""

    def __init__(self, session: aiohttp.ClientSession, urls: app.Urls, secrets: Secrets, flag: str) -> None:
        self._session = session
        self._urls = urls
        self._secrets = secrets
        self._flag = flag
        self._is_broken = False
        self._payments = 0
        self._run_id = random_secrets.token_hex(4)

    def routes(self) -> list[web.RouteDef]:
        """Return the switch."""
        return [web.post("/break", self._break), web.post("/mend", self._mend)]

    async def _break(self, _: web.Request) -> web.Response:
        self._is_broken = True
        structlog.get_logger().warning("demo.broken", what="the booking app no longer delivers its broadcasts")
        return web.json_response({"acks": "broken", "expect": "the flag falls to timer_polling within seconds"})

    async def _mend(self, _: web.Request) -> web.Response:
        self._is_broken = False
        structlog.get_logger().warning("demo.mended", what="the booking app delivers its broadcasts again")
        expect = "after the cool-down it climbs again, in a new epoch that asks for more clean payments"
        return web.json_response({"acks": "mended", "expect": expect})

    async def pay_for_ever(self, group: asyncio.TaskGroup) -> NoReturn:
        """Let payments come."""
        while True:
            self._payments += 1
            group.create_task(self._pay(self._payments))
            await asyncio.sleep(1 / _PAYMENTS_PER_S)

    async def _pay(self, number: int) -> None:
        """Let one parent pay: Stripe tells the sidecar and the booking app, the booking app broadcasts and acks."""
        payment_intent = f"pi_demo_{self._run_id}_{number}"
        with suppress(aiohttp.ClientError, TimeoutError):
            await self._webhook(payment_intent, number)
            await asyncio.sleep(_PAID_AFTER_S)
            await self._ack(payment_intent, "paid")
            if self._is_broken:
                return
            await self._ack(payment_intent, "dispatched")
            await asyncio.sleep(_DELIVERED_AFTER_S)
            await self._ack(payment_intent, "delivered")

    async def _webhook(self, payment_intent: str, number: int) -> None:
        now_s = clock.wall_ms() // 1000
        event = {
            "id": f"evt_demo_{self._run_id}_{number}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": now_s,
            "type": "payment_intent.succeeded",
            "livemode": False,
            "pending_webhooks": 2,
            "request": {"id": None, "idempotency_key": None},
            "data": {
                "object": {
                    "id": payment_intent,
                    "object": "payment_intent",
                    "amount": 4200,
                    "currency": "eur",
                    "status": "succeeded",
                    "metadata": {"user_id": str(number % 40), "booking_id": str(number)},
                }
            },
        }
        body = msgspec.json.encode(event)
        signature = stripe.WebhookSignature.generate_signature_header(
            body.decode(), self._secrets.stripe_webhook[0], timestamp=now_s
        )
        headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
        async with self._session.post(f"{self._urls.public}/stripe/webhook", data=body, headers=headers):
            pass

    async def _ack(self, payment_intent: str, stage: str) -> None:
        headers = {"Authorization": f"Bearer {self._secrets.ack_token}"}
        ack = {"stage": stage, "payment_intent": payment_intent, "contexts": ["bookings"]}
        async with self._session.post(f"{self._urls.public}/acks", json=ack, headers=headers):
            pass

    async def tell_for_ever(self) -> NoReturn:
        """Say now and then what is served and what the next rung still needs."""
        log = structlog.get_logger()
        while True:
            await asyncio.sleep(_TOLD_EVERY_S)
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self._session.get(f"{self._urls.public}/flags/{self._flag}?targeting_key=me") as response:
                    answer = await response.json()
                async with self._session.get(f"{self._urls.operator}/api/gates") as response:
                    gates = await response.json()
                missing = "; ".join(f"{gate['name']}: {gate['needs']}" for gate in gates if not gate["holds"])
                log.info("demo.flag", mode=answer["mode"], reason=answer["reason"], needs=missing or None)
