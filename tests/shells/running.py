"""A real sidecar in this process: the production composition on a memory journal and on free ports."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import stripe

from sidecar import app, clock
from sidecar.composition import PARTS, PartRow, Wiring
from sidecar.config import (
    Acks,
    Address,
    Config,
    Listen,
    MemoryPlace,
    Objective,
    OperatorToken,
    PolicyKeys,
    Role,
    Secrets,
    Stripe,
)
from sidecar.probes.stripe_webhook import StripeWebhook
from tests.e2e.processes import ACK_TOKEN, OPERATOR_TOKEN, READ_TOKEN, WEBHOOK_SECRET, until

OLD_SECRET = "whsec_being_rolled_0123456789"
_ANY = Address(host="127.0.0.1", port=0)
CONFIG = Config(
    environment="test",
    journal=MemoryPlace(),
    listen=Listen(public=_ANY, operator=_ANY),
    stripe=Stripe(livemode=True, user_key="user_id", required_metadata=("booking_id",)),
    acks=Acks(),
    objective=Objective(on_time_within_ms=800, missed_after_ms=2500),
    policy=PolicyKeys(lease_ms=3000),
)
SECRETS = Secrets(
    stripe_webhook=(WEBHOOK_SECRET, OLD_SECRET),
    ack_token=ACK_TOKEN,
    operator_tokens=(
        OperatorToken(name="ada", role=Role.OPERATE, token=OPERATOR_TOKEN),
        OperatorToken(name="reader", role=Role.READ, token=READ_TOKEN),
    ),
    identity_key="identity-key-for-the-tests-012345",
)

Answer = tuple[int, dict[str, Any]]


class Running:
    """A running sidecar, and a client that speaks to it."""

    def __init__(self, urls: app.Urls, session: aiohttp.ClientSession) -> None:
        self.urls = urls
        self.session = session

    async def webhook(self, body: bytes, **headers: str) -> Answer:
        """Post to the Stripe endpoint with these headers (underscores are dashes)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.post(f"{self.urls.public}/stripe/webhook", data=body, headers=named) as response:
            return response.status, await response.json()

    async def deliver(self, event: dict[str, Any], *, secret: str = WEBHOOK_SECRET, age_s: int = 0) -> Answer:
        """Deliver an event as Stripe does, signed by Stripe's own library."""
        body = msgspec.json.encode(event)
        return await self.webhook(body, Stripe_Signature=sign(body, secret=secret, age_s=age_s))

    async def ack(self, body: object, token: str = ACK_TOKEN, **headers: str) -> Answer:
        """Post an ack."""
        named = {"Authorization": f"Bearer {token}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        async with self.session.post(f"{self.urls.public}/acks", data=data, headers=named) as response:
            return response.status, await response.json()

    async def act(self, action: str, body: object, token: str = OPERATOR_TOKEN) -> Answer:
        """Act as an operator."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.urls.operator}/api/{action}"
        async with self.session.post(url, data=msgspec.json.encode(body), headers=headers) as response:
            return response.status, await response.json()

    async def status(self) -> dict[str, Any]:
        """Return the status."""
        async with self.session.get(f"{self.urls.operator}/api/status") as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def metrics(self) -> str:
        """Return the exposition in Prometheus' text format."""
        async with self.session.get(self.urls.metrics) as response:
            return await response.text()

    async def metric(self, line: str) -> float:
        """Return the value of the one series that starts so."""
        values = [float(row.rsplit(" ", 1)[1]) for row in (await self.metrics()).splitlines() if row.startswith(line)]
        assert len(values) == 1, f"{line} matches {len(values)} series"
        return values[0]

    async def metric_is(self, line: str, value: float) -> None:
        """Wait until a series has a value."""

        async def is_there() -> bool:
            return await self.metric(line) == value

        await until(is_there, f"{line} is {value}")


def _unhurried_webhook(it: Wiring) -> StripeWebhook:
    secrets = it.secrets
    return StripeWebhook(
        it.journal,
        it.config.stripe,
        secrets.stripe_webhook,
        secrets.identity_key,
        signed=it.clocks.signed,
        signatures=it.signatures,
        proxies=it.config.listen.proxies,
    )


UNHURRIED = tuple(PartRow(row.kind, _unhurried_webhook) if row.kind is StripeWebhook else row for row in PARTS)
"""The parts of a sidecar that takes every webhook as read in time."""


@asynccontextmanager
async def running(config: Config = CONFIG, secrets: Secrets = SECRETS, **tables: Any) -> AsyncIterator[Running]:
    """Run a sidecar, and end it; `tables` are those of `app.run`.

    Unless `parts` says otherwise, no webhook is read late: on a busy machine, and with the short objectives of the tests,
    any payment might be unmeasured.
    """
    tables = {"parts": UNHURRIED, **tables}
    urls: asyncio.Future[app.Urls] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(app.run(config, secrets, started=urls.set_result, **tables))

    def tell(ended: asyncio.Task[None]) -> None:
        if not urls.done():
            urls.set_exception(ended.exception() or AssertionError("it ended before it had started"))

    task.add_done_callback(tell)
    try:
        async with aiohttp.ClientSession() as session:
            yield Running(await urls, session)
    finally:
        task.cancel()
        await asyncio.wait([task])


def sign(body: bytes, *, secret: str = WEBHOOK_SECRET, age_s: int = 0) -> str:
    """Return a `Stripe-Signature` made by Stripe's own library."""
    stamp = clock.wall_ms() // 1000 - age_s
    return str(stripe.WebhookSignature.generate_signature_header(body.decode(), secret, timestamp=stamp))


def event(payment_intent: str = "pi_1", **fields: Any) -> dict[str, Any]:
    """Return a snapshot event of a succeeded payment that is ours, with other fields where given."""
    metadata = fields.pop("metadata", {"user_id": "7", "booking_id": "42"})
    payment = {"id": payment_intent, "object": "payment_intent", "amount": 4200, "metadata": metadata}
    return {
        "id": f"evt_{payment_intent}",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": clock.wall_ms() // 1000,
        "type": "payment_intent.succeeded",
        "livemode": True,
        "data": {"object": payment},
        **fields,
    }
