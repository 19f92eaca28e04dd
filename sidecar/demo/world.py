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
from sidecar.config import Address, OperatorToken, Role, Secrets, read_config
from sidecar.http.server import Listener
from sidecar.logs import LineCounts
from sidecar.ports import ErrorCode, SidecarError

FLAG = "payment-refresh"
_PAYMENTS_PER_S = 2
_PAID_AFTER_S = 0.05
_DELIVERED_AFTER_S = 0.1
_TOLD_EVERY_S = 5.0
_TIMEOUT = aiohttp.ClientTimeout(total=5)


class Ports(msgspec.Struct, frozen=True, kw_only=True):
    """Where the demo listens on loopback."""

    public: int = 8700
    operator: int = 8701
    switch: int = 8702


async def run(ports: Ports, *, command: str, lines: LineCounts) -> None:
    """Run the demo on loopback until it is cancelled; `command` is how its visitor calls the sidecar.

    Raises `SidecarError` if a port is in use.
    """
    with tempfile.TemporaryDirectory(prefix="reverb-sidecar-demo-") as folder:
        path = Path(folder) / "demo.yaml"
        path.write_text(
            f"journal: sqlite:{folder}/demo.db\n"
            f"listen: {{public: 127.0.0.1:{ports.public}, operator: 127.0.0.1:{ports.operator}}}\n"
            + Path(__file__).with_name("demo.yaml").read_text()
        )
        config = read_config(path)
        secrets = Secrets(
            stripe_webhook=(f"whsec_{random_secrets.token_hex(16)}",),
            ack_token=random_secrets.token_hex(16),
            operator_tokens=(OperatorToken(name="visitor", role=Role.OPERATE, token=random_secrets.token_hex(16)),),
            identity_key=random_secrets.token_hex(16),
        )
        listener = Listener("switch", Address(host="127.0.0.1", port=ports.switch))
        try:
            urls: asyncio.Future[app.Urls] = asyncio.get_running_loop().create_future()
            async with asyncio.TaskGroup() as group:
                group.create_task(app.run(config, secrets, started=urls.set_result, lines=lines), name="sidecar")
                group.create_task(_live(urls, secrets, listener, f"{command} {{}} --config {path}"), name="world")
        except* SidecarError as errors:
            raise _with_a_way_out(errors) from None
        finally:
            await listener.stop()


def _with_a_way_out(errors: ExceptionGroup[SidecarError]) -> SidecarError:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    message = str(error)
    if isinstance(error, SidecarError) and error.code is ErrorCode.ADDRESS_IN_USE:
        message += "; here: --port, --operator-port and --switch-port, or make run DEMO='--port 9700'"
    return SidecarError(ErrorCode.ADDRESS_IN_USE, message)


async def _live(urls: "asyncio.Future[app.Urls]", secrets: Secrets, listener: Listener, command: str) -> None:
    where = await urls
    async with (
        aiohttp.ClientSession(timeout=_TIMEOUT, raise_for_status=True) as session,
        asyncio.TaskGroup() as group,
    ):
        world = World(session, where, secrets)
        listener.add(world.routes())
        switch = listener.bind()
        await listener.start()
        _welcome(where, secrets, command, switch)
        group.create_task(world.pay_for_ever(group))
        group.create_task(world.tell_for_ever())


def _welcome(where: app.Urls, secrets: Secrets, command: str, switch: str) -> None:
    print(  # noqa: T201 - the first screen is for people, not for the log
        f"""
  A small world is running: two payments a second, each with a signed webhook and three acks.

  The flag:
    curl '{where.public}/flags/{FLAG}?targeting_key=me'
  What is served, what is missing, what was measured (in another terminal, like all below):
    {command.format("status")}
  Break the acks, and watch the flag fall; mend them, and watch it climb again with less trust:
    curl -X POST {switch}/break
    curl -X POST {switch}/mend
  Act as an operator:
    SIDECAR_TOKEN={secrets.operator_tokens[0].token} {command.format("hold --reason 'trying it'")}
  Metrics:
    curl {where.metrics}

  Ctrl-C ends it.
""",
        flush=True,
    )


class World:
    """Stripe, the booking app and the switch."""

    def __init__(self, session: aiohttp.ClientSession, urls: app.Urls, secrets: Secrets) -> None:
        self._session = session
        self._urls = urls
        self._secrets = secrets
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
        try:
            await self._webhook(payment_intent, number)
            await asyncio.sleep(_PAID_AFTER_S)
            await self._ack(payment_intent, "paid")
            if self._is_broken:
                return
            await self._ack(payment_intent, "dispatched")
            await asyncio.sleep(_DELIVERED_AFTER_S)
            await self._ack(payment_intent, "delivered")
        except (aiohttp.ClientError, TimeoutError) as error:
            structlog.get_logger().warning("demo.failed", payment_intent=payment_intent, error=repr(error))

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
                async with self._session.get(f"{self._urls.public}/flags/{FLAG}?targeting_key=me") as response:
                    answer = await response.json()
                async with self._session.get(f"{self._urls.operator}/api/gates") as response:
                    gates = await response.json()
                missing = "; ".join(f"{gate['name']}: {gate['needs']}" for gate in gates if not gate["holds"])
                log.info("demo.flag", mode=answer["mode"], reason=answer["reason"], needs=missing or None)
