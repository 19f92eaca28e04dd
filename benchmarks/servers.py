"""The servers that are compared: `python -m benchmarks.servers NAME`, each a process of its own on the first core."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable

import msgspec
import stripe
import uvloop
from aiohttp import web

from sidecar import app, logs
from sidecar.config import (
    Address,
    Config,
    Listen,
    SqlitePlace,
    Stripe,
    read_secrets,
)

WEBHOOK_SECRET = "whsec_benchmark_0123456789abcdef"
ENVIRONMENT = {"STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET, "SIDECAR_ACK_TOKEN": "benchmark-ack-token-01234"}
_ANSWER = b'{"received":true}'
_ANY = Address(host="127.0.0.1", port=0)


class _Intent(msgspec.Struct):
    id: str


class _Data(msgspec.Struct):
    object: _Intent


class _Event(msgspec.Struct):
    id: str
    type: str
    data: _Data


async def construct_event(request: web.Request) -> web.Response:
    """Do what Stripe's documentation shows, and store nothing."""
    body = await request.read()
    stripe.Webhook.construct_event(body, request.headers["Stripe-Signature"], WEBHOOK_SECRET)
    return web.Response(body=_ANSWER, content_type="application/json")


async def verify_and_decode(request: web.Request) -> web.Response:
    """Verify and decode as cheaply as we know, and store nothing."""
    body = await request.read()
    stripe.WebhookSignature.verify_header(body.decode(), request.headers["Stripe-Signature"], WEBHOOK_SECRET, 300)
    msgspec.json.decode(body, type=_Event)
    return web.Response(body=_ANSWER, content_type="application/json")


async def constant(_: web.Request) -> web.Response:
    """Answer constant bytes."""
    return web.Response(body=b'{"mode":"timer_polling"}' * 8, content_type="application/json")


def _tell(port: int) -> None:
    """Print the port, and nothing more: a log that nobody reads would fill the pipe and stop the server."""
    print(f"\n{port}", flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


async def _bare(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
    bare = web.Application()
    bare.add_routes([web.post("/stripe/webhook", handler), web.get("/flags/{key}", handler)])
    runner = web.AppRunner(bare, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _tell(runner.addresses[0][1])
    await asyncio.Event().wait()


async def sidecar() -> None:
    """Run the whole sidecar, with a durable journal, the fold and the controller."""
    with tempfile.TemporaryDirectory(prefix="reverb-sidecar-benchmark-") as folder:
        config = Config(
            environment="benchmark",
            journal=SqlitePlace(path=f"{folder}/journal.db"),
            listen=Listen(public=_ANY, operator=_ANY),
            stripe=Stripe(livemode=False, required_metadata=("booking_id",)),
        )
        secrets = read_secrets(ENVIRONMENT, config)
        await app.run(config, secrets, started=lambda urls: _tell(int(urls.public.rpartition(":")[2])))


SERVERS: dict[str, Callable[[], Awaitable[None]]] = {
    "construct_event": lambda: _bare(construct_event),
    "verify_and_decode": lambda: _bare(verify_and_decode),
    "constant": lambda: _bare(constant),
    "sidecar": sidecar,
}


async def _run(name: str) -> None:
    await SERVERS[name]()


if __name__ == "__main__":
    os.sched_setaffinity(0, {0})
    logs.configure(as_json=True)
    uvloop.run(_run(sys.argv[1]))
