"""Does the sidecar hold the peak rate of all of Stripe? 2 500 webhooks per second for 60 s, at a fixed rate."""

import asyncio
import gc
import os
import sys
import time

import uvloop

from benchmarks.listeners import prepared, server, webhook

_PER_S = 2_500
_CONNECTIONS = 64


async def run(port: int, seconds: int) -> list[float]:
    """Send at a fixed rate and return the latencies in ms from the due time, so that a late start counts."""
    request = prepared(seconds * _PER_S, webhook("s"))
    gc.disable()  # pauses of the load generator must not count
    due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
    latencies: list[float] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while True:
            due_s, data = await due.get()
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]))
            latencies.append(1000 * (time.perf_counter() - due_s))
            due.task_done()

    workers = [asyncio.create_task(connection()) for _ in range(_CONNECTIONS)]
    started = time.perf_counter()
    for number in range(seconds * _PER_S):
        due_s = started + number / _PER_S
        wait_s = due_s - time.perf_counter()
        if wait_s > 0.001:
            await asyncio.sleep(wait_s)
        due.put_nowait((due_s, request(number)))
    await due.join()
    for worker in workers:
        worker.cancel()
    return sorted(latencies)


def main(seconds: int) -> None:
    """Print the latencies."""
    os.sched_setaffinity(0, {1})
    with server("sidecar") as port:
        latencies = uvloop.run(run(port, seconds))
    p50, p99, p999 = (latencies[int(len(latencies) * share)] for share in (0.5, 0.99, 0.999))
    print(
        f"sustained: {_PER_S:,} webhooks/s for {seconds} s, all answered 200: "
        f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, p99.9 {p999:.1f} ms, longest {latencies[-1]:.0f} ms from when it was due"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 60)
