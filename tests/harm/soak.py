"""Do auth probes and frames leak? `python -m tests.harm.soak`: 20 000 auth probes and a million frames, with accounts.

The Reverb, the app and what sends the frames are in a process of their own, so that what is measured is ours alone:
memory, file descriptors and tasks after a warm-up and at the end.
"""

import argparse
import asyncio
import gc
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from aiohttp import web

from sidecar import clock
from sidecar.core.facts.auth_probes import AuthProbeOutcome
from sidecar.demo.standin.booking_app import BookingApp
from sidecar.demo.standin.reverb import Reverb
from sidecar.probes.auth_probe import AuthProber
from sidecar.probes.browser import Browser
from sidecar.probes.reverb_socket import subscribed_socket
from sidecar.pusher.messages import Arrived
from tests.probes.world import APP, ORIGIN, TOKEN, target_at

WARM_UP = 200
CHANNEL = "private-live-refresh.0"


class Accounts(msgspec.Struct, frozen=True, kw_only=True):
    """The resources in use."""

    memory_kb: int
    descriptors: int
    tasks: int


def accounts() -> Accounts:
    """Return the resources in use now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return Accounts(
        memory_kb=pages * resource.getpagesize() // 1024,
        descriptors=len(list(Path("/proc/self/fd").iterdir())),
        tasks=len(asyncio.all_tasks()),
    )


async def serve(frames: int) -> None:
    """Run the peers: print their ports, and serve until killed."""
    reverb, app = Reverb(APP), BookingApp(APP, origins=(ORIGIN,), users={TOKEN: "0"})
    ports = [await reverb.start(), await app.start()]

    async def flood(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        hello = (
            '{"event":"pusher:connection_established","data":"{\\"socket_id\\":\\"1.2\\",\\"activity_timeout\\":30}"}'
        )
        await ws.send_str(hello)
        await ws.receive()
        done = {"event": "pusher_internal:subscription_succeeded", "data": "{}", "channel": CHANNEL}
        await ws.send_str(msgspec.json.encode(done).decode())
        event = {"event": "App\\Events\\X", "data": '{"contexts":["bookings"]}', "channel": CHANNEL}
        text = msgspec.json.encode(event).decode()
        for _ in range(frames):
            await ws.send_str(text)
        await ws.receive()
        return ws

    site = web.Application()
    site.router.add_get("/app/{key}", flood)
    runner = web.AppRunner(site)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(*ports, runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


@asynccontextmanager
async def other_side(frames: int) -> AsyncIterator[tuple[int, int, int]]:
    """Run the peers as a process."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.harm.soak", "--serve", "--frames", str(frames), stdout=asyncio.subprocess.PIPE
    )
    try:
        assert child.stdout is not None
        reverb, app, flood = (int(port) for port in (await child.stdout.readline()).split())
        yield reverb, app, flood
    finally:
        child.kill()
        await child.wait()


def browser(reverb: int, app: int) -> Browser:
    """Return a browser of the probe user."""
    return Browser(target_at(reverb, app))


async def auth_probe(auth_prober: AuthProber, count: int) -> None:
    """Take auth probes, of which every fifth fails."""
    for number in range(count):
        within_s = 0.002 if number % 5 == 4 else 10.0
        probed = await auth_prober.auth_probe(within_s=within_s)
        assert within_s < 1 or probed.outcome is AuthProbeOutcome.OK, probed


async def receive(own: Browser, count: int) -> int:
    """Receive frames, and return their number."""
    received = 0

    def arrived(_: Arrived) -> None:
        nonlocal received
        received += 1

    link = await subscribed_socket(own, [CHANNEL], arrived, within_s=10)
    try:
        while received < count:
            await link.receive(arrived)
    finally:
        await link.aclose()
    return received


async def soak(auth_probes: int, frames: int) -> tuple[Accounts, Accounts, dict[str, float]]:
    """Run auth probes and receive frames; return the figures after a warm-up and at the end, and the time."""
    async with other_side(frames) as (reverb, app, flood):
        auth_prober, listener = AuthProber(browser(reverb, app)), browser(flood, app)
        await auth_probe(auth_prober, min(WARM_UP, auth_probes))
        before = await _settled()
        began_s = clock.monotonic_s()
        await auth_probe(auth_prober, auth_probes)
        probed_s = clock.monotonic_s()
        received = await receive(listener, frames)
        assert received >= frames
        times = {"auth_probes_s": probed_s - began_s, "frames_s": clock.monotonic_s() - probed_s}
        return before, await _settled(), times


async def _settled() -> Accounts:
    """Return the resources in use after garbage collection."""
    await asyncio.sleep(0.5)
    return accounts()


def main() -> None:
    """Run the soak, print the figures, and fail on a leak."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--auth-probes", type=int, default=20_000)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--serve", action="store_true")
    asked = parser.parse_args()
    if asked.serve:
        asyncio.run(serve(asked.frames))
        return
    before, after, times = asyncio.run(soak(asked.auth_probes, asked.frames))
    print(
        f"{asked.auth_probes} auth probes in {times['auth_probes_s']:.0f} s, {asked.frames} frames in {times['frames_s']:.0f} s"
    )
    print(f"before: {before}\nafter:  {after}")
    if leaks(before, after):
        sys.exit(f"leaked: {leaks(before, after)}")


def leaks(before: Accounts, after: Accounts) -> list[str]:
    """Return what has grown: descriptors and tasks not at all, and memory by no more than an allocator keeps."""
    grown = [name for name in ("descriptors", "tasks") if getattr(after, name) > getattr(before, name)]
    return [*grown, "memory"] if after.memory_kb > before.memory_kb + 16 * 1024 else grown


if __name__ == "__main__":
    main()
