"""A headless run of the demo, scraped every 15 s of its own time, as series for promtool."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
import msgspec

from sidecar import clock, rules
from sidecar.demo.show import Show, lived
from sidecar.demo.world import setup
from sidecar.demo.world.world import World
from sidecar.logs import LineCounts

STEP_S = 15
_TARGET = 'job="reverb-sidecar", instance="sidecar:8701"'


class Recording(msgspec.Struct, kw_only=True):
    """Scrapes and events of a run."""

    scrapes: list[Mapping[str, float] | None] = []
    """Values by series; None: no answer."""
    began_ms: int = 0
    happened: list[tuple[int, str]] = []
    """Seconds since the beginning, and the event."""
    rules: str = ""
    """The rules for the demo's configuration."""

    def happens(self, what: str) -> None:
        """Record an event at the current time."""
        self.happened.append(((clock.wall_ms() - self.began_ms) // 1000, what))

    @property
    def series(self) -> dict[str, str]:
        """Values of every series, with timestamps relative to the beginning, because promtool's time begins at 0."""
        names = sorted({name for scrape in self.scrapes for name in scrape or ()})
        found = {self._full(name): " ".join(self._value(name, scrape) for scrape in self.scrapes) for name in names}
        return found | {f"up{{{_TARGET}}}": " ".join(str(int(scrape is not None)) for scrape in self.scrapes)}

    @staticmethod
    def _full(name: str) -> str:
        return f"{name[:-1]}, {_TARGET}}}" if name.endswith("}") else f"{name}{{{_TARGET}}}"

    def _value(self, name: str, scrape: Mapping[str, float] | None) -> str:
        value = None if scrape is None else scrape.get(name)
        if value is None:
            return "stale"  # as Prometheus marks series that a scrape lacks
        if "timestamp_seconds" in name and value:
            value -= self.began_ms / 1000
        return f"{value:.12g}"


def recorded(life: Callable[[World, Recording], Awaitable[str]]) -> Recording:
    """Run the demo headless; fail if it does not complete."""
    recording = Recording()

    async def live(world: World) -> str:
        recording.began_ms = clock.wall_ms()
        recording.rules = rules.printed(rules.terms_of(setup.config_of(world.config_path)))
        scraping = world.group.create_task(_scrape_for_ever(world, recording))
        try:
            return await life(world, recording)
        finally:
            scraping.cancel()

    summary = lived(Show(is_story=True, is_headless=True), LineCounts(), live)
    assert summary.failure == "", summary.failure
    return recording


async def _scrape_for_ever(world: World, recording: Recording) -> None:
    async with aiohttp.ClientSession() as session:
        while True:
            due_ms = recording.began_ms + 1000 * STEP_S * len(recording.scrapes)
            await asyncio.sleep(max(0, due_ms - clock.wall_ms()) / 1000)
            recording.scrapes.append(await _scraped(session, world.metrics_url))


async def _scraped(session: aiohttp.ClientSession, url: str) -> dict[str, float] | None:
    try:
        async with session.get(url) as response:
            lines = (await response.text()).splitlines()
    except (aiohttp.ClientError, TimeoutError):
        return None
    parted = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in parted}
