"""The servers to compare: `python -m benchmarks.servers NAME` starts each as a process on the first core."""

import asyncio
import os
import resource
import sys
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import stripe
import uvloop
from aiohttp import web

from sidecar import app, logs
from sidecar.config import Address, Config, LadderRung, Listen, Objective, PolicyKeys, SqlitePlace, Stripe, read_secrets
from sidecar.core.facts.policy import Mode

WEBHOOK_SECRET = "whsec_benchmark_0123456789abcdef"
ACK_TOKEN, OPERATOR_TOKEN = "benchmark-ack-token-01234", "benchmark-operator-token-0123456789"
ENVIRONMENT = {
    "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
    "SIDECAR_ACK_TOKEN": ACK_TOKEN,
    "SIDECAR_OPERATOR_TOKENS": f"bench:operate:{OPERATOR_TOKEN}",
}
_EVALUATED = b'{"flags":[]}' * 80
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
    """Verify as in Stripe's documentation, and store nothing."""
    body = await request.read()
    stripe.Webhook.construct_event(body, request.headers["Stripe-Signature"], WEBHOOK_SECRET)
    return web.Response(body=_ANSWER, content_type="application/json")


async def verify_and_decode(request: web.Request) -> web.Response:
    """Verify and decode at minimum cost, and store nothing."""
    body = await request.read()
    stripe.WebhookSignature.verify_header(body.decode(), request.headers["Stripe-Signature"], WEBHOOK_SECRET, 300)
    msgspec.json.decode(body, type=_Event)
    return web.Response(body=_ANSWER, content_type="application/json")


async def constant(_: web.Request) -> web.Response:
    """Answer constant bytes."""
    return web.Response(body=b'{"mode":"timer_polling"}' * 8, content_type="application/json")


async def context(request: web.Request) -> web.Response:
    """Decode the evaluation context, and answer constant bytes of the length of a bulk evaluation."""
    msgspec.json.decode(await request.read())
    return web.Response(body=_EVALUATED, content_type="application/json")


async def bare_streams() -> None:
    """Serve streams at minimum cost: no limit, no renewal, no timeout; `/flip` sends to all."""
    streams: set[web.StreamResponse] = set()

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(event("push_with_safety_net"))
        streams.add(response)
        await asyncio.Event().wait()
        return response

    async def flip(_: web.Request) -> web.Response:
        for each in streams:
            await each.write(event("timer_polling"))
        return web.Response()

    def event(mode: str) -> bytes:
        return b'id: 1-1\ndata: {"mode":"%s"%s}\n\n' % (mode.encode(), b',"more":"it is as long as ours"' * 8)

    bare = web.Application()
    bare.add_routes([web.get("/flags/{key}/stream", stream), web.post("/flip", flip)])
    runner = web.AppRunner(bare, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    _print_ports(port, port)
    await asyncio.Event().wait()


def _print_ports(*ports: int) -> None:
    """Print the ports and no logs: a pipe that is not read would fill and stop the server."""
    print("\n" + "\n".join(map(str, ports)), flush=True)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


async def _bare(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
    bare = web.Application()
    bare.add_routes(
        [
            web.post("/stripe/webhook", handler),
            web.get("/flags/{key}", handler),
            web.post("/ofrep/v1/evaluate/flags", handler),
        ]
    )
    runner = web.AppRunner(bare, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    _print_ports(runner.addresses[0][1])
    await asyncio.Event().wait()


async def sidecar() -> None:
    """Run the whole sidecar, with a durable journal, the fold and the controller."""
    await _sidecar()


async def sidecar_that_climbs() -> None:
    """Run one that needs a dozen clean payments to serve push to everybody, and that a person may roll back."""
    await _sidecar(
        objective=Objective(on_time_within_ms=500, missed_after_ms=1_500, reliability_ppm=750_000),
        policy=PolicyKeys(
            false_promotion_risk_ppm=200_000, unacceptable_reliability_ppm=600_000, false_alarm_once_in=100
        ),
        ladder=(
            LadderRung(mode=Mode.TIMER_POLLING, soak_ms=1),
            LadderRung(mode=Mode.PUSH_WITH_SAFETY_NET),
        ),
    )


async def _sidecar(**keys: Any) -> None:
    with tempfile.TemporaryDirectory(prefix="reverb-sidecar-benchmark-") as folder:
        config = Config(
            environment="benchmark",
            journal=SqlitePlace(path=f"{folder}/journal.db"),
            listen=Listen(public=_ANY, operator=_ANY),
            stripe=Stripe(livemode=False, required_metadata=("booking_id",)),
            **keys,
        )
        secrets = read_secrets(ENVIRONMENT, config)
        await app.run(
            config,
            secrets,
            started=lambda urls: _print_ports(*(int(url.rpartition(":")[2]) for url in (urls.public, urls.operator))),
        )


SERVERS: dict[str, Callable[[], Awaitable[None]]] = {
    "construct_event": lambda: _bare(construct_event),
    "verify_and_decode": lambda: _bare(verify_and_decode),
    "constant": lambda: _bare(constant),
    "context": lambda: _bare(context),
    "bare_streams": bare_streams,
    "sidecar": sidecar,
    "sidecar_that_climbs": sidecar_that_climbs,
}


async def _run(name: str) -> None:
    await SERVERS[name]()


if __name__ == "__main__":
    os.sched_setaffinity(0, {0})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a stream is a descriptor
    logs.configure(as_json=True)
    uvloop.run(_run(sys.argv[1]))
