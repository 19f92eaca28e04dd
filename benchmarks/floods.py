"""What do floods of other requests do to webhooks? Their p99 under each flood, as a ratio to the calm before it.

The genuine webhooks come at a fixed rate from another address than the flood, as Stripe's do.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import uvloop

from benchmarks.listeners import flag, prepared, webhook
from benchmarks.servers import ACK_TOKEN, OPERATOR_TOKEN
from benchmarks.streams import Running, server

_PER_S = 50
_SECONDS = 5
_STRIPE, _FLOODER = "127.0.0.2", "127.0.0.3"


class Flood(NamedTuple):
    """A request that is sent again and again from so many connections."""

    name: str
    connections: int
    is_operators: bool
    request: bytes


def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OPERATOR_TOKEN}\r\n\r\n".encode()


def _forged() -> bytes:
    body, head = b"x" * 60_000, "POST /stripe/webhook HTTP/1.1\r\nHost: x\r\n"
    return (
        f"{head}Stripe-Signature: t={int(time.time())},v1={'0' * 64}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


def _ack() -> bytes:
    body = '{"stage": "paid", "payment_intent": "pi_flood"}'
    head = f"POST /acks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {ACK_TOKEN}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


FLOODS: tuple[Callable[[], Flood], ...] = (
    lambda: Flood("scrapes", 8, True, _get("/metrics")),
    lambda: Flood("reports", 48, True, _get("/api/report")),
    lambda: Flood("gates", 48, True, _get("/api/gate")),
    lambda: Flood("health checks", 2, False, _get("/healthz")),
    lambda: Flood("acks", 16, False, _ack()),
    lambda: Flood("flag reads", 16, False, flag(0)),
    lambda: Flood("forged webhooks of 60 kB", 48, False, _forged()),
)


async def _send(port: int, data: bytes, *, address: str) -> None:
    """Send the same request for ever, over one connection after another."""
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0))
            try:
                while True:
                    writer.write(data)
                    await _read(reader)
            finally:
                writer.close()
        await asyncio.sleep(0)


async def _read(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(length or 0))
    return head


async def _p99_ms(port: int, request: Callable[[int], bytes]) -> float:
    """Deliver at a fixed rate for some seconds; return the p99 of the latencies from when each was due."""
    latencies: list[float] = []
    started = time.perf_counter()

    async def deliver(number: int) -> None:
        due_s = started + number / _PER_S
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(_STRIPE, 0))
        writer.write(request(number))
        head = await _read(reader)
        assert head.startswith(b"HTTP/1.1 200"), head
        latencies.append(1000 * (time.perf_counter() - due_s))
        writer.close()

    await asyncio.gather(*(deliver(number) for number in range(_PER_S * _SECONDS)))
    return sorted(latencies)[int(0.99 * len(latencies))]


async def run(at: Running) -> None:
    """Print a line for each flood."""
    for number, made in enumerate(FLOODS):
        flood = made()
        calm_ms = await _p99_ms(at.public, prepared(_PER_S * _SECONDS, webhook(f"calm{number}")))
        request = prepared(_PER_S * _SECONDS, webhook(f"flood{number}"))
        port = at.operator if flood.is_operators else at.public
        tasks = [asyncio.create_task(_send(port, flood.request, address=_FLOODER)) for _ in range(flood.connections)]
        flooded_ms = await _p99_ms(at.public, request)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        print(
            f"floods: {flood.name}, {flood.connections} connections: webhooks' p99 {flooded_ms:.1f} ms, "
            f"{flooded_ms / calm_ms:.1f} x calm ({calm_ms:.1f} ms)",
            flush=True,
        )


def main() -> None:
    """Run every flood against one sidecar, each after a calm phase."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    with server("sidecar") as at:
        uvloop.run(run(at))


if __name__ == "__main__":
    main()
