"""Plays all scenarios at the same time: most of their time is waiting. One world, one browser, a context each."""

import asyncio
import contextlib
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from playwright.async_api import Browser

from sidecar.core.facts.policy import Mode
from sidecar.demo.standin.booking_app import BookingApp
from tests.e2e.processes import SidecarProcess, until
from tests.payers.backend import CLIENT, Backend
from tests.payers.pace import Pace
from tests.payers.payer import Payer
from tests.payers.reverb import APP, LosingReverb
from tests.payers.scenarios import Scenario
from tests.payers.sidecars import PROBE_TOKEN, PROBE_USER, Reachable, prepared
from tests.payers.stage import Result, Stage
from tests.payers.tabs import PlaywrightTab, Tab, chromium, freezable_tab
from tests.waiting import HANGS_AFTER_S

_OPENING_MAX = 3
"""So many pages are opened at once: what is measured is not how long a busy machine takes to start pages."""
_FIRST_USER = 100


class World:
    """The services that all scenarios share: Reverb, the backend, and a sidecar per mode."""

    def __init__(self, stack: contextlib.AsyncExitStack, folder: Path, client: Path) -> None:
        self.stack, self.folder = stack, folder
        self.pace = Pace()
        self.backend, self.reverb = Backend(self.pace, client=client), LosingReverb()
        self.opening = asyncio.Semaphore(_OPENING_MAX)
        self.sidecars: dict[str, SidecarProcess] = {}
        self.session: aiohttp.ClientSession
        self.browser: Browser

    async def start(self, scenarios: Sequence[Scenario]) -> None:
        """Start everything; return once each sidecar serves its mode."""
        self.session = await self.stack.enter_async_context(aiohttp.ClientSession())
        await self.backend.start()
        self.stack.push_async_callback(self.backend.stop)
        self.backend.reverb_port = await self.reverb.start()
        self.stack.push_async_callback(self.reverb.stop)
        _, auth_port = await self._app({PROBE_TOKEN: PROBE_USER})
        where = Reachable(reverb_port=self.backend.reverb_port, auth_port=auth_port, page_port=self.backend.port)
        modes = {_sidecar_of(each): each.held for each in scenarios}
        await asyncio.gather(*(self._sidecar(name, mode, where) for name, mode in modes.items()))
        self.browser = await self.stack.enter_async_context(chromium())
        advancing = asyncio.create_task(self.pace.run())
        self.stack.callback(advancing.cancel)

    async def _app(self, users: dict[str, str]) -> tuple[BookingApp, int]:
        """Start an app that authorises channels, and return its port too."""
        app = BookingApp(APP, origins=(self.backend.origin,), users=users)
        port = await app.start()
        self.stack.push_async_callback(app.stop)
        return app, port

    async def _sidecar(self, name: str, mode: Mode, where: Reachable) -> None:
        sidecar = await prepared(self.folder / name, where, mode)
        self.stack.enter_context(sidecar)
        self.sidecars[name] = sidecar
        await sidecar.ready(self.session)

        async def holds() -> bool:
            return bool((await sidecar.flag(self.session))["mode"] == mode)

        await until(holds, f"{name} serves {mode}")

    async def play(self, number: int, scenario: Scenario) -> Result:
        """Play one scenario to its end, and return its result."""
        sidecar = self.sidecars[_sidecar_of(scenario)]
        user_id = str(_FIRST_USER + number)
        app, app_port = await self._app({f"token-{user_id}": user_id})
        echo = {
            "key": APP.key,
            "wsHost": "127.0.0.1",
            "wsPort": self.backend.reverb_port,
            "authEndpoint": f"http://127.0.0.1:{app_port}/broadcasting/auth",
            "bearerToken": f"token-{user_id}",
        }
        reports = f"{self.backend.origin}/acks?payer={scenario.key}" if scenario.records else f"{sidecar.public}/acks"
        payer = Payer(
            name=scenario.key,
            user_id=user_id,
            sidecar=_sidecar_of(scenario),
            flow=scenario.flow,
            flag_url=f"{sidecar.public}/flags/payment-refresh",
            report_url=reports,
            webhook_url=f"{sidecar.public}/stripe/webhook",
            echo=echo,
        )
        self.backend.payers[scenario.key] = payer
        async with contextlib.AsyncExitStack() as stack:
            tab = await self._tab(scenario, stack)
            stage = Stage(payer, tab, self.backend, self.reverb, app, sidecar, self.session, self.opening, self.pace)
            try:
                await scenario.play(stage)
                await stage.reported()
                return await stage.result(scenario.key)
            except Exception:  # noqa: BLE001 - the test of this scenario fails with it, and no other
                return Result(key=scenario.key, failure=traceback.format_exc(), found=list(payer.found))

    async def _tab(self, scenario: Scenario, stack: contextlib.AsyncExitStack) -> Tab:
        if scenario.freezes:
            return await stack.enter_async_context(freezable_tab())
        context = await self.browser.new_context()
        context.set_default_timeout(HANGS_AFTER_S * 1000)
        stack.push_async_callback(context.close)
        return PlaywrightTab(await self.pace.page(context))


def _sidecar_of(scenario: Scenario) -> str:
    return scenario.key if scenario.own_sidecar else scenario.held.value


async def play(scenarios: Sequence[Scenario], *, client: Path = CLIENT) -> list[Result]:
    """Play these scenarios at the same time, with the client in this folder."""
    with tempfile.TemporaryDirectory() as folder:
        async with contextlib.AsyncExitStack() as stack:
            world = World(stack, Path(folder), client)
            await world.start(scenarios)
            return await asyncio.gather(*(world.play(number, each) for number, each in enumerate(scenarios)))
