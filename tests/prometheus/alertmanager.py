"""The real Alertmanager with the shipped routes and inhibition rules, and a receiver that keeps what arrives."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from aiohttp import web

from tests.e2e.processes import free_port, until
from tests.prometheus.server import ready
from tests.rules.promtool import ROOT, tool

FASTER = 60
"""The shipped waits are divided by this, so that half a minute is half a second."""
_WAIT = re.compile(r"(?<=(?:_wait|erval): )(\d+)([smh])")
_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000}

Labels = dict[str, str]


class Notification(msgspec.Struct, frozen=True):
    """One request to a receiver."""

    receiver: str
    status: str
    """`firing` or `resolved`."""
    alerts: tuple[str, ...]
    """Name and severity of each alert in it, sorted."""
    grouped_by: Labels


def shortened(configuration: str, receiver_url: str) -> str:
    """Return a configuration with shorter waits, and each receiver at its own path of this URL."""

    def shorter(found: re.Match[str]) -> str:
        return f"{max(200, int(found[1]) * _UNITS_MS[found[2]] // FASTER)}ms"

    return re.sub(r"http://(\w+)\.example\.test/", rf"{receiver_url}/\1", _WAIT.sub(shorter, configuration))


class Alertmanager:
    """A running Alertmanager; `got` is what its receivers received, in order."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url, self.got = url, list[Notification]()
        self._session = session
        self._began: dict[str, str] = {}

    async def post(self, alerts: Iterable[Labels], *, is_over: bool = False) -> None:
        """Report alerts as a Prometheus does: they fire, or they are over."""
        now = datetime.now(UTC)
        ends = {"endsAt": now.isoformat()} if is_over else {"endsAt": (now + timedelta(hours=1)).isoformat()}
        body = [
            {"labels": each, "startsAt": self._began.setdefault(repr(each), now.isoformat()), **ends} for each in alerts
        ]
        async with self._session.post(f"{self.url}/api/v2/alerts", json=body) as response:
            assert response.status == 200, await response.text()

    async def has_received(self, receiver: str, status: str, *alerts: str) -> Notification:
        """Wait until a receiver has got exactly these alerts in one notification, and return it."""
        found: list[Notification] = []

        async def is_there() -> bool:
            found[:] = [
                each for each in self.got if (each.receiver, each.status, each.alerts) == (receiver, status, alerts)
            ]
            return bool(found)

        await until(is_there, f"{receiver} receives {alerts} as {status}: {self.got}")
        return found[0]

    def received(self) -> set[tuple[str, str]]:
        """Return each (receiver, alert) that has fired at a receiver so far."""
        return {(each.receiver, alert) for each in self.got if each.status == "firing" for alert in each.alerts}

    async def receive(self, request: web.Request) -> web.Response:
        """Keep a notification."""
        sent: dict[str, Any] = await request.json()
        named = sorted(f"{each['labels']['alertname']} {each['labels']['severity']}" for each in sent["alerts"])
        self.got.append(
            Notification(
                receiver=request.match_info["receiver"],
                status=sent["status"],
                alerts=tuple(named),
                grouped_by=sent["groupLabels"],
            )
        )
        return web.Response()


@asynccontextmanager
async def alertmanager(folder: Path) -> AsyncIterator[Alertmanager]:
    """Run Alertmanager with `deploy/alertmanager.yml`, its waits shortened, and its receivers on loopback."""
    port = free_port()
    async with aiohttp.ClientSession() as session:
        it = Alertmanager(f"http://127.0.0.1:{port}", session)
        site = web.Application()
        site.router.add_post("/{receiver}", it.receive)
        runner = web.AppRunner(site, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receivers = f"http://127.0.0.1:{runner.addresses[0][1]}"
        shipped = (ROOT / "deploy" / "alertmanager.yml").read_text()
        (folder / "alertmanager.yml").write_text(shortened(shipped, receivers))
        with (folder / "alertmanager.log").open("wb") as log:
            child = await asyncio.create_subprocess_exec(
                tool("alertmanager"),
                f"--config.file={folder / 'alertmanager.yml'}",
                f"--storage.path={folder / 'alertmanager'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
                cwd=ROOT / ".tools" / "alertmanager-templates",
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
            )
        try:
            await ready(child, it.url, session, folder / "alertmanager.log")
            yield it
        finally:
            if child.returncode is None:
                child.terminate()
            await child.wait()
            await runner.cleanup()
