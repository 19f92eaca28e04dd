"""The demo's world: a Stripe, a booking app, two Reverb nodes and payers' browsers around the real sidecar.

All of it is one process and one event loop, and uses connections as anywhere else; the sidecar is only used over HTTP.
No method waits: effects happen later, and appear in the view.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import aiohttp
import msgspec
import structlog
from aiohttp import web

from sidecar import app, randomness
from sidecar.config import Address, policy_of
from sidecar.core.facts.reports import Flow
from sidecar.demo.standin.backend import EVENT, Backend
from sidecar.demo.standin.booking_app import CHANNEL
from sidecar.demo.standin.proxy import Proxy
from sidecar.demo.standin.reverb import Reverb
from sidecar.demo.standin.reverb_bus import Bus
from sidecar.demo.standin.stripe import Endpoint, Stripe
from sidecar.demo.world import setup
from sidecar.demo.world import view_builder as viewing
from sidecar.demo.world.contract import PageServer, Visitor
from sidecar.demo.world.history import History
from sidecar.demo.world.operator_view import Watching
from sidecar.demo.world.pace import Pace
from sidecar.demo.world.payers import Browser
from sidecar.demo.world.setup import Ports
from sidecar.demo.world.sidecar_process import Running
from sidecar.demo.world.stage import Stage
from sidecar.demo.world.story import Story
from sidecar.demo.world.subscriptions import Listening, Places
from sidecar.demo.world.switchboard import Switchboard
from sidecar.demo.world.switches import Key
from sidecar.demo.world.view import WorldView
from sidecar.demo.world.visitor import USER, Wallet, report_token
from sidecar.http.guard import Guard
from sidecar.http.server import Listener
from sidecar.logs import LineCounts
from sidecar.ports import ErrorCode, SidecarError
from sidecar.pusher.signing import App

FLAG = "payment-refresh"
PAYMENTS_PER_S = 0.5
FIRST_PAYER = 101
_REDIRECTS_RATIO = 0.4
_LOOKS_EVERY_S, _HEADLESS_LOOKS_EVERY_S = 1.0, 2.0
_REAL_LOOKS_EVERY_S = 0.2
"""The same interval in real time."""


class World(Stage):
    """The stand-ins, the payers, the sidecar and the pages."""

    def __init__(
        self,
        group: asyncio.TaskGroup,
        session: aiohttp.ClientSession,
        *,
        ports: Ports,
        folder: Path,
        pace: Pace,
        seed: int,
        lines: LineCounts,
        pages: Callable[["World"], PageServer] | None,
        first_payer: int,
    ) -> None:
        self.pace, self.folder = pace, folder
        self.group = group
        self.history = History()
        self.reverb_app = App(app_id="501", key="demo-key", secret=randomness.token_hex(16))
        probe_token = randomness.token_hex(16)
        self.secrets = setup.secrets_of(self.reverb_app, probe_token)
        webhook_secret = f"whsec_{randomness.token_hex(16)}"
        bus = Bus()
        self.nodes = [Reverb(self.reverb_app, bus=bus) for _ in range(2)]
        self.app = Backend(
            self.reverb_app,
            webhook_secret=webhook_secret,
            ack_token=self.secrets.ack_token,
            group=group,
            notify=self.history.note_app,
            users={probe_token: setup.PROBE_USER},
        )
        self._reference = web.Server(_up)
        nodes = [node.serve for node in self.nodes]
        self.reverb_proxies = (Proxy(nodes), Proxy(nodes))
        self.sidecars_proxies = (self.reverb_proxies[1], Proxy([self.app.serve]), Proxy([self._reference]))
        self.stripe = Stripe(session, group, seed=seed, notify=self.history.note_stripe)
        self.watching = Watching(session, self.history, token=self.secrets.operator_tokens[0].token)
        self.switchboard: Switchboard = Switchboard(self)
        self.story: Story = Story(self)
        self.config_path = folder / "demo.yaml"
        self.urls = viewing.WorldUrls(public="", operator="", page="", payer="")
        self.metrics_url = ""
        self.ladder: tuple[viewing.Rung, ...] = ()
        self._wallet = Wallet(self, self._apply_speed)
        self._speed = pace.speed
        self._places = Places()
        self._session, self._ports, self._seed, self._lines = session, ports, seed, lines
        self._webhook_secret, self._first_payer = webhook_secret, first_payer
        self._page: Listener | None = None
        if pages is not None:
            own = pages(self)
            address = Address(host="127.0.0.1", port=ports.page)
            self._page = Listener("page", address, own.routes(), before_stop=own.stop, guard=Guard(address.host))

    # --- start and stop

    async def start(self) -> None:
        """Start everything, and the first payers. Raises `SidecarError`."""
        self.app.use(self._session)
        page = self._page.bind() if self._page is not None else f"http://127.0.0.1:{self._ports.page or 8702}"
        for node in self.nodes:
            await node.start()
        app_port = await _taken("--app-port", self.app.start(self._ports.app))
        await _taken("--reverb-port", self.reverb_proxies[0].open(self._ports.reverb))
        for proxy, port in zip(
            self.sidecars_proxies, (self._ports.sidecar_reverb, self._ports.sidecar_app, 0), strict=True
        ):
            await proxy.open(port)
        self._places.reverb = f"ws://127.0.0.1:{self.reverb_proxies[0].port}"
        self._places.app = f"http://127.0.0.1:{app_port}"
        self.app.reverb_url = f"http://127.0.0.1:{self.reverb_proxies[0].port}"
        self.app.allowed_from(page, page.replace("127.0.0.1", "localhost"))
        reverb, backend, reference = (proxy.port for proxy in self.sidecars_proxies)
        page_port = _port_of(page)
        where = setup.Addresses(reverb=reverb, app=backend, reference=reference, page=page_port)
        self.config_path = setup.written(self.folder, self._ports, where, self.reverb_app)
        config = setup.config_of(self.config_path)
        self.ladder = policy_of(config).ladder
        self.urls = viewing.WorldUrls(public="", operator="", page=page, payer=f"{page}/payer")
        self.sidecar = Running(config, self.secrets, self.group, lines=self._lines, started=self._started)
        await self.sidecar.start()
        taken = msgspec.structs.replace(
            self._ports, public=_port_of(self.urls.public), operator=_port_of(self.urls.operator)
        )
        if taken != self._ports:  # a free port stays the same after a restart
            self.config_path = setup.written(self.folder, taken, where, self.reverb_app)
            self.sidecar.config = setup.config_of(self.config_path)
        if self._page is not None:
            await self._page.start()
        self.group.create_task(self._look_for_ever(), name="world.look")
        self.group.create_task(self._pay_for_ever(), name="world.pay")

    async def stop(self) -> None:
        """Stop everything, the sidecar first."""
        if hasattr(self, "sidecar"):
            await self.sidecar.kill()
        if self._page is not None:
            await self._page.stop()
        for proxy in {*self.reverb_proxies, *self.sidecars_proxies}:
            proxy.end()
        for node in self.nodes:
            node.faults.is_frozen = False
            await node.stop()
        await self.app.stop()
        await self._reference.shutdown(timeout=0.1)

    def _started(self, where: app.Urls) -> None:
        self.urls = viewing.WorldUrls(
            public=where.public, operator=where.operator, page=self.urls.page, payer=self.urls.payer
        )
        self.metrics_url = where.metrics
        self._places.public = where.public
        self.watching.operator = where.operator
        self.app.acks_url = f"{where.public}/acks"
        self.stripe.endpoints = (
            Endpoint(name="sidecar", url=f"{where.public}/stripe/webhook", secret=self.secrets.stripe_webhook[0]),
            Endpoint(name="app", url=f"{self._places.app}/stripe/webhook", secret=self._webhook_secret),
        )

    # --- payers

    async def _pay_for_ever(self) -> NoReturn:
        """Create payers continuously."""
        number = self._first_payer
        while True:
            lot = random.Random(f"{self._seed} payer {number}")  # noqa: S311 - each payer's own, whatever else happens
            self.group.create_task(self._live(number, lot), name="payer")
            number += 1
            await asyncio.sleep(lot.uniform(0.5, 1.5) / PAYMENTS_PER_S)

    async def _live(self, number: int, lot: random.Random) -> None:
        """Simulate one payer's payment and page."""
        user_id, payment = str(number), f"pi_demo_{number:06}"
        flow = Flow.REDIRECT if lot.random() < _REDIRECTS_RATIO else Flow.IN_PAGE
        browser = Browser(
            self._session,
            self._places,
            user_id=user_id,
            payment=payment,
            flow=flow,
            report_token=lambda: report_token(self.secrets.browser[0], user_id),
            changed=self.history.changed,
        )
        token = self.app.token_of(user_id)
        listening = Listening(
            self._session, self._places, self.reverb_app, channel=f"{CHANNEL}{user_id}", token=token, events=browser
        )

        def pay() -> None:
            self.history.pay(payment, user_id, flow)
            self.stripe.succeed(payment, user_id=user_id, booking_id=str(number))

        await browser.live(listening, pay, pays_after_s=lot.uniform(1.0, 4.0), away_s=lot.uniform(0.3, 1.2))
        self.app.forget(token)

    async def _look_for_ever(self) -> NoReturn:
        """Poll the sidecar's status, and check the switches, until cancelled."""
        while True:
            await self.watching.look()
            self.switchboard.look()
            speed = self.pace.speed
            await asyncio.sleep(
                _HEADLESS_LOOKS_EVERY_S if speed is None else max(_LOOKS_EVERY_S, _REAL_LOOKS_EVERY_S * speed)
            )

    # --- the interface of the pages

    @property
    def speed(self) -> int:  # type: ignore[override]
        """Return the present speed: seconds of world time per second."""
        return self.pace.speed or 1

    def view(self) -> WorldView:
        """Return all that the page shows."""
        return viewing.view_of(self)

    def turn(self, key: str, *, on: bool) -> None:
        """Turn a switch. Raises `SidecarError` with `not_found`."""
        self.switchboard.turn(key, on=on)

    def is_on(self, key: Key) -> bool:
        """Return whether a switch is on."""
        return self.switchboard.is_on(key)

    def start_story(self) -> None:
        """Start the story from its beginning; no effect while it runs."""
        if not self.story.is_running:
            self.story.begin()
            self.group.create_task(self._run_story(), name="world.story")

    async def _run_story(self) -> None:
        failure = await self.story.run()
        if failure:
            structlog.get_logger().warning("demo.story_stopped", why=failure)

    def set_speed(self, speed: int) -> None:
        """Set the speed: seconds of world time per second."""
        if self._speed is not None:
            self._speed = speed
            self._apply_speed()

    def _apply_speed(self) -> None:
        """Run at real speed while a visitor's own payment is in flight."""
        if self._speed is not None:
            self.pace.set_speed(1 if self._wallet.is_in_flight else self._speed)

    def visitor(self) -> Visitor:
        """Return the payer of the payer's page."""
        return Visitor(
            user_id=USER,
            flag_url=f"{self.urls.public}/flags/{FLAG}",
            report_url=f"{self.urls.public}/acks",
            reverb_url=self._places.reverb,
            app_key=self.reverb_app.key,
            channel=f"{CHANNEL}{USER}",
            event=EVENT,
            auth_endpoint=f"{self._places.app}/broadcasting/auth",
            auth_token=self.app.token_of(USER),
        )

    def token(self) -> str:
        """Return a token for the reports of the visitor's browser, signed by the app."""
        return report_token(self.secrets.browser[0], USER)

    def intend(self, flow: Flow) -> str:
        """Create a PaymentIntent for the visitor's next booking, and return its id."""
        return self._wallet.intend(flow)

    def pay(self, payment_intent: str) -> None:
        """Take the visitor's payment at Stripe. Raises `SidecarError` with `not_found`."""
        self._wallet.pay(payment_intent)

    def is_paid(self, payment_intent: str, *, is_pushed: bool) -> bool:
        """Return whether this booking is paid in the app."""
        return self._wallet.is_paid(payment_intent, is_pushed=is_pushed)


class _OverError(Exception):
    """The context of the world has ended."""


@asynccontextmanager
async def running_world(
    *,
    ports: Ports,
    folder: Path,
    pace: Pace,
    seed: int,
    lines: LineCounts,
    pages: Callable[[World], PageServer] | None = None,
    first_payer: int = FIRST_PAYER,
) -> AsyncIterator[World]:
    """Run a world for the duration of the context. Raises `SidecarError`, in a group, if it cannot start."""
    connector = aiohttp.TCPConnector(limit=0)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
            asyncio.TaskGroup() as group,
        ):
            world = World(
                group,
                session,
                ports=ports,
                folder=folder,
                pace=pace,
                seed=seed,
                lines=lines,
                pages=pages,
                first_payer=first_payer,
            )
            try:
                await world.start()
                yield world
            finally:
                await world.stop()
            _end()
    except* _OverError:
        pass


def _end() -> None:
    """Cancel all tasks of the group."""
    raise _OverError


def _port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


async def _taken(option: str, taking: Awaitable[int]) -> int:
    """Return the port that was taken. Raises `SidecarError` with the option that chooses another."""
    try:
        return await taking
    except OSError as error:
        message = f"cannot listen ({error.strerror or error}); choose another port with {option} (0 takes any free one)"
        raise SidecarError(ErrorCode.ADDRESS_IN_USE, message) from error


async def _up(_: web.BaseRequest) -> web.Response:
    return web.Response(text="up")
