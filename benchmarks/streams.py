"""What do open streams and reads over OFREP cost? The baseline is a bare `aiohttp` loop; each side has its own core.

Two thousand streams are open. A person rolls back: the time runs from the request to the last stream that received the
change, through the journal and the fold. The bare loop only writes the same to all.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import aiohttp
import stripe
import uvloop

from benchmarks.events import payment_succeeded
from benchmarks.listeners import compare
from benchmarks.servers import ACK_TOKEN, OPERATOR_TOKEN, WEBHOOK_SECRET

_STREAMS = 2_000
_ROUNDS = 3
_PAYMENTS = 12
_AT_ONCE = 100


class Received(NamedTuple):
    """The result of a round: milliseconds from the flip, and the server's memory for each stream."""

    first_ms: float
    half_ms: float
    last_ms: float
    stream_kb: float


class Running(NamedTuple):
    """A server in its own process."""

    public: int
    operator: int
    pid: int


@contextmanager
def server(name: str) -> Iterator[Running]:
    """Run one of the servers."""
    command = [sys.executable, "-m", "benchmarks.servers", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ports = (int(line) for line in process.stdout if line.strip().isdigit())
        try:
            yield Running(next(ports), next(ports), process.pid)
        finally:
            process.terminate()


def resident_kb(pid: int) -> float:
    """Return the resident memory of a process."""
    with open(f"/proc/{pid}/statm") as statm:  # noqa: PTH123 - of the kernel
        return int(statm.read().split()[1]) * resource.getpagesize() / 1e3


async def climb(running: Running) -> None:
    """Send a dozen clean payments, and wait until push is served."""
    url = f"http://127.0.0.1:{running.public}"
    async with aiohttp.ClientSession() as session:
        for number in range(_PAYMENTS):
            name = f"climb_{number}"
            ack = {"stage": "delivered", "payment_intent": f"pi_{name}"}
            await session.post(f"{url}/acks", json=ack, headers={"Authorization": f"Bearer {ACK_TOKEN}"})
            body = json.dumps(payment_succeeded(name, created_s=int(time.time())))
            signature = stripe.WebhookSignature.generate_signature_header(body, WEBHOOK_SECRET)
            await session.post(f"{url}/stripe/webhook", data=body, headers={"Stripe-Signature": signature})
        while True:
            async with session.get(f"{url}/flags/payment-refresh?targeting_key=u1") as response:
                if (await response.json())["mode"] != "timer_polling":
                    return
            await asyncio.sleep(0.05)


Connected = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def listen(port: int, is_open: asyncio.Semaphore, number: int) -> Connected:
    """Open a stream, and return once its first event has arrived."""
    async with is_open:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
        writer.write(b"GET /flags/payment-refresh/stream?targeting_key=u%d HTTP/1.1\r\nHost: x\r\n\r\n" % number)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        await reader.readuntil(b'"mode":"push')
        return reader, writer


async def received_at(connected: Connected) -> float:
    """Return the time at which the stream sent timers."""
    reader, _ = connected
    await reader.readuntil(b'"mode":"timer_polling"')
    return time.perf_counter()


async def flip(running: Running, name: str) -> None:
    """Make the flag fall."""
    path = "flip" if name == "bare_streams" else "api/rollback"
    headers = {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"http://127.0.0.1:{running.operator}/{path}", json={"reason": "a benchmark"}, headers=headers
        ) as response,
    ):
        assert response.status == 200, await response.text()


async def run(running: Running, name: str) -> Received:
    """Open the streams, flip, and wait for the last."""
    if name != "bare_streams":
        await climb(running)
    before_kb = resident_kb(running.pid)
    is_open = asyncio.Semaphore(_AT_ONCE)
    connected = await asyncio.gather(*(listen(running.public, is_open, number) for number in range(_STREAMS)))
    stream_kb = (resident_kb(running.pid) - before_kb) / _STREAMS
    receiving = [asyncio.ensure_future(received_at(each)) for each in connected]
    await asyncio.sleep(0)
    started = time.perf_counter()
    await flip(running, name)
    received_ms = sorted(1000 * (at - started) for at in await asyncio.gather(*receiving))
    return Received(received_ms[0], received_ms[_STREAMS // 2], received_ms[-1], stream_kb)


def evaluate(_: int) -> bytes:
    """Return the request of the web provider for a bulk evaluation."""
    body = b'{"context":{"targetingKey":"u1"}}'
    head = "POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: x\r\nContent-Type: application/json; charset=utf-8\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def main() -> None:
    """Print the comparisons."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    best: dict[str, Received] = {}
    for _ in range(_ROUNDS):
        for name in ("sidecar_that_climbs", "bare_streams"):
            with server(name) as running:
                received = uvloop.run(run(running, name))
            best[name] = min(best.get(name, received), received, key=lambda each: each.last_ms)
    sidecar, bare = best["sidecar_that_climbs"], best["bare_streams"]
    for name, each in best.items():
        print(
            f"streams: {name}: {_STREAMS:,} open, {each.stream_kb:.1f} kB each; after a flip the first received it in "
            f"{each.first_ms:.0f} ms, half in {each.half_ms:.0f} ms, the last in {each.last_ms:.0f} ms"
        )
    print(
        f"streams: to the last {sidecar.last_ms / bare.last_ms:.2f} x the bare loop, "
        f"memory {sidecar.stream_kb / bare.stream_kb:.2f} x",
        flush=True,
    )
    compare("evaluations over OFREP", "sidecar", ("context",), lambda _: evaluate)


if __name__ == "__main__":
    main()
