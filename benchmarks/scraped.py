"""Does scraping every second slow webhooks? The same sidecar at full load, alternately without and with a scraper.

Phases alternate in one process, so that drift affects both, and the order changes with each round.
"""

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import aiohttp
import uvloop

from benchmarks.listeners import prepared, webhook
from benchmarks.load import Measured, load
from benchmarks.streams import Running, server

_SECONDS = 4.0
_ROUNDS = 5
_AT_MOST = 60_000
_EVERY_S = 1.0
_ACCEPT = {"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "Accept-Encoding": "gzip"}


class Phase(NamedTuple):
    """One phase of a round."""

    measured: Measured
    scrapes: int
    answered_ms: float
    """The duration of the slowest scrape under the load of the webhooks; 0: no scrape."""


async def phase(at: Running, request: Callable[[int], bytes], *, is_scraped: bool) -> Phase:
    """Load the sidecar for some seconds."""
    took: list[float] = []

    async def scrape() -> None:
        async with aiohttp.ClientSession(headers=_ACCEPT) as session:
            while True:
                started = time.perf_counter()
                async with session.get(f"http://127.0.0.1:{at.operator}/metrics") as response:
                    assert response.status == 200
                    await response.read()
                took.append(1000 * (time.perf_counter() - started))
                await asyncio.sleep(max(0.0, _EVERY_S - took[-1] / 1000))

    scraper = asyncio.create_task(scrape()) if is_scraped else None
    measured = await load(at.public, request, seconds=_SECONDS)
    if scraper is not None:
        scraper.cancel()
        with suppress(asyncio.CancelledError):
            await scraper
    return Phase(measured=measured, scrapes=len(took), answered_ms=max(took, default=0.0))


def main() -> None:
    """Print both, and the ratio."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, {1})
    phases: dict[bool, list[Phase]] = {False: [], True: []}
    with server("sidecar") as at:
        uvloop.run(phase(at, prepared(_AT_MOST, webhook("warm")), is_scraped=False))
        for turn in range(_ROUNDS):
            for is_scraped in (bool(turn % 2), not turn % 2):
                request = prepared(_AT_MOST, webhook(f"{turn}{is_scraped}"))
                phases[is_scraped].append(uvloop.run(phase(at, request, is_scraped=is_scraped)))
    median = {
        is_scraped: sorted(each.measured.per_s for each in found)[_ROUNDS // 2] for is_scraped, found in phases.items()
    }
    for is_scraped, found in phases.items():
        p99 = sorted(each.measured.p99_ms for each in found)[_ROUNDS // 2]
        slowest = max(each.answered_ms for each in found)
        scrapes = f", {sum(each.scrapes for each in found)} scrapes, the slowest answered in {slowest:.0f} ms"
        print(
            f"webhooks, {'scraped every second' if is_scraped else 'not scraped'}: {median[is_scraped]:,.0f}/s, "
            f"p99 {p99:.1f} ms (medians of {_ROUNDS}){scrapes if is_scraped else ''}"
        )
    print(f"webhooks: scraped every second {median[True] / median[False]:.3f} x not scraped")


if __name__ == "__main__":
    main()
