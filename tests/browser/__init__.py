"""Real browser libraries, in Node and in headless Chromium, against our own servers on loopback."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from tests.waiting import HANGS_AFTER_S

FOLDER = Path(__file__).parent
CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
"""The options of each headless Chromium: it sends no request outside, and runs as root in a container."""


class Events:
    """The events of a client, in order."""

    def __init__(self) -> None:
        self.everything: list[tuple[str, Any]] = []
        self._more = asyncio.Event()

    def add(self, line: bytes) -> None:
        """Take one JSON object with `what` and `data`."""
        event = msgspec.json.decode(line)
        self.everything.append((event["what"], event.get("data")))
        self._more.set()

    async def until(self, what: str, data: object = ..., *, within_s: float = HANGS_AFTER_S, after: int = 0) -> int:
        """Return the position behind the first `what` (with this `data`) from position `after` on."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for index, (name, value) in enumerate(self.everything[after:], start=after + 1):
                        if name == what and data in (..., value):
                            return index
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            message = f"no {what} {data} within {within_s} s; events: {self.everything[after:]}"
            raise AssertionError(message) from None


@asynccontextmanager
async def in_node(settings: dict[str, Any]) -> AsyncIterator[Events]:
    """Run the scenario in Node."""
    node = shutil.which("node")
    assert node, "the tests need Node.js: tools/install-system-packages nodejs npm"
    child = await asyncio.create_subprocess_exec(
        node,
        str(FOLDER / "node.js"),
        msgspec.json.encode(settings).decode(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    events = Events()

    async def read() -> None:
        assert child.stdout is not None
        async for line in child.stdout:
            events.add(line)

    reading = asyncio.create_task(read())
    try:
        yield events
    finally:
        reading.cancel()
        child.kill()
        await child.wait()


@asynccontextmanager
async def in_chromium(settings: dict[str, Any], *, port: int = 0) -> AsyncIterator[Events]:
    """Run the scenario in a page in headless Chromium; the page's origin is `http://127.0.0.1:port`."""
    chromium = shutil.which("chromium")
    assert chromium, "the tests need Chromium: tools/install-system-packages chromium"
    events = Events()

    async def receive(request: web.Request) -> web.Response:
        events.add(await request.read())
        return web.Response(status=204)

    async def set_up(_: web.Request) -> web.Response:
        return web.json_response(settings)

    site = web.Application()
    site.router.add_post("/events", receive)
    site.router.add_get("/settings", set_up)
    site.router.add_static("/", FOLDER)
    runner = web.AppRunner(site, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    own = runner.addresses[0][1]
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        child = await asyncio.create_subprocess_exec(
            chromium,
            "--headless=new",
            *CHROMIUM,
            f"--user-data-dir={profile}",
            f"http://127.0.0.1:{own}/page.html",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            yield events
        finally:
            child.terminate()
            await child.wait()
            await runner.cleanup()
