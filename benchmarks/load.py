"""A load generator of bare sockets: cheap enough that the server is the bottleneck."""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

_CONNECTIONS = 32


class Measured(NamedTuple):
    """The result of a load run."""

    per_s: float
    p50_ms: float
    p99_ms: float


async def load(port: int, request: Callable[[int], bytes], *, seconds: float) -> Measured:
    """Send requests over keep-alive connections, one at a time each, for a bounded time."""
    latencies: list[float] = []
    counter = iter(range(10_000_000))
    end = time.perf_counter() + seconds

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end:
            started = time.perf_counter()
            writer.write(request(next(counter)))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            latencies.append(time.perf_counter() - started)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(connection() for _ in range(_CONNECTIONS)))
    took = time.perf_counter() - started
    latencies.sort()
    return Measured(
        per_s=len(latencies) / took,
        p50_ms=1000 * latencies[len(latencies) // 2],
        p99_ms=1000 * latencies[len(latencies) * 99 // 100],
    )
