"""The stage of a scenario: one payer, their tab, the services behind it, and the faults."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec

from sidecar.core.facts.observations import AckReceived, BrowserReported
from sidecar.core.facts.reports import Reading
from sidecar.demo.standin.booking_app import BookingApp
from sidecar.journal.sqlite.verification import opened_to_read
from sidecar.probes.reports import Report, reading_of
from tests.e2e.processes import OPERATOR_TOKEN, SidecarProcess
from tests.payers.backend import Backend
from tests.payers.pace import Pace
from tests.payers.payer import Payer
from tests.payers.reverb import LosingReverb
from tests.payers.tabs import Tab
from tests.waiting import HANGS_AFTER_S

_LOOKS_MAX = 15


class Result(msgspec.Struct, kw_only=True):
    """The result of a scenario."""

    key: str
    failure: str = ""
    """Why it could not be played to its end; empty: it was."""
    found: list[bool] = []
    """What each refetch found, as the backend answered it."""
    cleared_ms: int | None = None
    """When "Pay now" was gone in the page, by the page's own clock; None: it is still shown."""
    sent: Reading | None = None
    """The page's report."""
    taken: Reading | None = None
    """The report in the journal; None: it was sent to the backend's recorder, or there was none."""
    is_delivered: bool = False
    """The sidecar's own socket received the broadcast."""
    reports: int = 0
    """Beacons that the page sent, or that the recorder received."""
    broadcast_ms: int | None = None
    """When Reverb's API took the broadcast, on the backend's clock; counted, as all is, from the payment in the page,
    or from the return page."""


class Stage:
    """One scenario's world."""

    def __init__(
        self,
        payer: Payer,
        tab: Tab,
        backend: Backend,
        reverb: LosingReverb,
        app: BookingApp,
        sidecar: SidecarProcess,
        session: aiohttp.ClientSession,
        opening: asyncio.Semaphore,
        pace: Pace,
    ) -> None:
        self.payer, self.tab, self.backend, self.reverb, self.app = payer, tab, backend, reverb, app
        self.sidecar, self.session = sidecar, session
        self._opening, self.pace = opening, pace
        self._left: dict[str, Any] | None = None

    async def until(
        self, is_met: Callable[[], Awaitable[object]], what: str, *, within_s: float = HANGS_AFTER_S
    ) -> None:
        """Wait for something, with a limit."""
        try:
            async with asyncio.timeout(within_s):
                while not await is_met():  # noqa: ASYNC110 - what is waited for is in the page
                    await asyncio.sleep(0.2)
        except TimeoutError:
            message = f"not within {within_s} s: {what}; the page: {await self.seen()}"
            raise AssertionError(message) from None

    async def seen(self) -> dict[str, Any]:
        """Return what the page noted; once it is left, what it had noted by then."""
        if self._left is not None:
            return self._left
        said: dict[str, Any] = await self.tab.evaluate("({...window.seen})")
        return said

    async def open(self, *, joins: bool = True) -> None:
        """Open the payment form; return once the flag was answered and, where it can, the channel was joined."""
        async with self._opening:
            await self.tab.open(f"{self.backend.origin}/dashboard?payer={self.payer.name}")
            await self.until(lambda: self.tab.evaluate("window.seen?.isReady"), "the page is ready")
            await self.until(self.has_flag, "the flag is answered")
            if joins:
                await self.until(lambda: self.tab.evaluate("window.seen.joined"), "the channel is joined")

    async def pay(self) -> None:
        """Press "Pay now", and return once Stripe has taken the payment."""
        await self.tab.evaluate("document.querySelector('button').click()")
        async with asyncio.timeout(HANGS_AFTER_S):
            await self.payer.succeeded.wait()

    async def clears(self, *, within_s: float = HANGS_AFTER_S) -> None:
        """Return once the page shows the booking as paid."""
        await self.until(lambda: self.tab.evaluate(_IS_CLEARED), '"Pay now" goes away', within_s=within_s)

    async def leave(self) -> None:
        """Go somewhere else."""
        self._left = await self.seen()
        await self.tab.open("about:blank")

    async def reported(self) -> None:
        """Return once the page has sent its report."""
        if self._left is not None:  # the page cannot be asked any more; `result` looks at what was received
            return
        await self.until(lambda: self.tab.evaluate("window.seen?.sent.length"), "the page reports")

    async def has_refetched(self, times: int) -> bool:
        """Return whether the page has sent this number of refetches."""
        return len(self.payer.found) >= times

    async def has_flag(self) -> bool:
        """Return whether the flag was answered in this page."""
        return bool(await self.tab.evaluate("window.seen?.flags"))

    def lose_push(self) -> None:
        """Lose the broadcast of this payment, after the API's 200."""
        self.reverb.loses.add(self.payer.payment_intent)

    async def roll_back(self) -> None:
        """Roll the flag back to the bottom rung."""
        url, headers = f"{self.sidecar.operator}/api/rollback", {"Authorization": f"Bearer {OPERATOR_TOKEN}"}
        async with self.session.post(url, json={"reason": "a test"}, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

    async def result(self, key: str) -> Result:
        """Return what the page, the backend and the sidecar recorded of this payer."""
        seen, payer = await self.seen(), self.payer
        sent = [*seen["sent"], *payer.reports]
        result = Result(key=key, found=list(payer.found), cleared_ms=seen["cleared"], reports=len(seen["sent"]))
        if sent:
            result.sent = reading_of(msgspec.json.decode(sent[0], type=Report))
        if payer.broadcast_s is not None and payer.began_s is not None:
            result.broadcast_ms = round(1000 * (payer.broadcast_s - payer.began_s))
        is_awaited = payer.report_url.startswith(self.sidecar.public)
        for _ in range(_LOOKS_MAX):
            self._look(result)
            if result.taken is not None or not is_awaited:
                break
            await asyncio.sleep(0.2)
        return result

    def _look(self, result: Result) -> None:
        """Read this payment's report from the sidecar's journal."""
        with opened_to_read(self.sidecar.journal) as (_, reader):
            facts = [record.observation for record in reader.read(0, 100_000)]
        for fact in facts:
            if isinstance(fact, BrowserReported | AckReceived) and fact.payment_intent == self.payer.payment_intent:
                if isinstance(fact, BrowserReported):
                    result.taken = fact.reading
                else:
                    result.is_delivered = True


_IS_CLEARED = "window.seen?.cleared != null && document.querySelector('[role=alert]') === null"
